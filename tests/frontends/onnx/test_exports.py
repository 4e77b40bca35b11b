"""What torch's exporters write is the network that was exported."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

import archinspect
from archinspect.analysis import analyse
from archinspect.frontends.onnx import load_onnx
from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from archinspect.pytorch import build
from archinspect.pytorch.onnx import export_onnx
from tests.support import one_in, run_cli

from .models import Convolutional, Recurrent, Transformer, exported, macs, params, seeded

IMAGE = torch.zeros(1, 3, 32, 32)
#: stem, two blocks on 8×8 positions, classifier
CONVOLUTIONAL_MACS = 3 * 49 * 8 * 256 + 2 * (72 * 8 + 9 * 8) * 64 + 80
TRANSFORMER_MACS = 48 * 16 * 16 + 16 * 16 * 48 + 2 * 16 * 16 * 16 + 16 * 16 * 16 + 2 * 16 * 16 * 32 + 16 * 5


def numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 20])
def test_convolutions_of_the_older_exporter(opset: int) -> None:
    module = seeded(Convolutional)
    graph = load_onnx(exported(module, IMAGE, dynamo=False, opset_version=opset))
    assert (params(graph), macs(graph)) == (numbers(module), CONVOLUTIONAL_MACS)
    assert graph.output_shape == (1, 10)
    assert analyse(graph).totals.complete
    names = [node.name for node in graph.layers]
    assert names[:7] == [
        "stem", "pool", "stage.0.conv1", "stage.0.relu", "stage.0.conv2", "stage.0.add", "stage.0.relu#2",
    ]  # fmt: skip
    assert names[-1] == "fc"


@pytest.mark.parametrize("opset", [9, 13, 17])
def test_a_transformer_of_the_older_exporter(opset: int) -> None:
    module = seeded(Transformer)
    graph = load_onnx(exported(module, IMAGE[..., :16, :16], dynamo=False, opset_version=opset))
    assert (params(graph), macs(graph)) == (numbers(module), TRANSFORMER_MACS)
    assert {"qkv", "mlp.0", "mlp.2", "head"} <= graph.by_name.keys()


@pytest.mark.parametrize("opset", [9, 17])
def test_recurrent_layers(opset: int) -> None:
    module = seeded(Recurrent)
    tokens = torch.zeros(1, 11, dtype=torch.long)
    graph = load_onnx(exported(module, tokens, dynamo=False, opset_version=opset))
    lstm = 11 * 2 * 28 * ((6 + 7) + (14 + 7))
    assert macs(graph) == lstm + 11 * 15 * (14 + 5) + 15
    assert params(graph) == numbers(module)
    assert graph.nodes[0].values[0].dtype == "int64"


def test_the_newer_exporter_says_modules_and_classes() -> None:
    module = seeded(Convolutional)
    graph = load_onnx(exported(module, IMAGE, dynamo=True, verbose=False))
    assert (params(graph), macs(graph)) == (numbers(module), CONVOLUTIONAL_MACS)
    assert "stage.0.relu#2" in graph.by_name
    scopes = {item.name: item.block for _, item in graph.walk() if hasattr(item, "block")}
    assert str(scopes["stage"]).startswith("Sequential")
    rows = {row.name: row for row in analyse(graph).fold(1).rows}
    assert rows["stage"].macs == 2 * (72 * 8 + 9 * 8) * 64


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Transformer, Recurrent])
def test_the_newer_exporter(kind: type[nn.Module]) -> None:
    module = seeded(kind)
    given = IMAGE[..., :16, :16] if kind is Transformer else torch.zeros(1, 11, dtype=torch.long)
    graph = load_onnx(exported(module, given, dynamo=True, verbose=False))
    older = load_onnx(exported(module, given, dynamo=False))
    assert (params(graph), macs(graph)) == (params(older), macs(older)) == (numbers(module), macs(graph))


# Our own exports.


def agree(ours: Graph, theirs: Graph) -> None:
    assert params(theirs) == sum(row.params for row in analyse(ours).rows)
    assert macs(theirs) == analyse(ours).totals.macs
    assert theirs.output_shape == ours.output_shape
    assert analyse(theirs).totals.complete
    layers = {node.name: node for node in theirs.layers}
    for node in ours.layers:
        if node.op.category in ("convolution", "linear") and node.name in layers:
            found = layers[node.name]
            assert (found.op, found.output_shape) == (node.op, node.output_shape)
    # A layer that has another one's weights is called by that one's name there.
    own = {name.rpartition(".")[0] for name, _ in build(ours, device="meta").named_parameters()}
    weighted = {node.name for node in ours.layers if node.op.category in ("convolution", "linear")}
    assert weighted & own <= layers.keys()


def test_our_own_export_comes_back() -> None:
    text = "conv2d(8, 3, bias=False) -> batch_norm2d -> relu -> max_pool2d(2) -> flatten -> linear(10)"
    ours = load_graph(text, input="3x18x18")
    theirs = load_onnx(onnx.load_from_string(export_onnx(ours)))
    agree(ours, theirs)
    assert [node.op for node in theirs.layers] == [node.op for node in ours.layers]
    assert [node.cost for node in theirs.layers] == [node.cost for node in ours.layers]


def test_an_output_may_have_an_inputs_name() -> None:
    text = "name: net\ninputs: {image: 8, noise: 8}\nlayers:\n  - sum: add(image, noise)\noutputs: {image: sum}\n"
    theirs = load_onnx(onnx.load_from_string(export_onnx(archinspect.from_text(text).graph)))
    assert theirs.output_names == ("image_output",)


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(9, sorted(shipped())))
def test_shipped_networks_come_back(name: str) -> None:
    ours = load_graph(name)
    if sum(row.params for row in analyse(ours).rows) > 100_000_000:
        pytest.skip("takes gigabytes")
    agree(ours, load_onnx(onnx.load_from_string(export_onnx(ours))))


def test_the_command_line_reads_a_file_whose_weights_are_elsewhere(tmp_path: Path) -> None:
    module = seeded(Convolutional)
    model = exported(module, IMAGE, dynamo=False)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").unlink()
    done = run_cli("summary", "net.onnx", "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"params": {numbers(module)}' in done.stdout
