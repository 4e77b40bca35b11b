"""Warm-up, the stopping rule and drift, on synthetic samples."""

from __future__ import annotations

import random

import pytest

from archinspect.latency.sampling import StoppingRule, drift, steady


def test_warming_up_is_not_steady_and_a_plateau_is() -> None:
    falling = [2.0 * 0.97**i for i in range(16)]
    assert not steady(falling)
    assert steady([*falling, *[1.0] * 16])
    assert not steady([1.0] * 15)  # too few to tell


def test_noise_of_a_busy_machine_can_still_be_steady() -> None:
    rng = random.Random(4)
    noisy = [[rng.lognormvariate(0, 0.05) for _ in range(16)] for _ in range(200)]
    assert sum(map(steady, noisy)) > 150
    assert not steady([*[2.0] * 8, *[1.0, 1.4] * 4])  # a halving is never noise


def test_stops_when_the_median_is_known_to_half_a_percent() -> None:
    rng = random.Random(5)
    rule, samples = StoppingRule(), []
    while (verdict := rule.verdict(samples, elapsed=1.0)) is None:
        samples.append(rng.gauss(1.0, 0.02))
    assert verdict == "precise"
    # ±1.96 × 1.2533 × 0.02 / √n = 0.005 at n = 97
    assert 20 <= len(samples) < 300


def test_a_noisy_measurement_ends_at_its_cap() -> None:
    rng = random.Random(6)
    samples = [rng.lognormvariate(0, 0.5) for _ in range(100)]
    assert StoppingRule().verdict(samples, elapsed=1.0) is None
    assert StoppingRule().verdict(samples, elapsed=10.0) == "cap"
    assert StoppingRule(cap=100).verdict(samples, elapsed=1.0) == "cap"


def test_a_step_in_the_middle_is_not_precise() -> None:
    samples = [1.0 + 1e-4 * (i % 3) for i in range(100)] + [1.05 + 1e-4 * (i % 3) for i in range(100)]
    assert not StoppingRule().reached(samples)
    assert drift(samples) == pytest.approx(0.05, rel=0.01)
    assert drift([1.0]) == 0.0


def test_at_least_some_time_is_always_taken() -> None:
    samples = [1.0] * 50
    assert StoppingRule().verdict(samples, elapsed=0.1) is None
    assert StoppingRule().verdict(samples, elapsed=0.6) == "precise"
