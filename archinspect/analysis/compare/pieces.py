"""The structure of a graph as trees that can be aligned: layers, scopes and joins with what is inside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...graph import Flow, Graph, Item, Join, Layer, Leaf, Node, Scope
from .stages import stage_of_nodes


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer, or something that holds pieces: a scope in sequence, a join or side outputs in branches.

    `node` is the layer, or the join's own node; `index` its place in the graph, `stage` how far its input has been
    scaled down.
    """

    name: str
    kind: str  # "layer", "scope", or the type of the join, or "side_output"
    index: int | None
    node: Node | None
    inside: tuple[Piece, ...]
    block: str = ""
    stage: int = 0

    @cached_property
    def content(self) -> Counter[str]:
        """What it is made of, as the spec writes it, with how often."""
        found: Counter[str] = Counter()
        if self.node is not None:
            found[str(self.node.op)] += 1
        for piece in self.inside:
            found.update(piece.content)
        return found

    @cached_property
    def types(self) -> Counter[str]:
        """The types of the layers inside, with how often."""
        found: Counter[str] = Counter()
        for text, count in self.content.items():
            found[text.partition("(")[0]] += count
        return found

    @cached_property
    def size(self) -> int:
        return sum(self.content.values())

    def indices(self) -> Iterable[int]:
        """The nodes inside, a join's own last."""
        for piece in self.inside:
            yield from piece.indices()
        if self.index is not None:
            yield self.index


def pieces(graph: Graph) -> tuple[Piece, ...]:
    """The structure of a graph, top level first."""
    stage = stage_of_nodes(graph)
    return tuple(_piece(graph, item, stage) for item in graph.structure.items)


def _piece(graph: Graph, item: Item | Leaf, stage: Sequence[int]) -> Piece:
    if isinstance(item, (Layer, Leaf)):
        return _at(graph, item.index, "layer", (), stage)
    if isinstance(item, Flow):
        inside = tuple(_piece(graph, inner, stage) for inner in item.items)
        return Piece("", "flow", None, None, inside)
    if isinstance(item, Scope):
        inside = tuple(_piece(graph, inner, stage) for inner in item.items)
        return Piece(item.name, "scope", None, None, inside, item.block.name if item.block else "")
    branches = tuple(_piece(graph, branch, stage) for branch in item.branches)
    if isinstance(item, Join):
        return _at(graph, item.index, graph.nodes[item.index].op.type, branches, stage)
    return Piece("", "side_output", None, None, branches)


def _at(graph: Graph, index: int, kind: str, inside: tuple[Piece, ...], stage: Sequence[int]) -> Piece:
    node = graph.nodes[index]
    return Piece(node.name.rpartition(".")[2], kind, index, node, inside, stage=stage[index])
