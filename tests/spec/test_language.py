"""What each construct of docs/spec-language.md means."""

from __future__ import annotations

import pytest

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import dump, lay_out, load_graph, shipped
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Join, Scope, SideOutputs

from ..support import one_in
from .support import graph_of, layers, names, refused


def test_one_line_network() -> None:
    graph = load_graph("conv2d(96, 11, stride=4) -> relu → max_pool2d(3, stride=2)", input="3x227x227")
    assert names(graph) == ["conv2d", "relu", "max_pool2d"]
    assert graph.output_shape == (1, 96, 27, 27)


def test_one_line_network_needs_an_input() -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph("relu -> conv2d(3, 1)")
    assert [d.code for d in caught.value.diagnostics] == ["A402"]


def test_anonymous_layers_are_numbered_like_modules() -> None:
    graph = layers("  - conv2d(8, 1) -> relu\n  - conv2d(8, 1)\n  - relu\n")
    assert names(graph) == ["conv2d", "relu", "conv2d_1", "relu_1"]


def test_chain_under_a_name_is_a_scope() -> None:
    assert names(layers("  - stem: conv2d(8, 3) -> relu\n")) == ["stem.conv2d", "stem.relu"]


def test_layers_may_be_a_mapping() -> None:
    assert names(layers("  a: relu\n  b: relu\n")) == ["a", "b"]


def test_scopes_nest() -> None:
    graph = layers("  - a:\n      - b:\n          - c: relu\n      - d: relu\n")
    assert names(graph) == ["a.b.c", "a.d"]
    (scope,) = graph.structure.items
    assert isinstance(scope, Scope)
    assert scope.name == "a"


def test_repeat_counts_both_ends() -> None:
    graph = graph_of(
        "name: n\ninput: 3x8x8\narguments: {depth: 3}\nlayers:\n  - c[1..depth]: conv2d(4, 1)\n  - d[depth..3]: relu\n"
    )
    assert names(graph) == ["c1", "c2", "c3", "d3"]


def test_empty_repeat_adds_nothing() -> None:
    assert names(layers("  - c[2..1]: relu\n  - d: relu\n")) == ["d"]


def test_block_arguments_defaults_and_outer_arguments() -> None:
    text = """
name: net
input: 3x8x8
arguments: {width: 4}
blocks:
  unit(factor, kernel=3, out=2 * width):
    - conv: conv2d(factor * width, kernel, padding=kernel // 2)
    - proj: conv2d(out, 1)
layers:
  - a: unit(2)
  - b: unit(factor=3, kernel=1, out=5)
"""
    shapes = [node.output_shape[1] for node in graph_of(text).layers]
    assert shapes == [8, 8, 12, 5]
    assert [n.output_shape[1] for n in graph_of(text, width=10).layers] == [20, 20, 30, 5]


def test_block_knows_its_use() -> None:
    graph = graph_of(
        "name: n\ninput: 3x8x8\nblocks:\n  unit(w):\n    - c: conv2d(w, 1)\nlayers:\n  - a: unit(7)\n"
    )
    (scope,) = graph.structure.items
    assert isinstance(scope, Scope)
    assert str(scope.block) == "unit(w=7)"


def test_in_channels_is_the_width_of_what_comes_in() -> None:
    graph = layers("  - a: conv2d(2 * in_channels, 1)\n  - b: conv2d(in_channels + 1, 1)\n")
    assert [n.output_shape[1] for n in graph.layers] == [6, 7]


@pytest.mark.parametrize("join", ["concat", "add", "multiply"])
def test_join_names_and_inputs(join: str) -> None:
    graph = layers(
        f"  - stem: conv2d(4, 1)\n  - {join}:\n      left: relu\n      right:\n        - c: conv2d(4, 1)\n"
    )
    assert names(graph) == ["stem", "left", "right.c", join]
    node = graph.by_name[join]
    assert [graph.nodes[i].name for i in node.inputs] == ["left", "right.c"]
    assert node.output_shape[1] == (8 if join == "concat" else 4)
    assert isinstance(graph.structure.items[1], Join)


def test_identity_branch_adds_no_layer() -> None:
    for written in ("identity", "", "[]", "identity()", "relu if 1 > 2 else identity"):
        graph = layers(f"  - add:\n      body: relu\n      shortcut: {written}\n")
        assert names(graph) == ["body", "add"]
        assert [graph.nodes[i].name for i in graph.by_name["add"].inputs] == ["body", "input"]


def test_conditional_branch_leaves_a_join_of_the_others() -> None:
    text = "  - concat:\n      a: relu\n      b if {}: relu\n      c: relu\n"
    assert names(layers(text.format("True"))) == ["a", "b", "c", "concat"]
    assert names(layers(text.format("1 > 2"))) == ["a", "c", "concat"]


def test_join_needs_a_branch_left() -> None:
    text = "name: n\ninput: 3x8x8\nlayers:\n  - s:\n      - add:\n"
    (error,) = refused(text + "          a if False: relu\n          b if False: relu\n")
    assert error.code == "A107"
    assert error.path == "s.add"


def test_side_outputs_leave_the_main_path() -> None:
    graph = layers(
        "  - a: relu\n  - side_output:\n      aux:\n        - f: flatten\n        - fc: linear(5)\n  - b: sigmoid\n"
    )
    assert names(graph) == ["a", "aux.f", "aux.fc", "b"]
    assert [graph.nodes[i].name for i in graph.outputs] == ["b", "aux.fc"]
    assert [graph.nodes[i].name for i in graph.by_name["b"].inputs] == ["a"]
    assert isinstance(graph.structure.items[1], SideOutputs)


def test_conditions_on_layers() -> None:
    text = "name: n\ninput: 3x8x8\narguments: {norm: false}\nlayers:\n  - bn if norm: batch_norm2d\n  - relu: relu\n"
    assert names(graph_of(text)) == ["relu"]
    assert names(graph_of(text, norm=True)) == ["bn", "relu"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("17 // 3 + 17 % 3", 7),
        ("8 if 3 > 2 else 4", 8),
        ("8 if not (3 > 2 and 1 < 2) else 4", 4),
        ("max(3, min(9, 5))", 5),
        ("int(7 / 2)", 3),
        ("round(2.6)", 3),
        ("-3 + 8", 5),
        ("make_divisible(32 * 0.75, 8)", 24),
        ("make_divisible(18, 8)", 24),  # 16 would be more than 10 % below 18
        ("make_divisible(3, 8)", 8),
    ],
)
def test_expressions(expression: str, value: int) -> None:
    graph = layers(f"  - c: conv2d({expression}, 1)\n")
    assert graph.output_shape[1] == value


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"width": "wide"}, "A401"),
        ({"width": True}, "A401"),
        ({"width": 2.5}, "A401"),
        ({"norm": 1}, "A401"),
        ({"wdth": 8}, "A401"),
        ({"width": 0}, "A207"),
    ],
)
def test_wrong_settings(setting: dict[str, object], code: str) -> None:
    text = "name: n\ninput: 3x8x8\narguments: {width: 8, norm: true}\nlayers:\n  - c: conv2d(width, 1, bias=norm)\n"
    (error,) = refused(text, **setting)
    assert error.code == code


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3x8x9", (1, 3, 8, 9)),
        ("2x3x8x9", (2, 3, 8, 9)),
        ("3X8×9", (1, 3, 8, 9)),
        ("3,8,9", (1, 3, 8, 9)),
        ("784", (1, 784)),
        ("4x784", (4, 784)),
    ],
)
def test_input_sizes(text: str, shape: tuple[int, ...]) -> None:
    assert load_graph("relu", input=text).input_shape == shape


@pytest.mark.parametrize(
    "text", ["", "0x3x3", "3x-1x3", "axbxc", "1x2x3x4x5", "3x224", "9999999999x1x1", "3 224 224"]
)
def test_wrong_input_sizes(text: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph("conv2d(3, 1)", input=text)
    assert caught.value.diagnostics[0].code in {"A402", "A301"}


def test_settings_in_the_name() -> None:
    graph = load_graph("resnet50:num_classes=10,stride_in_1x1=true,input=3x96x64")
    assert graph.output_shape == (1, 10)
    assert graph.input_shape == (1, 3, 96, 64)
    assert graph.arguments == {"num_classes": 10, "stride_in_1x1": True}


def test_arguments_win_over_settings_in_the_name() -> None:
    assert load_graph("resnet50:num_classes=10", arguments={"num_classes": 7}).output_shape == (1, 7)


def test_window_error_shows_arithmetic_use_and_path() -> None:
    text = "name: n\ninput: 3x8x8\nblocks:\n  unit(k):\n    - conv: conv2d(4, k)\n"
    text += "layers:\n  - a: unit(5)\n  - b: unit(5)\n"
    (error,) = refused(text)
    assert error.code == "A302"
    assert error.path == "b.conv"
    assert error.span is not None
    assert (error.span.line, error.span.column) == (5, 13)
    assert [(span.line, label) for span, label in error.related] == [(8, "block 'unit' used here")]
    assert "input 4 < kernel 5" in error.notes


def test_all_errors_at_once_without_echoes() -> None:
    text = """name: n
input: 3x8x8
extra: 1
layers:
  - a: conv2d(4)
  - b: cnv2d(4, 3)
  - c: conv2d(width, 3)
  - d: conv2d(4, 'x')
  - b: relu
"""
    assert [(e.code, e.span and e.span.line) for e in refused(text)] == [
        ("A108", 3),
        ("A204", 5),
        ("A202", 6),
        ("A208", 7),
        ("A206", 8),
        ("A210", 9),
    ]


@pytest.mark.parametrize("name", one_in(3, shipped()))
def test_dump_round_trips_shipped_networks(name: str) -> None:
    graph = load_graph(name)
    assert graph_of(dump(graph)) == graph


def test_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(ArchinspectError) as caught:
        load_graph("VGG-61")
    assert "did you mean 'vgg16'?" in caught.value.render()


TWO_SKIPS = """name: n
input: 3x8x8
layers:
  - add:
      skip: identity
      a: conv2d(3, 3, padding=1)
  - add:
      skip: identity
      b: conv2d(3, 1) -> relu
"""


def test_branches_that_add_no_layer_share_their_names_with_those_of_other_joins() -> None:
    graph = graph_of(TWO_SKIPS)
    assert [node.name for node in graph.layers] == ["a", "add", "b.conv2d", "b.relu", "add_1"]
    assert graph_of(dump(graph)) == graph


@pytest.mark.parametrize(
    ("more", "place"),
    [("  - skip: relu\n", (10, 5)), ("  - skip:\n    - r: relu\n", (10, 5)), ("      skip: relu\n", (10, 7))],
)
def test_but_not_with_a_layer_or_a_branch_beside_them(more: str, place: tuple[int, int]) -> None:
    (error,) = refused(TWO_SKIPS + more)
    assert error.code in ("A106", "A210")
    assert error.span is not None
    assert (error.span.line, error.span.column) == place


def test_nor_with_another_branch_of_the_same_join() -> None:
    listed = "name: n\ninput: 3x8x8\nlayers:\n  - add: [{a: identity}, {a: identity}, {b: relu}]\n"
    (error,) = refused(listed)
    assert (error.code, error.span and error.span.column) == ("A210", 27)


def test_a_long_chain_is_no_long_text() -> None:
    chain = " -> ".join(["relu"] * 2000)
    assert len(graph_of(f"name: n\ninput: 3x8x8\nlayers:\n  - {chain}\n").layers) == 2000


@pytest.mark.parametrize("condition", ["'batch_norm'", "(1, 2)", "kind"])
def test_a_word_is_no_condition(condition: str) -> None:
    text = (
        f"name: n\ninput: 3x8x8\narguments: {{kind: plain}}\nlayers:\n  - bn if {condition}: batch_norm2d()\n"
    )
    (error,) = [each for each in refused(text) if each.code == "A206"]
    assert "a condition is true or false" in error.message
    assert error.span is not None
    assert error.span.column == 11


def test_a_number_is_an_input_size() -> None:
    assert load_graph("linear(3)", input=784).input_shape == (1, 784)


@pytest.mark.parametrize(
    ("line", "size", "shape"),
    [
        ("conv1d(4, 3)", "2x1000", (1, 2, 1000)),
        ("conv1d(4, 3)", "8x2x1000", (8, 2, 1000)),
        ("max_pool1d(2)", "2x1000", (1, 2, 1000)),
        ("conv3d(4, 3)", "3x16x32x32", (1, 3, 16, 32, 32)),
        ("conv3d(4, 3)", "2x3x16x32x32", (2, 3, 16, 32, 32)),
        ("conv2d(4, 3)", "3x32x32", (1, 3, 32, 32)),
        ("conv2d(4, 3)", "8x3x32x32", (8, 3, 32, 32)),
        # vectors, also where a batch norm of one dimension follows
        ("linear(4) -> batch_norm1d", "784", (1, 784)),
        ("linear(4) -> batch_norm1d", "8x784", (8, 784)),
        ("conv2d(4, 3) -> flatten -> linear(4) -> batch_norm1d", "3x32x32", (1, 3, 32, 32)),
    ],
)
def test_an_input_has_the_dimensions_that_the_layers_work_on(
    line: str, size: str, shape: tuple[int, ...]
) -> None:
    graph = load_graph(line, input=size)
    assert graph.input_shape == shape
    assert load_graph(line, input=shape).input_shape == shape
    assert lay_out(read_text(dump(graph), "again.yaml")) == graph
