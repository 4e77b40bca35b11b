"""What can be known of a claim: four independent witnesses, none of which judges.

Its own printed formula, evaluated exactly; the other printed numbers that it adds up, multiplies or repeats; the
network's graph; published figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Literal

from .conventions import CONVENTIONS, count
from .equations import evaluate
from .ledger import Claim, Figure, Ledgers
from .networks import Networks
from .printed import Printed, show
from .quantities import BYTES, Reading, Truth, kept_beside, measure, size, statistics
from .roles import SIZES
from .select import Selection

#: units that may mean powers of 1024
BINARY = {"K": 2**10, "k": 2**10, "M": 2**20, "G": 2**30}

#: quantities → the other rules by which a whole table may count them
RULES: dict[str, tuple[str, ...]] = {
    "params": ("keras",),
    "weight_bytes": ("keras",),
    "macs": tuple(CONVENTIONS),
    "flops": tuple(
        name for name, tool in CONVENTIONS.items() if tool.per_mac > 1
    ),  # others print MACs as FLOPs
}
RULE_NAMES = tuple(dict.fromkeys(rule for rules in RULES.values() for rule in rules))
TOOLS = {"flop_counter": "torch's FlopCounterMode"}  # conventions that are not named as their tool
_FEWEST = 2  # layers that tell by which rule a table counts

Topic = tuple[str, tuple[str, ...], str, str]
Relation = Literal["sum", "product", "same"]


@dataclass(frozen=True)
class Related:
    """A relation to other printed numbers, with what these give together and how far they are rounded."""

    kind: Relation
    members: tuple[Claim, ...]
    value: Fraction
    slack: Fraction


@dataclass(frozen=True)
class Evidence:
    """What the witnesses say of one claim; None where one has nothing to say."""

    claim: Claim
    formula: Fraction | None
    related: tuple[Related, ...]
    truth: Truth | None
    figures: tuple[Figure, ...]

    @property
    def truth_value(self) -> Fraction | None:
        """The network's figure when it is a single number."""
        value = None if self.truth is None else self.truth.value
        return None if value is None else Fraction(value)


def slack(stated: Printed) -> Fraction:
    """How far the number may be from what it stands for."""
    if stated.claims_all_digits:
        return Fraction(0)
    return stated.step if stated.over or stated.under else stated.step / 2


def holds(stated: Printed, related: Related) -> bool:
    """Whether a relation holds as far as the numbers are printed."""
    return abs(stated.value - related.value) <= slack(stated) + related.slack


class Witnesses:
    """Calls the witnesses for the claims of some ledgers."""

    def __init__(self, ledgers: Ledgers, networks: Networks) -> None:
        self.ledgers = ledgers
        self.networks = networks
        self._evidence: dict[str, Evidence] = {}
        self._rules: dict[tuple[str, str], str] = {}

    def of(self, claim: Claim) -> Evidence:
        """All evidence on a claim.  Raises ArchinspectError when its network or layers do not exist."""
        if claim.id not in self._evidence:
            formula = Fraction(evaluate(claim.formula)) if claim.formula else None
            self._evidence[claim.id] = Evidence(
                claim, formula, self._related(claim), self._truth(claim), self._figures(claim)
            )
        return self._evidence[claim.id]

    def _related(self, claim: Claim) -> tuple[Related, ...]:
        found = []
        by_id = self.ledgers.by_id
        if claim.sum:
            found.append(_sum(self.ledgers.members(claim)))
        if claim.product:
            factors = tuple(by_id[name] for name in claim.product)
            value = prod((factor.stated.value for factor in factors), start=Fraction(1))
            # A rounded factor is rounded as often as the others say.
            loose = sum(
                (slack(f.stated) * value / f.stated.value for f in factors if f.stated.value), Fraction(0)
            )
            found.append(Related("product", factors, value, loose))
        if claim.same:
            other = by_id[claim.same]
            found.append(Related("same", (other,), other.stated.value, slack(other.stated)))
        return tuple(found)

    def _truth(self, claim: Claim) -> Truth | None:
        graph, chosen = self.networks.of(claim), self.networks.selection(claim)
        if graph is None or chosen is None:
            return None
        selected = self.selected(claim, chosen)
        truth = measure(graph, selected, claim.quantity, claim.stated)
        counted = claim.quantity in RULES and claim.stated.form == "number"
        rule = (claim.counts or self._rule(claim.section, claim.quantity)) if counted else ""
        known = rule in RULES.get(claim.quantity, ())
        reading = self._by_rule(rule, claim, selected) if known else None
        return truth if truth is None or reading is None else replace(truth, others=(*truth.others, reading))

    @cached_property
    def _columns(self) -> dict[tuple[str, str], list[Claim]]:
        """The numbers of each section that some tool counts otherwise, by quantity."""
        found: dict[tuple[str, str], list[Claim]] = {}
        for claim in self.ledgers.claims:
            if claim.quantity in RULES and not claim.subject and claim.stated.form == "number":
                found.setdefault((claim.section, claim.quantity), []).append(claim)
        return found

    def _rule(self, section: str, quantity: str) -> str:
        """The rule by which a section's layers are counted throughout, as a tool prints them; "" for ours.

        A summary that Keras printed counts running statistics in every BatchNorm's row; nothing of it is wrong.
        """
        if (section, quantity) not in self._rules:
            self._rules[section, quantity] = self._find_rule(
                self._columns.get((section, quantity), []), quantity
            )
        return self._rules[section, quantity]

    def _find_rule(self, claims: list[Claim], quantity: str) -> str:
        rows: list[tuple[Claim, Selection, bool]] = []
        for claim in claims:
            graph, chosen = self.networks.of(claim), self.networks.selection(claim)
            if graph is not None and chosen is not None and not chosen.whole and not claim.sum:
                truth = measure(graph, chosen, quantity, claim.stated)
                if truth is not None:
                    rows.append((claim, chosen, truth.agrees(claim.stated) is not None))
        found, right = "", sum(own for _, _, own in rows)
        for rule in RULES[quantity] if len(rows) - right >= _FEWEST else ():
            fits, only = 0, 0
            for claim, chosen, own in rows:
                reading = self._by_rule(rule, claim, chosen)
                there = reading is not None and claim.stated.agrees(reading.value) is not None
                fits += there or (own and reading is None)
                only += there and not own
            if only >= _FEWEST and fits > right:
                found, right = rule, fits
        return found

    def _by_rule(self, rule: str, claim: Claim, chosen: Selection) -> Reading | None:
        """What a rule of counting gives for some layers."""
        if rule == "keras":
            value = size(chosen.nodes, claim.quantity)
            kept = statistics(chosen.nodes) * (BYTES if claim.quantity == "weight_bytes" else 1)
            words = f"with {kept_beside(chosen.nodes)}, as Keras counts; without them {show(value or 0)}"
            return Reading((value or 0) + kept, words, "statistics") if kept else None
        key = ("counts", claim.model, rule)
        if key not in self.networks.kept:
            counts = count(self.networks.graph(claim.model), rule)
            self.networks.kept[key] = counts.macs, {row.name: row.count for row in counts.rows}
        total, rows = self.networks.kept[key]
        macs = total if chosen.whole else sum(rows.get(node.name, 0) for node in chosen.nodes)
        value = macs * CONVENTIONS[rule].per_mac if claim.quantity == "flops" else macs
        return Reading(
            int(value), f"{TOOLS.get(rule, rule)}'s rules", f"{rule} × {value // macs if macs else 1}"
        )

    def selected(self, claim: Claim, chosen: Selection) -> Selection:
        """The layers that a subtotal means: those of its rows, where these name all its layers with weights.

        The sum of a table of convolutions does not speak of the normalisation between them.
        """
        if claim.same:
            first = self.ledgers.by_id[claim.same]
            own = self.networks.selection(first)
            same = own is not None and own.nodes == chosen.nodes and not first.same
            return self.selected(first, chosen) if same else chosen
        if chosen.whole or not claim.sum:
            return chosen
        rows = [self.networks.selection(member) for member in self.ledgers.members(claim)]
        named = {node.name for row in rows if row is not None for node in row.nodes}
        nodes = tuple(node for node in chosen.nodes if node.name in named)
        if None in rows or named != {node.name for node in nodes} or not nodes:
            return chosen
        return replace(chosen, nodes=nodes) if {n.name for n in chosen.weighted} <= named else chosen

    def _figures(self, claim: Claim) -> tuple[Figure, ...]:
        figures = [figure for figure in self.ledgers.figures if figure.quantity == claim.quantity]
        # Of a network's own figures only those matter that a source gives for that very network.
        return tuple(figure for figure in figures if claim.subject or figure.subject == claim.model)

    @cached_property
    def repeats(self) -> dict[Topic, list[Claim]]:
        """Claims that state the same thing."""
        found: dict[Topic, list[Claim]] = {}
        for claim in self.ledgers.claims:
            found.setdefault(self.topic(claim), []).append(claim)
        return found

    def topic(self, claim: Claim) -> Topic:
        """What a claim speaks of: model or subject, the layers' paths, quantity; and in a collection its source."""
        chosen = self.networks.selection(claim)
        paths = (claim.event,) if chosen is None else tuple(node.name for node in chosen.nodes)
        source = f"{claim.section} {claim.table}" if claim.id in self.ledgers.collected else ""
        return claim.model or claim.subject, paths, claim.quantity, source


def _sum(members: tuple[Claim, ...]) -> Related:
    value = sum((member.stated.value for member in members), Fraction(0))
    loose = sum((slack(member.stated) for member in members), Fraction(0))
    return Related("sum", members, value, loose)


def with_binary_units(ledgers: Ledgers, networks: Networks) -> Ledgers:
    """The ledgers with K, M and G read as powers of 1024 in columns where that makes more of the printed figures true.

    Papers and tables do not say which they mean; the column as a whole tells.
    """
    columns: dict[tuple[str, str, str], list[Claim]] = {}
    for claim in ledgers.claims:
        if claim.stated.unit in BINARY and claim.model and claim.quantity in SIZES:
            columns.setdefault((claim.section, claim.table, claim.column or claim.quantity), []).append(claim)
    changed: dict[str, Claim] = {}
    witnesses = Witnesses(ledgers, networks)
    for claims in columns.values():
        binary = [replace(c, stated=c.stated.rescaled(BINARY[c.stated.unit])) for c in claims]
        truths = [witnesses.of(claim).truth for claim in claims]

        def right(read: list[Claim], truths: list[Truth | None] = truths) -> int:
            pairs = zip(truths, read, strict=True)
            return sum(truth is not None and truth.agrees(claim.stated) is not None for truth, claim in pairs)

        # One figure alone may be anything: that it is right in another unit is its cause, not its reading.
        if len(claims) > 1 and right(binary) > right(claims):
            changed.update((claim.id, claim) for claim in binary)
    parts = tuple(replace(p, claims=tuple(changed.get(c.id, c) for c in p.claims)) for p in ledgers.parts)
    return Ledgers(parts)
