"""What torch.compile makes of real networks on a CPU: the same code with marks, rows that name every layer, closure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import fx, nn
from torch._inductor.utils import run_and_get_code

from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.measure import compare, inductor, measure
from archinspect.latency.measure.compiled import Compiled, compiled, understood
from archinspect.latency.measure.instrument import segments
from archinspect.latency.measure.prepare import network
from archinspect.latency.measure.session import Session
from archinspect.latency.plan import Options
from archinspect.latency.results import Run
from tests.latency.fakes import FakeCuda, FakeGpu
from tests.latency.test_measure import prove

pytestmark = pytest.mark.slow  # compiling takes seconds

ONE = Options(threads=1, compile=True)
LINE = (
    "conv2d(16, 3, padding=1) -> batch_norm2d -> relu -> dropout -> max_pool2d(2) -> conv2d(32, 3) -> relu -> flatten"
    " -> linear(10)"
)
SMALL = load_graph(LINE, input="3x32x32")
#: what may be in no row: views, what does nothing in evaluation, joins whose branches are written in their place
NOTHING = {"dropout", "flatten", "concat", "drop_path", "tokens", "select_token"}


@torch.inference_mode()
def image_of(graph: Graph) -> torch.Tensor:
    return torch.randn(graph.input_shape, generator=torch.Generator().manual_seed(1))


def ready(graph: Graph, module: fx.GraphModule) -> Compiled:
    with torch.inference_mode():
        return compiled(module, image_of(graph))


def test_it_is_the_code_of_torch_compile_with_its_kernels_and_results() -> None:
    graph = load_graph("resnet18", input="3x64x64")
    module = network(graph)
    with torch.inference_mode(), torch._inductor.config.patch(fx_graph_cache=False):
        output, (source,) = run_and_get_code(torch.compile(module), image_of(graph))  # this resets dynamo
    found = ready(graph, module)
    image = image_of(graph)
    wrapper, kernels = understood(found, segments(module, graph), graph)

    def kept(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("# AOT ID")]

    assert kept(wrapper.code) == kept(source)
    noted: list[int] = []
    switch = wrapper.mark_kernels({number: number + 1 for number in range(len(kernels))}, noted.append)
    with torch.inference_mode():
        assert torch.equal(found.function(image), output)
        assert noted == []
        switch(True)
        assert torch.equal(found.function(image), output)
        assert noted == list(range(len(kernels) + 1))
        switch(False)
        assert torch.equal(found.function(image), output)
        assert len(noted) == len(kernels) + 1


def test_kernels_of_a_known_network_are_attributed_by_hand() -> None:
    module = network(SMALL)
    found = ready(SMALL, module)
    _, kernels = understood(found, segments(module, SMALL), SMALL)
    computed = [kernel.layers for kernel in kernels if kernel.layers]
    assert computed[0] == ("conv2d",)
    assert sorted(name for layers in computed for name in layers) == [
        "batch_norm2d",
        "conv2d",
        "conv2d_1",
        "linear",
        "max_pool2d",
        "relu",
        "relu_1",
    ]
    assert ("batch_norm2d", "relu", "max_pool2d") in computed
    assert ("linear",) in computed
    for kernel in kernels:
        assert set(kernel.prepares) <= {"conv2d", "conv2d_1", "linear"}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("resnet18", ONE),
        ("mobilenet_v2", Options(threads=1, compile=True, channels_last=True)),
        pytest.param("googlenet", Options(threads=1, compile=True, depth=1), marks=pytest.mark.many),
        pytest.param("vit_b_16", ONE, marks=pytest.mark.many),
    ],
)
def test_every_layer_is_in_a_row_or_nothing_is_left_of_it_and_work_is_counted_once(
    model: str, options: Options
) -> None:
    graph = load_graph(model) if model == "vit_b_16" else load_graph(model, input="3x64x64")
    (run,) = measure(graph, device="cpu", options=options, time_s=1.0).runs
    assert "no-rows" not in [flag.code for flag in run.flags], run.flags
    named = {name for row in run.layers for name in row.layers}
    assert named | set(run.absorbed) == {node.name for node in graph.layers}
    assert not named & set(run.absorbed)
    assert {graph.by_name[name].op.type for name in run.absorbed} <= NOTHING
    assert sum(row.macs or 0 for row in run.layers) == sum(
        node.cost.macs for node in graph.layers if node.cost
    )
    assert run.floor_ms == pytest.approx(sum(row.floor_ms for row in run.layers))
    assert len({row.name for row in run.layers}) == len(run.layers)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_of_compiled_code_add_up(threads: int) -> None:
    def closes() -> bool:
        (run,) = measure(SMALL, device="cpu", options=Options(threads=threads, compile=True), time_s=3.0).runs
        assert run.closure is not None
        assert run.whole_ms == pytest.approx(run.median_ms)
        return abs(run.closure - 1) <= 0.05

    prove(closes)


@torch.library.custom_op("planted::loop", mutates_args=())
def loop(x: torch.Tensor, seconds: float) -> torch.Tensor:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return x.clone()


@loop.register_fake
def _(x: torch.Tensor, seconds: float) -> torch.Tensor:
    return torch.empty_like(x)


class Looping(nn.Module):
    """Its layer, and then an operator that loops so long."""

    def __init__(self, layer: nn.Module, seconds: float) -> None:
        super().__init__()
        self.layer, self.seconds = layer, seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = torch.ops.planted.loop(self.layer(x), self.seconds)
        return output


@pytest.mark.parametrize("name", ["relu_1", "linear"])
def test_a_layer_that_loops_is_found_in_the_row_that_names_it(name: str) -> None:
    module = network(SMALL)
    module.set_submodule(name, Looping(module.get_submodule(name), 0.005))

    def found() -> bool:
        (run,) = measure(SMALL, device="cpu", options=ONE, time_s=2.0, module=module).runs
        slowest = max(run.layers, key=lambda row: row.ms)
        assert name in slowest.layers, [(row.name, row.ms) for row in run.layers]
        assert slowest.ms >= 4.99
        return slowest.ms < 10

    prove(found)


class Interrupted(nn.Module):
    """A layer that torch.compile cannot keep in one graph."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch._dynamo.graph_break()
        output: torch.Tensor = self.layer(x)
        return output


def test_where_rows_cannot_be_had_the_whole_is_timed_and_a_flag_says_why() -> None:
    module = network(SMALL)
    module.set_submodule("relu", Interrupted(module.get_submodule("relu")))
    (run,) = measure(SMALL, device="cpu", options=ONE, time_s=0.5, module=module).runs
    assert run.median_ms is not None
    assert run.layers == ()
    assert run.floor_ms is None
    (flag,) = [flag for flag in run.flags if flag.code == "no-rows"]
    assert "graphs of the network, not one" in flag.message


def test_a_torch_that_tells_nothing_of_its_kernels_is_timed_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inductor, "_HOOK", "a_name_that_another_torch_has")
    module, image = network(SMALL), image_of(SMALL)
    found = ready(SMALL, module)
    assert "does not tell which layers" in found.recording.failure
    with torch.inference_mode():
        assert torch.allclose(found.function(image), module(image), atol=1e-4)


def test_a_sweep_compiles_each_configuration_anew_and_networks_in_turn_have_rows() -> None:
    runs = measure(SMALL, device="cpu", batch=[1, 2], dtype=["fp32", "bf16"], options=ONE, time_s=0.6).runs
    assert [(run.batch, run.dtype) for run in runs] == [(1, "fp32"), (2, "fp32"), (1, "bf16"), (2, "bf16")]
    for run in runs:
        assert run.layers, run.flags
        assert run.first_ms is not None
        assert run.first_ms > 10 * (run.median_ms or 0)  # the forward that compiled
    assert len({tuple(row.name for row in run.layers) for run in runs[:2]}) == 1
    other = load_graph(LINE.replace("(32,", "(48,"), input="3x32x32")
    found = compare([SMALL, other], device="cpu", options=ONE, time_s=1.0)
    for each in found.measurements:
        assert sum(row.macs or 0 for row in each.runs[0].layers) > 0


# The paths of a GPU: marks as events, inside captured graphs, on a device whose truth is known


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu(dispatch=20e-3)


def launching(kernel: Callable[..., Any], gpu: FakeGpu, seconds: float) -> Callable[..., Any]:
    def launch(*args: Any, **kwargs: Any) -> Any:
        gpu.kernel(seconds)
        return kernel(*args, **kwargs)

    return launch


@pytest.fixture
def on_the_gpu(gpu: FakeGpu) -> Iterator[tuple[Run, dict[str, float]]]:
    """A run whose kernels queue work of known length, and that length by layers."""
    session = Session(torch.device("cpu"), FakeCuda(torch.device("cpu"), True, gpu), ONE, 1, time_s=20.0)
    module = network(SMALL)
    blank = session.blank(SMALL, 1, PRECISIONS["fp32"], "latency")
    with torch.inference_mode():
        prepared = session.prepared(SMALL, module, blank, PRECISIONS["fp32"])
        assert prepared.compiled is not None
        wrapper, kernels = understood(prepared.compiled, segments(module, SMALL), SMALL)
        planted: dict[str, float] = {}
        names = wrapper.namespace
        fakes: dict[str, Any] = {}
        external = names["extern_kernels"]
        for number, kernel in enumerate(kernels, 1):
            (name,) = kernel.kernels
            if name.startswith("extern_kernels."):
                continue
            fakes[name] = launching(names[name], gpu, 1e-3 * number)
            key = " ".join(kernel.layers or kernel.prepares)
            planted[key] = planted.get(key, 0.0) + 1e-3 * number
        fakes["extern_kernels"] = SimpleNamespace(
            convolution=launching(external.convolution, gpu, 30e-3),
            addmm=launching(external.addmm, gpu, 8e-3),
        )
        for kernel in kernels:
            (name,) = kernel.kernels
            if name.startswith("extern_kernels."):
                key = " ".join(kernel.layers)
                planted[key] = planted.get(key, 0.0) + (30e-3 if name.endswith("convolution") else 8e-3)
        names.update(fakes)
        yield session._measured(SMALL, blank, prepared, layers=True), planted


def test_rows_of_captured_compiled_code_are_the_planted_kernels(
    on_the_gpu: tuple[Run, dict[str, float]],
) -> None:
    run, planted = on_the_gpu
    rows = {" ".join(row.layers): row.ms for row in run.layers if row.layers}
    for layers, seconds in planted.items():
        assert rows[layers] == pytest.approx(1000 * seconds, rel=1e-3), layers
    assert run.closure == pytest.approx(1.0, abs=0.01)
    assert run.inflation == pytest.approx(1.0, abs=0.01)
    assert run.whole_ms == pytest.approx(1000 * sum(planted.values()), rel=0.01)
    assert "launch-bound" in [flag.code for flag in run.flags]
