"""The time that one configuration may take, everything counted: loading, roofs, warming up, rows, looks afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

#: seconds that a configuration has at least: `--time` is about how long to sample, and a large network needs more
LIMIT_S = 20.0
#: what is not foreseen: preparing another pass, printing
_MARGIN_S = 0.5


@dataclass
class Budget:
    """Until when, on `clock`, everything has to be over.  Unlimited until a configuration begins."""

    clock: Callable[[], float]
    time_s: float
    until: float = math.inf

    @property
    def limit_s(self) -> float:
        """What one configuration may take."""
        return max(self.time_s, LIMIT_S)

    def begin(self, *, count: int = 1, spent_s: float = 0.0, after_s: float = 0.0) -> None:
        """`count` configurations begin, for which `spent_s` seconds went already and `after_s` have to be left."""
        self.until = self.clock() + count * self.limit_s - spent_s - after_s - _MARGIN_S

    def affords(self, seconds: float) -> bool:
        """Whether what takes so long would still be over in time."""
        return self.clock() + seconds <= self.until

    def reserving(self, seconds: float) -> float:
        """Until when to go on, so that so many seconds are left."""
        return self.until - seconds
