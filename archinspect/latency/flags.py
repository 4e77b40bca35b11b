"""What makes a figure doubtful, in words, each with a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
