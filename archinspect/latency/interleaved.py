"""Interleaved A/B timing (A B … B A): rounds of candidates, and which differences exceed the A/A noise floor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from .sampling import Progress, StoppingRule
from .stats import CONFIDENCE, median, median_interval, sign_test
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


def interleave(
    timers: Mapping[str, Timer],
    clock: Callable[[], float],
    precision: StoppingRule,
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


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates: how many times as long the second takes, the interval of that, and whether it is a difference.

    `noise` is the A/A floor, as a fraction: a ratio within 1 ± noise is never called a difference.  `interval` is
    None when there were too few rounds for one; then nothing is called real.
    """

    first: str
    second: str
    ratio: float
    interval: tuple[float, float] | None
    p_value: float
    noise: float
    rounds: int

    @property
    def real(self) -> bool:
        if self.interval is None:
            return False
        low, high = self.interval
        return (low > 1 or high < 1) and abs(math.log(self.ratio)) > math.log1p(self.noise)

    @property
    def verdict(self) -> str:
        if self.real:
            slower, faster = (self.second, self.first) if self.ratio > 1 else (self.first, self.second)
            return f"{slower} is {max(self.ratio, 1 / self.ratio):.2f}× as long as {faster}"
        return "too few rounds to tell" if self.interval is None else "no difference beyond the noise"

    def to_dict(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "second": self.second,
            "ratio": self.ratio,
            "interval": None if self.interval is None else list(self.interval),
            "p_value": self.p_value,
            "noise": None if math.isinf(self.noise) else self.noise,
            "rounds": self.rounds,
            "real": self.real,
            "verdict": self.verdict,
        }


def pair(
    names: tuple[str, str],
    first: Sequence[float],
    second: Sequence[float],
    noise: float,
    confidence: float = CONFIDENCE,
) -> Pair:
    """Judge timings taken in the same rounds: the median of log(second/first), its interval, the sign test."""
    logs = _logs(first, second)
    interval = median_interval(logs, confidence)
    return Pair(
        *names,
        ratio=math.exp(median(logs)),
        interval=None if interval is None else (math.exp(interval.low), math.exp(interval.high)),
        p_value=sign_test(sum(x > 0 for x in logs), sum(x < 0 for x in logs)),
        noise=noise,
        rounds=len(logs),
    )


def noise_floor(first: Sequence[float], second: Sequence[float]) -> float:
    """How far A may differ from A in these conditions, as a fraction: the far end of the A/A interval.

    `first` and `second` are timings of the same thing in the same rounds.  Infinite when there are too few rounds.
    """
    interval = median_interval(_logs(first, second))
    return math.inf if interval is None else math.expm1(max(abs(interval.low), abs(interval.high)))


def own_noise(samples: Sequence[float]) -> float | None:
    """The A/A floor of one run: neighbouring samples taken as pairs of the same thing."""
    half = len(samples) // 2 * 2
    if half < 12:
        return None
    floor = noise_floor(samples[0:half:2], samples[1:half:2])
    return None if math.isinf(floor) else floor


def judge(forth: Mapping[str, Sequence[float]], back: Mapping[str, Sequence[float]]) -> tuple[Pair, ...]:
    """All pairs of candidates that were timed in rounds A B C … C B A, forth and back.

    Going back cancels a linear drift, and what it is to come first or second.  The A/A floor is the largest of theirs,
    of neighbouring rounds: within a round the second timing of a candidate follows itself and finds its caches warm,
    which is no noise.  Too few rounds for that have the floor within them, which asks for more.  The confidence is
    Bonferroni's for that many pairs.
    """
    names = list(forth)
    pairs = list(combinations(names, 2))
    if not pairs:
        return ()
    both = {name: [math.sqrt(a * b) for a, b in zip(forth[name], back[name], strict=True)] for name in names}
    floors = [own_noise(both[name]) for name in names]
    noise = max(
        noise_floor(forth[name], back[name]) if floor is None else floor
        for name, floor in zip(names, floors, strict=True)
    )
    confidence = 1 - (1 - CONFIDENCE) / len(pairs)
    return tuple(pair(names, both[names[0]], both[names[1]], noise, confidence) for names in pairs)


def _logs(first: Sequence[float], second: Sequence[float]) -> list[float]:
    if len(first) != len(second) or not first:
        raise ValueError(f"pairs need as many of both, got {len(first)} and {len(second)}")
    return [math.log(b / a) for a, b in zip(first, second, strict=True)]
