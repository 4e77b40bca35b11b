"""Rows that add up: closure and inflation on planted truths with an injected clock."""

from __future__ import annotations

import random

import pytest

from archinspect.latency.flags import row_flags
from archinspect.latency.layer_timing import Rows, sample_rows
from archinspect.latency.sampling import StoppingRule


class Layers:
    """A forward whose layers take known times; each mark costs `mark` seconds, and `lost` lies in no row."""

    def __init__(self, *seconds: float, mark: float = 0.0, lost: float = 0.0, noise: float = 0.0) -> None:
        self.seconds, self.mark, self.lost, self.noise = seconds, mark, lost, noise
        self.now = 0.0
        self.rng = random.Random(14)

    def _layers(self) -> list[float]:
        return [s * self.rng.lognormvariate(0, self.noise) for s in self.seconds]

    def whole(self) -> float:
        total = sum(self._layers()) + self.lost
        self.now += total
        return total

    def marked(self) -> list[float]:
        rows = [s + self.mark for s in self._layers()]
        self.now += sum(rows) + self.lost
        return rows

    def clock(self) -> float:
        return self.now

    def measure(self, cap_s: float = 5.0) -> Rows:
        rows = sample_rows(self.whole, self.marked, self.clock, StoppingRule(cap_s=cap_s))
        assert rows is not None
        return rows


def test_rows_find_the_planted_layer_and_add_up() -> None:
    rows = Layers(1e-3, 6e-3, 1e-3, noise=0.02).measure()
    assert rows.seconds == pytest.approx([1e-3, 6e-3, 1e-3], rel=0.01)
    assert rows.closure == pytest.approx(1, abs=0.01)
    assert rows.inflation == pytest.approx(1, abs=0.01)
    assert row_flags(rows) == []


def test_the_instruments_own_cost_shows_as_inflation() -> None:
    rows = Layers(1e-3, 1e-3, mark=0.1e-3).measure()
    assert rows.inflation == pytest.approx(1.1)
    assert not rows.trustworthy
    doubt, note = row_flags(rows)
    assert doubt.code == "not-trustworthy"
    assert "110.0%" in doubt.message
    assert (note.code, note.doubtful) == ("inflated", False)
    assert "+10.0%" in note.message


def test_time_outside_all_rows_shows_as_closure() -> None:
    rows = Layers(1e-3, 1e-3, lost=0.2e-3).measure()
    assert rows.closure == pytest.approx(2 / 2.2)
    assert not rows.trustworthy


@pytest.mark.parametrize(("lost", "trusted"), [(0.04, True), (0.06, False)])
def test_five_percent_is_the_limit(lost: float, trusted: bool) -> None:
    assert Layers(1 - lost, lost=lost).measure(cap_s=200.0).trustworthy is trusted


def test_rows_that_do_not_add_up_are_given_all_the_time_there_is() -> None:
    layers = Layers(1e-3, lost=0.1e-3)
    layers.measure(cap_s=3.0)
    assert layers.now >= 3.0


def test_ctrl_c_before_the_first_round_is_nothing_and_after_it_a_result() -> None:
    def stop() -> float:
        raise KeyboardInterrupt

    layers = Layers(1e-3)
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert sample_rows(stop, layers.marked, layers.clock, StoppingRule()) is None
    calls = 0

    def whole() -> float:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt
        return layers.whole()

    rows = sample_rows(whole, layers.marked, layers.clock, StoppingRule(cap_s=60.0))
    assert rows is not None
    assert rows.wholes


@pytest.mark.parametrize(("left", "passes"), [(0.0, 2), (2.9, 2), (4.0, 6), (8.0, 10)])
def test_slow_passes_end_in_time(left: float, passes: int) -> None:
    layers = Layers(0.7, 0.3)
    precision = StoppingRule(cap_s=100.0, until=2.0 + left)
    rows = sample_rows(layers.whole, layers.marked, layers.clock, precision)
    assert rows is not None
    assert rows.stopped == "cap"
    assert layers.now == pytest.approx(passes * 1.0)
    assert layers.now <= max(2.0, precision.until)
    assert rows.seconds == pytest.approx((0.7, 0.3))
    assert rows.closure == pytest.approx(1.0)
