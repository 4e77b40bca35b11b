"""Roofs that were measured while something else ran are said to be too low, and no other roofs are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace

import pytest
import torch

from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.conditions import counters
from archinspect.latency.layers import LayerTiming
from archinspect.latency.measure.roofs import measure_peaks
from archinspect.latency.measure.runtime import HostEvent, TorchRuntime, runtime_for
from archinspect.latency.peaks import PeakMeasurement, beaten_roof, best_of, peak_flags
from archinspect.latency.results import Run
from archinspect.latency.runtime import Event

ROOFS = Ceilings("cpu", {"fp32": 1e11}, 1e10, 1e-6, "measured")
LOWER = replace(ROOFS, peak={"fp32": 0.7e11})
GRAPH = load_graph(
    "conv2d(8, 3) -> conv2d(8, 1) -> adaptive_avg_pool2d(1) -> flatten -> linear(10)", input="3x16x16"
)


def test_the_best_of_all_looks_is_believed() -> None:
    best = best_of([PeakMeasurement(LOWER), PeakMeasurement(replace(ROOFS, bandwidth=5e9, launch_s=2e-6))])
    assert (best.peak["fp32"], best.bandwidth, best.launch_s) == (1e11, 1e10, 1e-6)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ([PeakMeasurement(ROOFS), PeakMeasurement(ROOFS)], None),
        ([PeakMeasurement(ROOFS), PeakMeasurement(replace(ROOFS, bandwidth=0.9e10))], None),
        ([PeakMeasurement(ROOFS), PeakMeasurement(LOWER)], "fp32 0.1 and 0.07 TFLOP/s"),
        ([PeakMeasurement(ROOFS), PeakMeasurement(replace(ROOFS, bandwidth=2e10))], "copy 10 and 20 GB/s"),
        ([PeakMeasurement(ROOFS), PeakMeasurement(LOWER, "others ran")], None),  # one quiet look is enough
        ([PeakMeasurement(LOWER, "others ran"), PeakMeasurement(ROOFS)], None),
        (
            [PeakMeasurement(ROOFS, "others ran"), PeakMeasurement(ROOFS, "others ran still")],
            "others ran still",
        ),
        ([PeakMeasurement(ROOFS, "others ran")], "others ran"),
        ([PeakMeasurement(ROOFS)], None),
    ],
)
def test_roofs_are_doubted_when_every_look_was_disturbed_or_quiet_ones_differ(
    measured: list[PeakMeasurement], words: str | None
) -> None:
    found = peak_flags(measured)
    assert [flag.code for flag in found] == ([] if words is None else ["low-roofs"])
    if words is not None:
        assert words in found[0].message
        assert found[0].doubtful
        assert found[0].remedy


def rows(**ms: float) -> Run:
    total = sum(ms.values())
    layers = tuple(LayerTiming(name, (name,), each, each / total) for name, each in ms.items())
    return Run("n", 1, "fp32", "fp32", "latency", median_ms=total, layers=layers)


@pytest.mark.parametrize(
    ("factors", "flagged"),
    [
        ({"conv2d": 1.2, "conv2d_1": 1.2, "linear": 1.2}, False),
        ({"conv2d": 0.5, "conv2d_1": 1.2, "linear": 1.2}, False),  # Winograd may
        ({"conv2d": 1.2, "conv2d_1": 0.8, "linear": 1.2}, True),
        ({"conv2d": 1.2, "conv2d_1": 0.98, "linear": 1.2}, False),
        ({"conv2d": 1.2, "conv2d_1": 1.2, "linear": 0.5}, False),  # it takes hardly any of the time
    ],
)
def test_a_matrix_product_faster_than_the_roof_shows_that_the_roof_is_too_low(
    factors: dict[str, float], flagged: bool
) -> None:
    least = {
        node.name: 1000 * 2 * node.cost.macs / 1e11 for node in GRAPH.layers if node.cost and node.cost.macs
    }
    found = beaten_roof(rows(**{name: least[name] * each for name, each in factors.items()}), GRAPH, ROOFS)
    assert [flag.code for flag in found] == (["low-roofs"] if flagged else [])
    if flagged:
        assert "conv2d_1" in found[0].message


@dataclass
class Stretched(TorchRuntime):
    """A CPU whose time runs `factor` times as fast as ours: an injected clock and source of events."""

    factor: float = field(default=1.0)

    def clock(self) -> float:
        return self.factor * super().clock()

    def event(self) -> Event:
        return _StretchedEvent(self.factor)


@dataclass
class _StretchedEvent(HostEvent):
    factor: float = 1.0

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def seconds_until(self, later: Event) -> float:
        return self.factor * super().seconds_until(later)


def test_a_device_that_slowed_down_between_two_looks_is_noticed() -> None:
    runtime = Stretched(torch.device("cpu"))
    first = replace(measure_peaks(runtime, [PRECISIONS["fp32"]]), disturbed="")
    runtime.factor = 100.0  # more than any disturbance of this machine
    second = replace(measure_peaks(runtime, [PRECISIONS["fp32"]]), disturbed="")
    (flag,) = peak_flags([first, second])
    assert "TFLOP/s" in flag.message
    assert "GB/s" in flag.message
    best = best_of([first, second])
    assert best.peak == first.ceilings.peak
    assert best.bandwidth == first.ceilings.bandwidth


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="needs Linux's counters")
def test_roofs_measured_beside_spinning_processes_are_called_low() -> None:
    blind = counters()
    if blind.busy is None and blind.waiting is None:
        pytest.skip("this system counts nothing")
    spin = "import time; t = time.time()\nwhile time.time() - t < 30: pass"
    cores = len(os.sched_getaffinity(0))
    spinners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(cores)]
    try:
        time.sleep(0.3)
        seen = measure_peaks(runtime_for(torch.device("cpu")), [PRECISIONS["fp32"]])
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert [flag.code for flag in peak_flags([seen])] == ["low-roofs"]
