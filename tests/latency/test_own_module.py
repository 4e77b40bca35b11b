"""The user's own module is timed as it is: its inputs, rows by its modules that add up, and nothing of it changed.

The machine may be busy: what is held is structure, and what no disturbance can make smaller.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archinspect
from archinspect.analysis.batch import batch_dimensions
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.frontends.torch import load_module
from archinspect.graph import Graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.devices import device
from archinspect.latency.layers import CALL
from archinspect.latency.measure import bench, compare, measure
from archinspect.latency.measure.module_calls import first_pass
from archinspect.latency.measure.own_module import copy_of, inputs_at
from archinspect.latency.measure.session import Session
from archinspect.latency.peaks import PeakMeasurement
from archinspect.latency.plan import Options
from archinspect.latency.predict import predict
from archinspect.latency.results import Measurement, Run
from archinspect.latency.roofline import works
from tests.latency.fakes import FakeCuda, FakeGpu, fake_cuda
from tests.support import run_cli

CPU = torch.device("cpu")
#: made up, so that no test waits for real ones
ROOFS = Ceilings("test", {"fp32": 1e11, "bf16": 1e11}, 1e10, 1e-6, "made up")


@pytest.fixture(autouse=True)
def roofs_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measure_peaks", lambda runtime, precisions: PeakMeasurement(ROOFS))


def timed(graph: Graph, **changes: Any) -> Measurement:
    options = Options(
        threads=1, **{key: changes.pop(key) for key in ("depth", "channels_last") if key in changes}
    )
    arguments: dict[str, Any] = {"device": "cpu", "options": options, "time_s": 0.3}
    return measure(graph, **{**arguments, **changes})


def one(graph: Graph, **changes: Any) -> Run:
    (run,) = timed(graph, **changes).runs
    return run


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.conv(self.relu(x)))


class Net(nn.Module):
    """Residual blocks, of which one runs twice, and a head on a mean that no module takes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(8), Block(8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(x))
        return self.head(self.blocks[1](x).mean((2, 3)))


class Tokens(nn.Module):
    """Token ids, a mask by name, and a number: what models of text take."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor, scale: float = 1.0, *, inputs: dict[str, torch.Tensor]) -> Any:
        x = self.layer(self.embed(ids) * scale, src_key_padding_mask=~inputs["mask"])
        return {"logits": self.head(x), "pooled": x.mean(1)}


@cache
def net_graph() -> Graph:
    return load_module(Net(), [(1, 3, 16, 16)])


def tokens_graph(module: nn.Module | None = None, batch: int = 2) -> Graph:
    ids = torch.randint(0, 50, (batch, 6))
    mask = torch.ones(batch, 6, dtype=torch.bool)
    return load_module(module or Tokens(), [ids, 0.5], {"inputs": {"mask": mask}})


# Rows.


def test_rows_are_the_modules_with_what_containers_do_themselves_and_add_up() -> None:
    run = one(net_graph())
    names = [row.name for row in run.layers]
    assert names == [
        "(own)",
        "stem",
        "blocks (own)",
        "blocks.0 (own)",
        "blocks.0.relu",
        "blocks.0.conv",
        "blocks.0.relu#2",
        "blocks.1 (own)",
        "blocks.1.relu",
        "blocks.1.conv",
        "blocks.1.relu#2",
        "blocks.1#2 (own)",
        "blocks.1#2.relu",
        "blocks.1#2.conv",
        "blocks.1#2.relu#2",
        "head",
        CALL,
    ]
    assert run.median_ms is not None
    assert run.closure is not None
    assert sum(row.ms for row in run.layers) == pytest.approx(run.closure * (run.whole_ms or 0))
    assert sum(row.share for row in run.layers) == pytest.approx(1)


def test_each_layer_of_the_graph_is_in_the_row_of_the_module_that_ran_it() -> None:
    graph = net_graph()
    run = one(graph)
    rows = {row.name: row.layers for row in run.layers}
    assert rows["(own)"] == ("mean",)
    assert rows["blocks.0 (own)"] == ("blocks.0.add",)
    assert rows["blocks.1#2.conv"] == ("blocks.1#2.conv",)
    assert sorted(name for layers in rows.values() for name in layers) == sorted(n.name for n in graph.layers)
    assert sum(row.macs or 0 for row in run.layers) == sum(
        node.cost.macs for node in graph.layers if node.cost
    )
    by_name = {row.name: row for row in run.layers}
    # its weights are those of the first call, which have been moved already
    assert by_name["blocks.1.conv"].bytes - by_name["blocks.1#2.conv"].bytes == (8 * 8 * 9 + 8) * 4


@pytest.mark.parametrize(
    ("depth", "names"),
    [
        (1, ["(own)", "stem", "blocks", "head", CALL]),  # what the module calls two levels down is its own
        (2, ["(own)", "stem", "blocks (own)", "blocks.0", "blocks.1", "blocks.1#2", "head", CALL]),
    ],
)
def test_rows_fold_by_depth(depth: int, names: list[str]) -> None:
    graph = net_graph()
    run = one(graph, depth=depth)
    assert [row.name for row in run.layers] == names
    assert sum(len(row.layers) for row in run.layers) == len(graph.layers)


class Slow(nn.Module):
    """Takes so many seconds, in its forward or in a hook."""

    def __init__(self, seconds: float, hook: bool) -> None:
        super().__init__()
        self.seconds = 0.0 if hook else seconds
        if hook:
            self.register_forward_hook(lambda *_: time.sleep(seconds))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.seconds)
        return x * 1


@pytest.mark.parametrize("place", ["module", "hook", "container"])
def test_what_is_slow_shows_in_its_row(place: str) -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.slow = Slow(0.01 if place != "container" else 0.0, place == "hook")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.slow(self.first(x))
            if place == "container":
                time.sleep(0.01)
            return self.second(x)

    run = one(load_module(nn.Sequential(Holder()), [(1, 4)]))
    rows = {row.name: row.ms for row in run.layers}
    name = "0 (own)" if place == "container" else "0.slow"
    assert rows[name] >= 9.9  # no machine sleeps less
    assert max(rows, key=rows.__getitem__) == name


def test_passes_that_call_other_modules_each_time_have_no_rows_and_say_so() -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
            self.turn = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.turn += 1
            return self.one(x) if self.turn % 2 else self.two(x)

    module = Changing()
    run = one(load_module(module, [(1, 4)]))
    assert run.median_ms is not None
    assert run.layers == ()
    assert "changing-calls" in [flag.code for flag in run.flags]
    assert module.turn == 0


def test_a_fast_path_that_hooks_would_switch_off_runs_with_marks_too() -> None:
    """The whole encoder layer is one call to PyTorch, so its parts are no rows."""
    run = one(tokens_graph())
    names = [row.name for row in run.layers]
    assert names == ["(own)", "embed", "layer", "head", CALL]


# The figure.


def test_the_figure_is_that_of_a_plain_loop() -> None:
    module = nn.Sequential(Slow(0.03, hook=False), nn.Linear(4, 4))
    run = one(load_module(module, [(1, 4)]), time_s=0.5)
    x = torch.randn(1, 4)
    seconds = []
    with torch.inference_mode():
        for _ in range(20):
            begin = time.perf_counter()
            module(x)
            seconds.append(time.perf_counter() - begin)
    # the quickest of each, which other processes held up least
    assert min(run.samples_ms) == pytest.approx(1000 * min(seconds), rel=0.5)


def test_every_mode_precision_and_format_that_a_spec_has() -> None:
    runs = timed(net_graph(), mode=["latency", "throughput"], dtype=["fp32", "bf16"], channels_last=True).runs
    assert [(run.dtype, run.mode) for run in runs] == [
        ("fp32", "latency"),
        ("fp32", "throughput"),
        ("bf16", "latency"),
        ("bf16", "throughput"),
    ]
    for run in runs:
        assert run.median_ms is not None
        assert bool(run.layers) is (run.mode == "latency")
        assert run.floor_ms
    assert (runs[2].predicted_memory_bytes or 0) * 2 == runs[0].predicted_memory_bytes
    with pytest.raises(ArchinspectError, match="needs images"):
        timed(tokens_graph(), channels_last=True)


def test_modules_and_specs_are_timed_against_each_other() -> None:
    spec = load_graph("conv2d(8, 3) -> flatten -> linear(5)", input="3x16x16")
    found = compare([net_graph(), spec], device="cpu", options=Options(threads=1), time_s=0.5)
    own, built = (each.runs[0] for each in found.measurements)
    assert "blocks.0.conv" in [row.name for row in own.layers]
    assert "conv2d" in [row.name for row in built.layers]
    assert len(found.contests[0].pairs) == 1


# Inputs.


def test_several_inputs_in_dicts_of_whole_numbers_and_masks() -> None:
    module = Tokens().eval()
    graph = tokens_graph(module)
    args, kwargs = inputs_at(graph, 3, CPU, torch.bfloat16)
    ids, scale = args
    assert ids.shape == (3, 6)
    assert ids.dtype == torch.int64
    assert scale == 0.5
    assert kwargs["inputs"]["mask"].dtype == torch.bool
    assert kwargs["inputs"]["mask"].shape == (3, 6)
    run = one(graph, dtype="bf16")
    assert run.batch == 2  # that of the example inputs
    assert run.median_ms is not None


def test_the_values_of_example_inputs_are_those_that_were_given() -> None:
    x, ids = torch.randn(2, 4), torch.tensor([[7, 3], [0, 1]])

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(8, 4)

        def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            return x + self.embed(ids).sum(1)

    graph = load_module(Both(), [x, ids])
    same, _ = inputs_at(graph, 2, CPU, torch.float32)
    assert torch.equal(same[0], x)
    assert same[0] is not x
    assert torch.equal(same[1], ids)
    more, _ = inputs_at(graph, 3, CPU, torch.float32)
    assert torch.equal(more[0], x[[0, 1, 0]])
    fewer, _ = inputs_at(graph, 1, CPU, torch.float32)
    assert torch.equal(fewer[1], ids[:1])


def test_token_ids_without_values_are_below_the_size_of_their_table_and_masks_let_pass() -> None:
    module = Tokens()
    module.embed = nn.Embedding(3, 16)
    ids = torch.empty(2, 40, dtype=torch.int64, device="meta")
    mask = torch.empty(2, 40, dtype=torch.bool, device="meta")
    graph = load_module(module, [ids], {"inputs": {"mask": mask}})
    args, kwargs = inputs_at(graph, 5, CPU, torch.float32)
    assert set(args[0].unique().tolist()) == {0, 1, 2}
    assert args[0].shape == (5, 40)
    assert bool(kwargs["inputs"]["mask"].all())


def test_batch_scales_what_has_one_and_is_refused_where_nothing_has() -> None:
    assert batch_dimensions([((4, 8), None), ((4,), None), ((), None), ((9, 8), None)]) == (0, 0, None, None)
    assert batch_dimensions([((9, 4, 8), ("sequence", "batch", "feature")), ((4, 9), None)]) == (1, None)
    runs = timed(net_graph(), batch=[1, 3], layers=False).runs
    assert [run.batch for run in runs] == [1, 3]
    assert all(run.images_per_s for run in runs)
    one_by_one = {work.name: work for work in works(net_graph(), 1, 4)}
    for work in works(net_graph(), 3, 4):
        assert work.macs == 3 * (one_by_one[work.name].macs or 0)
        assert work.weight_bytes == one_by_one[work.name].weight_bytes

    class Vector(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    graph = load_module(Vector(), [(5,)])
    assert one(graph).batch == 1
    for ask in (lambda: timed(graph, batch=4), lambda: predict(graph, device("h100"), 4, PRECISIONS["fp32"])):
        with pytest.raises(ArchinspectError, match="no input of Vector has a batch dimension"):
            ask()


def test_a_module_that_cannot_run_at_another_batch_is_an_error_with_its_line() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(2, 4) + 1  # the line

    with pytest.raises(ArchinspectError) as error:
        timed(load_module(Fixed(), [(2, 4)]), batch=3)
    text = error.value.render()
    assert "error[A601]" in text
    assert "x.view(2, 4) + 1  # the line" in text
    assert "at batch 3" in text


# The module stays what it was.


class Stateful(nn.Module):
    """Counts, caches, draws random numbers, and normalises by statistics."""

    seen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.randn(4))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.cache: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        self.cache.append(x)
        random.random()
        return self.drop(self.norm(x)) * self.weight + torch.rand(4)


@pytest.mark.parametrize("fails", [False, True])
def test_the_users_module_and_random_state_are_left_as_they_were(fails: bool) -> None:
    module = Stateful().train()
    module.norm.eval()
    graph = load_module(module, [torch.randn(3, 4)])
    keys = dict(vars(module))
    state = {name: value.clone() for name, value in module.state_dict().items()}
    numbers, drawn = torch.random.get_rng_state(), random.getstate()
    passes = 0

    def hook(*_: object) -> None:
        nonlocal passes
        passes += 1
        if fails and passes == 8:
            raise ValueError("planted")

    handle = module.norm.register_forward_hook(hook)
    expected = pytest.raises(ArchinspectError, match="raised ValueError: planted") if fails else nullcontext()
    with expected:
        timed(graph, dtype=["fp32", "bf16"], batch=[3, 2])
    handle.remove()
    assert passes > 0
    assert dict(vars(module)) == keys
    assert module.cache == []
    assert module.training
    assert not module.norm.training
    for name, value in module.state_dict().items():
        assert value.dtype == state[name].dtype
        assert torch.equal(value, state[name])
    assert module.weight.requires_grad
    assert module.weight.grad is None
    assert torch.equal(torch.random.get_rng_state(), numbers)
    assert random.getstate() == drawn
    assert all("_compiled_call_impl" not in vars(part) for part in module.modules())


def test_marks_are_gone_after_a_pass_that_raises() -> None:
    class Failing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("planted")

    module = nn.Sequential(nn.Identity(), Failing())
    with pytest.raises(ValueError, match="planted"):
        first_pass(module, lambda: module(torch.ones(1)))
    assert all("_compiled_call_impl" not in vars(part) for part in module.modules())


def test_a_module_without_weights_gets_small_random_ones_in_a_copy() -> None:
    with torch.device("meta"):
        module = Net()
        module.blocks.append(nn.BatchNorm2d(8))
    graph = load_module(module, [(1, 3, 16, 16)])
    run = one(graph)
    assert run.median_ms is not None
    assert "nan" not in [flag.code for flag in run.flags]
    assert all(p.is_meta for p in module.parameters())
    own, filled = copy_of(module, CPU, torch.bfloat16)
    assert filled
    for name, value in own.state_dict().items():
        assert not value.is_meta, name
        assert value.dtype == (torch.int64 if "tracked" in name else torch.bfloat16)
        assert torch.isfinite(value).all()


def test_shared_weights_stay_shared_and_computed_ones_are_copied() -> None:
    module = Tokens()
    module.layer.linear1 = torch.nn.utils.parametrizations.weight_norm(module.layer.linear1)
    module.computed = module.head.weight * 2  # has a gradient: copy.deepcopy refuses it
    own, filled = copy_of(module, CPU, torch.float32)
    assert not filled
    assert own.head.weight is own.embed.weight
    assert own.head.weight is not module.head.weight
    assert torch.equal(own.computed, module.computed)


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    import threading

    module = nn.Linear(4, 4)
    module.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ArchinspectError, match="cannot be copied"):
        timed(load_module(module, [(1, 4)]))


# Memory, predictions, and what has no code.


def test_predictions_count_each_type_by_its_bytes_and_each_weight_once() -> None:
    graph = tokens_graph(batch=1)
    work = {each.name: each for each in works(graph, 1, 2)}
    assert work["embed"].input_bytes == 6 * 8  # token ids stay what they are
    assert work["embed"].weight_bytes == 6 * 16 * 2  # a look-up reads what it returns
    assert work["head"].weight_bytes == 50 * 16 * 2
    found = predict(graph, device("h100"), None, PRECISIONS["fp16"])
    assert found.batch == 1
    assert 0 < found.low_ms < found.high_ms
    parameters = sum(p.numel() for p in Tokens().parameters())
    assert found.peak_memory_bytes > 2 * parameters
    assert found.peak_memory_bytes < 4 * parameters


def test_operations_that_no_rule_counts_are_named() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x) + 1

    graph = load_module(Odd(), [(1, 4, 4)])
    unknown = [node for node in graph.layers if node.cost is None]
    found = predict(graph, device("h100"), 1, PRECISIONS["fp32"])
    assert bool(unknown) is any(text.startswith("At least: no rule") for text in found.assumptions)
    assert all(node.op.type in " ".join(found.assumptions) for node in unknown)


@pytest.mark.parametrize("kind", ["onnx", "other"])
def test_a_graph_without_code_is_predicted_and_not_timed(kind: str) -> None:
    from dataclasses import replace
    from types import SimpleNamespace

    graph = replace(net_graph(), source=SimpleNamespace(kind=kind))
    assert predict(graph, device("h100"), 8, PRECISIONS["fp32"]).low_ms > 0
    with pytest.raises(ArchinspectError) as error:
        timed(graph)
    assert "no code that PyTorch runs" in error.value.render()
    assert "--predict" in error.value.render()


def json_of(folder: Path, *args: str) -> Any:
    result = run_cli(*args, "--format", "json", cwd=folder, timeout=120)
    assert result.returncode in (0, 1), result.stderr  # 1: the rows do not add up on this machine now
    return json.loads(result.stdout)


def test_the_command_times_predicts_saves_and_repeats_a_module_in_a_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "net.py").write_text(NET)
    command = ["latency", "net.py:Net", "--device", "cpu", "--threads", "1", "--time", "0.3"]
    (run,) = json_of(tmp_path, *command, "--input", "2x3x8x8", "--save", "run.json")["runs"]
    assert run["batch"] == 2
    if "out-of-time" not in [flag["code"] for flag in run["flags"]]:  # on a machine that others use
        rows = {row["name"]: row["ms"] for row in run["layers"]}
        assert list(rows) == ["(own)", "stem", "slow", "head", "(call)"]
        assert rows["slow"] >= 4.9
    again = json_of(tmp_path, "latency", "--against", "run.json")
    assert again["against"]["changes"][0]["batch"] == 2
    (found,) = json_of(tmp_path, "latency", "net.py:Net", "--input", "2x3x8x8", "--predict", "h100")[
        "predictions"
    ]
    assert found["batch"] == 2
    assert [layer["name"] for layer in found["layers"]] == ["stem", "mean", "head"]


def test_the_command_shows_the_line_of_a_forward_that_fails_at_another_batch(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    command = [
        "latency",
        "net.py:Fixed",
        "--input",
        "2x4",
        "--batch",
        "3",
        "--device",
        "cpu",
        "--time",
        "0.3",
    ]
    result = run_cli(*command, cwd=tmp_path, timeout=120)
    assert result.returncode == 2
    assert "error[A601]" in result.stderr
    assert "net.py:21" in result.stderr
    assert "Traceback" not in result.stderr


NET = """import time
from torch import nn


class Slow(nn.Module):
    def forward(self, x):
        time.sleep(0.005)
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.slow, self.head = nn.Conv2d(3, 4, 3), Slow(), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.slow(self.stem(x)).mean((2, 3)))

class Fixed(nn.Module):
    def forward(self, x):
        return x.view(2, 4) + 1
"""


# A device whose truth is known.


@pytest.fixture
def on_a_gpu() -> Run:
    seconds = {"stem": 30e-3, "blocks.0.conv": 10e-3, "blocks.1.conv": 20e-3, "head": 5e-3}
    module = Net().eval()
    graph = load_module(module, [(1, 3, 16, 16)])
    runtime = fake_cuda(FakeGpu(dispatch=1e-3), module, lambda name: seconds.get(name, 0.0))
    session = Session(CPU, runtime, Options(), threads=1, time_s=20.0)
    return session.run(graph, module, 1, PRECISIONS["fp32"], "latency", layers=True)


def test_rows_of_captured_graphs_are_the_planted_kernels(on_a_gpu: Run) -> None:
    rows = {row.name: row.ms for row in on_a_gpu.layers}
    assert rows["stem"] == pytest.approx(30, rel=0.01)
    assert rows["blocks.1.conv"] == pytest.approx(20, rel=0.01)
    assert rows["blocks.1#2.conv"] == pytest.approx(20, rel=0.01)
    assert rows["head"] == pytest.approx(5, rel=0.01)
    assert on_a_gpu.closure == pytest.approx(1.0, abs=0.01)
    assert on_a_gpu.whole_ms == pytest.approx(85, rel=0.01)


@pytest.fixture
def uncapturable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: FakeCuda, forward: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(FakeCuda, "capture", refused)


def test_a_forward_that_no_cuda_graph_can_hold_has_rows_of_eager_passes(uncapturable: None) -> None:
    module = Net().eval()
    runtime = fake_cuda(FakeGpu(), module, lambda name: 30e-3 if name == "stem" else 1e-3)
    session = Session(CPU, runtime, Options(), threads=1, time_s=20.0)
    graph = load_module(module, [(1, 3, 16, 16)])
    run = session.run(graph, module, 1, PRECISIONS["fp32"], "latency", layers=True)
    rows = {row.name: row.ms for row in run.layers}
    assert rows["stem"] == pytest.approx(30, rel=0.01)
    (flag,) = [flag for flag in run.flags if flag.code == "eager-rows"]
    assert "operation not permitted when stream is capturing" in flag.message
    with pytest.raises(ArchinspectError, match="--mode graph: a CUDA graph cannot hold"):
        session.run(graph, module, 1, PRECISIONS["fp32"], "graph", layers=False)


# Compiled.


@pytest.mark.slow  # compiling takes seconds
def test_kernels_of_a_compiled_module_are_rows_by_the_calls_of_its_parts() -> None:
    module = Net()
    graph = load_module(module, [(1, 3, 16, 16)])
    options = Options(threads=1, compile=True)
    runs = measure(graph, device="cpu", batch=[1, 2], options=options, time_s=0.5).runs
    for run in runs:
        assert "no-rows" not in [flag.code for flag in run.flags], run.flags
        rows = {row.name: row for row in run.layers}
        assert rows["blocks.1#2.conv"].layers == ("blocks.1#2.conv",)
        named = {name for row in run.layers for name in row.layers}
        assert named | set(run.absorbed) == {node.name for node in graph.layers}
        assert sum(row.macs or 0 for row in run.layers) == run.batch * sum(
            node.cost.macs for node in graph.layers if node.cost
        )
        assert any({"blocks.0.add", "blocks.0.relu#2"} <= set(row.layers) for row in run.layers)


@pytest.mark.slow
def test_a_compiled_model_of_text_folds_by_depth() -> None:
    options = Options(threads=1, compile=True, depth=1)
    (run,) = measure(tokens_graph(), device="cpu", options=options, time_s=0.5).runs
    assert "no-rows" not in [flag.code for flag in run.flags], run.flags
    assert "head" in [row.name for row in run.layers]
    assert any(row.name.startswith("layer") for row in run.layers)


def test_a_spec_of_tokens_is_timed_as_the_module_that_it_builds() -> None:
    words = archinspect.load("embedding(10, 4) -> lstm(3) -> flatten -> linear(2)", input="5xint64")
    found = words.measure(device="cpu", time_s=0.3, threads=1)
    assert [row.name for row in found.runs[0].layers if row.floor_ms][:2] == ["embedding", "lstm"]
