"""Networks of one op, for holding each rule of a convention against the tool itself."""

from __future__ import annotations

from archinspect.graph import Graph, Layer, Node, Scope
from archinspect.ops import Input, Op, Shape


def network_of(op: Op, shape: Shape) -> Graph:
    """Input and one layer, named "layer".  Raises OpError when the input does not suit the op."""
    nodes = (
        Node("input", Input(shape), (), (), shape),
        Node("layer", op, (0,), (shape,), op.shape((shape,))),
    )
    return Graph("single", nodes, Scope("", (Layer(1),)), (1,))
