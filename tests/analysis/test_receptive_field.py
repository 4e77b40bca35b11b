"""Receptive fields of whole networks: published ones, and what gradients of the real module say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import archinspect
from archinspect.network import Network

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
