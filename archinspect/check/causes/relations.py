"""Why printed numbers do not fit each other, and which slips a sum carries."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ...graph import Graph
from ..evidence import Related, holds
from ..ledger import Claim
from ..printed import show
from ..verdicts import Judgement
from . import edits
from .slips import SlipCauses, gives

if TYPE_CHECKING:
    from ..judge import Judge

_MOST_REPEATS = 64  # more blocks than any network repeats


class RelationCauses:
    """Searches what is wrong between printed numbers."""

    def __init__(self, judge: Judge, slips: SlipCauses) -> None:
        self.judge = judge
        self.slips = slips

    def carried(self, judgement: Judgement) -> str:
        """Which slips a number carries, and what it is without them."""
        mended = judgement.mended
        after = f"; mended it is {show(mended)}" if mended is not None else ""
        for related in judgement.evidence.related:
            tainted = [
                m for m in self.judge.members(related) if self.judge.taints(m) and m.mended is not None
            ]
            if not tainted:
                continue
            if related.kind == "same":
                return f"repeats {where(tainted[0].claim)}, which carries a slip{after}"
            pairs = [f"{m.claim.stated.text.strip()} for {show(m.mended or 0)}" for m in tainted]
            return f"carries {', '.join(pairs)}{after}"
        return ""

    def contradiction(self, judgement: Judgement, graph: Graph | None) -> str:
        """What the number contradicts."""
        claim, stated = judgement.claim, judgement.claim.stated
        for related in judgement.evidence.related:
            if not holds(stated, related):
                return self._broken(claim, related)
        for other in self.judge.witnesses.repeats[self.judge.witnesses.topic(claim)]:
            truth = self.judge.witnesses.of(other).truth
            if other.stated.values != stated.values and truth is not None and truth.agrees(other.stated):
                words = self._how(judgement, other, graph)
                return f"{where(other)} prints {other.stated.text.strip()}" + (f"; {words}" if words else "")
        if stated.misprint:
            return stated.misprint
        truth = judgement.evidence.truth
        words = self.slips.from_graph(judgement, graph)
        own = f"the row's own derivation has {truth.text}" if truth is not None else ""
        return "; ".join(filter(None, [own, words]))

    def _how(self, judgement: Judgement, other: Claim, graph: Graph | None) -> str:
        stated, right = judgement.claim.stated, other.stated
        if stated.form != "number" or right.form != "number":
            return edits.figures(stated, [tuple(int(value) for value in right.values)])
        return edits.digits(stated, right.value) or self.slips.from_graph(judgement, graph)

    def _broken(self, claim: Claim, related: Related) -> str:
        """A relation that does not hold, and one change that makes it hold."""
        stated, value = claim.stated, related.value
        if related.kind == "same":
            other = related.members[0]
            words = f"{where(other)} prints {other.stated.text.strip()}"
        elif related.kind == "product":
            numbers = " × ".join(show(member.stated.value) for member in related.members)
            words = f"{numbers} = {show(value)}"
        else:
            words = f"the rows sum to {show(value)}"
        how = _rows(claim, related) or edits.digits(stated, value) or _repeats(stated.value, related)
        if not how and related.kind == "same":
            factor = edits.factor(stated, value)
            how = f"{stated.text.strip()} is {factor}" if factor else ""
        return f"{words}; {how}" if how else words


def where(claim: Claim) -> str:
    """`section 4.3.3`, or the claim's id where the source has no sections."""
    return f"section {claim.section}" if claim.section else claim.id


def _rows(claim: Claim, related: Related) -> str:
    """A sum with one row left out, or counted twice."""
    if related.kind != "sum":
        return ""
    for member in related.members:
        name, part = member.label or member.row or member.id, member.stated.value
        if part and gives(claim.stated, related.value - part):
            return f"without {name} they give {show(related.value - part)}"
        if part and gives(claim.stated, related.value + part):
            return f"with {name} twice they give {show(related.value + part)}"
    return ""


def _repeats(stated: Fraction, related: Related) -> str:
    """A product with another number of repeats."""
    if related.kind != "product":
        return ""
    for member in related.members:
        count = member.stated.value
        if not 0 < count <= _MOST_REPEATS or not related.value:
            continue
        instead = stated * count / related.value
        if instead.denominator == 1 and 0 < instead <= _MOST_REPEATS:
            return f"it is {show(instead)} times, not {show(count)}"
    return ""
