"""`verify` on a user's own module: executed bit for bit, five tools predicted from what they see, faults named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor, nn

from archinspect.check import witnesses
from archinspect.check.conventions import CONVENTIONS
from archinspect.check.own_module import count
from archinspect.check.verification import Verification
from archinspect.check.verify import verify
from archinspect.check.witnesses.execute import execute
from archinspect.cli.app import run
from archinspect.errors import ArchinspectError
from archinspect.frontends.torch import load_module
from archinspect.graph import Graph
from tests.spec.support import graph_of


class Residual(nn.Module):
    """Spelt as people do: in-place sums, functional activations and pooling, one norm that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Any:
        y = F.relu(self.norm(self.conv(x)), inplace=True)
        y += self.norm(y)
        return self.head(F.adaptive_avg_pool2d(y, 1).flatten(1))


class Spellings(nn.Module):
    """The same arithmetic under names that ptflops sees, and under others."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2.0)

    def forward(self, x: Tensor) -> Any:
        y = torch.add(x, x.mul(2)) + x.add(1.0) * x
        z = torch.bmm(y, y.transpose(1, 2)) @ y
        z = z.matmul(y.transpose(1, 2)).softmax(-1) + F.softmax(y[:, :, :4], dim=-1)
        z = torch.baddbmm(z, z, z) + torch.relu(z) + F.silu(z)
        w = F.interpolate(z[:, None], size=(7, 7))
        w = self.up(F.avg_pool2d(w, 2))
        return F.local_response_norm(w, 2) + torch.einsum("bcij,bcjk->bcik", w, w)


class Shared(nn.Module):
    """Tied weights, a module in two places, one that is never called, a frozen one, lists and empty containers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        shared = nn.Linear(8, 8)
        self.a = nn.Sequential(shared, nn.ReLU())
        self.b = nn.Sequential(shared, nn.GELU())
        self.stages = nn.ModuleList([nn.Linear(8, 8), nn.Sequential()])
        self.unused = nn.Linear(8, 3)
        self.scale = nn.Parameter(torch.ones(8))
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.out = nn.Linear(8, 11, bias=False)
        self.out.weight = self.words.weight

    def forward(self, ids: Tensor) -> dict[str, Any]:
        y = self.words(ids)
        y = self.a(y) + self.b(y) * self.scale
        for stage in self.stages:
            y = stage(y)
        return {"logits": self.out(self.frozen(y)), "more": (y, None)}


class Interleaved(nn.Module):
    """Lists that are entered in turn, with parameters beside those of what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 9)])
        self.right = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.left.register_parameter("scale", nn.Parameter(torch.ones(5)))

    def forward(self, x: Tensor) -> Any:
        for left, right in zip(self.left, self.right, strict=False):
            x = right(left(x))
        return x


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(16, 8)
        self.cell = nn.LSTMCell(8, 8)

    def forward(self, x: Tensor) -> Any:
        y, _ = self.lstm(x)
        y, _ = self.gru(y)
        h, _ = self.cell(y[:, 0])
        return h


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)

    def forward(self, x: Tensor) -> Any:
        y, _ = self.attention(x, x, x)
        return self.layer(y)


class OneDimension(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(4, 8, 3, padding="same"),
            nn.ConvTranspose1d(8, 8, 4, 2, groups=2),
            nn.BatchNorm1d(8),
            nn.InstanceNorm1d(8, affine=True),
            nn.GroupNorm(2, 8),
            nn.PReLU(),
            nn.ReLU6(),
            nn.LeakyReLU(),
            nn.BatchNorm1d(8, affine=False, track_running_stats=False),
            nn.MaxPool1d(2),
            nn.AdaptiveAvgPool1d(3),
            nn.Softmax(dim=1),
            nn.LayerNorm(3),
        )

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class Writes(nn.Module):
    """Parts of a tensor that are assigned, and read whole."""

    def forward(self, x: Tensor) -> Any:
        y = torch.zeros_like(x)
        y[:, :2] = x[:, 2:] * 3
        y[:, 2:].add_(x[:, :2])
        return y.view(-1).relu_().view_as(x) + y


MODULES: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "residual": (Residual, (1, 3, 12, 12)),
    "spellings": (Spellings, (2, 4, 6)),
    "shared": (Shared, torch.arange(10).reshape(2, 5)),
    "interleaved": (Interleaved, (2, 4)),
    "recurrent": (Recurrent, (2, 5, 6)),
    "attention": (Attention, (2, 5, 8)),
    "one dimension": (OneDimension, (2, 4, 12)),
    "writes": (Writes, (1, 4, 3)),
    "one layer": (lambda: nn.Linear(4, 3), (1, 4)),
}


def captured(make: Callable[[], nn.Module], inputs: Any) -> Graph:
    return load_module(make(), [inputs])


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_executed_and_every_tool_is_predicted(name: str) -> None:
    graph = captured(*MODULES[name])
    batch = graph.input_shape[0]
    found = verify(graph, (batch,))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.executions[batch].status == "equal"
    assert {check.tool: check.verdict for check in found.tools} == dict.fromkeys(CONVENTIONS, "agrees")
    assert found.complete


def test_a_module_of_keywords_several_inputs_and_dict_outputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 6), nn.Linear(5, 6)

        def forward(self, a: Tensor, *, mask: Tensor | None = None, b: Tensor) -> dict[str, Tensor]:
            return {"sum": self.left(a) + self.right(b), "mask": F.relu(self.left(a))}

    graph = load_module(Two(), [(2, 4)], {"b": torch.ones(2, 5)})
    found = verify(graph, (2,))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.complete


def test_terms_add_up_and_rows_are_calls_of_modules() -> None:
    graph = captured(*MODULES["residual"])
    for name in CONVENTIONS:
        counts = count(graph, name)
        assert sum(row.count for row in counts.rows) == counts.macs
    rows = {row.name: row for row in count(graph, "ptflops").rows}
    assert list(rows) == ["Residual", "conv", "norm", "norm#2", "head"]
    assert rows["Residual"].terms == {"ReLU": 8 * 12 * 12, "average pooling": 8 * 12 * 12}
    assert rows["norm#2"].params == 0


def test_hooks_do_not_see_what_python_spells_as_a_function() -> None:
    class Plain(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return torch.relu(x) + x

    class Named(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return torch.add(F.relu(x), x)

    assert count(captured(Plain, (1, 6)), "ptflops").total == 0
    assert count(captured(Named, (1, 6)), "ptflops").total == 12


# Faults


def with_edges(graph: Graph, name: str, inputs: tuple[int, ...]) -> Graph:
    nodes = tuple(
        type(node).of_call(
            node.name,
            node.op,
            inputs if node.name == name else node.inputs,
            node.input_shapes,
            node.outputs or (),
            parameters=node.parameters,
            ports=node.ports,
            memory=node.memory,
            module=node.module,
        )
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def test_a_wrong_edge_is_found_and_the_call_named() -> None:
    graph = captured(*MODULES["residual"])
    index = {node.name: at for at, node in enumerate(graph.nodes)}
    wrong = with_edges(
        graph, "add", (index["norm"], index["norm#2"])
    )  # before the ReLU in the place of after it
    assert execute(graph).status == "equal"
    found = verify(wrong, (1,), witnesses=())
    assert not found.ok
    assert found.mismatches[0].layer == "add"
    assert "differs from the module's by up to" in str(found.mismatches[0])
    assert [check.name for check in found.layers if not check.ok] == ["add"]


def test_another_rule_than_the_tools_is_found_and_the_module_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from archinspect.check.conventions.captured import thop

    kind = "torch.nn.modules.batchnorm.BatchNorm2d"
    monkeypatch.setattr(thop, "RULES", {**thop.RULES, kind: thop.RULES["torch.nn.modules.linear.Linear"]})
    monkeypatch.setattr(nn.BatchNorm2d, "in_features", 1, raising=False)
    module = Residual()
    module.norm.in_features = 1  # type: ignore[assignment]
    found = verify(load_module(module, [(1, 3, 12, 12)]), (1,), witnesses=("thop",))
    layers = [mismatch.layer for mismatch in found.mismatches]
    assert layers == ["norm", ""]


def test_the_users_module_is_left_as_it_was() -> None:
    module = Residual().train()
    module.head.weight.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    seen = [(part.training, len(part._forward_hooks), sorted(vars(part))) for part in module.modules()]
    functions = (F.relu, torch.add, torch.Tensor.add, nn.Module.__call__, "add" in vars(torch.Tensor))
    seed = torch.get_rng_state()
    assert verify(load_module(module, [(1, 3, 12, 12)]), (1,)).ok
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert seen == [
        (part.training, len(part._forward_hooks), sorted(vars(part))) for part in module.modules()
    ]
    assert functions == (F.relu, torch.add, torch.Tensor.add, nn.Module.__call__, "add" in vars(torch.Tensor))
    assert not module.head.weight.requires_grad
    assert torch.equal(seed, torch.get_rng_state())


def test_a_module_without_weights_is_executed_on_random_ones() -> None:
    with torch.device("meta"):
        module = Residual()
    found = verify(load_module(module, [(1, 3, 12, 12)]), (1,))
    assert (found.ok, found.complete) == (True, True)


def test_a_module_that_is_too_large_is_not_executed_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archinspect.check.witnesses.execute.LIMIT", 1000)
    found = verify(captured(*MODULES["residual"]), (1,))
    assert (found.ok, found.complete) == (True, False)
    assert found.executions[1].status == "not run"
    verdicts = {check.tool: check.verdict for check in found.tools}
    assert verdicts == {
        "torchinfo": "agrees",
        "fvcore": "not run",
        "torch": "agrees",
        "ptflops": "not run",
        "thop": "agrees",
    }


def test_a_tool_that_fails_does_not_take_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(subject: Any) -> dict[str, Any]:
        raise RuntimeError("it broke")

    monkeypatch.setattr(witnesses, "TOOLS", {**witnesses.TOOLS, "thop": ("thop", broken)})
    found = verify(captured(*MODULES["residual"]), (1,))
    assert (found.ok, found.complete) == (True, False)
    assert {check.tool: check.message for check in found.tools}["thop"] == "it broke"


# Batches


def test_other_batches_are_captured_again() -> None:
    found = verify(captured(*MODULES["residual"]), (1, 3))
    assert (found.ok, found.complete, found.batches) == (True, True, (1, 3))


def test_a_batch_that_the_module_does_not_take_is_left_out() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x.view(2, 6) * 2

    found = verify(captured(Fixed, (2, 6)), (2, 3))
    assert (found.ok, found.complete, found.batches) == (True, False, (2,))
    assert "Batch 3 is left out" in found.notes[0]


# What cannot be verified


class _Source:
    kind = "onnx"


def test_a_graph_of_a_file_has_no_module_to_verify() -> None:
    graph = replace(graph_of("name: net\ninput: 3x8x8\nlayers:\n  - a: conv2d(4, 3)\n"), source=_Source())
    with pytest.raises(ArchinspectError, match="has no module to verify it against"):
        verify(graph)


# The command


@pytest.fixture
def net(tmp_path: Path) -> str:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch.nn.functional as F\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self, width=4):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(3, width, 3, padding=1)\n\n"
        "    def forward(self, x):\n        y = self.conv(x)\n        y += F.relu(y)\n        return y\n"
    )
    return f"{file}:Net"


def test_the_command_on_a_file(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", net, "--input", "3x8x8", "--batch", "1,2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Batch 2: The output is equal bit for bit, after 3 operations." in text
    assert "ptflops MACs 1 7,424 7,424 agrees" in text


def test_the_command_in_json(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", net, "--input", "3x8x8", "--batch", "1", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["executions"]["1"]["status"] == "equal"
    assert all(tool["predicted"] == tool["found"] for tool in document["tools"])


def test_tables_by_a_convention_show_calls_of_modules(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["flops", net, "--input", "3x8x8", "--convention", "ptflops", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Net,Net,1x4x8x8,256",
        "conv,Conv2d,1x4x8x8,7168",
    ]


# Libraries


LIBRARY = (
    "torchvision:resnet18",
    "torchvision:vit_b_32",
    "timm:convnext_atto",
    "timm:swin_tiny_patch4_window7_224",
)


@pytest.mark.slow
@pytest.mark.parametrize("model", LIBRARY)
def test_models_of_libraries_agree_to_the_last_digit(model: str) -> None:
    pytest.importorskip(model.partition(":")[0], reason="the library's own model is what is verified")
    from tests.witnesses import captured as smallest

    found: Verification = verify(smallest(model, (64, 224)), (1,))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.complete
