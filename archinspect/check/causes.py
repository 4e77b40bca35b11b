"""Why a printed number is wrong.

A cause is stated only when it gives the printed number exactly (to the printed precision where digits are left out);
otherwise there is "no cause found".  Nothing here knows any particular table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..graph import Graph, Node
from . import edits
from .equations import Weights, terms
from .evidence import Related, holds
from .ledger import Claim
from .networks import title
from .origin import place, sibling_values
from .printed import show
from .quantities import params
from .roles import SIZES
from .structure import described, differences, variations, widths
from .verdicts import NO_CAUSE, Judgement

if TYPE_CHECKING:
    from .judge import Judge


class Causes:
    """Searches the causes of judgements."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._widths: dict[str, dict[int, str]] = {}

    def explained(self, judgement: Judgement) -> Judgement:
        """The judgement with its cause, notes and the source of the computed figure."""
        claim = judgement.claim
        if claim.subject:
            return judgement
        graph = self.judge.networks.of(claim)
        notes = (*judgement.notes, *self._notes(judgement, graph))
        cause = ""
        if judgement.wrong:
            found = list(dict.fromkeys(filter(None, self._search(judgement, graph))))
            cause = "; ".join(found[:2]) if found else NO_CAUSE
        source = place(graph, claim.layers, self.judge.networks.selection(claim)) if graph is not None else ""
        return replace(judgement, cause=cause, notes=notes, source=source)

    def _search(self, judgement: Judgement, graph: Graph | None) -> Iterator[str]:
        evidence, claim = judgement.evidence, judgement.claim
        verdicts = judgement.verdicts
        if "carried" in verdicts:
            yield self._carried(judgement)
        if "slip" in verdicts:
            right = evidence.formula
            if right is not None and claim.stated.agrees(right) is None:
                if evidence.truth is not None and evidence.truth.agrees(claim.stated):
                    yield self._misprinted_formula(judgement)
                else:
                    yield self._number(judgement, right, terms(claim.formula), graph)
            elif evidence.truth is not None and evidence.truth.value is not None:
                yield self._from_graph(judgement, graph)
        if "contradiction" in verdicts:
            yield self._contradiction(judgement, graph)
        if "differs" in verdicts:
            yield self._differs(judgement, graph)

    # slips

    def _number(
        self, judgement: Judgement, right: Fraction, layers: tuple[Weights, ...], graph: Graph | None
    ) -> str:
        """How the printed number comes out of the right one: one attribute, a neighbour's value, digits, a factor."""
        claim, stated = judgement.claim, judgement.claim.stated
        known = self._known_widths(claim, graph)
        for layer in layers:
            rest = right - layer.count
            for variation in variations(layer, known):
                if variation.count != layer.count and _exactly(stated.agrees(rest + variation.count), claim):
                    return f"{variation.words} gives {show(rest + variation.count)}"
        words = self._neighbour(judgement, right) or edits.digits(stated, right)
        if words:
            return words
        factor = edits.factor(stated, right) if claim.quantity in SIZES else ""
        return f"{stated.text} is {factor}" if factor else ""

    def _neighbour(self, judgement: Judgement, right: Fraction) -> str:
        """Another claim of the same column that states, or should state, this number."""
        claim = judgement.claim
        for other in self.judge.ledgers.claims:
            if (
                other.id == claim.id
                or not claim.table
                or other.table != claim.table
                or other.column != claim.column
            ):
                continue
            evidence = self.judge.witnesses.of(other)
            true = evidence.truth.value if evidence.truth is not None else None
            for value in (evidence.formula, None if true is None else Fraction(true)):
                if value is not None and value != right and value == claim.stated.value and value > 0:
                    return f"{claim.stated.text} is the value of the row {other.label or other.row}"
        return ""

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

    # sums, products, repeats

    def _carried(self, judgement: Judgement) -> str:
        culprits = [m for related in judgement.evidence.related for m in self.judge.members(related)]
        names = [
            f"{show(m.claim.stated.value)} for {show(m.mended)}"
            for m in culprits
            if m.mended is not None and {"slip", "carried", "contradiction"}.intersection(m.verdicts)
        ]
        mended = judgement.mended
        after = f"; mended it is {show(mended)}" if mended is not None else ""
        return f"carries {', '.join(names)}{after}" if names else ""

    def _contradiction(self, judgement: Judgement, graph: Graph | None) -> str:
        claim, stated = judgement.claim, judgement.claim.stated
        for related in judgement.evidence.related:
            if not holds(stated, related):
                return self._broken(claim, related)
        for other in self.judge.witnesses.repeats[self.judge.witnesses.topic(claim)]:
            if other.id != claim.id and other.stated.values != stated.values:
                right = other.stated.value
                digits = edits.digits(stated, right) or self._from_graph(judgement, graph)
                where = f"section {other.section}" if other.section else other.id
                return f"{where} prints {other.stated.text}" + (f"; {digits}" if digits else "")
        if judgement.notes:
            return "; ".join(judgement.notes)
        return self._differs(judgement, graph)

    def _broken(self, claim: Claim, related: Related) -> str:
        stated, value = claim.stated, related.value
        if related.kind == "same":
            other = related.members[0]
            digits = edits.digits(stated, value) or edits.factor(stated, value)
            where = f"section {other.section}" if other.section else other.id
            return f"{where} prints {other.stated.text}" + (f"; {digits}" if digits else "")
        if related.kind == "product":
            numbers = " × ".join(show(member.stated.value) for member in related.members)
            words = f"{numbers} = {show(value)}"
            digits = edits.digits(stated, value) or _other_factor(stated.value, related)
            return f"{words}; {digits}" if digits else words
        words = f"the rows sum to {show(value)}"
        for member in related.members:
            if stated.agrees(value - member.stated.value):
                return f"{words}; without {member.label or member.id} they give {show(value - member.stated.value)}"
            if stated.agrees(value + member.stated.value):
                return f"{words}; {member.label or member.id} is counted twice"
        digits = edits.digits(stated, value)
        return f"{words}; {digits}" if digits else words

    # another architecture

    def _differs(self, judgement: Judgement, graph: Graph | None) -> str:
        claim = judgement.claim
        chosen = self.judge.networks.selection(claim)
        if graph is None or chosen is None:
            return ""
        if claim.quantity not in SIZES:
            return sibling_values(graph, chosen, claim) or self._attribute_digits(judgement)
        said, real = terms(claim.formula), chosen.weighted
        if said and len(said) == len(real):
            return self._attributes(graph, said, real, judgement)
        members = [m for related in judgement.evidence.related for m in self.judge.members(related)]
        unlike = [m for m in members if "differs" in m.verdicts]
        if unlike:
            names = ", ".join(m.claim.label or m.claim.row or m.claim.id for m in unlike[:4])
            more = f" and {len(unlike) - 4} more" if len(unlike) > 4 else ""
            return f"its parts differ: {names}{more}; the network has {_computed(judgement)}"
        missing = self._left_out(graph, chosen.nodes, judgement)
        return missing or self._from_graph(judgement, graph)

    def _attributes(
        self, graph: Graph, said: tuple[Weights, ...], real: tuple[Node, ...], judgement: Judgement
    ) -> str:
        """Layer by layer, the attributes in which the derivation is not the network's."""
        parts = []
        for layer, node in zip(said, real, strict=True):
            words = differences(layer, described(node))
            if words:
                whose = sibling_values(graph, node, layer)
                parts.append(f"{node.name}: {', '.join(words)}" + (f" ({whose})" if whose else ""))
        return "; ".join(parts)

    def _left_out(self, graph: Graph, nodes: tuple[Node, ...], judgement: Judgement) -> str:
        """What of the selected layers the printed number leaves out, by type."""
        total, stated = params(nodes), judgement.claim.stated
        if judgement.claim.quantity != "params":
            return ""
        kinds: dict[str, int] = {}
        for node in nodes:
            kinds[node.op.type] = kinds.get(node.op.type, 0) + params([node])
        for kind, count in kinds.items():
            if count and len(kinds) > 1 and _exactly(stated.agrees(total - count), judgement.claim):
                return f"{kind} is left out ({show(count)})"
        biases = sum(shape[0] for n in nodes for name, shape in n.weights.items() if name == "bias")
        if biases and _exactly(stated.agrees(total - biases), judgement.claim):
            return f"biases are left out ({show(biases)})"
        return ""

    def _from_graph(self, judgement: Judgement, graph: Graph | None) -> str:
        """A number without a derivation of its own, against the network's layers."""
        claim, stated = judgement.claim, judgement.claim.stated
        truth, chosen = judgement.evidence.truth, self.judge.networks.selection(claim)
        if graph is None or chosen is None or truth is None or truth.value is None:
            return ""
        right = Fraction(truth.value)
        if claim.quantity not in SIZES:
            return self._attribute_digits(judgement)
        cut = edits.cut_off(stated, right)
        if cut:
            return cut
        layers = tuple(described(n) for n in chosen.weighted) if claim.quantity == "params" else ()
        words = self._number(judgement, right, layers, graph)
        if words:
            return words
        for other in self.judge.networks.variants(claim.model):
            if (
                chosen.whole
                and claim.quantity == "params"
                and _exactly(stated.agrees(params(other.layers)), claim)
            ):
                return f"it is {title(other)}, which has {show(params(other.layers))}"
        return ""

    def _attribute_digits(self, judgement: Judgement) -> str:
        truth, stated = judgement.evidence.truth, judgement.claim.stated
        if truth is None or truth.value is None or stated.form != "number":
            return ""
        return edits.digits(stated, Fraction(truth.value))

    def _known_widths(self, claim: Claim, graph: Graph | None) -> dict[int, str]:
        """Widths that a count could have taken by mistake: those of the same row and table, then the network's."""
        known: dict[int, str] = {}
        for other in self.judge.ledgers.claims:
            if (
                claim.table
                and other.table == claim.table
                and other.quantity in ("in_channels", "out_channels")
            ):
                for value in other.stated.values:
                    owner = (
                        "the same row" if other.row == claim.row else f"the row {other.label or other.row}"
                    )
                    if int(value) not in known or other.row == claim.row:
                        known[int(value)] = owner
        if graph is not None:
            if claim.model not in self._widths:
                self._widths[claim.model] = widths(graph)
            for width, owner in self._widths[claim.model].items():
                known.setdefault(width, owner)
        return known

    # what is right and still worth a word

    def _notes(self, judgement: Judgement, graph: Graph | None) -> Iterator[str]:
        claim, truth = judgement.claim, judgement.evidence.truth
        if graph is None or truth is None or truth.value is None or judgement.wrong:
            return
        right, stated = Fraction(truth.value), claim.stated
        if judgement.verdicts == ("rounded",):
            words = edits.cut_off(stated, right)
            if words:
                yield words
            if stated.unit.upper() in ("KB", "MB", "GB") and stated.scales[0] % 1024 == 0:
                yield f"{stated.unit} means {stated.unit[0]}iB here"
            finer = replace(stated, step=Fraction(stated.scales[0]), about=False)
            if stated.step > stated.scales[0] > 1 and not finer.agrees(right):
                for other in self.judge.networks.variants(claim.model):
                    size = Fraction(params(other.layers))
                    cut = size // finer.step * finer.step
                    if claim.quantity == "params" and not claim.layers and cut == stated.value:
                        yield f"{show(right)} here; {title(other)} has {show(size)}"


def _other_factor(stated: Fraction, related: Related) -> str:
    for member in related.members:
        rest = related.value / member.stated.value if member.stated.value else Fraction(0)
        if (
            rest
            and (stated / rest).denominator == 1
            and 0 < stated / rest <= 64
            and member.stated.value <= 64
        ):
            return f"as if it were {show(stated / rest)} instead of {member.stated.text}"
    return ""


def _exactly(agreement: str | None, claim: Claim) -> bool:
    """Whether a cause gives the printed number: exactly, or to the digits that are printed."""
    return agreement == "exact" or (agreement == "rounded" and not claim.stated.about)


def _computed(judgement: Judgement) -> str:
    truth = judgement.evidence.truth
    return "another" if truth is None else truth.text
