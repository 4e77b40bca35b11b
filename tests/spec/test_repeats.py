"""Repeats that count, names made of numbers, inline layers, and joins that conditions leave one branch of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archinspect.frontends.spec import dump, json_schema, load_graph
from archinspect.graph import Join, Layer, Scope

from ..support import run_cli
from .support import graph_of, layers, names, refused

HEAD = "name: net\ninput: 3x32x32\n"
STAGES = (
    HEAD
    + """arguments: {depth: 2, norm: false}
blocks:
  stage(number, width):
    - inline[i = 1..depth]:
        - conv{number}_{i}: conv2d(width * i, 3, padding=1)
        - bn{number}_{i} if norm: batch_norm2d()
    - pool{number}: max_pool2d(2)
layers:
  - inline: stage(1, 8) -> relu
  - inline: stage(2, 16)
"""
)


def test_inline_layers_stand_in_the_scope_around_them() -> None:
    graph = graph_of(STAGES)
    assert names(graph) == ["conv1_1", "conv1_2", "pool1", "relu", "conv2_1", "conv2_2", "pool2"]
    assert [n.output_shape[1] for n in graph.layers] == [8, 16, 16, 16, 16, 32, 32]
    assert all(isinstance(item, Layer) for item in graph.structure.items)
    assert names(graph_of(STAGES, norm=True))[:2] == ["conv1_1", "bn1_1"]
    assert names(graph_of(STAGES, depth=0)) == ["pool1", "relu", "pool2"]


@pytest.mark.parametrize(("depth", "found"), [(0, ["c"]), (1, ["c"]), (3, ["c", "l1", "l2"])])
def test_a_range_that_ends_before_it_begins_repeats_nothing(depth: int, found: list[str]) -> None:
    """Also one that ends below 0, as `depth - 1` does for a depth of 0."""
    text = f"{HEAD}arguments: {{depth: 1}}\nlayers:\n  - c: conv2d(4, 3)\n  - l[1..depth - 1]: conv2d(4, 1)\n"
    assert names(graph_of(text, depth=depth)) == found


def test_inline_networks_are_written_back() -> None:
    graph = graph_of(STAGES, norm=True)
    assert graph_of(dump(graph)) == graph


def test_a_repeat_knows_its_number() -> None:
    graph = layers("  - c[i=2..4]: conv2d(8 * i, 3, stride=2 if i == 2 else 1, padding=1)\n")
    assert [(n.name, *n.output_shape[1:3]) for n in graph.layers] == [
        ("c2", 16, 16),
        ("c3", 24, 16),
        ("c4", 32, 16),
    ]


def test_the_number_reaches_inner_repeats_and_branches_and_no_further() -> None:
    text = "  - s[i=1..2]:\n      - inline[j=1..i]:\n          - c{i}{j}: conv2d(i + j, 1)\n"
    text += "      - add:\n          a: conv2d(4 * i, 1)\n          b: conv2d(4 * i, 1)\n"
    assert names(layers(text))[4:] == ["s2.c21", "s2.c22", "s2.a", "s2.b", "s2.add"]
    (error,) = refused(f"{HEAD}layers:\n  - c[i=1..2]: conv2d(i, 1)\n  - d: conv2d(i, 1)\n")
    assert error.code == "A208"
    text = f"{HEAD}blocks:\n  b():\n    - c: conv2d(i, 1)\nlayers:\n  - b[i=1..2]: b() -> conv2d(i, 1)\n"
    (error,) = refused(text)
    assert (error.code, error.span and error.span.line) == ("A208", 5)


def test_a_number_that_nothing_uses_is_a_warning() -> None:
    graph = graph_of(HEAD + "arguments: {width: 8}\nlayers:\n  - c[i=1..2]: conv2d(width, 1)\n")
    assert names(graph) == ["c1", "c2"]
    (remark,) = graph.metadata["remarks"]
    assert "uses 'i'" in remark
    assert "c[1..2] says the same" in remark


def test_a_name_may_follow_an_argument_that_is_a_word() -> None:
    text = HEAD + "arguments: {act: relu}\nlayers:\n  - my_{act}[1..2]: relu\n"
    assert names(graph_of(text)) == ["my_relu1", "my_relu2"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("  - c[width=1..2]: conv2d(width, 1)\n", "A210"),
        ("  - c[in_channels=1..2]: conv2d(width, 1)\n", "A209"),
        ("  - c[1=1..2]: conv2d(width, 1)\n", "A209"),
        ("  - c[if=1..2]: conv2d(width, 1)\n", "A209"),
        ("  - '{width}': conv2d(width, 1)\n", "A209"),  # a name starts with a letter
        ("  - c{width / 3}: conv2d(width, 1)\n", "A209"),  # no spaces in a name
        ("  - c{width/3}: conv2d(width, 1)\n", "A209"),  # c2.66
        ("  - c{-width}: conv2d(width, 1)\n", "A209"),
        ("  - c{}: conv2d(width, 1)\n", "A201"),
        ("  - c{width: conv2d(width, 1)\n", "A209"),
        ("  - c{wdth}: conv2d(width, 1)\n", "A208"),
        ("  - c{width}: conv2d(width, 1)\n  - c8: relu\n", "A210"),
        ("  - c{width//0}: conv2d(width, 1)\n", "A213"),
        ("  - inline: stage(width)\n", "A202"),
        ("  - inline:\n      - c: conv2d(width, 1)\n  - c: relu\n", "A210"),
        ("  - add:\n      inline: conv2d(width, 1)\n      b: relu\n", "A107"),
        ("  - inline[i=1..in_channels]: conv2d(width * i, 1)\n", "A213"),
    ],
)
def test_wrong_repeats(body: str, code: str) -> None:
    errors = refused(f"{HEAD}arguments: {{width: 8}}\nlayers:\n{body}")
    assert code in [error.code for error in errors]
    assert all(error.span is not None for error in errors)


@pytest.mark.parametrize("inside", ["[]", "\n          - r: relu"], ids=["nothing", "a layer"])
def test_repeats_of_inline_repeats_are_refused(inside: str) -> None:
    body = "  - inline[i=1..1000000]:\n      - inline[j=1..i]:\n          - inline[k=i..1000000]: " + inside
    errors = refused(f"{HEAD}layers:\n{body}\n")
    assert "A103" in [error.code for error in errors]


def test_an_error_inside_an_inline_block_shows_where_it_is_used() -> None:
    (error,) = refused(
        HEAD + "blocks:\n  s(k):\n    - c{k}: conv2d(8, k)\nlayers:\n  - inline: s(3)\n  - inline: s(99)\n"
    )
    assert (error.code, error.path) == ("A302", "c99")
    assert [(span.line, label) for span, label in error.related] == [(8, "block 's' used here")]


RESIDUAL = (
    HEAD
    + """blocks:
  unit(width):
    - {join}:
        shortcut if in_channels == width: identity
        body:
          - conv: conv2d(width, 3, padding=1)
layers:
  - first: unit(8)
  - second: unit(8)
"""
)


@pytest.mark.parametrize("join", ["add", "concat", "multiply"])
def test_a_join_of_one_branch_left_is_that_branch(join: str) -> None:
    graph = graph_of(RESIDUAL.replace("{join}", join))
    assert names(graph) == ["first.body.conv", "second.body.conv", f"second.{join}"]
    assert graph.output_shape[1] == (16 if join == "concat" else 8)
    first, second = graph.structure.items
    assert isinstance(first, Scope)
    assert isinstance(second, Scope)
    assert [type(item) for item in first.items] == [Scope]
    assert [type(item) for item in second.items] == [Join]
    assert graph_of(dump(graph)) == graph


def test_a_single_layer_and_an_identity_may_be_the_branch_left() -> None:
    assert names(layers("  - add:\n      a: relu\n      b if False: tanh\n")) == ["a"]
    graph = layers("  - add:\n      a: identity\n      b if False: relu\n  - c: relu\n")
    assert names(graph) == ["c"]
    assert graph.nodes[1].inputs == (0,)


def test_the_schema_knows_counted_repeats(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    jsonschema.validate(yaml.safe_load(STAGES), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(STAGES.replace("pool{number}", "pool{number")), json_schema())
    path = tmp_path / "net.yaml"
    path.write_text(STAGES)
    done = run_cli("params", str(path), "--format", "json")
    assert [row["name"] for row in json.loads(done.stdout)["rows"]][:2] == ["conv1_1", "conv1_2"]
    assert load_graph(path).name == "net"


def test_branches_repeat() -> None:
    graph = layers("  - concat:\n      path[i=1..3]: conv2d(8 * i, 1)\n      rest: relu\n")
    assert names(graph) == ["path1", "path2", "path3", "rest", "concat"]
    assert graph.output_shape[1] == 8 + 16 + 24 + 3
    assert graph_of(dump(graph)) == graph
    assert names(layers("  - add:\n      path[1..2]: conv2d(8, 1) -> relu\n"))[-1] == "add"
    assert names(layers("  - add:\n      path[1..1]: relu\n")) == ["path1"]
    assert [e.code for e in refused(f"{HEAD}layers:\n  - add:\n      path[2..1]: relu\n")] == ["A107"]
    assert [e.code for e in refused(f"{HEAD}layers:\n  - add:\n      p[1..2]: relu\n      p2: relu\n")] == [
        "A210"
    ]
