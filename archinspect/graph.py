"""The expanded network: nodes in execution order, and the nesting of scopes they came from.

`Graph` is what every analysis, picture, builder and timer reads.  It is frozen; a changed network is a new graph.
Node 0 is the input.  Two views of the same layers are kept:

- `nodes`, a topologically ordered tuple in which edges are indices, for arithmetic;
- `structure`, the tree of scopes, joins and branches that the spec describes, for folding, drawing and writing back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import Span
from .ops.base import Cost, Op, Shape, Shapes


@dataclass(frozen=True, init=False)
class Node:
    """One layer in its place: dotted path, op, inputs (indices of nodes), output shape (batch first)."""

    name: str
    op: Op
    inputs: tuple[int, ...]
    input_shapes: Shapes
    output_shape: Shape
    span: Span | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        name: str,
        op: Op,
        inputs: tuple[int, ...],
        input_shapes: Shapes,
        output_shape: Shape,
        span: Span | None = None,
    ) -> None:
        # What a frozen dataclass sets through object.__setattr__, which takes twice as long: networks have many nodes.
        own = self.__dict__
        own["name"] = name
        own["op"] = op
        own["inputs"] = inputs
        own["input_shapes"] = input_shapes
        own["output_shape"] = output_shape
        own["span"] = span

    @cached_property
    def weights(self) -> dict[str, Shape]:
        return self.op.weights(self.input_shapes)

    @cached_property
    def buffers(self) -> dict[str, Shape]:
        return self.op.buffers(self.input_shapes)

    @cached_property
    def cost(self) -> Cost | None:
        return self.op.cost(self.input_shapes, self.output_shape)

    @property
    def scope(self) -> str:
        """Path of the enclosing scope; empty at the top."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class BlockUse:
    """Which block a scope came from, and with which arguments."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"


@dataclass(frozen=True)
class Layer:
    """A leaf of the structure: a node."""

    index: int


@dataclass(frozen=True)
class Scope:
    """A named sequence.  An empty one passes its input on (an identity branch)."""

    name: str
    items: tuple[Item, ...]
    block: BlockUse | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Join:
    """Branches that all read the same input, and the node that joins them."""

    index: int
    branches: tuple[Scope | Leaf, ...]


@dataclass(frozen=True)
class Leaf:
    """A branch or side output that is one layer: its name is the layer's own."""

    name: str
    index: int


@dataclass(frozen=True)
class SideOutputs:
    """Branches whose ends are outputs of the network beside the main one; the main path goes on unchanged."""

    branches: tuple[Scope | Leaf, ...]


Item = Layer | Scope | Join | SideOutputs


@dataclass(frozen=True)
class Graph:
    """A network with every shape known.

    `outputs` are indices: the main output first, then side outputs in order.  `arguments` are the spec's arguments
    as used, `defaults` as the spec gives them.
    """

    name: str
    nodes: tuple[Node, ...]
    structure: Scope
    outputs: tuple[int, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def input_shape(self) -> Shape:
        return self.nodes[0].output_shape

    @property
    def output_shape(self) -> Shape:
        return self.nodes[self.outputs[0]].output_shape

    @property
    def layers(self) -> tuple[Node, ...]:
        """All nodes but the input."""
        return self.nodes[1:]

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of the nodes that read it, ascending."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in dict.fromkeys(node.inputs):
                readers[source].append(index)
        return tuple(map(tuple, readers))

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def walk(self) -> Iterator[tuple[str, Item]]:
        """Every item of the structure with the path of the scope that holds it, in reading order."""
        yield from _walk("", self.structure.items)


def _walk(path: str, items: tuple[Item, ...]) -> Iterator[tuple[str, Item]]:
    for item in items:
        yield path, item
        if isinstance(item, Scope):
            yield from _walk(f"{path}.{item.name}" if path else item.name, item.items)
        elif isinstance(item, (Join, SideOutputs)):
            for branch in item.branches:
                if isinstance(branch, Scope):
                    yield from _walk(f"{path}.{branch.name}" if path else branch.name, branch.items)
