"""How built networks start: schemes, seeds, and what they leave alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.pytorch import build
from archinspect.pytorch.initialization import SCHEMES, initialize
from tests.spec.support import graph_of

MIXED = """
name: mixed
input: 16x12x12
init: {conv2d: normal(std=0.3)}
layers:
  - conv: conv2d(64, 3)
  - grouped: conv2d(64, 3, groups=4)
  - up: conv_transpose2d(32, 4, stride=2)
  - bn: batch_norm2d()
  - relu: relu()
  - scale: layer_scale(0.1)
  - tokens: tokens()
  - positions: position_embedding()
  - norm: layer_norm()
  - attention: multihead_attention(4)
  - lstm: lstm(48)
  - fc: linear(100)
"""
#: what each output of a layer of MIXED sums, and where each of its inputs goes
FANS = {
    "conv.weight": (16 * 9, 64 * 9),
    "grouped.weight": (16 * 9, 16 * 9),
    "up.weight": (64 * 16 // 4, 32 * 16),
    "attention.in_proj_weight": (32, 32),
    "attention.out_proj.weight": (32, 32),
    "lstm.weight_ih_l0": (32, 48),
    "lstm.weight_hh_l0": (48, 48),
    "fc.weight": (48, 100),
}
MATRICES = list(FANS)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(MIXED)


def started(graph: Graph, scheme: str, seed: int = 0) -> dict[str, Tensor]:
    module = build(graph)
    initialize(module, graph, scheme, seed=seed)
    return module.state_dict()


def is_near(found: float, expected: float, count: int) -> bool:
    """Whether a standard deviation of `count` numbers is within four of its standard errors (of a normal's)."""
    return abs(found / expected - 1) < 4 / math.sqrt(2 * count)


@pytest.mark.parametrize("scheme", ["zero", "small", "xavier", "he"])
def test_a_scheme_sets_what_multiplies_by_fan_in_and_fan_out(graph: Graph, scheme: str) -> None:
    state = started(graph, scheme)
    for name, (fan_in, fan_out) in FANS.items():
        expected = {
            "zero": 0.0,
            "small": 0.01,
            "xavier": math.sqrt(2 / (fan_in + fan_out)),
            "he": math.sqrt(2 / fan_in),
        }[scheme]
        weight = state[name]
        if scheme == "zero":
            assert not weight.any(), name
        else:
            assert is_near(weight.std().item(), expected, weight.numel()), name
        if scheme == "xavier":
            assert weight.abs().max().item() <= math.sqrt(6 / (fan_in + fan_out)), name


def test_orthogonal_weights_have_orthonormal_rows_or_columns(graph: Graph) -> None:
    state = started(graph, "orthogonal")
    matrices = [state["conv.weight"].flatten(1), state["fc.weight"], *state["lstm.weight_hh_l0"].chunk(4)]
    for matrix in matrices:
        tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        torch.testing.assert_close(tall.T @ tall, torch.eye(tall.shape[1]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s not in ("as-published", "default")])
def test_a_scheme_sets_biases_to_zero_and_leaves_norms_and_tables_to_pytorch(
    graph: Graph, scheme: str
) -> None:
    state = started(graph, scheme)
    for name in ("conv.bias", "up.bias", "attention.in_proj_bias", "lstm.bias_ih_l0", "fc.bias"):
        assert not state[name].any(), name
    for name in ("bn.weight", "norm.weight", "bn.running_var"):
        assert (state[name] == 1).all(), name
    assert (state["scale.gamma"] == state["scale.gamma"].flatten()[0]).all()
    assert is_near(state["positions.embedding"].std().item(), 0.02, state["positions.embedding"].numel())


def test_default_is_what_pytorch_does_and_as_published_what_the_spec_says(graph: Graph) -> None:
    default, published = started(graph, "default"), started(graph, "as-published")
    assert default["conv.weight"].abs().max().item() <= 1 / math.sqrt(16 * 9)
    assert is_near(published["conv.weight"].std().item(), 0.3, published["conv.weight"].numel())
    assert published["fc.weight"].abs().max().item() <= 1 / math.sqrt(48)
    assert default.keys() == published.keys()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_seed_says_all_and_leaves_the_global_generator_alone(graph: Graph, scheme: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = started_alike(graph, scheme, 1), started_alike(graph, scheme, 1), None
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.values(), again.values(), strict=True))
    other = started_alike(graph, scheme, 2)
    assert all(torch.equal(first[name], other[name]) == (scheme == "zero") for name in MATRICES)


def started_alike(graph: Graph, scheme: str, seed: int) -> dict[str, Tensor]:
    """As `started`, of a module whose own start has not drawn from the global generator, with other weights."""
    with torch.random.fork_rng(devices=[]):
        module = build(graph)
        for parameter in module.parameters():
            nn.init.constant_(parameter, 7.0)
    initialize(module, graph, scheme, seed=seed)
    return module.state_dict()


def test_shared_tensors_stay_shared() -> None:
    graph = load_graph("gpt2:n_layer=1,vocabulary=50,n_embd=64,n_head=4", input="8xint64")
    module = build(graph)
    initialize(module, graph, "he", seed=0)
    shared = [parameter for parameter in graph.parameters if len(parameter.names) > 1]
    assert shared
    for parameter in shared:
        tensors = [module.get_parameter(name) for name in parameter.names]
        assert all(tensor is tensors[0] for tensor in tensors)


def test_an_unknown_scheme_and_weights_without_values_are_refused(graph: Graph) -> None:
    with pytest.raises(ArchinspectError, match="xaver"):
        initialize(build(graph), graph, "xaver")
    with pytest.raises(ArchinspectError, match="meta"):
        initialize(build(graph, device="meta"), graph)
