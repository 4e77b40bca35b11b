"""In what a correctly counted layer is not the network's: which layer, which attribute, whose value it is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...graph import Graph, Node
from ..equations import Weights, terms
from ..printed import show
from ..reconcile import waterfall
from ..reconcile.steps import RELATIONS, REPEATS, ROWS, SLIPS
from ..roles import SIZES
from ..verdicts import Judgement
from .origin import sibling_values
from .slips import SlipCauses
from .structure import described, differences

if TYPE_CHECKING:
    from ..judge import Judge

_ARITHMETIC = (ROWS, RELATIONS, REPEATS, SLIPS)  # steps that mend print, not architecture


class ArchitectureCauses:
    """Searches differences of architecture."""

    def __init__(self, judge: Judge, slips: SlipCauses) -> None:
        self.judge = judge
        self.slips = slips

    def find(self, judgement: Judgement, graph: Graph | None) -> str:
        claim = judgement.claim
        chosen = self.judge.networks.selection(claim)
        if graph is None or chosen is None:
            return ""
        if claim.quantity not in SIZES:
            return self.slips.attribute(judgement, graph)
        said, real = terms(claim.formula), chosen.weighted
        if said and len(said) == len(real):
            return _attributes(graph, said, real)
        if judgement.evidence.related:
            return self._steps(judgement)
        return self.slips.from_graph(judgement, graph)

    def _steps(self, judgement: Judgement) -> str:
        """For a sum: the contributions that lead from its mended rows to the network's figure."""
        made = waterfall(self.judge, judgement.claim)
        if made is None or made.residue:
            return ""
        steps = [step for step in made.steps if step.name not in _ARITHMETIC]
        if not steps:
            return ""
        words = ", ".join(
            f"{step.name} {'+' if step.amount > 0 else '−'}{show(abs(step.amount))}" for step in steps
        )
        return f"{words} give {show(made.end)}"


def _attributes(graph: Graph, said: tuple[Weights, ...], real: tuple[Node, ...]) -> str:
    """Layer by layer, the attributes in which the derivation is not the network's."""
    parts = []
    for layer, node in zip(said, real, strict=True):
        words = differences(layer, described(node))
        if layer.bias and "bias" not in node.weights and _normalised(graph, node):
            words = [word.replace("it has none", "it has none: normalisation follows") for word in words]
        if words:
            whose = sibling_values(graph, node, layer)
            parts.append(f"{node.name}: {', '.join(words)}" + (f" ({whose})" if whose else ""))
    return "; ".join(parts)


def _normalised(graph: Graph, node: Node) -> bool:
    """Whether a normalisation, whose shift does a bias's work, is the layer's only reader."""
    readers = graph.consumers[graph.nodes.index(node)]
    return len(readers) == 1 and "norm" in graph.nodes[readers[0]].op.type
