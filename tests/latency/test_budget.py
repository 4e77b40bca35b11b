"""One configuration stays inside its time, with everything that belongs to it, on a clock that the tests know."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.measure.prepare import network
from archinspect.latency.measure.runtime import TorchRuntime
from archinspect.latency.measure.session import Session
from archinspect.latency.plan import Options
from archinspect.latency.results import Run
from archinspect.latency.runtime import Event
from archinspect.latency.sampling import TimeBudget
from tests.latency.fakes import FakeGpu

GRAPH = load_graph("conv2d(4, 3) -> relu -> flatten -> linear(10)", input="3x8x8")


class SlowCpu(TorchRuntime):
    """A CPU on which each layer takes `seconds` of a clock of its own."""

    def __init__(self, module: nn.Module, seconds: float) -> None:
        super().__init__(torch.device("cpu"))
        self.time = FakeGpu()
        for name, layer in module.named_modules():
            if name and not list(layer.children()):
                layer.register_forward_hook(self._taking(seconds))

    def _taking(self, seconds: float) -> Callable[..., None]:
        def take(*_: object) -> None:
            self.time.host += seconds

        return take

    def clock(self) -> float:
        self.time.host += 1e-7
        return self.time.clock()

    def event(self) -> Event:
        return self.time.event()


def measured(forward_s: float, mode: str = "latency", time_s: float = 20.0) -> tuple[Run, float]:
    """A run, and when it was over."""
    module = network(GRAPH)
    layers = sum(1 for name, each in module.named_modules() if name and not list(each.children()))
    runtime = SlowCpu(module, forward_s / layers)
    session = Session(torch.device("cpu"), runtime, Options(), threads=1, time_s=time_s)
    runtime.time.host = 100.0  # five seconds of loading, and a second for the roofs at the end
    session.budget.begin(spent_s=5.0, after_s=1.0)
    run = session.run(GRAPH, module, 1, PRECISIONS["fp32"], mode, layers=True)
    return run, runtime.time.host - 95.0


def codes(run: Run) -> list[str]:
    return [flag.code for flag in run.flags]


@pytest.mark.parametrize("mode", ["latency", "throughput"])
@pytest.mark.parametrize("forward_s", [0.05, 0.3, 0.5, 0.9, 1.3, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0])
def test_slow_forwards_stay_inside_twenty_seconds(forward_s: float, mode: str) -> None:
    run, spent = measured(forward_s, mode)
    assert spent <= 19.0
    assert run.median_ms == pytest.approx(1000 * forward_s, rel=0.01)
    if run.n < 6:  # no interval of 95 % exists
        assert "imprecise" in codes(run)
    assert bool(run.layers) or "out-of-time" in codes(run)
    if run.layers:
        assert run.closure == pytest.approx(1.0, abs=0.01)


def test_forwards_of_a_second_have_their_rows_memory_and_a_round_at_least() -> None:
    run, _ = measured(1.0)
    assert run.layers
    assert run.n >= 1
    assert run.peak_memory_bytes is not None
    assert "out-of-time" not in codes(run)


def test_what_found_no_time_is_named_with_the_time_that_was_allowed() -> None:
    run, _ = measured(6.0)
    (flag,) = [flag for flag in run.flags if flag.code == "out-of-time"]
    assert flag.message == "a forward takes 6.00 s: no time was left within 20 s for rows, values, memory"
    assert not flag.doubtful
    assert (run.layers, run.closure, run.peak_memory_bytes) == ((), None, None)


def test_more_time_gives_what_was_left_out() -> None:
    run, spent = measured(6.0, time_s=90.0)
    assert run.layers
    assert run.peak_memory_bytes is not None
    assert 40 < spent <= 89.0


def test_a_forward_longer_than_all_the_time_is_measured_once() -> None:
    run, spent = measured(40.0)
    assert run.n == 1
    assert spent == pytest.approx(45.0, abs=0.1)
    assert {"not-steady", "imprecise", "out-of-time"} <= set(codes(run))


def test_a_budget_of_several_configurations() -> None:
    now = 50.0
    budget = TimeBudget(lambda: now, time_s=5.0)
    assert budget.affords(1e9)  # nothing has begun
    budget.begin(count=3, spent_s=4.0)
    assert (
        budget.limit_s == 20.0
    )  # a short --time says how long to sample, and not that large networks are not
    assert budget.until == pytest.approx(50.0 + 60.0 - 4.0 - 0.5)
    assert budget.reserving(10.0) == pytest.approx(budget.until - 10.0)
    assert budget.affords(55.0)
    assert not budget.affords(56.0)
