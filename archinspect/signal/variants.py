"""A spec's network with another activation, without batch normalisation, or without its skip connections.

A layer that is taken out becomes an identity, so that all others keep their names.  The graphs are made to be built and
run; their structure is one flat flow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..errors import OpError, fail
from ..graph import Flow, Graph, Layer, Node, Scope
from ..ops import REGISTRY, Op

ACTIVATIONS = ("relu", "sigmoid", "tanh")
PARTS = ("batch_norm", "skips")

#: activations that another one may stand in for; gates that multiply (SE's sigmoid, softmax) keep theirs
_REPLACED = frozenset(
    ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "hardswish", "mish", "selu")
)


def with_activation(graph: Graph, activation: str) -> Graph:
    """The graph with every activation replaced; a gate's is kept, since its output multiplies another branch.

    Raises ArchinspectError (A403) where there is none.
    """
    gates = {
        index
        for index, node in enumerate(graph.nodes)
        if any(graph.nodes[reader].op.type == "multiply" for reader in graph.consumers[index])
    }
    changed = {
        index: REGISTRY[activation]()
        for index, node in enumerate(graph.nodes)
        if node.op.type in _REPLACED and index not in gates
    }
    if not changed:
        raise fail(
            "A403",
            f"{graph.name} has no activation to replace by {activation}",
            help="leave --activation out",
        )
    return _remade(graph, changed, {})


def without(graph: Graph, parts: Collection[str]) -> Graph:
    """The graph without the parts that are named: `batch_norm`, `skips`.  Raises ArchinspectError (A403)."""
    changed: dict[int, Op] = {}
    kept: dict[int, int] = {}
    for part in parts:
        if part == "batch_norm":
            found = [i for i, node in enumerate(graph.nodes) if node.op.type.startswith("batch_norm")]
            what = "batch normalisation"
        else:
            skips = _skips(graph)
            kept.update(skips)
            found, what = list(skips), "skip connection: no addition of a long branch and a short one"
        if not found:
            raise fail("A403", f"{graph.name} has no {what}", help=f"leave --without {part} out")
        changed.update({index: REGISTRY["identity"]() for index in found})
    return _remade(graph, changed, kept)


def _skips(graph: Graph) -> dict[int, int]:
    """Residual additions, and for each the input that stays: the one with more layers with weights on its way."""
    found: dict[int, int] = {}
    above: list[frozenset[int]] = []
    for index, node in enumerate(graph.nodes):
        above.append(frozenset((index,)).union(*(above[source] for source in node.inputs)))
        if node.op.type != "add" or len(node.inputs) != 2:
            continue
        one, other = node.inputs
        common = above[one] & above[other]
        lengths = [_weighted_steps(graph, above[end] - common) for end in (one, other)]
        if common and lengths[0] != lengths[1]:
            found[index] = one if lengths[0] > lengths[1] else other
    return found


def _weighted_steps(graph: Graph, nodes: Collection[int]) -> int:
    return sum(graph.nodes[index].op.category in ("convolution", "linear", "attention") for index in nodes)


def _remade(graph: Graph, changed: Mapping[int, Op], kept: Mapping[int, int]) -> Graph:
    """The graph with other ops, and of the joins in `kept` one input alone; what nothing reads any more is left out."""
    inputs = [(kept[i],) if i in kept else node.inputs for i, node in enumerate(graph.nodes)]
    needed = set(graph.outputs)
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index in needed:
            needed.update(inputs[index])
    places: dict[int, int] = {}
    nodes: list[Node] = []
    for index, node in enumerate(graph.nodes):
        if index < graph.inputs or index in needed:
            places[index] = len(nodes)
            nodes.append(_moved(graph, index, changed.get(index, node.op), inputs[index], places, nodes))
    return replace(
        graph,
        nodes=tuple(nodes),
        structure=Scope("", (Flow(tuple(Layer(i) for i in range(graph.inputs, len(nodes)))),)),
        outputs=tuple(places[index] for index in graph.outputs),
    )


def _moved(
    graph: Graph, index: int, op: Op, inputs: tuple[int, ...], places: Mapping[int, int], nodes: list[Node]
) -> Node:
    node = graph.nodes[index]
    sources = tuple(places[source] for source in inputs)
    if op is node.op and sources == node.inputs:
        return node
    ports = node.ports if len(inputs) == len(node.inputs) else ()
    if index < graph.inputs:
        return node
    shapes = (
        node.input_shapes
        if len(inputs) == len(node.inputs)
        else tuple(nodes[at].output_shape for at in sources)
    )
    try:
        shape = op.shape(shapes)
    except OpError as error:
        raise fail("A403", f"{node.name} cannot be {op.type}", notes=[error.message]) from None
    if shape != node.output_shape:
        raise fail(
            "A403",
            f"{graph.name} cannot go without its skip connections",
            notes=[f"{node.name} would put out another shape"],
        )
    return Node(
        node.name,
        op,
        sources,
        shapes,
        shape,
        node.span,
        None if op is not node.op else node.parameters,
        node.outputs,
        ports,
        node.memory if op is node.op else None,
        node.module,
        node.held,
    )
