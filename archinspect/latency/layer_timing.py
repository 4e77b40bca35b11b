"""Time per layer that adds up: rows between marks, so that nothing of the forward lies outside a row.

A pass with marks is timed alternately with the same pass without.  Two figures say whether to believe the rows:
closure = sum of the rows / the whole without marks, inflation = the whole with marks / the whole without.
Nothing is ever rescaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from .sampling import StoppingRule, precision_of
from .stats import median

#: a closure further from 1 is no basis for conclusions
TRUSTED = 0.05
#: with more than this the marks themselves are seen in the rows
INFLATED = 0.02
_WELL = 0.02
#: rows that do not add up are given so many times the cap before that is the result
_PATIENCE = 1.5

#: runs one forward and returns its seconds; a marked one returns the seconds of each row
Whole = Callable[[], float]
Marked = Callable[[], Sequence[float]]
#: told now and then: rounds' samples so far, ± relative half width (None while unknown), share of the time cap used
Tell = Callable[[int, float | None, float], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Seconds of each row in a typical pass, and all samples of the whole without marks and with them.

    `stopped`: precise | cap | interrupted.
    """

    seconds: tuple[float, ...]
    wholes: tuple[float, ...]
    marked: tuple[float, ...]
    stopped: str

    @property
    def whole_s(self) -> float:
        """Median of the whole without marks: what the rows are held against."""
        return median(self.wholes)

    @property
    def closure(self) -> float:
        return sum(self.seconds) / self.whole_s

    @property
    def inflation(self) -> float:
        return median(self.marked) / self.whole_s

    @property
    def trustworthy(self) -> bool:
        return abs(self.closure - 1) <= TRUSTED


def sample_rows(
    whole: Whole,
    marked: Marked,
    clock: Callable[[], float],
    precision: StoppingRule,
    tell: Tell | None = None,
) -> Rows | None:
    """Rounds of whole, marked, marked, whole until both medians are known and the rows add up, or a cap.

    The first two passes are left out, unless there is no time for a round.  Ctrl-C ends it; None when it came before
    the first round was over.
    """
    wholes: list[float] = []
    passes: list[Sequence[float]] = []
    begin = clock()
    checked = 0
    stopped = "interrupted"
    try:
        first, first_marked = whole(), marked()  # neither is charged with what only a first run does
        round_s = 2 * (clock() - begin)
        if precision.too_late(clock(), round_s):
            return _rows([first], [first_marked], "cap")
        while True:
            began = clock()
            one = whole()
            rounds = [marked(), marked()]
            wholes += [one, whole()]
            passes += rounds
            now = clock()
            elapsed, round_s = now - begin, now - began
            if precision.too_late(now, round_s):
                stopped = "cap"
                break
            if len(wholes) >= checked * 1.1 or elapsed >= precision.cap_s:
                checked = len(wholes)
                if tell is not None:
                    known = precision_of(wholes) if checked >= 10 else None
                    tell(checked, known and known[0], min(1.0, elapsed / precision.cap_s))
                ended = _verdict(wholes, passes, elapsed, precision)
                if ended is not None:
                    stopped = ended
                    break
    except KeyboardInterrupt:
        if not wholes:
            return None
    return _rows(wholes, passes, stopped)


def _verdict(
    wholes: list[float], passes: list[Sequence[float]], elapsed: float, precision: StoppingRule
) -> str | None:
    """`precise` when whole and rows are known and add up well, `cap` at a cap they cannot wait beyond, None: go on."""
    if precision.verdict(wholes, elapsed) == "precise" and precision.reached([sum(p) for p in passes]):
        rows = _rows(wholes, passes, "")
        if abs(rows.closure - 1) <= _WELL:
            return "precise"
    if not precision.exhausted(wholes, elapsed):
        return None
    patient = elapsed < _PATIENCE * precision.cap_s and len(wholes) < _PATIENCE * precision.cap
    return None if patient and not _rows(wholes, passes, "").trustworthy else "cap"


def _rows(wholes: Sequence[float], passes: Sequence[Sequence[float]], stopped: str) -> Rows:
    """Each row's mean over the passes of typical length, the middle third by total.

    Means of the same passes add up as the passes do.  Medians of single rows would not: on a disturbed machine every
    pass is held up somewhere, and no row's median shows it.
    """
    totals = [sum(row) for row in passes]
    order = sorted(range(len(passes)), key=totals.__getitem__)
    outer = (len(order) - 1) // 3
    typical = [passes[i] for i in order[outer : len(order) - outer]]
    return Rows(
        seconds=tuple(fmean(column) for column in zip(*typical, strict=True)),
        wholes=tuple(wholes),
        marked=tuple(totals),
        stopped=stopped,
    )
