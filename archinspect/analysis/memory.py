"""Activation memory: what each layer adds, and the most that is alive at once during inference."""

from __future__ import annotations

from ..graph import Graph, Node
from ..ops.base import numel

FP32_BYTES = 4


def activation_bytes(node: Node, element_bytes: int = FP32_BYTES) -> int:
    """Bytes that the layer's output takes; none where it is its input's own memory (flatten, dropout in evaluation)."""
    return 0 if node.op.aliases else numel(node.output_shape) * element_bytes


def peak_activation_bytes(graph: Graph, element_bytes: int = FP32_BYTES) -> int:
    """The most bytes of activations that are alive at the same time in one forward pass without gradients.

    Layers run in the graph's order.  A layer's inputs and output are alive while it runs, and an activation lives until
    its last reader has run; a view keeps what it looks at alive.  Nothing is computed in place.  The network's input
    belongs to the caller, who keeps it; so do the outputs.  Workspaces of kernels come on top.
    """
    nodes = graph.nodes
    owner: list[int] = []  # the node whose memory each output lies in
    for index, node in enumerate(nodes):
        owner.append(owner[node.inputs[0]] if node.op.aliases and node.inputs else index)
    last = list(range(len(nodes)))
    for index, node in enumerate(nodes):
        for source in node.inputs:
            last[owner[source]] = index
        last[owner[index]] = max(last[owner[index]], index)
    for kept in (0, *graph.outputs):
        last[owner[kept]] = len(nodes)
    dying: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
    alive = most = 0
    for index, node in enumerate(nodes):
        if owner[index] == index:
            dying[last[index]].append(index)
            alive += numel(node.output_shape)
        most = max(most, alive)
        alive -= sum(numel(nodes[gone].output_shape) for gone in dying[index])
    return most * element_bytes
