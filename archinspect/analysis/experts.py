"""Mixtures of experts: what of a network one token uses.

Every count of multiply-accumulates assumes that each token meets the experts that its router chooses, and no others,
evenly spread or not: the number of products is the same.  Parameters are those of all experts.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..graph import Graph, Node
from ..ops.tensor import TensorOp


@dataclass(frozen=True)
class Experts:
    """Of how many experts a token uses how many, (used, all) per layer; `params` that one token uses, of all.

    `macs_of_all` are the multiply-accumulates if every token met every expert.
    """

    used: tuple[tuple[int, int], ...]
    params: int
    macs_of_all: int

    def to_dict(self) -> dict[str, object]:
        return {
            "used": [{"experts": used, "of": all} for used, all in self.used],
            "active_params": self.params,
            "macs_of_all_experts": self.macs_of_all,
        }


def experts(graph: Graph, params: int, macs: int) -> Experts | None:
    """The mixtures of experts of a network that has so many parameters and MACs; None for one without."""
    found = [(node, chosen) for node in graph.layers if (chosen := _chosen(node)) is not None]
    if not found:
        return None
    idle = more = 0
    for node, (used, all) in found:
        active = node.op.active(node.input_shapes)
        assert active is not None
        whole = prod(_stack(node)) if isinstance(node.op, TensorOp) else sum(map(prod, node.weights.values()))
        idle += whole - active
        more += _expert_macs(node) * (all - used) // used
    return Experts(tuple(dict.fromkeys(chosen for _, chosen in found)), params - idle, macs + more)


def _chosen(node: Node) -> tuple[int, int] | None:
    """How many experts a token uses in this layer, and of how many."""
    op = node.op
    if isinstance(op, TensorOp):
        details = op.details
        return (details["top_k"], details["experts"]) if "top_k" in details and "experts" in details else None
    used, all = getattr(op, "top_k", None), getattr(op, "num_experts", None)
    return (used, all) if isinstance(used, int) and isinstance(all, int) else None


def _stack(node: Node) -> tuple[int, ...]:
    """The shape of the weights of all experts in an operation of a captured network."""
    assert isinstance(node.op, TensorOp)
    return node.op.stack_of_experts


def _expert_macs(node: Node) -> int:
    """MACs of the experts in a layer, without those of its router."""
    macs = node.cost.macs if node.cost is not None else 0
    router = node.weights.get("router") if not isinstance(node.op, TensorOp) else None
    return macs - (prod(node.input_shapes[0][:-1]) * prod(router) if router else 0)
