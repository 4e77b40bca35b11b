"""Networks of one op, for holding each rule of a convention against the tool itself."""

from __future__ import annotations

from archinspect.graph import Graph, Layer, Node, Scope, Value
from archinspect.ops import Input, Op, Shape


def network_of(op: Op, *shapes: Shape) -> Graph:
    """An input of each shape, and one layer that reads them, named "layer".  Raises OpError where they do not fit."""
    inputs = tuple(
        Node(
            f"input{i or ''}",
            Input(shape),
            (),
            (),
            shape,
            outputs=(Value(shape, "int64"),) if op.reads_integers else None,
        )
        for i, shape in enumerate(shapes)
    )
    read = tuple(range(len(shapes)))
    nodes = (*inputs, Node("layer", op, read, shapes, op.shape(shapes)))
    return Graph("single", nodes, Scope("", (Layer(len(shapes)),)), (len(shapes),), inputs=len(shapes))
