"""Graph → `Analysis`."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..collector import uncollected
from ..graph import Graph, Node
from .memory import activation_bytes
from .results import Analysis, Fields, row_of

if TYPE_CHECKING:
    from ..ops.base import Shapes


@uncollected
def analyse(graph: Graph) -> Analysis:
    """Parameters, buffers, MACs, FLOPs, shapes and activation memory of each layer, for the batch of the graph's input.

    Takes microseconds a layer and allocates no weight.  `docs/counting.md` has the rules.
    """
    fields = Fields(graph)
    # A repeated block's layers share their op and their figures.
    known: dict[tuple[int, Shapes], dict[str, Any]] = {}
    rows = []
    for index, node in enumerate(graph.nodes):
        if index:
            key = id(node.op), node.input_shapes
            figures = known.get(key)
            if figures is None:
                figures = known[key] = _figures(node)
            rows.append(row_of(figures, node, index, fields))
    return Analysis(graph.name, graph.input_shape, tuple(rows), graph)


def _figures(node: Node) -> dict[str, Any]:
    """What follows from the op and its inputs alone."""
    # The op is asked, not the node, whose cached answers cost a lock each.
    op, inputs, output = node.op, node.input_shapes, node.output_shape
    weights, buffers, cost = op.weights(inputs), op.buffers(inputs), op.cost(inputs, output)
    params = sum([prod(shape) for shape in weights.values()]) if weights else 0
    return {
        "op": op.type,
        "output_shape": output,
        "params": params,
        "trainable": params,
        "buffers": sum([prod(shape) for shape in buffers.values()]) if buffers else 0,
        "macs": None if cost is None else cost.macs,
        "flops": None if cost is None else cost.flops,
        "activation_bytes": activation_bytes(node),
        "complete": cost is not None,
    }
