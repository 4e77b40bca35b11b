"""The network with one layer's width changed, and what then follows: a module written with its neighbour's width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ...errors import OpError
from ...graph import Graph, Node
from ..hypotheses import Hypothesis
from ..layers import described
from ..ledger import Claim
from ..printed import show
from ..quantities import size
from ..select import Selection, select
from .origin import siblings

_SEVERAL = 2  # layers; of one layer its variations say all
_ATTRIBUTES = ("out_channels", "out_features")


def with_width(graph: Graph, name: str, width: int) -> Graph | None:
    """The graph in which one layer gives `width` channels or features; None where others do not take them."""
    nodes: list[Node] = []
    for node in graph.nodes:
        op = node.op
        if node.name == name:
            field = next((field for field in _ATTRIBUTES if hasattr(op, field)), None)
            if field is None:
                return None
            op = op.replace(**{field: width})
        inputs = tuple(nodes[index].output_shape for index in node.inputs)
        try:
            shape = op.shape(inputs) if node.inputs else node.output_shape
        except OpError:
            return None
        nodes.append(Node(node.name, op, node.inputs, inputs, shape, node.span))
    return replace(graph, nodes=tuple(nodes))


def borrowed_widths(claim: Claim, graph: Graph, chosen: Selection) -> Iterator[Hypothesis]:
    """What the claim's scope has when one of its layers is given the width that its sibling has."""
    if chosen.whole or len(chosen.weighted) < _SEVERAL:
        return
    for node in chosen.weighted:
        mine = described(node).outputs
        tried = {mine}
        for path in siblings(graph, node.name):
            twin = graph.by_name.get(path)
            if twin is None or twin.op.type != node.op.type or described(twin).outputs in tried:
                continue
            width = described(twin).outputs
            tried.add(width)
            changed = with_width(graph, node.name, width)
            value = size(select(changed, claim.layers).nodes, claim.quantity) if changed is not None else None
            if value:
                whose = path.split(".")[0]
                words = f"{node.name}: width {width:,} ({whose}'s) instead of {mine:,} gives {show(value)}"
                yield Hypothesis(Fraction(value), words, 4, "layer", ("borrowed width",))
