"""How a wrong number comes out of the right one: an attribute of the count, a neighbour's value, digits, a factor."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ...graph import Graph
from ..equations import Weights, terms
from ..ledger import Claim
from ..networks import title
from ..printed import Printed, show
from ..quantities import size
from ..roles import SIZES
from ..verdicts import Judgement
from . import edits
from .origin import sibling_values
from .rewidth import borrowed_width
from .structure import described, differences, is_described, variations, widths
from .totals import in_words, recounted

if TYPE_CHECKING:
    from ..judge import Judge

_FINE = 500  # a figure printed coarser than one part in so many agrees with too much to prove a cause


def gives(stated: Printed, value: int | Fraction) -> bool:
    """Whether a supposed count gives the printed number: exactly, or to digits fine enough to prove something."""
    agreement = stated.agrees(value)
    return agreement == "exact" or (agreement == "rounded" and is_fine(stated))


def is_fine(stated: Printed) -> bool:
    return stated.claims_all_digits or (not stated.about and stated.step * _FINE <= abs(stated.value))


class SlipCauses:
    """Searches how a number was got wrong."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._widths: dict[str, dict[int, str]] = {}

    def find(self, judgement: Judgement, graph: Graph | None) -> str:
        """The cause of a slip."""
        evidence, claim = judgement.evidence, judgement.claim
        right = evidence.formula
        if right is None or claim.stated.agrees(right) is not None:
            return self.from_graph(judgement, graph)
        if evidence.truth is not None and evidence.truth.agrees(claim.stated):
            return self._misprinted_formula(judgement)
        return self.number(judgement, right, terms(claim.formula), graph)

    def number(
        self, judgement: Judgement, right: Fraction, layers: tuple[Weights, ...], graph: Graph | None
    ) -> str:
        """How the printed number comes out of the right one."""
        claim, stated = judgement.claim, judgement.claim.stated
        if layers and is_fine(stated):
            known = self._known_widths(claim, graph)
            for layer in layers:
                rest = right - layer.count
                for variation in variations(layer, known):
                    if variation.count != layer.count and gives(stated, rest + variation.count):
                        return f"{variation.words} gives {show(rest + variation.count)}"
        words = self._neighbour(claim, right, graph) or edits.digits(stated, right)
        if words:
            return words
        factor = edits.factor(stated, right) if claim.quantity in SIZES else ""
        return f"{stated.text.strip()} is {factor}" if factor else edits.rounded_off(stated, right)

    def from_graph(self, judgement: Judgement, graph: Graph | None) -> str:
        """The cause of a number without a derivation of its own: the network's layers are what it is held against."""
        claim, stated = judgement.claim, judgement.claim.stated
        truth, chosen = judgement.evidence.truth, self.judge.networks.selection(claim)
        if graph is None or chosen is None or truth is None:
            return ""
        if claim.quantity not in SIZES:
            return self.attribute(judgement, graph)
        if truth.value is None:
            return ""
        right = Fraction(truth.value)
        if right == 0:
            return f"{', '.join(dict.fromkeys(node.op.type for node in chosen.nodes))} has none"
        several = len(chosen.nodes) > 1 or not all(map(is_described, chosen.weighted))
        ways = recounted(graph, chosen, claim) if several else ()
        if ways:
            return in_words(ways)
        cut = edits.cut_off(stated, right)
        if cut:
            return cut
        layers = tuple(described(node) for node in chosen.weighted) if claim.quantity == "params" else ()
        words = self.number(judgement, right, layers, graph)
        if not words and is_fine(stated):
            words = borrowed_width(self.judge, claim, graph)
        if words or not (chosen.whole and claim.quantity in ("params", "macs", "flops")):
            return words
        return self._another(claim)

    def _another(self, claim: Claim) -> str:
        """The networks that have the printed total: of the family, or, for a total to the last digit, of all."""
        found = self.judge.networks.others(claim)
        named = [
            f"{title(other)}, which has {show(size(other.layers, claim.quantity) or 0)}" for other in found
        ]
        return f"it is {' or '.join(named)}" if named else ""

    def attribute(self, judgement: Judgement, graph: Graph) -> str:
        """The cause of a wrong attribute: another module's or row's value, or a slip of the pen."""
        claim, stated, truth = judgement.claim, judgement.claim.stated, judgement.evidence.truth
        chosen = self.judge.networks.selection(claim)
        if truth is None or chosen is None or truth.mixed:
            return ""
        words = sibling_values(graph, chosen, claim)
        if words:
            return words
        for other in self.judge.ledgers.claims:
            if other.id == claim.id or not claim.table or other.table != claim.table:
                continue
            if (other.column, other.quantity) == (
                claim.column,
                claim.quantity,
            ) and other.stated.values == stated.values:
                return f"{stated.text.strip()} is the value of the row {other.label or other.row}"
        if stated.form == "number" and truth.value is not None:
            return edits.digits(stated, Fraction(truth.value))
        return edits.figures(stated, truth.readings)

    def _neighbour(self, claim: Claim, right: Fraction, graph: Graph | None) -> str:
        """Another row of the same column, or another module of the network, has this number."""
        chosen = self.judge.networks.selection(claim)
        for other in self.judge.ledgers.claims:
            if not claim.table or other.table != claim.table or other.column != claim.column:
                continue
            evidence = self.judge.witnesses.of(other)
            true = None if evidence.truth is None else evidence.truth.value
            for value in (evidence.formula, None if true is None else Fraction(true), other.stated.value):
                if other.id != claim.id and value and value != right and value == claim.stated.value:
                    return f"{claim.stated.text.strip()} is the value of the row {other.label or other.row}"
        if graph is None or chosen is None or not is_fine(claim.stated):
            return ""
        return sibling_values(graph, chosen, claim)

    def _misprinted_formula(self, judgement: Judgement) -> str:
        """The number is right; which figure of its derivation is not?"""
        claim = judgement.claim
        chosen = self.judge.networks.selection(claim)
        said = terms(claim.formula)
        real = [described(node) for node in chosen.weighted] if chosen else []
        if said and len(said) == len(real):
            words = [word for a, b in zip(said, real, strict=True) for word in differences(a, b)]
            if words:
                return f"the derivation is misprinted: {', '.join(words)}"
        return f"the derivation gives {show(judgement.evidence.formula or 0)}"

    def _known_widths(self, claim: Claim, graph: Graph | None) -> dict[int, str]:
        """Widths that a count could have taken by mistake: the same row's, the table's, the network's."""
        known: dict[int, str] = {}
        for other in self.judge.ledgers.claims:
            if not claim.table or other.table != claim.table:
                continue
            if other.quantity in ("in_channels", "out_channels"):
                same = other.row == claim.row
                owner = "the same row" if same else f"the row {other.label or other.row}"
                for value in other.stated.values:
                    if int(value) not in known or same:
                        known[int(value)] = owner
        if graph is not None:
            if claim.model not in self._widths:
                self._widths[claim.model] = widths(graph)
            for width, owner in self._widths[claim.model].items():
                known.setdefault(width, owner)
        return known
