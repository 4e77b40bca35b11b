"""Two networks side by side: the parts sum to the whole, whatever the networks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.analysis.compare import Comparison, compare, stages
from archinspect.analysis.rewrites import rewrite_called, substitute
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from tests.strategies_networks import graph_of, networks, specs

FIGURES = ("params", "macs", "flops", "activation_bytes")


def check(found: Comparison) -> None:
    """Every node once, and contributions that sum to the difference of the totals."""
    for side, position in ((found.a, 0), (found.b, 1)):
        indices = sorted(match[position] for match in found.matches if match[position] is not None)
        assert indices == list(range(1, len(side.graph.nodes)))
    one, other = found.a.analysis.totals, found.b.analysis.totals
    for key in FIGURES:
        assert sum(getattr(d, key) for d in found.differences) == getattr(other, key) - getattr(one, key)
    assert found.unexplained == 0


@given(networks(), networks())
def test_contributions_sum_to_the_difference_of_any_two_networks(one: Graph, other: Graph) -> None:
    check(compare(one, other))


@given(networks())
def test_a_network_does_not_differ_from_itself(graph: Graph) -> None:
    found = compare(graph, graph)
    check(found)
    assert found.differences == ()
    assert all(i == j for i, j in found.matches)


@given(specs(), st.booleans())
@settings(max_examples=60)
def test_one_more_layer_is_one_added_layer(text: str, first: bool) -> None:
    if first:
        longer = text.replace("\nlayers:\n", "\nlayers:\n- extra: relu\n", 1)
    else:
        longer = text.rstrip("\n") + "\n- extra: relu\n"
    found = compare(graph_of(text), graph_of(longer))
    check(found)
    assert [(d.path_a, d.path_b) for d in found.differences if d.change == "added"] == [(None, "extra")]
    assert not [d for d in found.differences if d.change == "removed"]


@pytest.mark.parametrize(
    "pair",
    [
        ("alexnet", "alexnet_grouped"),
        ("vgg16", "resnet50"),
        ("resnet50", "googlenet"),
        ("resnet50", "resnet50:num_classes=10"),
        ("resnet50", "resnet50:input=3x160x160"),
        ("resnet50", "resnet50:stride_in_1x1=true"),
        ("googlenet", "googlenet:aux=true"),
    ],
    ids=" ".join,
)
def test_shipped_networks(pair: tuple[str, str]) -> None:
    check(compare(load_graph(pair[0]), load_graph(pair[1])))
    check(compare(load_graph(pair[1]), load_graph(pair[0])))


def changes(found: Comparison) -> list[tuple[str | None, str, str, int, int]]:
    return [
        (d.path_b or d.path_a, d.change, d.what, d.params, d.macs)
        for d in found.differences
        if d.params or d.macs
    ]


def test_grouping_alexnet() -> None:
    found = compare(load_graph("alexnet"), load_graph("alexnet_grouped"))
    assert changes(found) == [
        ("conv2", "changed", "conv2d groups 1 → 2", -307_200, -223_948_800),
        ("conv4", "changed", "conv2d groups 1 → 2", -663_552, -112_140_288),
        ("conv5", "changed", "conv2d groups 1 → 2", -442_368, -74_760_192),
    ]


def test_where_the_stride_sits() -> None:
    found = compare(load_graph("resnet50"), load_graph("resnet50:stride_in_1x1=true"))
    assert [row[0] for row in changes(found)] == [
        f"conv{stage}_x.block1.residual.conv1.conv" for stage in (3, 4, 5)
    ]
    assert (found.params, found.macs) == (0, -231_211_008)


def test_a_5x5_that_becomes_two_3x3_is_told_where_it_stands() -> None:
    graph = load_graph("googlenet")
    made = substitute(graph, rewrite_called("two-3x3"), sites=["inception_3a"])
    found = compare(graph, made.rewritten)
    check(found)
    assert {d.path for d in found.differences} <= {
        f"inception_3a.branch3.conv.conv.{name}" for name in ("conv1", "act1", "conv2")
    }


def test_a_removed_branch() -> None:
    text = """\
name: forked
input: 8x6x6
layers:
  - concat:
      a: conv2d(4, 3, padding=1) -> relu
      b: conv2d(4, 5, padding=2) -> relu
      c: max_pool2d(3, stride=1, padding=1)
  - last: conv2d(2, 1)
"""
    without = text.replace("      b: conv2d(4, 5, padding=2) -> relu\n", "")
    found = compare(graph_of(text), graph_of(without))
    check(found)
    assert [(d.path_a, d.change) for d in found.differences if d.change == "removed"] == [
        ("b.conv2d", "removed"),
        ("b.relu", "removed"),
    ]
    assert ("last", "changed", "conv2d channels in 16 → 12", -8, -288) in changes(found)


def test_the_same_network_written_flat_and_in_blocks() -> None:
    flat = "name: n\ninput: 3x8x8\nlayers:\n"
    blocks = """\
name: n
input: 3x8x8
blocks:
  unit(c):
    - conv: conv2d(c, 3, padding=1)
    - relu: relu()
layers:
"""
    for number in range(6):
        flat += f"  - c{number}: conv2d({4 + number}, 3, padding=1)\n  - r{number}: relu()\n"
        blocks += f"  - u{number}: unit({4 + number})\n"
    found = compare(graph_of(flat), graph_of(blocks))
    check(found)
    assert found.differences == ()
    assert len(found.renamed) == 12


def test_plain_and_residual_networks_meet_inside_the_join() -> None:
    layers = ["a: conv2d(8, 3, padding=1)", "r: relu()", "b: conv2d(8, 3, padding=1)"]
    head = "name: n\ninput: 8x8x8\nlayers:\n"
    plain = head + "".join(f"  - {layer}\n" for layer in layers)
    body = "".join(f"          - {layer}\n" for layer in layers)
    residual = f"{head}  - add:\n      body:\n{body}      skip: identity\n"
    found = compare(graph_of(plain), graph_of(residual))
    check(found)
    assert [(d.path, d.change) for d in found.differences] == [("add", "added")]


@pytest.mark.parametrize("size", [40, 900])
def test_long_sequences_are_aligned_too(size: int) -> None:
    def network(width: int) -> Graph:
        layers = "".join(
            f"  - c{i}: conv2d({4 if i % 5 else width}, 3, padding=1)\n  - r{i}: relu()\n"
            for i in range(size)
        )
        return graph_of(f"name: long\ninput: 4x6x6\nlayers:\n{layers}")

    found = compare(network(4), network(5))
    check(found)
    assert {d.change for d in found.differences} == {"changed"}


@given(networks())
def test_stages_sum_to_the_totals(graph: Graph) -> None:
    side = compare(graph, graph).a
    found = stages(graph, side.analysis)
    for key in FIGURES:
        assert sum(getattr(stage, key) for stage in found) == getattr(side.analysis.totals, key)
    assert sum(stage.layers for stage in found) == len(graph.nodes) - 1


def test_stages_do_not_depend_on_the_input_size() -> None:
    large, small = load_graph("resnet50"), load_graph("resnet50:input=3x160x160")
    found = compare(large, small)
    assert (
        [s.name for s in found.a.stages]
        == [s.name for s in found.b.stages]
        == ["1/2", "1/4", "1/8", "1/16", "1/32", "head"]
    )
