"""The waterfall: from a printed figure to the network's, and on to its variants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ...graph import Graph
from ..causes.totals import recounted
from ..ledger import Claim
from ..networks import title
from ..quantities import params
from ..select import Selection
from .account import Accountant
from .attributes import between, left_out, mend, rest
from .steps import ROUNDING, Ledgerbook, Step

if TYPE_CHECKING:
    from ..judge import Judge

_SEVERAL = 2  # layers; of one layer the cause says all

__all__ = ["Step", "Waterfall", "reconcile", "waterfall"]


@dataclass(frozen=True)
class Waterfall:
    """From `start` by `steps` to `end`; `residue` is what no step explains, 0 where all is explained."""

    title: str
    start_label: str
    start: Fraction
    steps: tuple[Step, ...]
    end_label: str
    end: Fraction
    residue: Fraction


def waterfall(judge: Judge, claim: Claim) -> Waterfall | None:
    """The steps from a printed number of parameters to the network's; None for another quantity."""
    graph, chosen = judge.networks.of(claim), judge.networks.selection(claim)
    if graph is None or chosen is None or claim.quantity != "params" or claim.stated.form != "number":
        return None
    if not (claim.derived or claim.formula):
        return _recounted(judge, claim, graph, chosen)
    account = Accountant(judge, graph).open(claim)
    for layer in account.layers:
        mend(account.book, layer.weights, layer.node, copy=layer.copy)
        account.book.add("other parameters", layer.node.name, rest(layer.node))
    left_out(account.book, graph, chosen.nodes, account.covered)
    return _from_print(claim, graph, chosen, account.book.steps())


def _recounted(judge: Judge, claim: Claim, graph: Graph, chosen: Selection) -> Waterfall | None:
    """A figure that is printed without its parts: counted in another way, or another network's."""
    ways = recounted(graph, chosen, claim)
    others = () if ways or not chosen.whole else judge.networks.others(claim)
    book = Ledgerbook()
    for way in ways:
        book.add(way.undone, way.words, -way.amount)
    reached = params(chosen.nodes) if ways else params(others[0].layers) if others else None
    if reached is not None:
        undone = sum(way.amount for way in ways)
        book.add(ROUNDING, claim.stated.text.strip(), reached + undone - claim.stated.value)
    steps = book.steps() + (between(others[0], graph) if others else ())
    return _from_print(claim, graph, chosen, steps)


def _from_print(claim: Claim, graph: Graph, chosen: Selection, steps: tuple[Step, ...]) -> Waterfall:
    where = "" if chosen.whole else f", {', '.join(chosen.paths[:3])}"
    section = f" in section {claim.section}" if claim.section else ""
    name = f"{title(graph)}{where}"
    start, end = claim.stated.value, Fraction(params(chosen.nodes))
    return _made(name, f"printed{section}: {claim.stated.text}", start, steps, name, end)


def to_variant(graph: Graph, other: Graph) -> Waterfall:
    """The steps from a network's parameters to those of a variant."""
    return _made(
        f"{title(graph)} and {title(other)}",
        title(graph),
        Fraction(params(graph.layers)),
        between(graph, other),
        title(other),
        Fraction(params(other.layers)),
    )


def _made(
    name: str, start_label: str, start: Fraction, steps: tuple[Step, ...], end_label: str, end: Fraction
) -> Waterfall:
    residue = end - start - sum((step.amount for step in steps), Fraction(0))
    return Waterfall(name, start_label, start, steps, end_label, end, residue)


def reconcile(judge: Judge, wanted: set[str] | None = None) -> tuple[Waterfall, ...]:
    """A waterfall for every printed total that no other total contains, and for the variants it could mean.

    A number without parts of its own has one where it is wrong and speaks of more than one layer.

    `wanted` are the ids of the claims to explain; all of them for None.
    """
    claims = [
        c
        for c in judge.ledgers.claims
        if c.quantity == "params" and c.stated.form == "number" and (c.derived or _stands_alone(judge, c))
    ]
    parts = {m.id for c in claims for related in judge.witnesses.of(c).related for m in related.members}
    found: list[Waterfall] = []
    seen: set[tuple[str, str]] = set()
    for claim in claims:
        if claim.id in parts or "#" in claim.id or (wanted is not None and claim.id not in wanted):
            continue
        made = waterfall(judge, claim)
        if made is None or not (made.steps or made.residue):
            continue
        found.append(made)
        graph = judge.networks.graph(claim.model)
        for other in judge.networks.lookalikes(claim, graph):
            if (graph.name, title(other)) not in seen:
                seen.add((graph.name, title(other)))
                found.append(to_variant(graph, other))
    return tuple(found)


def _stands_alone(judge: Judge, claim: Claim) -> bool:
    """Whether a number is printed without its parts, is wrong, and no other number on the topic is taken apart."""
    chosen = judge.networks.selection(claim)
    if claim.formula or chosen is None or len(chosen.weighted) < _SEVERAL or not judge.of(claim).wrong:
        return False
    topic = judge.witnesses.repeats[judge.witnesses.topic(claim)]
    return not any(other.derived or other.formula for other in topic)
