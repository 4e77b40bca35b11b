"""Collecting samples with an injected clock: warm-up is left out, caps hold, Ctrl-C keeps what is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from archinspect.latency.flags import sample_flags
from archinspect.latency.sampling import Samples, StoppingRule, WarmUp, collect
from archinspect.latency.stats import median


class Script:
    """A timer whose n-th sample is told by a function, and the clock that goes with it."""

    def __init__(self, nth: Callable[[int], float]) -> None:
        self.nth, self.taken, self.now = nth, 0, 0.0

    def timer(self, count: int) -> list[float]:
        samples = []
        for _ in range(count):
            samples.append(self.nth(self.taken))
            self.taken += 1
            self.now += samples[-1]
        return samples

    def clock(self) -> float:
        return self.now


def test_warming_up_is_left_out() -> None:
    rng = random.Random(11)
    script = Script(lambda n: 5.0 if n == 0 else (0.02 if n < 40 else 0.01) * rng.gauss(1, 0.005))
    samples = collect(script.timer, script.clock, StoppingRule(cap_s=20.0))
    assert samples.warmth.first_s == 5.0
    assert samples.stopped == "precise"
    # the plateau of 40 forwards looks steady; the halves then disagree until it is outweighed
    assert median(samples.values) == pytest.approx(0.01, rel=0.01)


def test_a_slope_is_waited_for() -> None:
    script = Script(lambda n: 0.01 * (1 + 2 * 0.9**n))
    samples = collect(script.timer, script.clock, StoppingRule(cap_s=20.0))
    assert samples.warmth.steady
    assert samples.values[0] < 0.0105


def test_caps_hold_and_say_so() -> None:
    rng = random.Random(12)
    script = Script(lambda n: 0.1 * rng.lognormvariate(0, 0.6))
    samples = collect(script.timer, script.clock, StoppingRule(cap_s=5.0))
    assert samples.stopped == "cap"
    assert script.now < 7.0
    assert "imprecise" in [
        flag.code for flag in sample_flags(samples, StoppingRule(), median(samples.values))
    ]


def test_a_very_slow_network_still_gets_a_sample() -> None:
    script = Script(lambda n: 30.0)
    samples = collect(script.timer, script.clock, StoppingRule(cap_s=5.0))
    assert samples.stopped == "cap"
    assert samples.values == (30.0,)
    codes = [flag.code for flag in sample_flags(samples, StoppingRule(), 30.0)]
    assert codes == ["not-steady", "imprecise"]


def test_ctrl_c_keeps_what_is_known() -> None:
    def nth(n: int) -> float:
        if n == 60:
            raise KeyboardInterrupt
        return 0.1 + 0.05 * (n * 7 % 5)

    script = Script(nth)
    samples = collect(script.timer, script.clock, StoppingRule(cap_s=60.0))
    assert samples.stopped == "interrupted"
    assert 0 < len(samples.values) < 60
    assert "interrupted" in [flag.code for flag in sample_flags(samples, StoppingRule(), 0.2)]


def test_progress_tells_phase_count_precision_and_share() -> None:
    rng = random.Random(13)
    script = Script(lambda n: 0.01 * rng.gauss(1, 0.02))
    told: list[tuple[str, int, float | None, float]] = []
    collect(script.timer, script.clock, StoppingRule(cap_s=20.0), lambda *what: told.append(what))
    assert {phase for phase, *_ in told} == {"warm-up", "sampling"}
    last = told[-1]
    assert last[2] is not None
    assert last[2] <= 0.005
    assert all(0 <= share <= 1 for *_, share in told)


@pytest.mark.parametrize(
    ("samples", "codes"),
    [
        (Samples((1.0,) * 50, WarmUp((1.0,) * 20, True, 1.0), "precise"), []),
        (Samples((1.0,) * 50, WarmUp((10.0, *[1.0] * 20), True, 1.0), "precise"), ["one-off"]),
        (
            Samples((1.0,) * 25 + (1.1,) * 25, WarmUp((1.0,) * 20, True, 1.0), "cap"),
            ["imprecise", "drifting"],
        ),
        (
            Samples((1.0, 1.8), WarmUp((1.0,) * 20, True, 1.0), "cap"),
            ["imprecise"],
        ),  # two samples have no halves
    ],
)
def test_doubts(samples: Samples, codes: list[str]) -> None:
    assert [flag.code for flag in sample_flags(samples, StoppingRule(), median(samples.values))] == codes


@pytest.mark.parametrize(
    ("forward", "began", "forwards", "samples"),
    [
        (7.0, 3.0, 2, 1),  # the first is for warming up
        (12.0, 3.0, 1, 1),  # there is no time for a second
        (60.0, 3.0, 1, 1),  # longer than all the time: it is all that is known
        (1.0, 3.0, 12, 8),
        (0.01, 3.0, None, None),
    ],
)
def test_slow_forwards_stay_inside_the_time_that_is_left(
    forward: float, began: float, forwards: int | None, samples: int | None
) -> None:
    script = Script(lambda n: forward)
    script.now = began
    found = collect(script.timer, script.clock, StoppingRule(cap_s=8.0, until=19.0))
    assert script.now <= max(19.0, began + forward)
    assert found.values
    if forwards is not None:
        assert script.taken <= forwards
        assert len(found.values) <= (samples or 0)
        assert "imprecise" in [flag.code for flag in sample_flags(found, StoppingRule(), forward)]
    else:
        assert found.stopped == "precise"


def test_a_first_forward_that_tunes_for_seconds_is_no_reason_to_stop() -> None:
    script = Script(lambda n: 4.0 if n == 0 else 0.02)
    found = collect(script.timer, script.clock, StoppingRule(cap_s=8.0, until=7.0))
    assert found.warmth.first_s == 4.0
    assert len(found.values) >= 20
    assert script.now <= 7.0


def test_nothing_is_begun_that_would_end_too_late_though_much_time_is_allowed() -> None:
    script = Script(lambda n: 2.0)
    found = collect(script.timer, script.clock, StoppingRule(cap_s=1000.0, until=21.0))
    assert found.stopped == "cap"
    assert script.now == pytest.approx(20.0)
