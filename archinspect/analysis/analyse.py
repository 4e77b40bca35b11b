"""Graph → `Analysis`."""

from __future__ import annotations

from ..graph import Graph, Node
from ..ops.base import numel
from .memory import activation_bytes
from .results import Analysis, Fields, Row


def analyse(graph: Graph) -> Analysis:
    """Parameters, buffers, MACs, FLOPs, shapes and activation memory of each layer, for the batch of the graph's input.

    Takes microseconds a layer and allocates no weight.  `docs/counting.md` has the rules.
    """
    fields = Fields(graph)
    rows = tuple([_row(index, node, fields) for index, node in enumerate(graph.nodes) if index])
    return Analysis(graph.name, graph.input_shape, rows, graph)


def _row(index: int, node: Node, fields: Fields) -> Row:
    params = sum([numel(shape) for shape in node.weights.values()])
    cost = node.cost
    return Row(
        name=node.name,
        op=node.op.type,
        output_shape=node.output_shape,
        params=params,
        trainable=params,
        buffers=sum([numel(shape) for shape in node.buffers.values()]),
        macs=None if cost is None else cost.macs,
        flops=None if cost is None else cost.flops,
        activation_bytes=activation_bytes(node),
        complete=cost is not None,
        _end=index,
        _parts=(node,),
        _fields=fields,
    )
