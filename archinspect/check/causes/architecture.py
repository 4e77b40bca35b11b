"""In what a correctly counted layer is not the network's: which layer, which attribute, whose value it is instead."""

from __future__ import annotations

from collections import Counter

from ...graph import Graph, Node
from ..assess import Assessor
from ..equations import Weights, terms
from ..layers import described, differences, is_described
from ..ledger import Claim
from ..printed import show
from ..quantities import params, size
from ..reconcile.steps import OPAQUE, RELATIONS, REPEATS, ROWS, SLIPS
from ..reconcile.waterfall import waterfall
from ..select import has_weights, select
from ..verdicts import Judgement
from .origin import alike, sibling_values
from .slips import Slips

#: networks of ours → those of Keras whose convolutions have biases, though a normalisation follows
KERAS_BIASES = {f"resnet{depth}": f"Keras' ResNet{depth}" for depth in (50, 101, 152)}

_ARITHMETIC = (ROWS, RELATIONS, REPEATS, SLIPS)  # steps that mend print, not architecture


class ArchitectureCauses:
    """Searches differences of architecture."""

    def __init__(self, judge: Assessor, slips: Slips) -> None:
        self.judge = judge
        self.slips = slips

    def find(self, judgement: Judgement, graph: Graph | None) -> str:
        claim = judgement.claim
        chosen = self.judge.networks.selection(claim)
        if graph is None or chosen is None:
            return ""
        said, real = terms(claim.formula), chosen.weighted
        if said and len(said) == len(real) and all(map(is_described, real)):
            words = [*_attributes(graph, said, real), *_left_out(chosen.nodes, claim)]
            if words:
                return "; ".join(words)
        if judgement.evidence.related:
            return self._unlike_parts(judgement, graph) or self._steps(judgement)
        return ""

    def _unlike_parts(self, judgement: Judgement, graph: Graph) -> str:
        """For a product of a right figure of one part and a right count: the parts that have another figure."""
        claim = judgement.claim
        for related in judgement.evidence.related:
            units = [member for member in related.members if member.quantity == claim.quantity]
            rights = [self.judge.of(member).wrong is False for member in related.members]
            if related.kind != "product" or len(units) != 1 or not all(rights):
                continue
            chosen = self.judge.networks.selection(units[0])
            if chosen is None or len(chosen.paths) != 1:
                continue
            true, total = size(chosen.nodes, claim.quantity), judgement.evidence.truth_value
            parts = {
                path: size(select(graph, (path,)).nodes, claim.quantity)
                for path in alike(graph, chosen.paths[0])
            }
            if sum(value or 0 for value in parts.values()) == total:
                others = [f"{path} has {show(value or 0)}" for path, value in parts.items() if value != true]
                return f"{', '.join(others)}, not {show(true or 0)}" if others else ""
        return ""

    def _steps(self, judgement: Judgement) -> str:
        """For a sum: the contributions that lead from its mended rows to the network's figure."""
        made = waterfall(self.judge, judgement.claim)
        if made is None or made.residue:
            return ""
        repeats = all(related.kind == "same" for related in judgement.evidence.related)
        mended = (*_ARITHMETIC, OPAQUE) if repeats else _ARITHMETIC
        steps = [step for step in made.steps if step.name not in mended]
        if not steps:
            return ""
        words = ", ".join(
            f"{step.name} {'+' if step.amount > 0 else '−'}{show(abs(step.amount))}" for step in steps
        )
        return f"{words} give {show(made.end)}"


def _attributes(graph: Graph, said: tuple[Weights, ...], real: tuple[Node, ...]) -> list[str]:
    """Layer by layer, the attributes in which the derivation is not the network's."""
    parts = []
    for layer, node in zip(said, real, strict=True):
        words = differences(layer, described(node), groups=int(getattr(node.op, "groups", 1)))
        if layer.bias and "bias" not in node.weights and _normalised(graph, node):
            whose = f", though {keras}'s layer has" if (keras := KERAS_BIASES.get(graph.name)) else ""
            words = [w.replace("it has none", f"it has none: normalisation follows{whose}") for w in words]
        if words:
            whose = sibling_values(graph, node, layer)
            parts.append(f"{node.name}: {', '.join(words)}" + (f" ({whose})" if whose else ""))
    return parts


def _left_out(nodes: tuple[Node, ...], claim: Claim) -> list[str]:
    """Layers with parameters that a derivation of the convolutions and linear layers leaves out."""
    if claim.quantity not in ("params", "trainable"):
        return []
    counts: Counter[str] = Counter()
    for node in nodes:
        if node.weights and not has_weights(node):
            counts[node.op.type] += params((node,))
    return [f"{kind} is left out ({show(count)})" for kind, count in counts.items()]


def _normalised(graph: Graph, node: Node) -> bool:
    """Whether a normalisation, whose shift does a bias's work, is the layer's only reader."""
    readers = graph.consumers[graph.nodes.index(node)]
    return len(readers) == 1 and "norm" in graph.nodes[readers[0]].op.type
