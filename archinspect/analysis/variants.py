"""A spec's graph at another batch, and a network with another head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..collector import uncollected
from ..errors import fail
from ..graph import Graph, Node, Parameter, Value
from ..ops.base import Op, Shape, Shapes
from ..ops.input import Input
from .batch import is_spec, own_batch


@uncollected
def at_batch(graph: Graph, batch: int) -> Graph:
    """The graph of a spec with another batch, its shapes worked out again; as it is where nodes say their values."""
    if batch == own_batch(graph) or any(node.outputs is not None for node in graph.nodes):
        return graph
    shape = (batch, *graph.input_shape[1:])
    return _laid_out(graph, {0: Input(shape)})


def with_head(graph: Graph, classes: int) -> Graph:
    """The network with its last layer that has weights, a fully connected one or a convolution, made for `classes`.

    Raises ArchinspectError (A403) for a network that ends otherwise.
    """
    at = max((index for index, node in enumerate(graph.nodes) if node.weights and node.values), default=-1)
    node = graph.nodes[at] if at >= 0 else None
    kind = {"linear": "out_features", "conv1d": "out_channels", "conv2d": "out_channels"}
    attribute = kind.get(node.op.type) if node is not None else None
    if node is None or attribute is None or classes < 1:
        last = f"its last layer with weights is {node.name} ({node.op.type})" if node else "it has no weights"
        raise fail(
            "A403",
            f"--head {classes} does not suit {graph.name}" if classes > 0 else "--head must be at least 1",
            notes=[last],
            help="a head is a fully connected layer or a convolution",
        )
    op = node.op.replace(**{attribute: classes})
    if is_spec(graph):
        return _laid_out(graph, {at: op})
    return _captured_head(graph, at, op, classes)


def _laid_out(graph: Graph, changed: Mapping[int, Op]) -> Graph:
    nodes: list[Node] = []
    known: dict[tuple[int, Shapes], Shape] = {}
    for index, node in enumerate(graph.nodes):
        op = changed.get(index, node.op)
        shapes = tuple([nodes[source].output_shape for source in node.inputs])
        key = id(op), shapes
        output = known.get(key)
        if output is None:
            output = known[key] = op.shape(shapes)
        nodes.append(Node(node.name, op, node.inputs, shapes, output, node.span))
    return replace(graph, nodes=tuple(nodes))


def _captured_head(graph: Graph, at: int, op: Op, classes: int) -> Graph:
    """A captured network whose last layer is its output: the layer's parameters and output are others."""
    node = graph.nodes[at]
    if at not in graph.outputs or graph.consumers[at]:
        raise fail(
            "A403",
            f"--head {classes}: {node.name} is not the end of {graph.name}",
            notes=["what comes after it would have other shapes"],
            help="make the module with the head that is wanted",
        )
    channel = 1 if op.spatial else len(node.output_shape) - 1
    parameters = {
        name: Parameter(p.names, (classes, *p.shape[1:]), p.dtype, True, p.buffer)
        for name, p in (node.parameters or {}).items()
    }
    shape = (*node.output_shape[:channel], classes, *node.output_shape[channel + 1 :])
    value = Value(shape, node.values[0].dtype, node.values[0].axes)
    changed = Node.of_call(
        node.name,
        op,
        node.inputs,
        node.input_shapes,
        (value, *node.values[1:]),
        parameters=parameters,
        ports=node.ports,
        memory=node.memory,
        module=node.module,
        held=node.held,
    )
    return replace(graph, nodes=(*graph.nodes[:at], changed, *graph.nodes[at + 1 :]))
