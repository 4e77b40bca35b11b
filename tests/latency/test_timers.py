"""The three figures on a device whose truth is known: GPU code paths with an injected clock and event source."""

from __future__ import annotations

import pytest

from archinspect.latency.flags import launch_flags
from archinspect.latency.timers import TIMERS, enqueue_seconds, pipelined, replayed, synchronised
from tests.latency.fakes import FakeGpu

KERNELS = 10


def _network(gpu: FakeGpu, each: float) -> object:
    def forward() -> None:
        for _ in range(KERNELS):
            gpu.kernel(each)

    return forward


def test_a_launch_bound_network_has_three_different_times() -> None:
    gpu = FakeGpu(dispatch=20e-6)
    forward = _network(gpu, 5e-6)
    # the host queues the last kernel at 200 µs, and it runs 5 µs
    assert synchronised(forward, gpu)(3) == pytest.approx([205e-6] * 3)
    assert pipelined(forward, gpu)(3) == pytest.approx([200e-6] * 3)
    assert replayed(forward, gpu)(3) == pytest.approx([50e-6] * 3)


def test_a_device_bound_network_has_nearly_one_time() -> None:
    gpu = FakeGpu(dispatch=20e-6)
    forward = _network(gpu, 1e-3)
    assert synchronised(forward, gpu)(3) == pytest.approx([10.02e-3] * 3)
    assert pipelined(forward, gpu)(3) == pytest.approx([10e-3] * 3)
    assert replayed(forward, gpu)(3) == pytest.approx([10e-3] * 3)


@pytest.mark.parametrize(("each", "flagged"), [(5e-6, True), (1e-3, False)])
def test_launch_bound_is_said_when_the_host_is_the_slower(each: float, flagged: bool) -> None:
    gpu = FakeGpu(dispatch=20e-6)
    forward = _network(gpu, each)
    enqueue = enqueue_seconds(forward, gpu)
    assert enqueue == pytest.approx(200e-6)
    assert [flag.code for flag in launch_flags(enqueue, synchronised(forward, gpu)(1)[0])] == (
        ["launch-bound"] if flagged else []
    )


def test_the_first_pipelined_sample_does_not_wait_for_an_idle_device() -> None:
    gpu = FakeGpu(dispatch=1e-3)
    samples = pipelined(_network(gpu, 5e-3), gpu)(5)
    assert max(samples) == pytest.approx(min(samples))


def test_caches_are_flushed_outside_the_time() -> None:
    gpu = FakeGpu()
    flushes = []

    def flush() -> None:
        flushes.append(gpu.host)
        gpu.kernel(1.0)

    assert synchronised(_network(gpu, 1e-3), gpu, before=flush)(2) == pytest.approx([10e-3] * 2)
    assert len(flushes) == 2


def test_modes_are_these_three() -> None:
    assert list(TIMERS) == ["latency", "throughput", "graph"]
