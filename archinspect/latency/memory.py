"""The memory that a forward pass needs at most, from the closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ops.base import numel

if TYPE_CHECKING:
    from ..graph import Graph


#: a buffer without dimensions counts batches (BatchNorm's num_batches_tracked), in 64-bit integers at any precision
_COUNTER_BYTES = 8


def peak_memory(graph: Graph, batch: int, element_bytes: int) -> int:
    """Bytes of all weights and buffers, and of the most activations alive at once.

    A layer's inputs and output are alive while it runs; an activation lives until its last reader has run.  A view
    takes no memory and keeps what it looks at alive.  The network's input belongs to the caller, who keeps it.
    Workspaces of kernels come on top.
    """
    owner: list[int] = []
    for index, node in enumerate(graph.nodes):
        owner.append(owner[node.inputs[0]] if node.op.aliases and node.inputs else index)
    last = list(range(len(graph.nodes)))
    for index, readers in enumerate(graph.consumers):
        last[owner[index]] = max(last[owner[index]], index, *readers)
    last[0] = len(graph.nodes)
    for output in graph.outputs:
        last[owner[output]] = len(graph.nodes)
    alive: dict[int, int] = {}
    most = 0
    for index, node in enumerate(graph.nodes):
        if owner[index] == index:
            alive[index] = numel(node.output_shape) * batch // graph.input_shape[0]
        most = max(most, sum(alive.values()))
        alive = {i: size for i, size in alive.items() if last[i] > index}
    shapes = [s for n in graph.nodes for s in (*n.weights.values(), *n.buffers.values())]
    counters = _COUNTER_BYTES * sum(not shape for shape in shapes)
    return (sum(numel(shape) for shape in shapes if shape) + most) * element_bytes + counters
