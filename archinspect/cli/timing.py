"""Timing the networks that a command speaks of beside what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import EXIT_INTERRUPTED, fail

if TYPE_CHECKING:
    from ..graph import Graph
    from ..report import Report

_MOST_FORMS = 12


def refuse_what_cannot_be_timed(device: str | None, time: float) -> None:
    """Refuse a bad `--time` before anything else is done.  Raises ArchinspectError (A403)."""
    if device is not None and not 0 < time < 3600:
        raise fail("A403", f"--time is a number of seconds up to an hour, and not {time:g}", help="--time 20")


def with_times(report: Report, forms: Sequence[Graph], device: str, time: float) -> tuple[Report, int]:
    """The report with a table of times, all forms in turn against the first, and the exit code.

    Raises ArchinspectError: A403 for too many forms or an unknown device, A404 without torch.
    """
    if len(forms) > _MOST_FORMS:
        raise fail(
            "A403", f"--measure times {_MOST_FORMS} forms at most, and not {len(forms)}", help="name fewer"
        )
    from ..analysis import analyse
    from ..latency.measure import compare
    from ..report.measured import with_measurement
    from .progress import progress_bar

    with progress_bar() as progress:
        found = compare(forms, device=device, batch=forms[0].input_shape[0], time_s=time, progress=progress)
    macs = {graph.name: analyse(graph).totals.macs for graph in forms}
    return with_measurement(report, found, macs), EXIT_INTERRUPTED if found.interrupted else 0
