"""Activation memory: what each layer adds, and the most that is alive at once during inference."""

from __future__ import annotations

from math import prod

from ..graph import Graph, Node

FP32_BYTES = 4


def activation_bytes(node: Node, element_bytes: int = FP32_BYTES) -> int:
    """Bytes of what the call computes; none where it only hands on other memory (flatten, dropout in evaluation).

    What is computed in place counts here, though it needs no memory of its own.  `element_bytes` is the size of an
    element where the node does not know its type (the nodes of a spec).
    """
    if node.outputs is not None:
        handed_on = node.memory is not None and node.op.aliases
        return 0 if handed_on else sum([value.bytes for value in node.outputs])
    return 0 if node.op.aliases else prod(node.output_shape) * element_bytes


def peak_activation_bytes(graph: Graph, element_bytes: int = FP32_BYTES) -> int:
    """The most bytes of activations that are alive at the same time in one forward pass without gradients.

    Calls run in the graph's order.  A call's inputs and outputs are alive while it runs, and an activation lives until
    its last reader has run; a view keeps what it looks at alive, and what is written in place needs no memory of its
    own.  The network's inputs belong to the caller, who keeps them; so do the outputs.  Workspaces of kernels come on
    top.
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
        if node.outputs is None:
            owner.append(owner[sources[0]] if node.op.aliases and sources else index)
        else:
            owner.append(index if node.memory is None or node.memory < 0 else owner[node.memory])
            last[owner[index]] = index
    for kept in (*range(graph.inputs), *graph.outputs):
        last[owner[kept]] = count
    freed = [0] * (count + 1)  # bytes by the step that needs them last
    alive = most = 0
    for index, node in enumerate(nodes):
        if owner[index] == index:
            size = activation_bytes(node, element_bytes)
            freed[last[index]] += size
            alive += size
            if alive > most:
                most = alive
        alive -= freed[index]
    return most
