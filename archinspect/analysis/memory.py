"""Activation memory: what each layer adds, and the most that is alive at once during inference."""

from __future__ import annotations

from math import prod

from ..graph import Graph, Node

FP32_BYTES = 4


def activation_bytes(node: Node, element_bytes: int = FP32_BYTES) -> int:
    """Bytes that the layer's output takes; none where it is its input's own memory (flatten, dropout in evaluation)."""
    return 0 if node.op.aliases else prod(node.output_shape) * element_bytes


def peak_activation_bytes(graph: Graph, element_bytes: int = FP32_BYTES) -> int:
    """The most bytes of activations that are alive at the same time in one forward pass without gradients.

    Layers run in the graph's order.  A layer's inputs and output are alive while it runs, and an activation lives until
    its last reader has run; a view keeps what it looks at alive.  Nothing is computed in place.  The network's input
    belongs to the caller, who keeps it; so do the outputs.  Workspaces of kernels come on top.
    """
    nodes = graph.nodes
    count = len(nodes)
    owner: list[int] = []  # the node whose memory each output lies in
    last: list[int] = []  # and the step after which nobody needs it
    for index, node in enumerate(nodes):
        sources = node.inputs
        for source in sources:
            last[owner[source]] = index
        last.append(index)
        owner.append(owner[sources[0]] if node.op.aliases and sources else index)
    for kept in (0, *graph.outputs):
        last[owner[kept]] = count
    freed = [0] * (count + 1)  # elements by the step that needs them last
    alive = most = 0
    for index, node in enumerate(nodes):
        if owner[index] == index:
            size = prod(node.output_shape)
            freed[last[index]] += size
            alive += size
            if alive > most:
                most = alive
        alive -= freed[index]
    return most * element_bytes
