"""The same network on another number of images."""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node
from ..ops import Input


def with_batch(graph: Graph, batch: int) -> Graph:
    """The network with `batch` images as input.  Raises OpError where an op refuses that batch."""
    shape = (batch, *graph.input_shape[1:])
    if shape == graph.input_shape:
        return graph
    nodes: list[Node] = [replace(graph.nodes[0], op=Input(shape), output_shape=shape)]
    for node in graph.layers:
        inputs = tuple(nodes[index].output_shape for index in node.inputs)
        nodes.append(replace(node, input_shapes=inputs, output_shape=node.op.shape(inputs)))
    return replace(graph, nodes=tuple(nodes))
