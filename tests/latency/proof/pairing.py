"""Two ways of timing the same thing, held against each other in one run.

Blocks of both take turns (A B B A), so that what disturbs one disturbs the other and drifts cancel.  The ratio of each
round is one sample; its median has a distribution-free interval.  Both answers are answers: an interval within the
tolerance says that they agree, one outside of it that they do not, and one that reaches across says that the machine
was too restless to tell.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from archinspect.latency.stats import median, median_interval

#: times so many forwards and gives the seconds of one
Block = Callable[[int], float]

AGREE, DIFFER, UNDECIDED = "agree", "differ", "undecided"


@dataclass(frozen=True)
class Pairing:
    """`ratio` of ours to theirs with its interval (95 %; None when there were too few rounds)."""

    ratio: float
    interval: tuple[float, float] | None
    rounds: int
    within: float

    @property
    def verdict(self) -> str:
        if self.interval is None:
            return UNDECIDED
        low, high = self.interval
        if 1 - self.within <= low and high <= 1 + self.within:
            return AGREE
        return DIFFER if low > 1 + self.within or high < 1 - self.within else UNDECIDED

    def figures(self) -> dict[str, object]:
        """For a finding."""
        interval = None if self.interval is None else list(self.interval)
        return {"ratio": self.ratio, "interval": interval, "rounds": self.rounds, "verdict": self.verdict}


def take_turns(
    ours: Block,
    theirs: Block,
    *,
    each: int,
    cap_s: float,
    within: float = 0.01,
    clock: Callable[[], float] = time.perf_counter,
) -> Pairing:
    """Rounds of ours, theirs, theirs, ours, of `each` forwards, until they agree, differ, or the cap.

    It looks after 20, 40, 80 ... rounds only: an interval that is looked at ever again is too narrow.
    """
    ours(each), theirs(each)  # neither is charged with what only a first run does
    begin = clock()
    ratios: list[float] = []
    look = 20
    while True:
        a, b = ours(each), theirs(each)
        c, d = theirs(each), ours(each)
        ratios.append(math.log(a * d / (b * c)) / 2)
        over = clock() - begin > cap_s
        if len(ratios) >= look or over:
            look *= 2
            found = _pairing(ratios, within)
            if over or found.verdict != UNDECIDED:
                return found


def _pairing(ratios: list[float], within: float) -> Pairing:
    interval = median_interval(ratios)
    bounds = None if interval is None else (math.exp(interval.low), math.exp(interval.high))
    return Pairing(math.exp(median(ratios)), bounds, len(ratios), within)
