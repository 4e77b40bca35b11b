"""Receptive fields of whole networks: published ones, and what gradients of the real module say."""

from __future__ import annotations

import time
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archinspect
from archinspect.analysis.receptive_field import receptive_fields
from archinspect.graph import Graph, Layer, Node, Scope, Value
from archinspect.network import Network
from archinspect.ops import REGISTRY, Input, Op, Shape, tensor
from archinspect.ops.tensor import Motion, TensorOp

# Araujo, Norris & Sim 2019, Distill, table 1.  Theirs are slim's networks: AlexNet v2 and VGG-16 up to pool5, ResNet v1
# (stride in the first 1×1) up to its last block; for ResNet-50 v1 they print 483.
PUBLISHED = [
    ("alexnet", "pool5", 195),
    ("vgg16", "pool5", 212),
    ("resnet50:stride_in_1x1=true", "conv5_x.block3.relu", 483),
]


@pytest.mark.parametrize(("model", "layer", "field"), PUBLISHED)
def test_published_fields(model: str, layer: str, field: int) -> None:
    rows = {row.name: row for row in archinspect.load(model).analyse().rows}
    assert rows[layer].receptive_field == field


def seen(network: Network) -> int:
    """Rows, first to last, that the middle output row of the real module depends on."""
    module = network.build().double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    x = torch.rand(network.graph.input_shape, dtype=torch.float64, requires_grad=True)
    y = module(x)
    (gradient,) = torch.autograd.grad(y[:, :, y.shape[2] // 2].sum(), x)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    return int(rows[-1] - rows[0] + 1)


kernel = st.sampled_from([1, 3, 5])
branch = st.lists(kernel, max_size=3).map(
    lambda kernels: " -> ".join(f"conv2d(2, {k}, padding={k // 2})" for k in kernels) or "identity"
)


@settings(max_examples=25)
@given(st.lists(st.tuples(branch, branch, st.integers(1, 2)), min_size=1, max_size=3))
def test_across_branches_the_field_is_what_gradients_say(stages: list[tuple[str, str, int]]) -> None:
    layers = "".join(
        f"  - stage{i}:\n    - concat:\n        a: {a}\n        b: {b}\n    - pool: avg_pool2d({stride})\n"
        for i, (a, b, stride) in enumerate(stages)
    )
    network = archinspect.from_text(f"name: branches\ninput: 1x160x8\nlayers:\n{layers}")
    assert network.analyse().rows[-1].receptive_field == seen(network)


def test_up_and_down_the_field_is_never_smaller_than_what_gradients_say() -> None:
    text = """
name: hourglass
input: 1x96x96
layers:
  - add:
      deep: >-
        max_pool2d(2) -> conv2d(1, 3, padding=1) -> max_pool2d(2) -> conv2d(1, 3, padding=1)
        -> upsample(scale_factor=4) -> conv2d(1, 3, padding=1)
      skip: identity
  - out: conv2d(1, 3, padding=1)
"""
    network = archinspect.from_text(text)
    field = network.analyse().rows[-1].receptive_field
    assert isinstance(field, int)
    assert field >= seen(network) > field / 2


def test_sides_that_differ_are_told_apart() -> None:
    network = archinspect.load("conv2d(4, (1, 7)) -> conv2d(4, (3, 1), stride=(2, 1))", input="3x32x32")
    assert [row.receptive_field for row in network.analyse().rows] == [(1, 7), (3, 7)]
    assert network.to_dict()["rows"][0]["receptive_field"] == [1, 7]  # type: ignore[index]


def test_after_attention_or_a_gate_everything_is_seen() -> None:
    text = """
name: gate
input: 4x20x30
layers:
  - multiply:
      identity:
      gate: adaptive_avg_pool2d(1) -> conv2d(4, 1) -> sigmoid
  - conv: conv2d(4, 3)
"""
    assert archinspect.from_text(text).analyse().rows[-1].receptive_field == (20, 30)


MOVED = [
    # positions mixed where they lie along the features: tokens as in an MLP-Mixer, rows of a map, permuted channels
    "conv2d(4, 4, stride=4) -> tokens -> permute((0, 2, 1)) -> linear(9) -> linear(48) -> permute((0, 2, 1))",
    "conv2d(4, 3) -> flatten(2) -> linear(5)",
    "conv2d(4, 3) -> flatten(1, 2) -> linear(5)",
    "conv2d(4, 3) -> flatten(2) -> softmax(-1)",
    "conv2d(4, 3) -> softmax(3)",
    "conv2d(4, 3) -> softmax(-2) -> conv2d(2, 3)",
    "conv2d(4, 3) -> permute((0, 3, 2, 1)) -> conv2d(4, (3, 1))",
    "conv2d(4, 3) -> permute((0, 1, 3, 2)) -> conv2d(4, (3, 1))",
    "conv2d(4, 3) -> tokens -> mean_tokens -> linear(3)",
    "conv2d(4, 3) -> tokens -> multihead_attention(2)",
    # positions kept apart
    "conv2d(4, 3) -> tokens -> linear(5) -> softmax(2) -> select_token(100) -> linear(3)",
    "conv2d(4, 3) -> tokens -> layer_norm -> permute((0, 2, 1)) -> select_token(2)",
    "conv2d(4, 3) -> permute((0, 3, 2, 1)) -> conv2d(22, (3, 1), groups=22)",
]


@pytest.mark.parametrize("line", MOVED)
def test_positions_are_followed_through_tokens_and_transpositions(line: str) -> None:
    """One element in the middle of the output, and the image's rows and columns that it depends on."""
    network = archinspect.load(line, input="3x32x24")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = network.build().double().eval()
        x = torch.rand(network.graph.input_shape, dtype=torch.float64, requires_grad=True)
    y = module(x)
    (gradient,) = torch.autograd.grad(y[tuple(size // 2 for size in y.shape)], x)
    sides = []
    for others in ((0, 1, 3), (0, 1, 2)):
        along = gradient.abs().sum(others).nonzero().flatten().tolist()
        sides.append(along[-1] - along[0] + 1)
    field = network.analyse().rows[-1].receptive_field
    assert (field if isinstance(field, tuple) else (field, field)) == tuple(sides)


def test_a_vector_has_no_positions() -> None:
    assert archinspect.load("linear(3) -> relu", input="12").analyse().rows[0].receptive_field is None


def dependencies(network: Network, element: tuple[int, ...]) -> tuple[int, ...]:
    """Along each spatial axis of the input: positions, first to last, that an output element depends on."""
    module = network.build().double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    x = torch.rand(network.graph.input_shape, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x)[element], x)
    sides = []
    for axis in range(2, x.dim()):
        others = [dim for dim in range(x.dim()) if dim != axis]
        along = gradient.abs().sum(others).nonzero().flatten().tolist()
        sides.append(along[-1] - along[0] + 1)
    return tuple(sides)


SPACES = [
    ("conv1d(2, 5, stride=2) -> avg_pool1d(3, stride=2) -> conv1d(2, 3, dilation=2)", "1x80", 25),
    ("conv3d(2, (1, 3, 5)) -> avg_pool3d((1, 2, 2)) -> conv3d(2, (2, 1, 3))", "1x4x9x16", (2, 4, 10)),
]


@pytest.mark.parametrize(("line", "input", "field"), SPACES)
def test_signals_and_volumes_have_fields_too(line: str, input: str, field: int | tuple[int, ...]) -> None:
    network = archinspect.load(line, input=input)
    assert network.analyse().rows[-1].receptive_field == field
    middle = tuple(size // 2 for size in network.graph.output_shape)
    seen_sides = dependencies(network, middle)
    assert (field if isinstance(field, tuple) else (field,)) == seen_sides


def test_tokens_in_a_row_are_far_apart_where_rows_end() -> None:
    """Neighbours in a flattened map may stand at the end of one row and the beginning of the next."""
    network = archinspect.load("flatten(2) -> conv1d(2, 3)", input="1x1x8x10")
    field = network.analyse().rows[-1].receptive_field
    assert field == (2, 10)
    positions = range(network.graph.output_shape[2])
    most = [max(sides) for sides in zip(*[dependencies(network, (0, 0, p)) for p in positions], strict=True)]
    assert most == [2, 10]  # where a row ends: its last column and the next one's first


def test_many_joins_take_no_longer_than_their_layers() -> None:
    """Paths once multiplied at every join, and their common period with them."""
    text = """
name: context
input: 8x64x64
layers:
  - context[1..60]:
      - add:
          local: conv2d(8, 3, padding=1)
          pooled: adaptive_avg_pool2d(7) -> upsample(size=64)
"""
    graph = archinspect.from_text(text).graph
    start = time.process_time()
    fields = receptive_fields(graph)
    assert time.process_time() - start < 2
    assert all(isinstance(field, int) for field in fields)
    assert list(fields[4::4]) == sorted(fields[4::4])
    assert fields[4] == 11  # the longest of 7 windows on 64, and a neighbour beside it


stage = st.sampled_from(
    [
        "conv2d(1, 3, padding=1)",
        "avg_pool2d(2)",
        "upsample(scale_factor=2)",
        "upsample(scale_factor=3)",
        "conv_transpose2d(1, 4, stride=2, padding=1)",
        "conv2d(1, 3, stride=2, padding=1)",
        "avg_pool2d(3, stride=1, padding=1)",
    ]
)


@settings(max_examples=30, deadline=None)
@given(st.lists(stage, min_size=1, max_size=6))
def test_up_and_down_in_any_order_the_field_is_never_too_small(stages: list[str]) -> None:
    network = archinspect.load(" -> ".join(stages), input="1x48x48")
    output = network.graph.output_shape
    if prod(output) > 400_000:
        return
    field = network.analyse().rows[-1].receptive_field
    assert isinstance(field, int)
    middle = dependencies(network, tuple(size // 2 for size in output))
    assert field >= max(middle)


def graph_of(inputs: list[Value], calls: list[tuple[Op, tuple[int, ...]]]) -> Graph:
    """A graph as a frontend makes it: inputs, and calls by the indices that they read."""
    nodes = [
        Node.of_call(f"input{i}", Input(value.shape), (), (), (value,)) for i, value in enumerate(inputs)
    ]
    for number, (op, sources) in enumerate(calls):
        shapes = tuple(nodes[source].output_shape for source in sources)
        outputs = tuple(map(Value, op.results)) if isinstance(op, TensorOp) else (Value(op.shape(shapes)),)
        nodes.append(Node.of_call(f"call{number}", op, sources, shapes, outputs))
    layers = tuple(Layer(index) for index in range(len(inputs), len(nodes)))
    return Graph("calls", tuple(nodes), Scope("", layers), (len(nodes) - 1,), inputs=len(inputs))


IMAGE = Value((1, 4, 8, 8))
CONV = REGISTRY["conv2d"].of(4, 3, padding=1)


def moved(kind: str, before: Shape, after: Shape, *dims: int) -> TensorOp:
    return tensor.moving(kind, (before,), (after,), Motion(kind, dims))


def test_of_several_inputs_fields_are_those_of_the_image() -> None:
    text, image = Value((1, 5), "int64"), IMAGE
    table = tensor.moving("embedding", ((1, 5), (100, 4)), ((1, 5, 4),), Motion("append"))
    graph = graph_of([text, image], [(table, (0,)), (CONV, (1,)), (CONV, (3,))])
    assert receptive_fields(graph) == (None, 1, None, 3, 5)
    alone = graph_of([text], [(table, (0,))])
    assert receptive_fields(alone) == (1, 1)
    assert receptive_fields(graph_of([Value((1, 7))], [(REGISTRY["relu"].of(), (0,))])) == (None, None)


def test_what_does_not_see_the_image_adds_nothing_to_a_join() -> None:
    parameter = tensor.moving("arange", (), ((1, 4, 1, 1),), Motion("unknown"))
    add = tensor.pointwise("add", ((1, 4, 8, 8), (1, 4, 1, 1)), ((1, 4, 8, 8),))
    graph = graph_of([IMAGE], [(parameter, ()), (CONV, (0,)), (add, (2, 1))])
    assert receptive_fields(graph) == (1, None, 3, 3)


def test_behind_an_operation_that_nobody_knows_nothing_is_claimed() -> None:
    unknown = tensor.opaque("mystery", ((1, 4, 8, 8),), ((1, 4, 8, 8),))
    graph = graph_of([IMAGE], [(unknown, (0,)), (CONV, (1,)), (REGISTRY["add"].of(), (2, 0))])
    assert receptive_fields(graph) == (1, None, None, None)


@pytest.mark.parametrize(
    ("ops", "fields"),
    [
        # (N, C, H, W) → (N, H, W, C): a convolution of its own kind on the last dimension
        ([moved("permute", (1, 4, 8, 8), (1, 8, 8, 4), 0, 2, 3, 1)], (3,)),
        ([moved("reshape", (1, 4, 8, 8), (1, 4, 64))], (3,)),
        ([moved("reshape", (1, 4, 8, 8), (1, 4, 8, 1, 8))], (3,)),
        # a dimension of positions in two parts: the way is lost
        ([moved("reshape", (1, 4, 8, 8), (1, 4, 2, 4, 8))], (None,)),
        ([moved("reduce", (1, 4, 8, 8), (1, 4, 8), 3)], ((3, 8),)),
        ([moved("drop", (1, 4, 8, 8), (1, 4, 8), 3)], (3,)),
        ([tensor.softmax("softmax", ((1, 4, 8, 8),), ((1, 4, 8, 8),), -1)], ((3, 8),)),
        ([moved("stride", (1, 4, 8, 8), (1, 4, 4, 8), 2, 2), REGISTRY["conv2d"].of(4, 2)], (3, (5, 4))),
    ],
)
def test_functions_move_positions(ops: list[Op], fields: tuple[object, ...]) -> None:
    calls = [(CONV, (0,)), *((op, (1 + number,)) for number, op in enumerate(ops))]
    assert receptive_fields(graph_of([IMAGE], calls))[2:] == fields


def test_a_product_of_activations_is_an_attention() -> None:
    """q·kᵀ has rows where q has them and columns where k has them: the farthest element reads both ends."""
    tokens = moved("reshape", (1, 4, 8, 8), (1, 4, 64))
    q = moved("permute", (1, 4, 64), (1, 64, 4), 0, 2, 1)
    scores = tensor.matmul("matmul", ((1, 64, 4), (1, 4, 64)), ((1, 64, 64),), 4)
    softmax = tensor.softmax("softmax", ((1, 64, 64),), ((1, 64, 64),), -1)
    mixed = tensor.matmul("matmul", ((1, 64, 64), (1, 64, 4)), ((1, 64, 4),), 64)
    graph = graph_of([IMAGE], [(tokens, (0,)), (q, (1,)), (scores, (2, 1)), (softmax, (3,)), (mixed, (4, 2))])
    assert receptive_fields(graph) == (1, 1, 1, 8, 8, 8)
    weights = tensor.matmul("linear", ((1, 64, 4), (6, 4)), ((1, 64, 6),), 4)
    assert receptive_fields(graph_of([IMAGE], [(tokens, (0,)), (q, (1,)), (weights, (2,))]))[-1] == 1
