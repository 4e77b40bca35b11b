"""The published witness: claims about the world against figures with sources."""

from __future__ import annotations

from . import edits
from .evidence import Evidence
from .ledger import Figure
from .verdicts import Judgement


def confirmed(evidence: Evidence) -> Judgement | None:
    """A number that a source gives for this very network, whatever the network's graph says."""
    for figure in evidence.figures:
        if evidence.claim.stated.agrees(figure.value.value):
            notes = (describe(figure),)
            return Judgement(
                evidence.claim, evidence, ("cited",), refuted=False, notes=notes, source=figure.source
            )
    return None


def judge_cited(evidence: Evidence) -> Judgement:
    """Confirmed, refuted, or without a source.

    A figure counts for a claim when it is the same subject's; where the claim speaks of an event (a year's contest), a
    figure that was not reached in it refutes it.
    """
    claim = evidence.claim
    own = [figure for figure in evidence.figures if figure.subject == claim.subject]
    contested = claim.event and any(figure.event == claim.event for figure in evidence.figures)
    inside = [figure for figure in own if not contested or figure.event == claim.event]
    agreeing = [figure for figure in inside if claim.stated.agrees(figure.value.value)]
    if agreeing:
        figure = agreeing[0]
        notes = (figure.entry,) if figure.entry else ()
        return Judgement(
            claim, evidence, ("cited",), figure.value.value, refuted=False, notes=notes, source=figure.source
        )
    if not own:
        return Judgement(claim, evidence, ("cited",), refuted=None)
    best = (inside or own)[0]
    cause = _why(evidence, own, inside)
    return Judgement(
        claim,
        evidence,
        ("cited",),
        best.value.value if inside else None,
        refuted=True,
        cause=cause,
        notes=tuple(words for words in map(describe, inside) if words not in cause),
        source=best.source,
    )


def _why(evidence: Evidence, own: list[Figure], inside: list[Figure]) -> str:
    """Whose figure it is instead: same event first, then the same subject elsewhere."""
    claim = evidence.claim
    elsewhere = [f for f in own if f not in inside and claim.stated.agrees(f.value.value)]
    others = [f for f in evidence.figures if f.event == claim.event and f.subject != claim.subject]
    same = [f for f in others if claim.event and claim.stated.agrees(f.value.value)]
    parts = [f"{claim.stated.text} is {describe(figure)}" for figure in (*same, *elsewhere)]
    if elsewhere and not same:
        winners = [f for f in others if "winner" in f.entry]
        parts += [f"{claim.event}: {describe(figure)}" for figure in winners]
    if not parts and inside:
        slip = edits.digits(claim.stated, inside[0].value.value)
        parts = [f"the source has {describe(inside[0])}", *filter(None, [slip])]
    return "; ".join(parts)


def describe(figure: Figure) -> str:
    entry = f" ({figure.entry})" if figure.entry else ""
    return f"{figure.subject}'s {figure.value.text}{entry}"
