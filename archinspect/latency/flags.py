"""Warnings about a measured figure: what the samples and rows say against it, each with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..units import seconds
from .layer_timing import INFLATED, TRUSTED, Rows
from .sampling import Samples, StoppingRule, drift, precision_of

#: code → remedy
REMEDIES = {
    "contaminated": "close other programs, or pin this one to free cores (taskset), and run again",
    "throttled": "raise the container's CPU quota, or run where there is none",
    "slowed-clock": "let the device cool, or fix its clocks (nvidia-smi --lock-gpu-clocks), and run again",
    "drifting": "run again; if it stays, the device warms up or its clocks change: let it settle, or fix its clocks",
    "not-steady": "give it more time (--time), or look for what else changes while it runs",
    "imprecise": "give it more time (--time), or a quieter machine",
    "low-roofs": "floors and efficiencies are only as good as the roofs: run again on a quieter machine",
    "out-of-time": "give it more time (--time), or a smaller batch",
    "threads": "set --threads to the number of free physical cores",
    "one-off": "the first run compiles, tunes and loads; it is not in the figures, but a user meets it once",
    "nan": "the output is not finite: check the weights, or use a precision with a wider range",
    "denormals": "denormal numbers are slow on CPUs: use realistic weights, or torch.set_flush_denormal(True)",
    "not-trustworthy": "give it more time (--time) on a quieter machine, or take the whole alone (--no-layers)",
    "no-rows": "the whole is right; for time per layer leave --compile out, or use torch 2.13 or 2.14",
    "eager-rows": "rows hold the time that the device waits for the host, too; a forward that neither copies values to"
    " the host nor branches by them can be captured",
    "changing-calls": "the whole is right; rows need a forward pass that calls the same modules each time",
    "inflated": "fold rows (--depth): fewer marks disturb less",
    "launch-bound": "the device waits for the host: use a larger batch, --mode graph, or --compile",
    "interrupted": "stopped by Ctrl-C: figures are of the samples so far",
    "out-of-memory": "use a smaller batch, or a narrower --dtype",
}
#: flags that are information, not doubt
NOTES = frozenset({"out-of-time", "one-off", "inflated", "launch-bound", "eager-rows"})


@dataclass(frozen=True, slots=True)
class Flag:
    """One finding: a code of `REMEDIES`, and what was seen."""

    code: str
    message: str

    @property
    def remedy(self) -> str:
        return REMEDIES[self.code]

    @property
    def doubtful(self) -> bool:
        """Whether it casts doubt on the figure."""
        return self.code not in NOTES

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


#: the first run is told of when it takes so many times the median
_FIRST = 3.0
#: trtexec's test: the host needs more than this share of the time to queue a forward
_ENQUEUE = 0.8
_DRIFT = 0.03
#: fewer samples have no halves to speak of: six of each are the fewest that a median's interval needs
_HALVES = 12


def sample_flags(samples: Samples, precision: StoppingRule, median: float) -> list[Flag]:
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


def left_out_flags(what: Sequence[str], forward_s: float, time_s: float) -> list[Flag]:
    """What there was no time for."""
    if not what:
        return []
    message = (
        f"a forward takes {seconds(forward_s)}: no time was left within {time_s:g} s for {', '.join(what)}"
    )
    return [Flag("out-of-time", message)]


def launch_flags(enqueue_s: float, median: float) -> list[Flag]:
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


def row_flags(rows: Rows) -> list[Flag]:
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
