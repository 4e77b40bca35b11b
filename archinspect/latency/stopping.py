"""When to begin and when to stop: steadiness after warm-up, and the precision that ends a measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .stats import Interval, median, median_interval, spread

WINDOW = 8
STEADY_WITHIN = 0.02


def steady(samples: Sequence[float], window: int = WINDOW, tolerance: float = STEADY_WITHIN) -> bool:
    """Whether warming up is over: the last two windows have the same median, to `tolerance` or to their own noise.

    pyperf's test, made robust; the noise term is two standard errors of a difference of two medians, at most 10 %.
    """
    if len(samples) < 2 * window:
        return False
    before, after = samples[-2 * window : -window], samples[-window:]
    first, second = median(before), median(after)
    noise = 2 * 1.2533 * max(spread(before), spread(after)) * math.sqrt(2 / window)
    return abs(second - first) <= max(tolerance * first, min(noise, 0.1 * first))


@dataclass(frozen=True, slots=True)
class Precision:
    """What ends a measurement: the median known to ±`relative` and both halves agreeing within `halves`; or a cap.

    `least` samples and `least_s` seconds are always taken, `cap` samples and `cap_s` seconds never passed.  `warm_s`
    seconds of warming up come before: clocks take tenths of a second to rise.  `until`, on the clock that measures, is
    the moment by which all has to be over: nothing more is begun that would end later.
    """

    relative: float = 0.005
    halves: float = 0.01
    least: int = 20
    least_s: float = 0.5
    warm_s: float = 0.5
    cap: int = 4000
    cap_s: float = 10.0
    until: float = math.inf

    def too_late(self, now: float, takes_s: float) -> bool:
        """Whether what is begun now and takes so long would end too late."""
        return now + takes_s > self.until

    def reached(self, samples: Sequence[float]) -> bool:
        """Whether the samples meet the precision, caps aside."""
        if len(samples) < self.least:
            return False
        centre, interval = median(samples), median_interval(samples)
        return (
            interval is not None
            and interval.half_width <= self.relative * centre
            and abs(drift(samples)) <= self.halves
        )

    def verdict(self, samples: Sequence[float], elapsed: float) -> str | None:
        """`precise`, `cap` when a cap ended it, or None: go on."""
        if elapsed >= self.least_s and self.reached(samples):
            return "precise"
        return "cap" if self.exhausted(samples, elapsed) else None

    def exhausted(self, samples: Sequence[float], elapsed: float) -> bool:
        """Whether a cap is reached."""
        return len(samples) >= self.cap or elapsed >= self.cap_s


def precision_of(samples: Sequence[float]) -> tuple[float, Interval] | None:
    """(± relative half width, interval) of the median, or None while there is no interval."""
    interval = median_interval(samples)
    return None if interval is None else (interval.half_width / median(samples), interval)


def drift(samples: Sequence[float]) -> float:
    """How much slower the second half is than the first, as a fraction; 0 with fewer than two samples."""
    half = len(samples) // 2
    if half == 0:
        return 0.0
    return median(samples[half:]) / median(samples[:half]) - 1
