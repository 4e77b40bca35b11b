"""Measuring: the only part of `latency` that imports torch.

The way of the data: `prepare` (graph → module and input), `session` (one configuration → `Run`) with `runtime` (clock
and events), `instrument` (marks between layers), `inspection` (values, memory), `roofs` (ceilings), `environment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ...errors import fail, suggestion
from ..ceilings import Precision, precision
from ..devices import recognise
from ..judge import judged
from ..results import Measurement, Run
from ..timers import TIMERS
from . import environment
from .instrument import clone
from .prepare import Options, arithmetic, network
from .roofs import best_of, measure_ceilings
from .runtime import find_device, runtime_for, threads
from .session import Progress, Session

if TYPE_CHECKING:
    from ...graph import Graph

_T = TypeVar("_T", int, str)

__all__ = ["Options", "Progress", "measure"]


def measure(
    graph: Graph,
    *,
    device: str | None = None,
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] = "fp32",
    mode: str | Sequence[str] = "latency",
    options: Options | None = None,
    layers: bool = True,
    time_s: float = 20.0,
    progress: Progress | None = None,
) -> Measurement:
    """Time a network's forward pass in every combination of batch, precision and mode.

    `layers` adds time per layer to the runs of the first mode.  `time_s` is about the time of one configuration.
    Ctrl-C ends it with what is known so far.  Raises ArchinspectError (A403) for what this machine does not have.
    """
    options = options or Options()
    batches, modes = _several(batch), _checked_modes(_several(mode))
    precisions = [precision(name) for name in _several(dtype)]
    if any(b < 1 for b in batches):
        raise fail("A403", f"a batch of {min(batches)} holds no image")
    place = find_device(device)
    runtime = runtime_for(place)
    with threads(options.threads) as used:
        found = environment.environment(place, used)
        for each in precisions:
            with arithmetic(each, place):
                pass  # refuse before anything takes time
        ceilings = measure_ceilings(runtime, precisions)
        session = Session(place, runtime, options, used, time_s, progress)
        runs = list(_runs(session, graph, precisions, batches, modes, layers))
        if not any(run.status == "interrupted" for run in runs):
            ceilings = best_of(ceilings, measure_ceilings(runtime, precisions))
    sheet = recognise(runtime.name())
    return Measurement(
        graph.name,
        runtime.name(),
        found,
        tuple(judged(run, graph, ceilings) for run in runs),
        ceilings,
        None if sheet is None else sheet.ceilings,
    )


def _runs(
    session: Session,
    graph: Graph,
    precisions: list[Precision],
    batches: Sequence[int],
    modes: Sequence[str],
    layers: bool,
) -> Iterable[Run]:
    original = network(graph)
    for each in precisions:
        module = clone(original)
        with arithmetic(each, session.device):
            for size in batches:
                for mode in modes:
                    run = session.run(graph, module, size, each, mode, layers and mode == modes[0])
                    yield run
                    if run.status == "interrupted":
                        return


def _several(value: _T | Sequence[_T]) -> list[_T]:
    return [value] if isinstance(value, (int, str)) else list(value)


def _checked_modes(modes: list[str]) -> list[str]:
    for name in modes:
        if name not in TIMERS:
            help = suggestion(name, TIMERS, otherwise=f"modes: {', '.join(TIMERS)}")
            raise fail("A403", f"there is no mode '{name}'", help=help)
    return modes
