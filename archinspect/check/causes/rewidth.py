"""The network with one layer's width changed, and what then follows: a module written with its neighbour's width."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import OpError
from ...graph import Graph, Node
from ..ledger import Claim
from ..printed import show
from ..quantities import measure
from ..select import select
from .origin import siblings
from .structure import described

if TYPE_CHECKING:
    from ..judge import Judge

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


def borrowed_width(judge: Judge, claim: Claim, graph: Graph) -> str:
    """Which layer of the claim's scope, given the width that its sibling has, makes the printed number."""
    chosen = judge.networks.selection(claim)
    if chosen is None or chosen.whole or len(chosen.weighted) < 2:
        return ""
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
            truth = None
            if changed is not None:
                truth = measure(changed, select(changed, claim.layers), claim.quantity, claim.stated)
            if truth is not None and truth.value and claim.stated.agrees(truth.value):
                whose = path.split(".")[0]
                return (
                    f"{node.name}: width {width:,} ({whose}'s) instead of {mine:,} gives {show(truth.value)}"
                )
    return ""
