"""How a wrong number comes out of the right one: hypotheses about its layers, its neighbours and its digits."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from ...errors import OpError
from ...graph import Graph, Node
from .. import edits
from ..assess import Assessor
from ..equations import terms
from ..hypotheses import BUDGET, Fit, Hypothesis, ranked, weigh
from ..layers import described, differences, is_described, variations, widths
from ..ledger import Claim
from ..printed import Printed, show
from ..quantities import size
from ..roles import SIZES
from ..select import Selection, select
from ..verdicts import Judgement
from .counting import Counting, elsewhere, units, unpooled
from .origin import sibling_values, siblings
from .rewidth import borrowed_widths

_FINE = 500  # a figure printed coarser than one part in so many agrees with too much to prove a cause
_PER_PARAMETER = {"params": 1, "trainable": 1, "weight_bytes": 4}
_ONE_DIGIT = 10  # steps below which a figure has one digit, with which anything agrees
_PAIR = 2  # ways of counting that a rounded figure can tell
_STRIDES = (1, 2, 4)
_MOST_LAYERS = 10  # of a sum in which one layer may be counted otherwise; of more, too much would fit


def is_fine(stated: Printed) -> bool:
    return stated.claims_all_digits or (not stated.about and stated.step * _FINE <= abs(stated.value))


class Slips:
    """Hypotheses about single numbers."""

    def __init__(self, judge: Assessor) -> None:
        self.judge = judge
        self.counting = Counting(judge.networks)
        self._widths: dict[str, dict[int, str]] = {}

    def right(self, judgement: Judgement) -> Fraction | None:
        """The figure that the number should be: its derivation's, where that is not the number, else the network's."""
        evidence, stated = judgement.evidence, judgement.claim.stated
        if evidence.formula is not None and stated.agrees(evidence.formula) is None:
            return evidence.formula
        return evidence.truth_value

    def fits(self, judgement: Judgement) -> list[Fit]:
        """The hypotheses that give the printed number, likeliest first."""
        claim, right = judgement.claim, self.right(judgement)
        if claim.quantity not in SIZES or claim.stated.form != "number" or not right:
            return []
        tried = list(self._hypotheses(judgement, right))
        chosen = self.judge.networks.selection(claim)
        # Of a single layer many more hypotheses lie close to the right figure than the estimate supposes.
        budget = BUDGET if chosen is None or len(chosen.nodes) > 1 else BUDGET / 2
        fits = weigh(claim.stated, right, tried, own_cut=edits.cut_off(claim.stated, right), budget=budget)
        if not fits:
            fits = weigh(claim.stated, right, [*tried, *self._rare(judgement)])
        return ranked(fits)

    def _hypotheses(self, judgement: Judgement, right: Fraction) -> Iterator[Hypothesis]:
        claim, stated = judgement.claim, judgement.claim.stated
        graph, chosen = self.judge.networks.of(claim), self.judge.networks.selection(claim)
        if stated.step * _ONE_DIGIT > abs(stated.value) and not stated.claims_all_digits:
            return
        derived = right == judgement.evidence.formula and right != judgement.evidence.truth_value
        if graph is not None and chosen is not None and not derived:
            several = len(chosen.nodes) > 1 or not all(map(is_described, chosen.weighted))
            for hypothesis in self.counting.of(claim, graph, chosen):
                # Less than a step of the printed precision proves nothing, unless somebody prints that very figure.
                proves = stated.claims_all_digits or abs(hypothesis.value - right) >= stated.step
                named = hypothesis.kind in ("variant", "convention") and hypothesis.tier <= 2
                named = named or hypothesis.keys == ("headless",)  # as ViT's and Keras' tables print
                if len(hypothesis.steps) > _PAIR and not stated.claims_all_digits:
                    continue
                if (several or hypothesis.kind != "counting") and (proves or named):
                    yield hypothesis
        else:
            yield from units(claim, right)
        yield from self._layers(judgement, right, derived=derived)
        if claim.quantity in ("macs", "flops") and chosen is not None and graph is not None:
            yield from _strides(chosen, claim.quantity, right)
            yield from _maps(graph, chosen, right)
        yield from self._neighbours(claim, right, graph, chosen)
        yield from edits.factors(stated, right)
        yield from edits.slips(stated, right)

    def _layers(self, judgement: Judgement, right: Fraction, *, derived: bool) -> Iterator[Hypothesis]:
        """One attribute of one layer counted otherwise."""
        claim = judgement.claim
        graph, chosen = self.judge.networks.of(claim), self.judge.networks.selection(claim)
        said = terms(claim.formula) if derived or chosen is None else ()
        nodes = chosen.weighted if chosen is not None else ()
        each = _PER_PARAMETER.get(claim.quantity, 0)
        if not each or (not said and not nodes) or len(said or nodes) > _MOST_LAYERS:
            return
        layers = said or tuple(described(node) for node in nodes)
        known = self._known_widths(claim, graph)
        for index, layer in enumerate(layers):
            node = nodes[index] if len(nodes) == len(layers) else None
            groups = int(getattr(node.op, "groups", 1)) if node is not None else 1
            before = (
                unpooled(graph, node) if graph is not None and node is not None and not layer.kernel else 0
            )
            for variation in variations(layer, known, groups, before):
                if variation.count != layer.count:
                    value = right + (variation.count - layer.count) * each
                    where = f"{node.name}: " if node is not None and len(layers) > 1 else ""
                    yield Hypothesis(
                        value,
                        f"{where}{variation.words} gives {show(value)}",
                        variation.tier + (1 if len(layers) > 1 else 0),
                        "layer",
                        (variation.key,),
                    )

    def _neighbours(
        self, claim: Claim, right: Fraction, graph: Graph | None, chosen: Selection | None
    ) -> Iterator[Hypothesis]:
        """Figures of other rows of the same column, and of the same part of a sibling module."""
        for other in self.judge.ledgers.claims:
            if not claim.table or other.table != claim.table or other.column != claim.column:
                continue
            if other.id == claim.id or other.stated.form != "number":
                continue
            evidence = self.judge.witnesses.of(other)
            words = f"{claim.stated.text.strip()} is the value of the row {other.label or other.row}"
            for value in {evidence.formula, evidence.truth_value, other.stated.value} - {None, right}:
                if value:
                    yield Hypothesis(value, words, 2, "neighbour", ("row",))
        if graph is None or chosen is None or chosen.whole:
            return
        for path, sized in self._siblings(claim, graph, chosen):
            words = f"{claim.stated.text.strip()} is {path}'s"
            yield Hypothesis(Fraction(sized), words, 2, "neighbour", ("sibling",))

    def _siblings(self, claim: Claim, graph: Graph, chosen: Selection) -> list[tuple[str, int]]:
        """The sizes of the same part in modules beside this one."""
        kept, key = self.judge.networks.kept, ("siblings", claim.model, chosen.paths, claim.quantity)
        if key not in kept:
            paths = [other for path in chosen.paths for other in siblings(graph, path)]
            sizes = [(path, size(select(graph, (path,)).nodes, claim.quantity)) for path in paths]
            kept[key] = [(path, sized) for path, sized in sizes if sized]
        found: list[tuple[str, int]] = kept[key]
        return found

    def _rare(self, judgement: Judgement) -> Iterator[Hypothesis]:
        """What is only looked for when nothing else fits: it takes long, and is rarely so."""
        claim = judgement.claim
        graph, chosen = self.judge.networks.of(claim), self.judge.networks.selection(claim)
        if graph is None or chosen is None or not is_fine(claim.stated):
            return
        yield from borrowed_widths(claim, graph, chosen)
        if chosen.whole and claim.stated.claims_all_digits:
            yield from elsewhere(self.judge.networks, claim)

    def attribute(self, judgement: Judgement, graph: Graph) -> str:
        """The cause of a wrong attribute: another module's or row's value, or a slip of the pen."""
        claim, stated, truth = judgement.claim, judgement.claim.stated, judgement.evidence.truth
        chosen = self.judge.networks.selection(claim)
        if truth is None or chosen is None or truth.mixed:
            return ""
        if truth.words:
            return f"it is {truth.text}"
        words = sibling_values(graph, chosen, claim)
        if words:
            return words
        for other in self.judge.ledgers.claims:
            if other.id == claim.id or not claim.table or other.table != claim.table:
                continue
            if claim.quantity == "stride" and other.row == claim.row and other.quantity == "output_shape":
                fits = self.judge.witnesses.of(other).truth
                if fits is not None and fits.agrees(other.stated):
                    return f"the row's own map, {other.stated.text.strip()}, needs {truth.text}"
        for other in self.judge.ledgers.claims:
            alike = (other.table, other.column, other.quantity) == (claim.table, claim.column, claim.quantity)
            if claim.table and alike and other.id != claim.id and other.stated.values == stated.values:
                return f"{stated.text.strip()} is the value of the row {other.label or other.row}"
        if stated.form == "number" and truth.value is not None:
            return edits.digits(stated, Fraction(truth.value))
        return edits.figures(stated, truth.readings)

    def misprinted_formula(self, judgement: Judgement) -> str:
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


def _strides(chosen: Selection, quantity: str, right: Fraction) -> Iterator[Hypothesis]:
    """The work of a convolution with another stride, or without its padding."""
    if len(chosen.weighted) != 1 or chosen.weighted[0].op.category != "convolution":
        return
    node = chosen.weighted[0]
    own: tuple[int, ...] = getattr(node.op, "stride", ())
    sides = len(own)
    others = [s for s in _STRIDES if own and own != (s,) * sides]
    for field, value, words in (
        *(("stride", (s,) * sides, f"stride {s} instead of {own[0]}") for s in others),
        ("padding", (0,) * sides, "no padding"),
        ("groups", 1, "its groups ignored"),
    ):
        changed = _changed(node, field, value)
        sized = size((changed,), quantity) if changed is not None else None
        if sized and sized != right:
            yield Hypothesis(
                Fraction(sized),
                f"{words} gives {show(sized)}",
                2,
                "layer",
                ("groups ignored" if field == "groups" else f"{field} {value}",),
            )


def _maps(graph: Graph, chosen: Selection, right: Fraction) -> Iterator[Hypothesis]:
    """The work of a convolution counted on another map than its own output's: its input's, or one before a pooling."""
    if len(chosen.weighted) != 1 or chosen.weighted[0].op.category != "convolution":
        return
    node = chosen.weighted[0]
    own = prod(node.output_shape[2:])
    before = graph.nodes[node.inputs[0]]
    maps = [node.input_shapes[0][2:], *[shape[2:] for shape in before.input_shapes]]
    for sides in dict.fromkeys(map(tuple, maps)):
        if len(sides) == len(node.output_shape) - 2 and prod(sides) != own:
            value = right * prod(sides) / own
            name = "×".join(map(str, sides))
            words = f"counted on the map before it, {name}, which gives {show(value)}"
            yield Hypothesis(value, words, 2, "layer", ("map before",))


def _changed(node: Node, field: str, value: object) -> Node | None:
    """The layer with one attribute changed; None where it has none, or does not take its input then."""
    if not hasattr(node.op, field):
        return None
    try:
        op = node.op.replace(**{field: value})
        return Node(node.name, op, node.inputs, node.input_shapes, op.shape(node.input_shapes))
    except OpError:
        return None
