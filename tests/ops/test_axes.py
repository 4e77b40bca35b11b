"""What dimensions mean: of inputs by default, of outputs by the rules of the ops, of a whole graph."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archinspect
from archinspect.geometry import regrouped
from archinspect.graph import (
    Graph,
    Layer,
    Node,
    Scope,
    Value,
    input_axes,
    position_dimensions,
    width_dimension,
)
from archinspect.ops import REGISTRY, Input, Shape, tensor
from archinspect.ops.base import Axes
from archinspect.ops.tensor import Motion

MAP = ("batch", "channel", "space", "space")
TOKENS = ("batch", "sequence", "feature")

INPUTS: list[tuple[Shape, str, Axes]] = [
    ((1, 3, 8, 8), "float32", MAP),
    ((1, 3, 4, 8, 8), "bfloat16", ("batch", "channel", "space", "space", "space")),
    ((2, 784), "float32", ("batch", "feature")),
    ((2, 50, 64), "float16", TOKENS),
    ((2, 128), "int64", ("batch", "sequence")),
    ((2, 1, 8, 8), "bool", ("batch", "sequence", "", "")),
    ((7,), "float32", ("batch",)),
    ((), "float32", ()),
]


@pytest.mark.parametrize(("shape", "dtype", "axes"), INPUTS)
def test_inputs_mean_what_their_rank_and_type_say(shape: Shape, dtype: str, axes: Axes) -> None:
    assert input_axes(shape, dtype) == axes


LINES: list[tuple[str, str, Axes]] = [
    ("conv2d(4, 3) -> relu", "3x8x8", MAP),
    ("conv1d(4, 3) -> relu", "3x8", ("batch", "channel", "space")),
    ("relu -> batch_norm1d -> conv1d(4, 3)", "3x8", ("batch", "channel", "space")),
    ("conv3d(4, 3) -> max_pool3d(2)", "3x8x8x8", ("batch", "channel", "space", "space", "space")),
    ("conv2d(4, 3) -> flatten", "3x8x8", ("batch", "feature")),
    ("conv2d(4, 3) -> flatten(2)", "3x8x8", ("batch", "channel", "sequence")),
    ("conv2d(4, 3) -> flatten(1, 2)", "3x8x8", ("batch", "feature", "space")),
    ("conv2d(4, 3) -> tokens -> class_token -> multihead_attention(2)", "3x8x8", TOKENS),
    ("conv2d(4, 3) -> tokens -> permute((0, 2, 1))", "3x8x8", ("batch", "feature", "sequence")),
    ("conv2d(4, 3) -> tokens -> select_token", "3x8x8", ("batch", "feature")),
    ("linear(4) -> batch_norm1d -> relu", "8x784", ("batch", "feature")),
]


@pytest.mark.parametrize(("line", "input", "axes"), LINES)
def test_layers_keep_or_move_what_dimensions_mean(line: str, input: str, axes: Axes) -> None:
    assert archinspect.load(line, input=input).graph.axes[-1] == axes


FUNCTIONS: list[tuple[Motion, Shape, Axes]] = [
    (Motion("permute", (0, 2, 3, 1)), (1, 8, 8, 4), ("batch", "space", "space", "channel")),
    (Motion("reshape"), (1, 4, 64), ("batch", "channel", "sequence")),
    (Motion("reshape"), (1, 4, 2, 4, 8), ("batch", "channel", "space", "space", "space")),
    (Motion("reshape"), (1, 256), ("batch", "feature")),
    (Motion("reshape"), (4, 64), ("channel", "sequence")),
    (Motion("reduce", (2, 3)), (1, 4), ("batch", "channel")),
    (Motion("drop", (2,)), (1, 4, 8), ("batch", "channel", "space")),
    (Motion("append"), (1, 4, 8, 8, 16), (*MAP, "feature")),
    (Motion("stride", (2, 2)), (1, 4, 4, 8), MAP),
    (Motion("unknown"), (1, 4, 8, 8), ("batch", "", "", "")),
]


@pytest.mark.parametrize(("motion", "shape", "axes"), FUNCTIONS)
def test_functions_move_what_dimensions_mean(motion: Motion, shape: Shape, axes: Axes) -> None:
    before = (1, 4, 8, 8)
    op = tensor.moving(motion.kind, (before,), (shape,), motion)
    assert op.axes([MAP], (before,), shape) == axes


def test_a_value_says_itself_what_a_frontend_knows() -> None:
    shape = (1, 4, 8)
    known = Value(shape, axes=("batch", "channel", "space"))
    relu = REGISTRY["relu"].of()
    nodes = (
        Node.of_call("x", Input(shape), (), (), (known,)),
        Node.of_call("relu", relu, (0,), (shape,), (Value(shape),)),
    )
    assert Graph("known", nodes, Scope("", (Layer(1),)), (1,)).axes == (known.axes, known.axes)


def test_widths_and_positions_are_found_by_meaning() -> None:
    assert width_dimension(MAP, (1, 3, 8, 8)) == 1
    assert width_dimension(("batch", "space", "space", "channel"), (1, 8, 8, 3)) == 3
    assert width_dimension(TOKENS, (1, 50, 64)) == 2
    assert width_dimension(("", "", ""), (1, 50, 64)) == 2  # nobody says
    assert position_dimensions(MAP) == (2, 3)
    assert position_dimensions(TOKENS) == (1,)
    assert position_dimensions(("batch", "feature")) == ()


def test_in_channels_of_a_signal_are_its_channels() -> None:
    text = "name: audio\ninput: 2x64\nlayers:\n  - conv1d(6, 3)\n  - relu\n  - conv1d(2 * in_channels, 3)\n"
    assert archinspect.from_text(text).graph.output_shape == (1, 12, 60)


sizes = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=6)


@given(sizes, st.data())
def test_regrouped_dimensions_hold_the_same_elements(shape: list[int], data: st.DataObject) -> None:
    left, output = prod(shape), []
    while left > 1:
        output.append(data.draw(st.sampled_from([n for n in range(2, left + 1) if left % n == 0])))
        left //= output[-1]
    output.insert(data.draw(st.integers(0, len(output))), 1)
    groups = regrouped(tuple(shape), tuple(output))
    assert [dim for mine, _ in groups for dim in mine] == list(range(len(shape)))
    assert [dim for _, theirs in groups for dim in theirs] == list(range(len(output)))
    for mine, theirs in groups:
        assert prod(shape[d] for d in mine) == prod(output[d] for d in theirs)
