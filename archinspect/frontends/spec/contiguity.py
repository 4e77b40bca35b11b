"""Layers that join dimensions: a view where their elements lie in that order in memory, else a copy, as in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import pairwise

from ...graph import Node
from ...ops import Op, Shape

_Strides = tuple[int, ...]


def with_copy(op: Op, nodes: Sequence[Node], source: int) -> Op:
    """`flatten` or `tokens` of a node, as an op that is no view where PyTorch copies: behind `permute` and `tokens`."""
    shape, strides = nodes[source].output_shape, _strides(nodes, source)
    first, last = (2, 3) if op.type == "tokens" else (op.start_dim, op.end_dim)  # type: ignore[attr-defined]
    joined = [dim for dim in range(first % len(shape), last % len(shape) + 1) if shape[dim] > 1]
    # Two dimensions are one where a step along the first is as long as the whole second one.
    if all(strides[dim] == strides[after] * shape[after] for dim, after in pairwise(joined)):
        return op
    copied = copy(op)
    copied.__dict__["aliases"] = False
    return copied


def _strides(nodes: Sequence[Node], index: int) -> _Strides:
    """How far apart in memory neighbours along each dimension of a node's output lie."""
    views = []
    # What works element by element writes its output in its input's order.
    while nodes[index].inputs and (nodes[index].op.aliases or nodes[index].op.category == "activation"):
        views.append(nodes[index])
        index = nodes[index].inputs[0]
    strides = _contiguous(nodes[index].output_shape)
    for node in reversed(views):
        type, before = node.op.type, node.input_shapes[0]
        if type == "permute":
            strides = tuple([strides[dim] for dim in node.op.dims])  # type: ignore[attr-defined]
        elif type == "tokens":
            strides = strides[0], strides[3], strides[1]
        elif type == "select_token":
            strides = strides[0], strides[2]
        elif len(node.output_shape) != len(before):
            strides = _contiguous(node.output_shape)
    return strides


def _contiguous(shape: Shape) -> _Strides:
    strides = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * size)
    return tuple(reversed(strides))
