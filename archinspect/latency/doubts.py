"""What the samples themselves say against a figure."""

from __future__ import annotations

from collections.abc import Sequence

from ..units import seconds
from .flags import Flag
from .sampling import Samples
from .stopping import Precision, drift, precision_of
from .telescope import INFLATED, TRUSTED, Rows

#: the first run is told of when it takes so many times the median
_FIRST = 3.0
#: trtexec's test: the host needs more than this share of the time to queue a forward
_ENQUEUE = 0.8
_DRIFT = 0.03
#: fewer samples have no halves to speak of: six of each are the fewest that a median's interval needs
_HALVES = 12


def doubts_about(samples: Samples, precision: Precision, median: float) -> list[Flag]:
    """Flags from the samples (seconds) of one run."""
    flags = []
    if samples.stopped == "interrupted":
        flags.append(Flag("interrupted", f"{len(samples.values)} samples were taken"))
    elif not samples.warmth.steady:
        run = len(samples.warmth.values)
        message = f"warming up had not ended after {run} forwards" if run else "there was no time to warm up"
        flags.append(Flag("not-steady", message))
    known = precision_of(samples.values)
    if samples.stopped == "cap" and (known is None or known[0] > precision.relative):
        figure = "no interval" if known is None else f"±{known[0]:.1%}"
        flags.append(
            Flag(
                "imprecise",
                f"{figure} at the cap after {len(samples.values)} samples, not ±{precision.relative:.1%}",
            )
        )
    change = drift(samples.values) if len(samples.values) >= _HALVES else 0.0
    if abs(change) > _DRIFT:
        flags.append(Flag("drifting", f"the second half took {change:+.1%} against the first"))
    first = samples.warmth.first_s
    if first is not None and first > _FIRST * median:
        flags.append(Flag("one-off", f"the first forward took {1000 * first:.1f} ms"))
    return flags


def left_out(what: Sequence[str], forward_s: float, time_s: float) -> list[Flag]:
    """What there was no time for."""
    if not what:
        return []
    message = (
        f"a forward takes {seconds(forward_s)}: no time was left within {time_s:g} s for {', '.join(what)}"
    )
    return [Flag("out-of-time", message)]


def launch_doubt(enqueue_s: float, median: float) -> list[Flag]:
    """Whether the device waits for the host."""
    if enqueue_s <= _ENQUEUE * median:
        return []
    share = min(enqueue_s / median, 1.0)
    return [
        Flag(
            "launch-bound",
            f"queueing a forward takes the host {1000 * enqueue_s:.3f} ms, {share:.0%} of its time",
        )
    ]


def rows_doubt(rows: Rows) -> list[Flag]:
    """Whether the rows fail to add up, or the marks between them take time themselves."""
    flags = []
    if not rows.trustworthy:
        flags.append(
            Flag(
                "not-trustworthy",
                f"the rows add up to {rows.closure:.1%} of the whole (allowed: ±{TRUSTED:.0%})",
            )
        )
    if rows.inflation > 1 + INFLATED:
        flags.append(
            Flag("inflated", f"with marks between the rows the whole takes {rows.inflation - 1:+.1%}")
        )
    return flags
