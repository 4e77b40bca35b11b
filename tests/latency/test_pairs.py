"""Interleaved comparison: planted differences are found, and the same thing is not found different from itself."""

from __future__ import annotations

import math
import random

import pytest

from archinspect.latency.interleaved import judge, noise_floor, own_noise, pair


def _rounds(rng: random.Random, scale: float, n: int = 60) -> list[float]:
    return [scale * rng.lognormvariate(0, 0.02) for _ in range(n)]


def test_false_alarms_are_at_most_five_in_a_hundred() -> None:
    rng = random.Random(7)
    alarms = 0
    for _ in range(200):
        forth = {name: _rounds(rng, 1.0) for name in "ab"}
        back = {name: _rounds(rng, 1.0) for name in "ab"}
        alarms += judge(forth, back)[0].real
    assert alarms <= 10


def test_a_planted_difference_of_three_percent_is_found_95_times_in_100() -> None:
    rng = random.Random(8)
    found = 0
    for _ in range(100):
        forth = {"a": _rounds(rng, 1.0), "b": _rounds(rng, 1.03)}
        back = {"a": _rounds(rng, 1.0), "b": _rounds(rng, 1.03)}
        (made,) = judge(forth, back)
        found += made.real and abs(made.ratio - 1.03) < 0.015
    assert found >= 95


def test_a_difference_below_the_noise_is_not_called_one() -> None:
    first = [1.0, 1.001] * 20
    second = [x * 1.01 for x in first]
    assert pair(("a", "b"), first, second, noise=0.001).real
    assert not pair(("a", "b"), first, second, noise=0.02).real
    assert pair(("a", "b"), first, second, noise=0.02).verdict == "no difference beyond the noise"


def test_going_forth_and_back_cancels_a_drift() -> None:
    # the machine slows by 1 % from each timing to the next
    clock = [1.01**i for i in range(80)]
    a1, b1, b2, a2 = clock[0::4], clock[1::4], clock[2::4], clock[3::4]
    (made,) = judge({"a": a1, "b": b1}, {"a": a2, "b": b2})
    assert made.ratio == pytest.approx(1.0)
    assert not made.real


def test_warm_caches_of_the_second_timing_are_no_noise() -> None:
    """In A B B A A B B A each thing's second timing follows itself: faster by a twentieth, whatever it is."""
    rng = random.Random(4)
    scales = {"a": 1.0, "b": 1.03}
    forth = {name: _rounds(rng, scale, 400) for name, scale in scales.items()}
    back = {name: [0.95 * x for x in _rounds(rng, scale, 400)] for name, scale in scales.items()}
    (made,) = judge(forth, back)
    assert made.real
    assert made.ratio == pytest.approx(1.03, rel=0.01)
    (same,) = judge({"a": forth["a"], "b": forth["a"]}, {"a": back["a"], "b": back["a"]})
    assert not same.real


def test_a_few_rounds_are_enough_for_a_large_difference() -> None:
    rng = random.Random(5)
    few = {name: _rounds(rng, scale, 8) for name, scale in {"a": 1.0, "b": 3.0}.items()}
    (made,) = judge(few, {name: _rounds(rng, scale, 8) for name, scale in {"a": 1.0, "b": 3.0}.items()})
    assert (made.real, made.rounds) == (True, 8)


def test_a_verdict_names_the_slower() -> None:
    made = pair(("a", "b"), [2.0] * 20, [1.0] * 20, noise=0.01)
    assert made.verdict == "a is 2.00× as long as b"
    assert made.p_value == pytest.approx(2 * 0.5**20)


def test_too_few_rounds_say_so() -> None:
    made = pair(("a", "b"), [1.0] * 4, [9.0] * 4, noise=0.0)
    assert not made.real
    assert made.verdict == "too few rounds to tell"
    assert math.isinf(noise_floor([1.0] * 4, [1.0] * 4))


def test_many_candidates_are_judged_in_all_pairs_and_more_strictly() -> None:
    rng = random.Random(9)
    forth = {name: _rounds(rng, scale) for name, scale in {"a": 1.0, "b": 1.0, "c": 1.5}.items()}
    back = {name: _rounds(rng, scale) for name, scale in {"a": 1.0, "b": 1.0, "c": 1.5}.items()}
    made = judge(forth, back)
    assert [(p.first, p.second, p.real) for p in made] == [
        ("a", "b", False),
        ("a", "c", True),
        ("b", "c", True),
    ]
    assert judge({"a": [1.0]}, {"a": [1.0]}) == ()


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs need as many of both"):
        pair(("a", "b"), [1.0], [1.0, 2.0], noise=0.0)


def test_the_noise_of_one_run_comes_from_its_neighbours() -> None:
    rng = random.Random(10)
    noise = own_noise(_rounds(rng, 1.0, 200))
    assert noise is not None
    assert 0 < noise < 0.02
    assert own_noise([1.0] * 11) is None
