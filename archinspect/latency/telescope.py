"""Time per layer that adds up: rows between marks, so that nothing of the forward lies outside a row.

A pass with marks is timed alternately with the same pass without.  Two figures say whether to believe the rows:
closure = sum of the rows / the whole without marks, inflation = the whole with marks / the whole without.
Nothing is ever rescaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .stats import median
from .stopping import Precision

#: a closure further from 1 is no basis for conclusions
TRUSTED = 0.05
_WELL = 0.02

#: runs one forward and returns its seconds; a marked one returns the seconds of each row
Whole = Callable[[], float]
Marked = Callable[[], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Median seconds of each row, of the whole with marks and of the whole without, over `n` rounds."""

    seconds: tuple[float, ...]
    marked_s: float
    whole_s: float
    n: int

    @property
    def closure(self) -> float:
        return sum(self.seconds) / self.whole_s

    @property
    def inflation(self) -> float:
        return self.marked_s / self.whole_s

    @property
    def trustworthy(self) -> bool:
        return abs(self.closure - 1) <= TRUSTED


def telescope(
    whole: Whole,
    marked: Marked,
    clock: Callable[[], float],
    precision: Precision,
    tell: Callable[[int, float], None] | None = None,
) -> Rows | None:
    """Rounds of whole, marked, marked, whole until both medians are known and the rows add up, or the cap.

    Ctrl-C ends it; None when it came before the first round was over.
    """
    wholes: list[float] = []
    passes: list[Sequence[float]] = []
    begin = clock()
    checked = 0
    try:
        whole(), marked()  # neither is charged with what only a first run does
        while True:
            one = whole()
            rounds = [marked(), marked()]
            wholes += [one, whole()]
            passes += rounds
            elapsed = clock() - begin
            if len(wholes) >= checked * 1.1 or elapsed >= precision.cap_s:
                checked = len(wholes)
                if tell is not None:
                    tell(checked, min(1.0, elapsed / precision.cap_s))
                if _enough(wholes, passes, elapsed, precision):
                    break
    except KeyboardInterrupt:
        if not wholes:
            return None
    return _rows(wholes, passes)


def _enough(wholes: list[float], passes: list[Sequence[float]], elapsed: float, precision: Precision) -> bool:
    if precision.exhausted(wholes, elapsed):
        return True
    if precision.verdict(wholes, elapsed) is None:
        return False
    rows = _rows(wholes, passes)
    return abs(rows.closure - 1) <= _WELL and precision.reached([sum(p) for p in passes])


def _rows(wholes: Sequence[float], passes: Sequence[Sequence[float]]) -> Rows:
    columns = zip(*passes, strict=True)
    return Rows(
        seconds=tuple(median(column) for column in columns),
        marked_s=median([sum(p) for p in passes]),
        whole_s=median(wholes),
        n=len(wholes),
    )
