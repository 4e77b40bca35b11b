"""The same network on another number of images."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node, Value
from ..ops import Input, Shapes


def with_batch(graph: Graph, batch: int) -> Graph:
    """The network with `batch` images as input.  Raises OpError where an op refuses that batch."""
    if all(node.output_shape[0] == batch for node in graph.nodes[: graph.inputs]):
        return graph
    nodes: list[Node] = []
    for node in graph.nodes[: graph.inputs]:
        shape = (batch, *node.output_shape[1:])
        nodes.append(replace(node, op=Input(shape), output_shape=shape, outputs=_typed(node, (shape,))))
    for node in graph.layers:
        ports = node.ports or (0,) * len(node.inputs)
        inputs = tuple(
            [nodes[i].values[port].shape for i, port in zip(node.inputs, ports, strict=True)]
            if node.ports
            else [nodes[i].output_shape for i in node.inputs]
        )
        shape = node.op.shape(inputs)
        outputs = _typed(node, (shape, *node.op.outputs(inputs)))
        nodes.append(replace(node, input_shapes=inputs, output_shape=shape, outputs=outputs))
    return replace(graph, nodes=tuple(nodes))


def _typed(node: Node, shapes: Shapes) -> tuple[Value, ...] | None:
    """The outputs of a node in other shapes; None where it leaves them out."""
    if node.outputs is None:
        return None
    pairs = zip(shapes, node.outputs, strict=True)
    return tuple([Value(shape, value.dtype, value.axes) for shape, value in pairs])
