"""The memory that a forward pass needs at most, from the closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import peak_activation_bytes
from ..analysis.batch import is_spec
from .sizes import Sizes

if TYPE_CHECKING:
    from ..graph import Graph


#: a spec's buffer without dimensions counts batches (num_batches_tracked), in 64-bit integers at any precision
_COUNTER_BYTES = 8


def peak_memory(graph: Graph, batch: int, element_bytes: int) -> int:
    """Bytes of all weights and buffers, and of the most activations alive at once (`analysis.peak_activation_bytes`).

    Workspaces of kernels come on top.
    """
    sizes = Sizes(graph, batch, element_bytes)
    most = peak_activation_bytes(graph, element_bytes, batch)
    state = sum(
        _COUNTER_BYTES if is_spec(graph) and not each.shape else sizes.parameter_bytes(each)
        for each in graph.parameters
    )
    return state + most
