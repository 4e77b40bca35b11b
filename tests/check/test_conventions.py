"""Each tool's figures are predicted exactly: for every op of the catalogue, and for the published networks."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archinspect.check.batch import with_batch
from archinspect.check.conventions import CONVENTIONS, OURS, count, difference
from archinspect.check.verify import verify
from archinspect.check.witnesses import hear
from archinspect.errors import ArchinspectError, OpError
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph, Layer, Node, Scope
from archinspect.ops import REGISTRY, Input, Shape, tensor
from archinspect.pytorch import build
from tests.ops.strategies import STRATEGIES
from tests.spec.support import layers

from .single import network_of

ALONE = sorted(name for name, op in REGISTRY.items() if op.arity == 1 and op.predicted)
SAMPLES = [
    pytest.param(name, attributes, shapes[0], id=f"{name}-{number}")
    for name in ALONE
    for number, (attributes, shapes) in enumerate(REGISTRY[name].samples)
    if len(shapes) == 1 and REGISTRY[name].of(**attributes).predicted
]
#: ops whose figures by other tools follow from the built module, and from no rule for the layer
UNRULED = [
    pytest.param(name, attributes, shapes, id=f"{name}-{number}", marks=[pytest.mark.many] if number else [])
    for name, op in sorted(REGISTRY.items())
    for number, (attributes, shapes) in enumerate(op.samples)
    if not op.of(**attributes).predicted
]

#: Networks whose joins broadcast, take several branches, or are the network's only work.
JOINED = {
    "gate": """
  - conv: conv2d(8, 3, padding=1)
  - multiply:
      skip: identity
      gate:
        - pool: adaptive_avg_pool2d(1)
        - fc: conv2d(8, 1)
        - sigmoid: sigmoid()
""",
    "three branches": """
  - add:
      a: conv2d(4, 1)
      b: conv2d(4, 1, bias=False) -> batch_norm2d
      c: conv2d(4, 3, padding=1)
""",
    "broadcast first": """
  - conv: conv2d(4, 1)
  - add:
      a: adaptive_avg_pool2d(1)
      b: adaptive_max_pool2d(1)
      c: identity
""",
    "concat": """
  - concat:
      a: conv2d(4, 1) -> relu
      b: max_pool2d(3, stride=1, padding=1)
  - shuffle: channel_shuffle(7)
""",
}

# torchvision's networks, in one line each.
ALEXNET = (
    "conv2d(64, 11, stride=4, padding=2) -> relu -> max_pool2d(3, stride=2) -> conv2d(192, 5, padding=2) -> relu -> "
    "max_pool2d(3, stride=2) -> conv2d(384, 3, padding=1) -> relu -> conv2d(256, 3, padding=1) -> relu -> "
    "conv2d(256, 3, padding=1) -> relu -> max_pool2d(3, stride=2) -> adaptive_avg_pool2d(6) -> flatten -> dropout -> "
    "linear(4096) -> relu -> dropout -> linear(4096) -> relu -> linear(1000)"
)
VGG16 = " -> ".join(
    [
        *(
            " -> ".join([*[f"conv2d({width}, 3, padding=1) -> relu"] * depth, "max_pool2d(2)"])
            for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
        ),
        "adaptive_avg_pool2d(7) -> flatten -> linear(4096) -> relu -> dropout -> linear(4096) -> relu -> dropout",
        "linear(1000)",
    ]
)

#: Measured on torchvision's networks, 1×3×224×224 in evaluation, with the tools' releases that `Convention.tool`
#: names and torch 2.13.
MEASURED = {
    "alexnet": (
        partial(load_graph, ALEXNET, input="3x224x224"),
        {
            "torchinfo": 714_682_664,
            "fvcore": 714_197_696,
            "ptflops": 716_441_128,
            "thop": 714_206_912,
            "torch": 1_428_376_960,
            "archinspect": 714_188_480,
        },
    ),
    "vgg16": (
        partial(load_graph, VGG16, input="3x224x224"),
        {
            "torchinfo": 15_483_821_032,
            "fvcore": 15_470_289_408,
            "ptflops": 15_523_225_576,
            "thop": 15_470_314_496,
            "torch": 30_940_528_640,
            "archinspect": 15_470_264_320,
        },
    ),
    "resnet50": (
        partial(load_graph, "resnet50"),
        {
            "torchinfo": 4_089_238_376,
            "fvcore": 4_111_512_576,
            # torchvision adds with `+=`, which ptflops does not see; our module calls torch.add, which it does.
            "ptflops": 4_132_436_968 + 5_519_360,
            "thop": 4_133_742_592,
            "torch": 8_178_368_512,
            "archinspect": 4_089_184_256,
        },
    ),
}


def heard(graph: Graph, tools: Any = CONVENTIONS) -> None:
    """Every tool prints what its convention predicts."""
    module = build(graph)
    for name in tools:
        predicted = count(graph, name)
        testimony = hear(name, module, graph.input_shape)
        assert (testimony.status, testimony.message) == ("ran", "")
        assert testimony.total == predicted.total, name
        assert testimony.params == predicted.params, name
        if testimony.unsupported is not None:
            assert testimony.unsupported == predicted.unknown, name


def test_fractions_are_cut_off_the_total_and_not_off_each_term() -> None:
    graph = network_of(REGISTRY["upsample"].of(scale_factor=2.25), (3, 1, 1, 2))  # 8/3 + 30 3/8
    heard(graph)
    assert count(graph, "ptflops").terms == {"upsampling": 3, "upsampling counted again": 30}


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=lambda convention: convention.name)
def test_a_convention_has_a_rule_for_every_op(convention: Any) -> None:
    families = {op.family for op in REGISTRY.values()}
    assert set(convention.rules) <= families | set(REGISTRY)
    if convention.default is None:
        ours = [name for name, op in REGISTRY.items() if op.predicted]
        assert not [name for name in ours if "knows no rule" in str(convention.pieces(name))]


@pytest.mark.parametrize(("name", "attributes", "shape"), SAMPLES)
def test_every_op_is_counted_as_the_tools_count_it(
    name: str, attributes: dict[str, Any], shape: Shape
) -> None:
    graph = network_of(REGISTRY[name].of(**attributes), shape)
    heard(graph)
    heard(with_batch(graph, 4))


@pytest.mark.parametrize(("name", "attributes", "shapes"), UNRULED)
def test_ops_without_rules_are_verified_by_their_modules(
    name: str, attributes: dict[str, Any], shapes: tuple[Shape, ...]
) -> None:
    batches = (1, 4) if len(shapes) == 1 else (1,)  # a second input may be one for the whole batch
    found = verify(network_of(REGISTRY[name].of(**attributes), *shapes), batches)
    assert [str(mismatch) for mismatch in found.mismatches] == []


@pytest.mark.parametrize("name", ALONE)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_ops_with_random_attributes_too(name: str, data: st.DataObject) -> None:
    attributes, shapes = data.draw(STRATEGIES[name])
    assume(len(shapes) == 1)
    try:
        graph = network_of(REGISTRY[name].of(**attributes), *shapes)
    except OpError:
        assume(False)
    assume(graph.layers[0].op.predicted)
    heard(graph)


@pytest.mark.parametrize("name", JOINED)
def test_joins_are_counted_as_the_tools_count_them(name: str) -> None:
    graph = layers(JOINED[name], "3x12x10")
    heard(graph)
    heard(with_batch(graph, 4))


@pytest.mark.parametrize("network", MEASURED)
def test_the_published_networks_have_their_measured_figures(network: str) -> None:
    load, measured = MEASURED[network]
    graph = load()
    assert {name: count(graph, name).total for name in measured} == measured


@pytest.mark.parametrize("network", MEASURED)
def test_terms_add_up_and_so_do_differences(network: str) -> None:
    graph = MEASURED[network][0]()
    counts = [count(graph, name) for name in (*CONVENTIONS, OURS.name)]
    for one in counts:
        assert sum(one.terms.values()) * one.convention.per_mac == one.total
        assert sum(row.count for row in one.rows) == one.macs
        for other in counts:
            found = difference(one, other)
            assert sum(found.terms.values()) == found.total == one.macs - other.macs
            assert difference(other, one).terms == {name: -n for name, n in found.terms.items()}


def test_why_fvcore_and_torch_disagree_about_resnet50() -> None:
    graph = load_graph("resnet50")
    found = difference(count(graph, "fvcore"), count(graph, "torch"))
    assert str(found) == "fvcore − torch MACs = 22,227,968 batch norm + 100,352 average pooling"


def test_the_larger_sum_stands_first_and_signs_are_told() -> None:
    graph = load_graph("conv2d(8, 3) -> batch_norm2d", input="3x8x8")
    found = difference(count(graph, "torchinfo"), count(graph, "fvcore"))
    assert str(found) == "torchinfo − fvcore MACs = 288 convolution bias − 560 batch norm"
    assert str(difference(found_counts := count(graph, "torch"), found_counts)) == "torch − torch MACs = 0"


def test_a_tool_that_has_no_rule_says_so_and_never_zero() -> None:
    graph = load_graph("conv2d(8, 3) -> group_norm(2) -> sigmoid -> flatten", input="3x8x8")
    counts = count(graph, "thop")
    assert counts.unknown == {"group_norm": 1, "sigmoid": 1}
    assert [row.known for row in counts.rows] == [True, False, False, True]
    assert [row["count"] for row in counts.to_dict()["rows"]] == [7776, None, None, 0]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_folding_keeps_the_total(depth: int) -> None:
    counts = count(load_graph("resnet50"), "ptflops")
    folded = counts.fold(depth)
    assert sum(row.count for row in folded.rows) == counts.macs
    assert sum(row.params or 0 for row in folded.rows) == counts.params
    assert folded.total == counts.total
    assert all(row.name.count(".") < depth for row in folded.rows)


def test_an_unknown_convention_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ArchinspectError) as caught:
        count(load_graph("alexnet"), "fvcor")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A403"
    assert diagnostic.help == "did you mean 'fvcore'?"
    assert "torchinfo, fvcore, torch, ptflops, thop" in diagnostic.notes[0]


def test_a_batch_is_a_batch_of_every_layer() -> None:
    graph = load_graph("resnet50")
    four = with_batch(graph, 4)
    assert four == load_graph("resnet50", input="4x3x224x224")
    assert with_batch(graph, 1) is graph


def test_operations_that_are_no_layers_are_never_counted_as_zero_in_silence() -> None:
    """Even where a function is called like a layer: its arguments are not the layer's."""
    op = tensor.softmax("softmax", ((1, 4, 8),), ((1, 4, 8),), 2)
    product = tensor.matmul("matmul", ((1, 4, 8), (1, 8, 4)), ((1, 4, 4),), 8)
    nodes = (
        Node("input", Input((1, 4, 8)), (), (), (1, 4, 8)),
        Node("softmax", op, (0,), ((1, 4, 8),), (1, 4, 8)),
        Node("matmul", product, (1, 0), ((1, 4, 8), (1, 8, 4)), (1, 4, 4)),
    )
    graph = Graph("functions", nodes, Scope("", (Layer(1), Layer(2))), (2,))
    assert count(graph, "torch").total == 2 * 4 * 4 * 8
    for name in ("fvcore", "ptflops", "thop"):
        unknown = count(graph, name).unknown
        assert unknown == {f"{kind} (archinspect knows no rule)": 1 for kind in ("softmax", "matmul")}
