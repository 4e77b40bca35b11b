"""The memory that a forward pass needs at most, from the closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import peak_activation_bytes
from ..ops.base import numel

if TYPE_CHECKING:
    from ..graph import Graph


#: a buffer without dimensions counts batches (BatchNorm's num_batches_tracked), in 64-bit integers at any precision
_COUNTER_BYTES = 8


def peak_memory(graph: Graph, batch: int, element_bytes: int) -> int:
    """Bytes of all weights and buffers, and of the most activations alive at once (`analysis.peak_activation_bytes`).

    Workspaces of kernels come on top.
    """
    most = (
        peak_activation_bytes(graph, element_bytes) * batch // graph.input_shape[0]
    )  # all of them grow with the batch
    shapes = [s for n in graph.nodes for s in (*n.weights.values(), *n.buffers.values())]
    counters = _COUNTER_BYTES * sum(not shape for shape in shapes)
    return sum(numel(shape) for shape in shapes if shape) * element_bytes + most + counters
