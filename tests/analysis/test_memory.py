"""Peak activation memory against its definition, carried out step by step."""

from __future__ import annotations

import pytest

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
