"""Totals counted in another way: a type of layer left out, statistics counted too, other classes, MACs for FLOPs.

A few ways are tried, up to three at a time, so that a figure that they give exactly was hardly met by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import prod

from ...graph import Graph, Node
from ..ledger import Claim
from ..printed import Printed, show
from ..quantities import size
from ..select import Selection, has_weights
from . import edits
from .structure import described

# How fine a figure must be, in parts of itself, for one way out of ten or so, or one unit out of two, to prove it.
_TELLING = 100
_TELLING_UNITS = 10
# An exact figure from here on is met by one of some hundred pairs and triples once in thousands of times.
_SEVERAL_FROM = 1_000_000
_CLASSES = (2, 10, 20, 100, 101, 102, 120, 200, 365, 1001, 1024, 10_450, 21_841, 21_843)
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Way:
    """A way of counting: by what it changes the figure, what it did, and what undoes it."""

    amount: int
    words: str
    undone: str
    kind: str


def recounted(graph: Graph, chosen: Selection, claim: Claim) -> tuple[Way, ...]:
    """The ways of counting that turn the network's figure into the printed one; () when none does."""
    stated, quantity = claim.stated, claim.quantity
    total = size(chosen.nodes, quantity)
    if not total or stated.form != "number":
        return ()
    ways = [way for way in _ways(graph, chosen, quantity) if way.amount and total + way.amount > 0]
    for way in ways:
        # Less than one step of the printed precision proves nothing: a misrounding is as likely.
        large = stated.claims_all_digits or abs(way.amount) >= stated.step
        if large and _proves(stated, total + way.amount, _TELLING):
            return (way,)
    for way in _units(chosen, quantity, total):
        value = Fraction(total + way.amount)
        fine = not stated.about and stated.step * _TELLING_UNITS <= abs(stated.value)
        if _proves(stated, value, _TELLING_UNITS) or (fine and edits.cut_off(stated, value)):
            return (way,)
    if not stated.claims_all_digits or stated.value < _SEVERAL_FROM:
        return ()
    for several in (*combinations(ways, 2), *combinations([w for w in ways if w.kind != "classes"], 3)):
        apart = len({way.kind for way in several}) == len(several)
        if apart and total + sum(way.amount for way in several) == stated.value:
            return several
    return ()


def in_words(ways: tuple[Way, ...]) -> str:
    return ", and ".join(way.words for way in ways)


def _proves(stated: Printed, value: int | Fraction, telling: int) -> bool:
    agreement = stated.agrees(Fraction(value))
    return agreement == "exact" or (
        agreement == "rounded" and not stated.about and stated.step * telling <= abs(stated.value)
    )


def _ways(graph: Graph, chosen: Selection, quantity: str) -> Iterator[Way]:
    kinds: dict[str, list[Node]] = {}
    for node in chosen.nodes:
        kinds.setdefault(node.op.type, []).append(node)
    for kind, members in kinds.items():
        count = size(tuple(members), quantity) or 0
        yield Way(-count, f"{kind} is left out ({show(count)})", f"{kind} added", kind)
    if quantity not in ("params", "trainable"):
        return
    biases = sum(shape[0] for n in chosen.weighted for shape in n.weights.values() if len(shape) == 1)
    yield Way(-biases, f"biases are left out ({show(biases)})", "biases added", "bias")
    bare = [n for n in chosen.weighted if "bias" not in n.weights and n.op.type.startswith("conv")]
    added = sum(described(node).outputs for node in bare)
    words = f"the convolutions are counted with biases, which they do not have ({show(added)})"
    yield Way(added, words, "biases removed", "bias")
    norms = [node for node in chosen.nodes if node.op.type.startswith("batch_norm")]
    kept = sum(prod(node.buffers[name]) for node in norms for name in _STATISTICS if name in node.buffers)
    words = f"BatchNorm's running statistics are counted as parameters ({show(kept)})"
    yield Way(kept, words, "BatchNorm statistics removed", "statistics")
    half = sum(node.weights["bias"][0] for node in norms if "bias" in node.weights)
    words = f"BatchNorm is counted with one parameter a channel, not two ({show(half)} less)"
    yield Way(-half, words, "BatchNorm's second parameter added", "batch_norm2d")
    if chosen.whole:
        yield from _other_classes(graph)


def _other_classes(graph: Graph) -> Iterator[Way]:
    """Another number of classes in the last layer."""
    classes, last = graph.arguments.get("num_classes"), graph.layers[-1]
    for node in graph.layers:
        last = node if has_weights(node) else last
    if not isinstance(classes, int) or not has_weights(last) or described(last).outputs != classes:
        return
    layer = described(last)
    each = layer.count // layer.outputs
    for other in _CLASSES:
        if other != classes:
            words = f"{other:,} classes instead of {classes:,} in {last.name}"
            yield Way((other - classes) * each, words, "classes", "classes")


def _units(chosen: Selection, quantity: str, total: int) -> Iterator[Way]:
    """FLOPs that are MACs, and the other way round."""
    macs = size(chosen.nodes, "macs")
    flops = size(chosen.nodes, "flops")
    if quantity == "flops" and macs:
        yield Way(
            macs - total, f"these are multiply-accumulates, of which it has {show(macs)}", "MACs", "units"
        )
        words = f"twice its {show(macs)} multiply-accumulates, and no other operation"
        yield Way(2 * macs - total, words, "other operations added", "units")
    if quantity == "macs":
        if flops:
            yield Way(flops - total, f"these are FLOPs, of which it has {show(flops)}", "FLOPs", "units")
        yield Way(total, f"twice its {show(total)} multiply-accumulates: FLOPs", "FLOPs", "units")
