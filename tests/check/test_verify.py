"""`verify`: both engines and five tools agree on every network; a planted fault is found and its layer named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import fx, nn

import archinspect.pytorch
from archinspect.analysis import analyse
from archinspect.check.conventions import CONVENTIONS
from archinspect.check.verification import Verification
from archinspect.check.verify import verify
from archinspect.check.witnesses import hear
from archinspect.cli.app import run
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from archinspect.ops import REGISTRY
from archinspect.pytorch import build
from tests.spec.support import graph_of
from tests.strategies_networks import networks
from tests.support import one_in

NET = """
name: net
input: 4x12x12
layers:
  - stem: conv2d(8, 3, stride=2, padding=1) -> batch_norm2d -> relu
  - add:
      body: conv2d(8, 3, padding=1)
      shortcut: identity
  - pool: adaptive_avg_pool2d(1)
  - flatten: flatten()
  - fc: linear(5)
"""


@pytest.fixture
def graph() -> Graph:
    return graph_of(NET)


def test_everything_agrees_on_a_small_network(graph: Graph) -> None:
    found = verify(graph)
    assert (found.ok, found.complete, found.mismatches) == (True, True, ())
    assert [check.name for check in found.layers] == [node.name for node in graph.layers]
    assert {(check.tool, check.batch, check.verdict) for check in found.tools} == {
        (tool, batch, "agrees") for tool in CONVENTIONS for batch in (1, 4)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(9, shipped()))
def test_every_network_agrees_to_the_last_digit(name: str) -> None:
    graph = load_graph(name)
    found = verify(graph, (1, 4))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    # What takes more than 4 GiB of real weights is left out, and said to be.
    assert found.complete or analyse(graph).totals.weight_bytes > 4 * 2**30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "input"),
    [
        ("googlenet", {"aux": True}, None),
        ("resnet50", {"stride_in_1x1": True}, "3x128x160"),
        ("vgg16", {"batch_norm": True}, "3x32x32"),
        ("mobilenet_v2", {"num_classes": 7}, "3x96x96"),
    ],
)
def test_other_arguments_and_sizes_agree_too(name: str, arguments: dict[str, Any], input: str | None) -> None:
    found = verify(load_graph(name, arguments=arguments, input=input), (1, 3))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.complete


@settings(max_examples=8)
@given(networks())
def test_random_networks_agree_by_every_tool(graph: Graph) -> None:
    found = verify(graph, (1, 3))
    assert [str(mismatch) for mismatch in found.mismatches] == []
    assert found.complete


@pytest.mark.slow
@settings(max_examples=30)
@given(networks(max_layers=40))
def test_more_random_networks_agree_by_every_tool(graph: Graph) -> None:
    found = verify(graph, (1, 3))
    assert [str(mismatch) for mismatch in found.mismatches] == []


# Faults


def replaced(graph: Graph, path: str, layer: nn.Module) -> fx.GraphModule:
    module = build(graph, device="meta")
    holder, _, name = path.rpartition(".")
    setattr(module.get_submodule(holder), name, layer)
    return module


FAULTS: dict[str, tuple[str, Callable[[], nn.Module], str, str]] = {
    "wider": ("body", lambda: nn.Conv2d(8, 16, 3, padding=1), "body", "parameters"),
    "stride": ("body", lambda: nn.Conv2d(8, 8, 3, 2, padding=1), "body", "output shape"),
    "no bias": ("stem.conv2d", lambda: nn.Conv2d(4, 8, 3, 2, 1, bias=False), "stem.conv2d", "parameters"),
    "groups": ("body", lambda: nn.Conv2d(8, 8, 3, padding=1, groups=2), "body", "MACs"),
    "no statistics": (
        "stem.batch_norm2d",
        lambda: nn.BatchNorm2d(8, track_running_stats=False),
        "stem.batch_norm2d",
        "buffers",
    ),
    "pool": ("pool", lambda: nn.AdaptiveAvgPool2d(2), "pool", "output shape"),
    "another classifier": ("fc", lambda: nn.Linear(8, 6), "fc", "output shape"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_layer_of_the_module_is_named(fault: str, graph: Graph) -> None:
    path, make, layer, quantity = FAULTS[fault]
    with torch.device("meta"):
        module = replaced(graph, path, make())
    found = verify(graph, (1,), module=module, witnesses=())
    assert not found.ok
    assert (layer, quantity) in {(mismatch.layer, mismatch.quantity) for mismatch in found.mismatches}
    assert found.mismatches[0].layer == layer
    assert not {check.name: check for check in found.layers}[layer].ok


def test_a_layer_that_keeps_shape_weights_and_macs_is_found_by_the_tools(graph: Graph) -> None:
    found = verify(graph, (1,), module=replaced(graph, "stem.relu", nn.Sigmoid()))
    assert not found.ok
    assert {mismatch.witness for mismatch in found.mismatches} >= {"fvcore", "ptflops"}


def test_a_module_that_cannot_run_names_where_it_stops(graph: Graph) -> None:
    with torch.device("meta"):
        module = replaced(graph, "fc", nn.Linear(9, 5))
    found = verify(graph, (1,), module=module, witnesses=())
    assert found.mismatches[0].layer == "fc"
    assert "fails" in str(found.mismatches[0])


def test_a_surplus_weight_is_found(graph: Graph) -> None:
    module = build(graph, device="meta")
    module.register_parameter("surplus", nn.Parameter(torch.empty(3, device="meta")))
    found = verify(graph, (1,), module=module, witnesses=())
    assert [(mismatch.layer, mismatch.found) for mismatch in found.mismatches] == [("surplus", (3,))]


def test_a_wrong_formula_of_ours_is_found(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = REGISTRY["linear"].weights
    monkeypatch.setattr(
        REGISTRY["linear"], "weights", lambda op, inputs: {**weights(op, inputs), "bias": (6,)}
    )
    found = verify(graph, (1,))
    assert {mismatch.layer for mismatch in found.mismatches if mismatch.witness == "module"} == {"fc"}
    assert {mismatch.witness for mismatch in found.mismatches} >= {"module", "torchinfo", "fvcore", "thop"}


# The user's module


def test_the_users_module_is_left_as_it_was(graph: Graph) -> None:
    module: Any = build(graph).train()
    module.stem.relu.eval()
    module.fc.weight.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    hooks, flags = _marks(module), [part.training for part in module.modules()]
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    functions = (nn.functional.relu, torch.add, torch.Tensor.add, nn.Module.__call__)
    found = verify(graph, module=module)
    assert found.ok
    after = module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert (_marks(module), [part.training for part in module.modules()]) == (hooks, flags)
    assert not module.fc.weight.requires_grad
    assert all(parameter.grad is None for parameter in module.parameters())
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)
    assert (nn.functional.relu, torch.add, torch.Tensor.add, nn.Module.__call__) == functions


def _marks(module: nn.Module) -> list[tuple[str, int, int, tuple[str, ...]]]:
    return [
        (name, len(part._forward_hooks), len(part._forward_pre_hooks), tuple(sorted(vars(part))))
        for name, part in module.named_modules()
    ]


def test_a_tool_that_fails_or_is_missing_is_told_and_is_no_mismatch(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archinspect.check import witnesses

    def fail(subject: Any) -> dict[str, Any]:
        raise RuntimeError("it broke")

    tools = {**witnesses.TOOLS, "thop": ("thop", fail), "fvcore": ("no_such_package", fail)}
    monkeypatch.setattr(witnesses, "TOOLS", tools)
    assert hear("thop", build(graph, device="meta"), graph.input_shape).message == "it broke"
    found = verify(graph, (1,))
    assert (found.ok, found.complete) == (True, False)
    verdicts = {check.tool: check.verdict for check in found.tools}
    assert (verdicts["thop"], verdicts["fvcore"], verdicts["torch"]) == ("failed", "not installed", "agrees")


@pytest.mark.parametrize("options", [{"witnesses": ["fvcor"]}, {"batches": ()}, {"batches": (0,)}])
def test_unusable_options_are_refused(graph: Graph, options: dict[str, Any]) -> None:
    with pytest.raises(ArchinspectError) as caught:
        verify(graph, **options)
    assert caught.value.diagnostics[0].code == "A403"


# The command


@pytest.fixture
def command(
    graph: Graph, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    file = tmp_path / "net.yaml"
    file.write_text(NET)

    def call(*options: str) -> tuple[int, str]:
        status = run(["verify", str(file), *options])
        return status, capsys.readouterr().out

    return call


def test_the_command_says_that_all_agree(command: Callable[..., tuple[int, str]]) -> None:
    status, text = command("--batch", "1,3", "--tools", "torchinfo,torch")
    assert status == 0
    assert "All 8 layers agree, for batches of 1 and 3." in text
    assert "torchinfo − torch" in text


def test_the_command_exits_with_1_and_names_the_layer(
    command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(graph: Graph, **options: Any) -> fx.GraphModule:
        with torch.device("meta"):
            return replaced(graph, "body", nn.Conv2d(8, 8, 3, padding=1, groups=2))

    monkeypatch.setattr(archinspect.pytorch, "build", wrong, raising=False)
    status, text = command("--batch", "1", "--tools", "fvcore")
    assert status == 1
    assert "body: MACs should be 20,736, the real module has 10,368" in " ".join(text.split())


def test_the_command_in_json(command: Callable[..., tuple[int, str]]) -> None:
    status, text = command("--format", "json", "--batch", "1")
    document = json.loads(text)
    assert (status, document["ok"], document["complete"], document["mismatches"]) == (0, True, True, [])
    assert {tool["tool"] for tool in document["tools"]} == set(CONVENTIONS)
    assert all(tool["predicted"] == tool["found"] for tool in document["tools"])
    assert (
        sum(layer["expected"]["macs"] for layer in document["layers"])
        == document["terms"]["archinspect"]["total_macs"]
    )


def test_why_tools_disagree_is_told_in_terms() -> None:
    found: Verification = verify(load_graph("resnet50"), (1,), witnesses=("fvcore", "torch"))
    assert found.ok
    difference = found.difference("fvcore", "torch")
    assert str(difference) == "fvcore − torch MACs = 22,227,968 batch norm + 100,352 average pooling"
