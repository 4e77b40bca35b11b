"""The code that runs on a GPU, on a device whose truth is known: injected clock, queue, events and graph capture."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import MagicMock

import pytest
import torch

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.measure.prepare import network
from archinspect.latency.measure.runtime import CudaRuntime, find_device
from archinspect.latency.measure.session import Session
from archinspect.latency.plan import Options
from archinspect.latency.results import Run
from tests.latency.fakes import FakeGpu, fake_cuda

GRAPH = load_graph("conv2d(8, 3, padding=1) -> relu -> conv2d(8, 1) -> flatten -> linear(10)", input="3x8x8")
#: seconds; large, so that few real forwards fill the time of the fake's clock
KERNELS = {"conv2d": 30e-3, "relu": 2e-3, "conv2d_1": 10e-3, "flatten": 0.0, "linear": 8e-3}
TIME = 20.0
TOTAL = sum(KERNELS.values())


def measured(mode: str, dispatch: float, scale: float = 1.0) -> Run:
    module = network(GRAPH)
    runtime = fake_cuda(FakeGpu(dispatch=dispatch), module, lambda name: scale * KERNELS[name])
    session = Session(torch.device("cpu"), runtime, Options(), threads=1, time_s=TIME)
    return session.run(GRAPH, module, 1, PRECISIONS["fp32"], mode, layers=True)


def test_the_layers_have_the_names_that_the_kernels_are_planted_under() -> None:
    assert [node.name for node in GRAPH.layers] == list(KERNELS)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("latency", 5 * 20e-3 + 8e-3), ("throughput", 5 * 20e-3), ("graph", TOTAL)],
)
def test_the_three_figures_of_a_launch_bound_network_are_never_mixed(mode: str, expected: float) -> None:
    run = measured(mode, dispatch=20e-3)
    assert run.median_ms == pytest.approx(1000 * expected, rel=0.35 if mode == "latency" else 0.01)
    if mode == "latency":  # the host queues five kernels; the device may still work on the larger ones
        assert run.median_ms >= 1000 * 5 * 20e-3


@pytest.mark.parametrize("dispatch", [0.0, 500e-6, 20e-3])
def test_rows_of_captured_graphs_are_the_planted_kernels_whatever_the_host_does(dispatch: float) -> None:
    run = measured("latency", dispatch)
    rows = {row.name: row.ms for row in run.layers}
    for name, seconds in KERNELS.items():
        assert rows[name] == pytest.approx(1000 * seconds, rel=1e-3, abs=1e-3), name
    assert run.closure == pytest.approx(1.0, abs=0.01)
    assert run.inflation == pytest.approx(1.0, abs=0.01)
    assert run.whole_ms == pytest.approx(1000 * TOTAL, rel=0.01)
    assert run.trustworthy


@pytest.mark.parametrize(("scale", "bound"), [(1.0, True), (100.0, False)])
def test_a_small_network_is_called_launch_bound_and_a_large_one_not(scale: float, bound: bool) -> None:
    run = measured("latency", dispatch=20e-3, scale=scale)
    assert run.enqueue_ms == pytest.approx(1000 * 5 * 20e-3, rel=0.01)
    assert ("launch-bound" in [flag.code for flag in run.flags]) is bound


def test_folded_rows_have_marks_at_their_ends_only() -> None:
    graph = load_graph("resnet18", arguments={"num_classes": 4}, input="3x32x32")
    module = network(graph)
    gpu = FakeGpu()
    runtime = fake_cuda(gpu, module, lambda name: 5e-2)
    session = Session(torch.device("cpu"), runtime, Options(depth=1), threads=1, time_s=TIME)
    run = session.run(graph, module, 1, PRECISIONS["fp32"], "latency", layers=True)
    names = list(dict.fromkeys(node.name.split(".")[0] for node in graph.layers))
    assert [row.name for row in run.layers] == [*names, "(call)"]
    assert sum(len(row.layers) for row in run.layers) == len(graph.layers)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_missing_gpu_is_an_error_that_says_what_was_looked_for(name: str) -> None:
    with pytest.raises(ArchinspectError) as error:
        find_device(name)
    text = error.value.render()
    assert "error[A406]" in text
    assert f"torch {torch.__version__}" in text
    assert "CUDA" in text
    assert "--device cpu" in text


@pytest.mark.parametrize("name", ["gpu", "tpu", "xpu:0", "cpu:x", "vulkan", ""])
def test_another_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ArchinspectError, match="devices: cpu, cuda, cuda:N, mps"):
        find_device(name)


class BreakingCapture:
    """A capture that fails once more when it is left, as CUDA's does after any failure within."""

    def __init__(self, _graph: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            raise RuntimeError("operation failed due to a previous error during capture")


@pytest.mark.parametrize(
    ("inside", "seen"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), torch.cuda.OutOfMemoryError),
        (ValueError("a layer"), RuntimeError),
    ],
)
def test_memory_that_runs_out_in_a_capture_is_not_hidden_by_its_end(
    inside: Exception, seen: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = MagicMock()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", MagicMock)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda each: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", BreakingCapture)
    calls = iter([None, None, None, inside])

    def forward() -> None:
        error = next(calls)
        if error is not None:
            raise error

    with pytest.raises(seen):
        CudaRuntime(torch.device("cuda")).capture(forward)
