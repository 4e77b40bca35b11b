"""What changed since a saved run: configuration by configuration, and in the environment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .results import Measurement, Run

#: differs from run to run and says nothing about the machine
_PASSING = frozenset(
    {
        "load_before",
        "gpu_clocks.sm",
        "gpu_clocks.mem",
        "gpu_temperature.gpu",
        "gpu_utilization.gpu",
        "gpu_clocks_throttle_reasons.active",
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """One configuration before and after.

    `interval` is that of the ratio after ÷ before, from the intervals of both medians: as wide as they allow together.
    `noise` is the larger A/A noise of the two runs, as a fraction.  Runs at different times share no disturbance, so
    nothing is called a change that either of them could explain.
    """

    before: Run
    after: Run

    @property
    def ratio(self) -> float | None:
        if self.before.median_ms is None or self.after.median_ms is None:
            return None
        return self.after.median_ms / self.before.median_ms

    @property
    def interval(self) -> tuple[float, float] | None:
        before, after = self.before.interval_ms, self.after.interval_ms
        return None if before is None or after is None else (after[0] / before[1], after[1] / before[0])

    @property
    def noise(self) -> float | None:
        known = [run.noise for run in (self.before, self.after) if run.noise is not None]
        return max(known) if len(known) == 2 else None

    @property
    def real(self) -> bool:
        """Whether the difference is beyond what both runs' intervals and noise can explain."""
        if self.ratio is None or self.interval is None or self.noise is None:
            return False
        low, high = self.interval
        return (low > 1 or high < 1) and abs(math.log(self.ratio)) > math.log1p(self.noise)

    @property
    def verdict(self) -> str:
        if self.ratio is None:
            return f"{self.before.status} before, {self.after.status} now"
        if self.interval is None or self.noise is None:
            return "too few samples to tell"
        if not self.real:
            return "no change beyond the noise"
        return f"{abs(self.ratio - 1):.1%} {'slower' if self.ratio > 1 else 'faster'}"

    def regressed(self, limit: float) -> bool:
        """Whether it takes more than 1 + `limit` of what it took, and that is no noise; or no longer runs at all."""
        if self.ratio is None:
            return self.before.median_ms is not None
        return self.real and self.ratio > 1 + limit

    def to_dict(self) -> dict[str, Any]:
        return {
            "batch": self.after.batch,
            "dtype": self.after.dtype,
            "label": self.after.label,
            "mode": self.after.mode,
            "before_ms": self.before.median_ms,
            "after_ms": self.after.median_ms,
            "ratio": self.ratio,
            "interval": None if self.interval is None else list(self.interval),
            "noise": self.noise,
            "real": self.real,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Something of the environment that is not what it was."""

    what: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.what}: {self.before} before, {self.after} now"


@dataclass(frozen=True, slots=True)
class Changes:
    """A new measurement against a saved one."""

    before: Measurement
    after: Measurement

    @property
    def runs(self) -> tuple[Change, ...]:
        """The configurations that both have."""
        old = {run.key: run for run in self.before.runs}
        return tuple(Change(old[run.key], run) for run in self.after.runs if run.key in old)

    @property
    def environment(self) -> tuple[Difference, ...]:
        before = {"device": self.before.device, **self.before.environment}
        after = {"device": self.after.device, **self.after.environment}
        return tuple(
            Difference(key.replace("_", " "), before.get(key), after.get(key))
            for key in dict.fromkeys([*before, *after])
            if key not in _PASSING and before.get(key) != after.get(key)
        )

    def regressions(self, limit: float) -> tuple[Change, ...]:
        return tuple(change for change in self.runs if change.regressed(limit))

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.after.to_dict(),
            "against": {
                "changes": [change.to_dict() for change in self.runs],
                "environment": [
                    {"what": each.what, "before": each.before, "after": each.after}
                    for each in self.environment
                ],
            },
        }
