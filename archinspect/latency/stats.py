"""What a list of timings says, without assuming a distribution.  Pure arithmetic on seconds.

Timings are skewed, heavy-tailed and correlated in time, so: the median, never the mean; its interval from order
statistics (the binomial argument of the sign test), never from a normal distribution; and the interval counts only
as many samples as there are independent ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
#: percentile → the fewest samples that may speak of it.  Below, fewer than about six samples lie beyond it and one
#: disturbed run decides the figure.
PERCENTILE_NEEDS = {90: 64, 99: 662}


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a quantity that hold with at least `confidence`."""

    low: float
    high: float
    confidence: float = CONFIDENCE

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the middle two.  Raises ValueError when there are none."""
    if not samples:
        raise ValueError("the median of no samples")
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(samples: Sequence[float], fraction: float) -> float:
    """Linear interpolation between order statistics (type 7, as numpy and R do by default)."""
    if not samples:
        raise ValueError("a quantile of no samples")
    ordered = sorted(samples)
    place = fraction * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def percentile(samples: Sequence[float], percent: int) -> float | None:
    """p90 or p99, or None where the sample is too small to speak of it (`PERCENTILE_NEEDS`)."""
    if len(samples) < PERCENTILE_NEEDS[percent]:
        return None
    return quantile(samples, percent / 100)


def spread(samples: Sequence[float]) -> float:
    """Median absolute deviation, scaled (× 1.4826) to estimate a standard deviation robustly."""
    centre = median(samples)
    return 1.4826 * median([abs(x - centre) for x in samples])


def median_interval(samples: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Distribution-free interval of the median: x₍k₎ … x₍n+1−k₎ with the largest k that P(Bin(n, ½) < k) ≤ α/2 allows.

    With correlated samples the ranks move outwards as if there were only `effective_size` of them.  None when there
    are too few (6 independent samples for 95 %): then no interval of that confidence exists.
    """
    n = len(samples)
    independent = effective_size(samples)
    rank = _rank(int(independent), confidence)
    if rank is None:
        return None
    if independent < n:
        # the same distance from the middle, as a fraction of the sample
        distance = ((int(independent) + 1) / 2 - rank) / int(independent)
        rank = max(1, math.floor((n + 1) / 2 - distance * n))
    ordered = sorted(samples)
    return Interval(ordered[rank - 1], ordered[n - rank], confidence)


def _rank(n: int, confidence: float) -> int | None:
    """The largest k with P(Bin(n, ½) ≤ k − 1) ≤ (1 − confidence)/2; None when not even k = 1 will do."""
    if n < 1:
        return None
    if n > 1000:  # the normal approximation is within one rank here, and towards the outside
        return math.floor(n / 2 - _normal_quantile(0.5 + confidence / 2) * math.sqrt(n) / 2)
    tail = (1 - confidence) / 2 * (1 << n)
    total = 0
    for k in range(n + 1):
        total += math.comb(n, k)
        if total > tail:
            return k or None
    raise AssertionError("the whole distribution is more than its tail")


def effective_size(samples: Sequence[float]) -> float:
    """How many independent samples these are worth: n / (1 + 2 Σρₖ), Σ over the first positive autocorrelations.

    The autocorrelation is that of the ranks, so that one extreme sample does not decide it.
    """
    n = len(samples)
    if n < 10:
        return float(n)
    ranks = _ranks(samples)
    centre = (n - 1) / 2
    centred = [rank - centre for rank in ranks]
    variance = sum(x * x for x in centred)
    if variance == 0:
        return float(n)
    threshold = 2 / math.sqrt(n)  # below it a correlation is not told from none
    time = 1.0
    for lag in range(1, n // 3):
        rho = sum(a * b for a, b in zip(centred, centred[lag:], strict=False)) / variance
        if rho < threshold:
            break
        time += 2 * rho
    return max(1.0, n / time)


def _ranks(samples: Sequence[float]) -> list[float]:
    """0-based ranks; equal samples share their mean rank."""
    order = sorted(range(len(samples)), key=samples.__getitem__)
    ranks = [0.0] * len(samples)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and samples[order[end + 1]] == samples[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2
        start = end + 1
    return ranks


def sign_test(positive: int, negative: int) -> float:
    """Two-sided p of so uneven signs if both were equally likely (exact binomial)."""
    n = positive + negative
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(positive, negative) + 1))
    return min(1.0, 2 * tail / (1 << n))


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)
