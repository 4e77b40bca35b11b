"""The waterfall: from a printed figure to the network's, and on to its variants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ...graph import Graph
from ..ledger import Claim
from ..networks import title
from ..quantities import params
from .account import Accountant
from .attributes import between, left_out, mend, rest
from .steps import Step

if TYPE_CHECKING:
    from ..judge import Judge

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
    account = Accountant(judge, graph).open(claim)
    for layer in account.layers:
        mend(account.book, layer.weights, layer.node, copy=layer.copy)
        account.book.add("other parameters", layer.node.name, rest(layer.node))
    left_out(account.book, graph, chosen.nodes, account.covered)
    where = "" if chosen.whole else f", {', '.join(chosen.paths[:3])}"
    return _made(
        f"{title(graph)}{where}",
        f"printed in section {claim.section}: {claim.stated.text}"
        if claim.section
        else f"printed: {claim.stated.text}",
        claim.stated.value,
        account.book.steps(),
        title(graph) + where,
        Fraction(params(chosen.nodes)),
    )


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

    `wanted` are the ids of the claims to explain; all of them for None.
    """
    claims = [
        c for c in judge.ledgers.claims if c.derived and c.quantity == "params" and c.stated.form == "number"
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
