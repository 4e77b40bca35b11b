"""A graph put together again with some of its layers replaced: names kept, every shape inferred anew.

The result is a graph like any other: analyses, `pytorch.build`, `spec.dump` and diagrams take it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ArchinspectError, OpError, fail
from ...graph import Flow, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs
from ...ops import REGISTRY, Input, Op, Shape, show_shape


@dataclass(frozen=True)
class Part:
    """A layer to put in another's place: its name there and its op."""

    name: str
    op: Op


#: node index → what stands in its place.  Nothing removes the layer, one part replaces it under its own name,
#: several become a scope of that name.
Changes = Mapping[int, Sequence[Part]]


def rewrite(graph: Graph, changes: Changes, *, name: str, metadata: Mapping[str, Any] | None = None) -> Graph:
    """The graph with `changes` made; joins and side outputs stay where they are.

    A scope that loses all its layers goes, or passes its input on where it is a branch.  Raises ArchinspectError,
    with the path of the layer, where a layer does not suit what now comes before it.
    """
    made = _Assembler(graph, changes)
    items, end = made.sequence(graph.structure.items, "", 0)
    return Graph(
        name=name,
        nodes=tuple(made.nodes),
        structure=Scope("", items),
        outputs=(end, *made.side_outputs),
        metadata={**graph.metadata, **(metadata or {})},
    )


def chain(input_shape: Shape, parts: Sequence[Part], *, name: str = "network") -> Graph:
    """Layers one after another as a graph.  Raises ArchinspectError where one does not suit its input."""
    made = _Assembler(Graph("", (_input(input_shape),), Scope("", ()), (0,)), {})
    current, items = 0, []
    for part in parts:
        current = made.append(part.name, part.op, (current,))
        items.append(Layer(current))
    return Graph(name, tuple(made.nodes), Scope("", tuple(items)), (current,))


def _input(shape: Shape) -> Node:
    return Node("input", Input(shape), (), (), shape)


class _Assembler:
    """Walks the structure of a graph and lays its layers out again."""

    def __init__(self, graph: Graph, changes: Changes) -> None:
        self.graph = graph
        self.changes = changes
        self.nodes: list[Node] = [graph.nodes[0]]
        self.side_outputs: list[int] = []

    def sequence(self, items: Sequence[Item], path: str, current: int) -> tuple[tuple[Item, ...], int]:
        made: list[Item] = []
        taken: set[str] = set()
        for item in items:
            if isinstance(item, Layer):
                name = self.graph.nodes[item.index].name.rpartition(".")[2]
                found, current = self._layer(item.index, name, path, current)
                made += [] if found is None else [found]
                taken.add(name)
            elif isinstance(item, Scope):
                scope, current = self._scope(item, path, current)
                made += [scope] if scope.items or not item.items else []
                taken.add(item.name)
            elif isinstance(item, Join):
                branches, ends = self._branches(item, path, current)
                taken.update(branch.name for branch in branches)
                op = self.graph.nodes[item.index].op
                name = _free(op.type, taken)
                taken.add(name)
                current = self.append(_join(path, name), REGISTRY[op.type](), tuple(ends))
                made.append(Join(current, branches))
            elif isinstance(item, Flow):
                raise fail(
                    "A403",
                    f"'{path or self.graph.name}' cannot be rewritten",
                    notes=["its flow is not a tree of branches that join again"],
                )
            else:
                branches, ends = self._branches(item, path, current)
                taken.update(branch.name for branch in branches)
                self.side_outputs += ends
                made.append(SideOutputs(branches))
        return tuple(made), current

    def append(self, path: str, op: Op, inputs: tuple[int, ...]) -> int:
        """Add a node; its index.  Raises ArchinspectError."""
        shapes = tuple(self.nodes[i].output_shape for i in inputs)
        try:
            shape = op.shape(shapes)
        except OpError as error:
            sources = [
                f"input {show_shape(s)} from {self.nodes[i].name}"
                for s, i in zip(shapes, inputs, strict=True)
            ]
            told = OpError(error.code, error.message, notes=[*error.notes, *sources], help=error.help)
            raise ArchinspectError(told.diagnostic(path=path)) from None
        self.nodes.append(Node(path, op, inputs, shapes, shape))
        return len(self.nodes) - 1

    def _layer(self, index: int, name: str, path: str, current: int) -> tuple[Layer | Scope | None, int]:
        parts = self.changes.get(index)
        if parts is None:
            parts = (Part(name, self.graph.nodes[index].op),)
        if not parts:
            return None, current
        if len(parts) == 1:
            current = self.append(_join(path, name), parts[0].op, (current,))
            return Layer(current), current
        inner: list[Item] = []
        for part in parts:
            current = self.append(_join(path, f"{name}.{part.name}"), part.op, (current,))
            inner.append(Layer(current))
        return Scope(name, tuple(inner)), current

    def _scope(self, scope: Scope, path: str, current: int) -> tuple[Scope, int]:
        before = len(self.nodes)
        items, current = self.sequence(scope.items, _join(path, scope.name), current)
        same = [node.op for node in self.nodes[before:]] == [self.graph.nodes[i].op for i in indices(scope)]
        return Scope(scope.name, items, scope.block if same else None), current

    def _branches(
        self, item: Join | SideOutputs, path: str, current: int
    ) -> tuple[tuple[Scope | Leaf, ...], list[int]]:
        branches: list[Scope | Leaf] = []
        ends: list[int] = []
        for branch in item.branches:
            if isinstance(branch, Scope):
                made, end = self._scope(branch, path, current)
                branches.append(made)
            else:
                found, end = self._layer(branch.index, branch.name, path, current)
                if isinstance(found, Scope):
                    branches.append(found)
                else:
                    branches.append(Leaf(branch.name, end) if found else Scope(branch.name, ()))
            ends.append(end)
        return tuple(branches), ends


def indices(item: Item | Leaf) -> list[int]:
    """The nodes of an item of a structure, in order."""
    if isinstance(item, (Layer, Leaf)):
        return [item.index]
    if isinstance(item, (Scope, Flow)):
        return [i for inner in item.items for i in indices(inner)]
    found = [i for branch in item.branches for i in indices(branch)]
    return [*found, item.index] if isinstance(item, Join) else found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _free(name: str, taken: set[str]) -> str:
    """The name that the spec language gives a join: the first of add, add_1, add_2 ... that is not taken."""
    count, candidate = 0, name
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate
