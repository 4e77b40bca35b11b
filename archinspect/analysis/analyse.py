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
    """Parameters, buffers, MACs, FLOPs, shapes and activation memory of each call, for the batch of the graph's input.

    A parameter that several calls read is counted at the first of them.  Takes microseconds a layer and allocates no
    weight.  `docs/counting.md` has the rules.
    """
    fields = Fields(graph)
    # A repeated block's layers share their op and their figures.
    known: dict[tuple[int, Shapes], dict[str, Any]] = {}
    counted: set[int] = set()  # identities of the parameters that a row has
    rows = []
    for index, node in enumerate(graph.nodes):
        if index < graph.inputs:
            continue
        if node.parameters is None:
            key = id(node.op), node.input_shapes
            figures = known.get(key)
            if figures is None:
                figures = known[key] = _figures(node)
        else:
            figures = _figures_of_call(node, counted)
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


def _figures_of_call(node: Node, counted: set[int]) -> dict[str, Any]:
    """The figures of a call that says itself which parameters it reads; those in `counted` are another row's."""
    op, cost = node.op, node.cost
    new = {}
    for name, parameter in (node.parameters or {}).items():
        if id(parameter) not in counted:
            counted.add(id(parameter))
            new[name] = parameter
    learnt = [parameter for parameter in new.values() if not parameter.buffer]
    return {
        "op": op.type,
        "output_shape": node.output_shape,
        "params": sum([p.numel for p in learnt]),
        "trainable": sum([p.numel for p in learnt if p.trainable]),
        "buffers": sum([p.numel for p in new.values() if p.buffer]),
        "macs": None if cost is None else cost.macs,
        "flops": None if cost is None else cost.flops,
        "activation_bytes": activation_bytes(node),
        "complete": cost is not None,
        "_own": new,
    }
