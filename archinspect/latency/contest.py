"""Rounds of candidates timed forth and back, until their differences are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .sampling import Progress
from .stats import median_interval
from .stopping import Precision
from .timers import Timer


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds per candidate of all rounds, forth and back.  `stopped`: precise | cap | interrupted."""

    forth: Mapping[str, tuple[float, ...]]
    back: Mapping[str, tuple[float, ...]]
    stopped: str

    @property
    def count(self) -> int:
        return min(map(len, self.back.values()), default=0)

    def both(self, name: str) -> tuple[float, ...]:
        """All timings of one candidate, in order."""
        pairs = zip(self.forth.get(name, ()), self.back.get(name, ()), strict=True)
        return tuple(seconds for pair in pairs for seconds in pair)


def contest(
    timers: Mapping[str, Timer],
    clock: Callable[[], float],
    precision: Precision,
    progress: Progress | None = None,
) -> Round:
    """Time A B C … C B A until the median of each is known, or a cap.  Ctrl-C ends it after the last whole round."""
    names = list(timers)
    forth: dict[str, list[float]] = {name: [] for name in names}
    back: dict[str, list[float]] = {name: [] for name in names}
    begin = clock()
    checked = 0
    stopped = "interrupted"
    try:
        while True:
            there = {name: timers[name](1)[0] for name in names}
            again = {name: timers[name](1)[0] for name in reversed(names)}
            for name in names:
                forth[name].append(there[name])
                back[name].append(again[name])
            rounds, elapsed = len(forth[names[0]]), clock() - begin
            if precision.too_late(clock(), elapsed / rounds):
                stopped = "cap"
                break
            if rounds >= checked * 1.1 or elapsed >= precision.cap_s:
                checked = rounds
                both = [[*forth[name], *back[name]] for name in names]
                if progress is not None:
                    progress("rounds", rounds, _widest(both), min(1.0, elapsed / precision.cap_s))
                verdicts = [precision.verdict(samples, elapsed) for samples in both]
                if None not in verdicts or "cap" in verdicts:
                    stopped = "cap" if "cap" in verdicts else "precise"
                    break
    except KeyboardInterrupt:
        pass
    return Round(_frozen(forth), _frozen(back), stopped)


def _widest(samples: list[list[float]]) -> float | None:
    """± relative half width of the worst known median."""
    intervals = [median_interval(each) for each in samples]
    widths = [i.half_width / ((i.low + i.high) / 2) for i in intervals if i is not None]
    return max(widths) if len(widths) == len(samples) else None


def _frozen(samples: Mapping[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values) for name, values in samples.items()}
