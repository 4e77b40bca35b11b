"""The structure derived from names and flow: that of a spec comes back, and any flow has each layer once, in order."""

from __future__ import annotations

import cProfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import BlockUse, Flow, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs, Value
from archinspect.ops.input import Input
from archinspect.ops.tensor import Motion, moving, pointwise
from archinspect.regions import structured
from tests.strategies_networks import networks

SHAPE = (1, 4, 8, 8)


def call(name: str, *inputs: int) -> Node:
    op = pointwise("f", (SHAPE,) * len(inputs), (SHAPE,))
    return Node.of_call(name, op, inputs, (SHAPE,) * len(inputs), (Value(SHAPE),))


def source(name: str = "input") -> Node:
    return Node(name, Input(SHAPE[1:]), (), (), SHAPE)


def constant(name: str) -> Node:
    return Node.of_call(name, moving("arange", (), (SHAPE,), Motion("unknown")), (), (), (Value(SHAPE),))


def drawn(item: Item | Leaf, nodes: list[Node]) -> str:
    """The structure as one line: names in order, `[a | b] join`, `name(…)`, `{flow}`."""
    if isinstance(item, (Layer, Leaf)):
        return nodes[item.index].name.rpartition(".")[2]
    if isinstance(item, Flow):
        return "{" + " ".join(drawn(inner, nodes) for inner in item.items) + "}"
    if isinstance(item, Scope):
        inside = " ".join(drawn(inner, nodes) for inner in item.items)
        return f"{item.name}({inside})" if item.items else "-"
    branches = " | ".join(drawn(branch, nodes) for branch in item.branches)
    return f"[{branches}] {drawn(Layer(item.index), nodes)}" if isinstance(item, Join) else f"<{branches}>"


def line(nodes: list[Node], inputs: int = 1, outputs: list[int] | None = None) -> str:
    return drawn(structured(nodes, inputs, {}, outputs), nodes)[1:-1]


def indices(items: tuple[Any, ...]) -> Iterator[int]:
    """Every layer of the structure, in reading order."""
    for item in items:
        if isinstance(item, (Scope, Flow)):
            yield from indices(item.items)
        else:
            yield from indices(getattr(item, "branches", ()))
            if not isinstance(item, SideOutputs):
                yield item.index


def plain(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Items in a form that compares: empty scopes, which no layer mentions, only as branches and without names."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, (Layer, Leaf)):
            found.append(item.index)
        elif isinstance(item, Flow):
            found.append(("flow", plain(item.items)))
        elif isinstance(item, Scope):
            inside = plain(item.items)
            found += [(item.name, inside)] if inside else []
        else:
            branches = [plain((branch,)) for branch in item.branches]
            if isinstance(item, Join):
                found.append((item.index, branches) if any(branches) else item.index)
            else:
                found += [("side", branch) for branch in branches if branch]
    return tuple(found)


def comes_back(graph: Graph) -> bool:
    again = structured(graph.nodes, graph.inputs, {}, graph.outputs)
    return plain(again.items) == plain(graph.structure.items)


@pytest.mark.parametrize("name", shipped())
def test_the_structure_of_a_spec_comes_back_from_its_layers(name: str) -> None:
    assert comes_back(load_graph(name))


@given(networks(max_layers=40))
@settings(max_examples=50, deadline=None)
def test_the_structure_of_a_random_spec_comes_back(graph: Graph) -> None:
    assume(
        len(graph.outputs) == 1
    )  # beside an output in a scope of its own nothing shows where the scope stood
    assert comes_back(graph)


def test_a_side_output_stays_beside_the_main_path() -> None:
    graph = load_graph("googlenet:aux=true")
    assert any(isinstance(item, SideOutputs) for _, item in graph.walk())
    assert comes_back(graph)


def test_names_of_classes_are_those_of_modules_whichever_call_it_is() -> None:
    nodes = [source(), call("a.conv", 0), call("a#2.conv", 1)]
    scope = structured(nodes, 1, {"": "Net", "a": "Block"})
    assert scope.block == BlockUse("Net", {})
    assert [inner.block for inner in scope.items if isinstance(inner, Scope)] == [BlockUse("Block", {})] * 2


FLOWS = {
    # residual blocks, one around the other
    "a [(b [c | -] add) | -] add_1": [("a", 0), ("b", 1), ("c", 2), ("add", 3, 2), ("add_1", 4, 1)],
    # an operand that is read twice
    "square add": [("square", 0), ("add", 1, 1)],
    "[a | - | -] cat": [("a", 0), ("cat", 1, 0, 0)],
    # a bridge between two branches is a flow, what follows it is not
    "a {b c d e add} f": [("a", 0), ("b", 1), ("c", 1), ("d", 2, 3), ("e", 3), ("add", 4, 5), ("f", 6)],
    # … in a branch of a join
    "a [- | ({b c d e add} f)] add_1": [
        ("a", 0), ("b", 1), ("c", 1), ("d", 2, 3), ("e", 3), ("add", 4, 5), ("f", 6), ("add_1", 1, 7),
    ],
    # an encoder and a decoder with two skips are series-parallel
    "e1 [(e2 [(e3 d2) | -] cat d1) | -] cat_1 out": [
        ("e1", 0), ("e2", 1), ("e3", 2), ("d2", 3), ("cat", 4, 2), ("d1", 5), ("cat_1", 6, 1), ("out", 7),
    ],
    # DenseNet by lists: every layer reads all before it
    "a {b cat c cat_1} d": [("a", 0), ("b", 1), ("cat", 1, 2), ("c", 3), ("cat_1", 1, 2, 4), ("d", 5)],
    # branches that meet where a scope with several inputs begins
    "{q k attention({scores mix})} out": [
        ("q", 0), ("k", 0), ("attention.scores", 1, 2), ("attention.mix", 3, 2), ("out", 4),
    ],
    # a module whose inner value is read elsewhere stays a sequence inside
    "{body(a b) (head up) add}": [("body.a", 0), ("body.b", 1), ("head", 2), ("up", 3), ("add", 4, 1)],
    # lists of modules: a scope where they are called together, none where others come in between
    "layers(0(f) 1(f)) end": [("layers.0.f", 0), ("layers.1.f", 1), ("end", 2)],
    "convs.0(f) norms(0(f)) convs.1(f)": [("convs.0.f", 0), ("norms.0.f", 1), ("convs.1.f", 2)],
}  # fmt: skip


@pytest.mark.parametrize(("expected", "calls"), FLOWS.items(), ids=FLOWS)
def test_flows_made_by_hand(expected: str, calls: list[tuple[Any, ...]]) -> None:
    assert line([source(), *(call(*one) for one in calls)]) == expected


def test_a_list_of_modules_that_run_beside_each_other_is_no_scope() -> None:
    nodes = [source(), call("lateral.0.f", 0), call("lateral.1.f", 0), call("g", 1), call("add", 3, 2)]
    scope = structured(nodes, 1, {"lateral": "ModuleList"})
    assert drawn(scope, nodes) == "([(lateral.0(f) g) | lateral.1(f)] add)"


def test_several_inputs_that_meet() -> None:
    nodes = [source("a"), source("b"), call("f", 0), call("add", 2, 1), call("g", 3)]
    assert line(nodes, inputs=2) == "{f add} g"


def test_outputs_beside_the_main_one() -> None:
    nodes = [source(), call("a", 0), call("aux", 1), call("b", 1), call("last", 3)]
    assert line(nodes, outputs=[4, 2]) == "a <aux> b last"
    assert line(nodes, outputs=[2, 4]) == "a <(b last)> aux"


def test_what_depends_on_no_input_is_no_part_of_the_flow() -> None:
    nodes = [source(), call("a", 0), constant("positions"), call("sin", 2), call("add", 1, 3), call("b", 4)]
    assert line(nodes) == "a positions sin add b"


def test_layers_without_effect_and_holders_of_parameters_are_left_out() -> None:
    holder = Node.of_call("rest", moving("parameters", (), (), Motion("unknown")), (), (), ())
    nodes = [source(), call("a", 0), call("unused", 1), call("b", 1), holder]
    assert line(nodes, outputs=[3]) == "a b"
    assert line(nodes) == "{a unused b}" or line(nodes) == "a {unused b}"


def test_a_graph_of_parameters_alone_keeps_them() -> None:
    holder = moving("parameters", (), (), Motion("unknown"))
    nodes = [Node.of_call(name, holder, (), (), ()) for name in ("a.x", "a.y", "b")]
    assert line(nodes, inputs=0, outputs=[]) == "a(x y) b"


@st.composite
def flows(draw: st.DrawFn) -> tuple[list[Node], int, list[int]]:
    """Calls in nested scopes that read any values before them."""
    inputs = draw(st.integers(1, 3))
    nodes = [source(f"input{i}") for i in range(inputs)]
    path: list[str] = []
    for i in range(draw(st.integers(1, 25))):
        if path and draw(st.integers(0, 3)) == 0:
            path.pop()
        if len(path) < 3 and draw(st.integers(0, 3)) == 0:
            path.append(draw(st.sampled_from(["a", "b", f"m{i}"])))
        near = st.integers(max(0, len(nodes) - 5), len(nodes) - 1)
        reads = draw(st.lists(near, min_size=0 if draw(st.integers(0, 15)) == 0 else 1, max_size=3))
        name = ".".join([*path, f"f{i}"])
        nodes.append(call(name, *reads) if reads else constant(name))
    outputs = draw(st.lists(st.integers(inputs, len(nodes) - 1), min_size=1, max_size=3, unique=True))
    return nodes, inputs, outputs


def flowing(nodes: list[Node], inputs: int) -> set[int]:
    """What depends on an input; everything, where nothing does."""
    live = set(range(inputs))
    for index, node in enumerate(nodes):
        if live.intersection(node.inputs):
            live.add(index)
    return live if len(live) > inputs else set(range(len(nodes)))


@given(flows())
@settings(max_examples=40, deadline=None)
def test_every_layer_with_effect_is_there_once_and_after_what_it_reads(
    drawn_flow: tuple[list[Node], int, list[int]],
) -> None:
    nodes, inputs, outputs = drawn_flow
    scope = structured(nodes, inputs, {}, outputs)
    needed = set(outputs)
    for index in reversed(range(len(nodes))):
        if index in needed:
            needed.update(nodes[index].inputs)
    order = list(indices(scope.items))
    assert sorted(order) == sorted(index for index in needed if index >= inputs)
    places = {index: place for place, index in enumerate(order)}
    live = flowing(nodes, inputs)
    for index in live.intersection(order):
        assert all(places[read] < places[index] for read in live.intersection(nodes[index].inputs, places))


@given(flows())
@settings(max_examples=40, deadline=None)
def test_branches_of_a_join_read_one_value_and_lead_only_to_it(
    drawn_flow: tuple[list[Node], int, list[int]],
) -> None:
    nodes, inputs, outputs = drawn_flow
    graph = Graph("flow", tuple(nodes), structured(nodes, inputs, {}, outputs), tuple(outputs), inputs=inputs)
    inner = set(indices(graph.structure.items))
    live = flowing(nodes, inputs)
    if live.isdisjoint(inner):
        return
    for _, item in graph.walk():
        if not isinstance(item, Join):
            continue
        inside = {index for branch in item.branches for index in indices((branch,))}
        bases = {
            read for index in (*inside, item.index) for read in nodes[index].inputs if read in live - inside
        }
        assert len(bases) == 1


def test_long_networks_take_linear_work() -> None:
    def calls(count: int) -> int:
        nodes = [source()]
        for i in range(count):
            before = len(nodes) - 1
            nodes += [
                call(f"l{i}.a", before),
                call(f"l{i}.b", before + 1),
                call(f"l{i}.add", before, before + 2),
            ]
            nodes += [
                call(f"l{i}.x", before + 3),
                call(f"l{i}.y", before + 3),
                call(f"l{i}.z", before + 4, before + 5),
            ]
        profile = cProfile.Profile()
        profile.runcall(structured, nodes, 1, {})
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(800) < 4.5 * calls(200)
