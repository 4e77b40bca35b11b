"""Every printed total with the steps that lead from it to the network's figure, or what nothing explains.

A total with parts is taken apart (`reconcile`); one that stands alone is explained by the likeliest
hypothesis about it, the first that `check` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ..graph import Graph
from .hypotheses import Hypothesis, likeliest
from .judge import Judge
from .ledger import Claim
from .networks import title
from .quantities import size
from .reconcile.attributes import between_sizes
from .reconcile.steps import ROUNDING, Ledgerbook, Step
from .reconcile.waterfall import Waterfall, from_print, to_variant, waterfall
from .roles import SIZES
from .select import Selection

_SEVERAL = 2  # layers; of one layer the cause says all


def reconcile(judge: Judge, wanted: set[str] | None = None) -> tuple[Waterfall, ...]:
    """A waterfall for every printed total that no other total contains, and for the variants it could mean.

    A number without parts of its own has one where it is wrong and speaks of more than one layer.

    `wanted` are the ids of the claims to explain; all of them for None.
    """
    claims = [c for c in judge.ledgers.claims if _is_total(judge, c)]
    parts = {m.id for c in claims for related in judge.witnesses.of(c).related for m in related.members}
    found: list[Waterfall] = []
    seen: set[tuple[str, str]] = set()
    for claim in claims:
        if claim.id in parts or "#" in claim.id or (wanted is not None and claim.id not in wanted):
            continue
        made = waterfall(judge, claim) or _alone(judge, claim)
        if made is None or not (made.steps or made.residue):
            continue
        found.append(made)
        graph = judge.networks.graph(claim.model)
        for other in judge.networks.lookalikes(claim, graph):
            if (graph.name, title(other)) not in seen:
                seen.add((graph.name, title(other)))
                found.append(to_variant(graph, other))
    return tuple(found)


def _is_total(judge: Judge, claim: Claim) -> bool:
    if claim.quantity not in SIZES or claim.stated.form != "number" or claim.subject:
        return False
    if claim.derived:
        return claim.quantity == "params"
    return _stands_alone(judge, claim)


def _stands_alone(judge: Judge, claim: Claim) -> bool:
    """Whether a number is printed without its parts, is wrong, and no other number on the topic is taken apart."""
    chosen = judge.networks.selection(claim)
    if claim.formula or chosen is None or len(chosen.weighted) < _SEVERAL or not judge.of(claim).wrong:
        return False
    topic = judge.witnesses.repeats[judge.witnesses.topic(claim)]
    return not any(other.derived or other.formula for other in topic)


def _alone(judge: Judge, claim: Claim) -> Waterfall | None:
    """A total without parts: the steps of its cause."""
    graph, chosen = judge.networks.of(claim), judge.networks.selection(claim)
    if graph is None or chosen is None or claim.derived or claim.formula:
        return None
    right = size(chosen.nodes, claim.quantity)
    hypothesis = likeliest(judge.causes.fits(judge.of(claim))) if right else None
    if hypothesis is None or right is None:
        return from_print(claim, graph, chosen, ())
    book = Ledgerbook()
    book.add(ROUNDING, claim.stated.text.strip(), hypothesis.value - claim.stated.value)
    steps = tuple(_steps(hypothesis, graph, chosen, claim.quantity, right))
    return from_print(claim, graph, chosen, book.steps() + steps)


def _steps(
    hypothesis: Hypothesis, graph: Graph, chosen: Selection, quantity: str, right: int
) -> Iterator[Step]:
    """The way back from the hypothesis' figure to the network's."""
    other = hypothesis.other
    if other is not None and chosen.whole and size(other.layers, quantity) == hypothesis.value:
        yield from between_sizes(other, graph, quantity)
        return
    undone = sum((step.amount for step in hypothesis.steps), Fraction(0))
    if hypothesis.steps and undone == hypothesis.value - right:
        for step in hypothesis.steps:
            yield Step(step.undone, -step.amount, ((step.words, -step.amount),))
    elif hypothesis.value != right:
        yield Step(
            "the cause undone", right - hypothesis.value, ((hypothesis.words, right - hypothesis.value),)
        )
