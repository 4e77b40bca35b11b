"""The statistics, held against scipy and against their own promises on synthetic samples."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from archinspect.latency import stats

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=120)


@given(TIMES)
def test_median_and_quantiles_are_numpys(samples: list[float]) -> None:
    assert stats.median(samples) == pytest.approx(float(np.median(samples)))
    for fraction in (0.0, 0.25, 0.9, 0.99, 1.0):
        assert stats.quantile(samples, fraction) == pytest.approx(float(np.quantile(samples, fraction)))
    assert stats.spread(samples) == pytest.approx(
        float(scipy_stats.median_abs_deviation(samples, scale=1 / 1.4826)), abs=1e-12
    )


@given(st.lists(st.floats(1e-6, 1e3), min_size=10, max_size=60))
def test_ranks_are_scipys(samples: list[float]) -> None:
    assert stats._ranks(samples) == [rank - 1 for rank in scipy_stats.rankdata(samples)]


@pytest.mark.parametrize("n", [6, 7, 20, 64, 100, 333, 1000])
def test_the_interval_of_the_median_is_the_one_scipy_inverts_from_the_sign_test(n: int) -> None:
    samples = [random.Random(n).lognormvariate(0, 0.1) for _ in range(n)]
    rank = stats._rank(n, 0.95)
    assert rank is not None
    ours = (sorted(samples)[rank - 1], sorted(samples)[n - rank])
    theirs = scipy_stats.quantile_test(samples, q=float(np.median(samples)), p=0.5).confidence_interval(0.95)
    assert ours == pytest.approx(tuple(theirs))


@pytest.mark.parametrize("n", [1001, 1500, 4000])
def test_the_large_sample_rank_keeps_its_promise(n: int) -> None:
    rank = stats._rank(n, 0.95)
    assert rank is not None
    exact = int(scipy_stats.binom.ppf(0.025, n, 0.5))
    assert exact - 1 <= rank <= exact
    assert 1 - 2 * scipy_stats.binom.cdf(rank - 1, n, 0.5) >= 0.95


def test_no_interval_of_a_handful() -> None:
    assert stats.median_interval([1.0, 1.1, 0.9, 1.0, 1.2]) is None
    assert stats.median_interval([1.0, 1.1, 0.9, 1.0, 1.2, 1.3]) is not None


def test_percentiles_are_withheld_below_their_sample_sizes() -> None:
    samples = [float(i) for i in range(662)]
    assert stats.percentile(samples[:63], 90) is None
    assert stats.percentile(samples[:64], 90) == pytest.approx(float(np.percentile(samples[:64], 90)))
    assert stats.percentile(samples[:661], 99) is None
    assert stats.percentile(samples, 99) == pytest.approx(float(np.percentile(samples, 99)))


def test_the_interval_holds_as_often_as_it_says_for_skewed_independent_samples() -> None:
    rng = random.Random(1)
    truth = 1.0  # the median of exp(N(0, σ))
    held = sum(_covers([rng.lognormvariate(0, 0.3) for _ in range(80)], truth) for _ in range(400))
    assert held >= 0.92 * 400  # 95 % less three standard errors


def test_the_interval_still_holds_when_samples_are_correlated() -> None:
    rng = random.Random(2)
    naive = honest = 0
    for _ in range(300):
        samples = _autoregressive(rng, 200, 0.7)
        honest += _covers(samples, 1.0)
        rank = stats._rank(200, 0.95)
        assert rank is not None
        ordered = sorted(samples)
        naive += ordered[rank - 1] <= 1.0 <= ordered[200 - rank]
    assert naive < 0.75 * 300  # what ignoring the correlation would promise as 95 %
    assert honest >= 0.88 * 300


def test_effective_size_is_that_of_an_autoregressive_process() -> None:
    rng = random.Random(3)
    sizes = [stats.effective_size(_autoregressive(rng, 1000, 0.5)) for _ in range(10)]
    # AR(1): n (1 − ρ)/(1 + ρ) = 333; ranks are a little less correlated than values
    assert 250 < stats.median(sizes) < 450
    independent = [stats.effective_size([rng.random() for _ in range(1000)]) for _ in range(10)]
    assert stats.median(independent) > 900


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_scipys(positive: int, negative: int) -> None:
    expected = scipy_stats.binomtest(positive, positive + negative).pvalue if positive + negative else 1.0
    assert stats.sign_test(positive, negative) == pytest.approx(expected)


def _covers(samples: list[float], truth: float) -> bool:
    interval = stats.median_interval(samples)
    assert interval is not None
    return interval.contains(truth)


def _autoregressive(rng: random.Random, n: int, rho: float) -> list[float]:
    """exp of an AR(1) process: median 1."""
    x, samples = rng.gauss(0, 1), []
    for _ in range(n):
        x = rho * x + math.sqrt(1 - rho * rho) * rng.gauss(0, 1)
        samples.append(math.exp(0.1 * x))
    return samples
