"""The waterfall: from a printed figure to the network's, and on to its variants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...graph import Graph
from ..assess import Assessor
from ..ledger import Claim
from ..networks import title
from ..quantities import params, size
from ..select import Selection
from .account import Accountant
from .attributes import between, left_out, mend, rest
from .steps import Step


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


def waterfall(judge: Assessor, claim: Claim) -> Waterfall | None:
    """The steps from a printed number of parameters that has parts to the network's; None for another number."""
    graph, chosen = judge.networks.of(claim), judge.networks.selection(claim)
    if graph is None or chosen is None or claim.quantity != "params" or claim.stated.form != "number":
        return None
    if not (claim.derived or claim.formula):
        return None
    chosen = judge.witnesses.selected(claim, chosen)
    account = Accountant(judge, graph).open(claim)
    for layer in account.layers:
        mend(account.book, layer.weights, layer.node, copy=layer.copy)
        account.book.add("other parameters", layer.node.name, rest(layer.node))
    left_out(account.book, graph, chosen.nodes, account.covered)
    return from_print(claim, graph, chosen, account.book.steps())


def from_print(claim: Claim, graph: Graph, chosen: Selection, steps: tuple[Step, ...]) -> Waterfall:
    """The steps from a printed number to the network's figure, whatever it is of."""
    where = "" if chosen.whole else f", {', '.join(chosen.paths[:3])}"
    section = f" in section {claim.section}" if claim.section else ""
    name = f"{title(graph)}{where}"
    start, end = claim.stated.value, Fraction(size(chosen.nodes, claim.quantity) or 0)
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
