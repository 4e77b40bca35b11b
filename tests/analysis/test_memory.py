"""Peak activation memory against its definition, carried out step by step."""

from __future__ import annotations

import pytest
import torch

import archinspect
from archinspect.analysis import peak_activation_bytes
from archinspect.graph import Graph
from archinspect.ops import numel


def by_definition(graph: Graph) -> int:
    """For each step, the memory that anyone still needs, found by asking every node."""

    def owner(index: int) -> int:
        node = graph.nodes[index]
        return owner(node.inputs[0]) if node.op.aliases and node.inputs else index

    most = 0
    for now in range(len(graph.nodes)):
        needed = {0, owner(now)}
        for index in range(now + 1):
            read_later = any(index in reader.inputs for reader in graph.nodes[now:])
            if read_later or index in graph.outputs:
                needed.add(owner(index))
        most = max(most, sum(numel(graph.nodes[index].output_shape) for index in needed))
    return 4 * most


@pytest.mark.parametrize("model", ["alexnet", "vgg16", "mobilenet_v2", "resnet50"])
def test_peak_is_what_its_definition_says(model: str) -> None:
    graph = archinspect.load(model).graph
    assert peak_activation_bytes(graph) == by_definition(graph)


def test_vgg_peaks_between_its_first_two_convolutions() -> None:
    """Image, first map and the second written from it: 150,528 + 2·64·224·224 numbers of four bytes."""
    totals = archinspect.load("vgg16").analyse().totals
    assert totals.peak_activation_bytes == 4 * (150_528 + 2 * 64 * 224 * 224)


def test_views_take_no_memory_and_keep_what_they_look_at() -> None:
    network = archinspect.load("conv2d(8, 1) -> flatten -> dropout -> linear(2)", input="3x4x4")
    rows = {row.op: row.activation_bytes for row in network.analyse().rows}
    assert rows == {"conv2d": 8 * 16 * 4, "flatten": 0, "dropout": 0, "linear": 8}
    assert network.analyse().totals.peak_activation_bytes == 4 * (48 + 128 + 2)


def test_a_skip_keeps_its_source_alive() -> None:
    text = """
name: skip
input: 4x8x8
layers:
  - first: conv2d(4, 1)
  - add:
      body: conv2d(4, 1) -> relu
      skip:
"""
    # input, the skip's source, the body's convolution, its activation; then the sum in place of the convolution
    assert archinspect.from_text(text).analyse().totals.peak_activation_bytes == 4 * 4 * 256


@pytest.mark.parametrize(
    ("line", "copies"),
    [
        ("conv2d(4, 3) -> flatten", False),
        ("conv2d(4, 3) -> permute((0, 2, 3, 1)) -> flatten", True),
        ("conv2d(4, 3) -> permute((0, 1, 3, 2)) -> flatten(0, 1)", False),
        ("conv2d(4, 3) -> permute((0, 2, 3, 1)) -> flatten(1, 2)", False),
        ("conv2d(4, 3) -> tokens -> flatten", True),
        ("conv2d(4, 3) -> tokens -> dropout -> flatten", True),
        ("conv2d(1, 3) -> tokens -> flatten", False),
        ("conv2d(4, 3) -> permute((0, 1, 3, 2)) -> tokens", True),
        ("conv2d(4, 3) -> permute((0, 2, 3, 1)) -> relu -> flatten", True),
    ],
)
def test_joining_dimensions_copies_where_pytorch_does(line: str, copies: bool) -> None:
    network = archinspect.load(line, input="3x8x6")
    assert (network.analyse().rows[-1].activation_bytes > 0) is copies
    x = torch.rand(network.graph.input_shape)
    module = network.build().eval()
    before: dict[str, torch.Tensor] = {}

    class Watch(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            made = super().run_node(n)
            if isinstance(made, torch.Tensor) and n.op != "output":
                before[n.name] = made
            return made

    Watch(module).run(x)
    source, made = list(before.values())[-2:]
    assert (source.data_ptr() != made.data_ptr()) is copies
