"""Why printed numbers do not fit each other, and which slips a sum carries."""

from __future__ import annotations

from fractions import Fraction

from .. import edits
from ..assess import Assessor
from ..evidence import Related, holds
from ..ledger import Claim
from ..printed import show
from ..verdicts import Judgement
from .slips import is_fine

_LIKELY = 2  # slips of the pen that are looked for within a sum
_MOST_REPEATS = 64  # more blocks than any network repeats


class RelationCauses:
    """Searches what is wrong between printed numbers."""

    def __init__(self, judge: Assessor) -> None:
        self.judge = judge

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

    def contradiction(self, judgement: Judgement, own: str) -> str:
        """What the number contradicts; `own` is how it may come out of the right one."""
        claim, stated = judgement.claim, judgement.claim.stated
        for related in judgement.evidence.related:
            if not holds(stated, related):
                return self._broken(claim, related)
        for other in self.judge.witnesses.repeats[self.judge.witnesses.topic(claim)]:
            truth = self.judge.witnesses.of(other).truth
            if other.stated.values != stated.values and truth is not None and truth.agrees(other.stated):
                words = self._how(judgement, other, own)
                return f"{where(other)} prints {other.stated.text.strip()}" + (f"; {words}" if words else "")
        if stated.misprint:
            return stated.misprint
        truth = judgement.evidence.truth
        derived = f"the row's own derivation has {truth.text}" if truth is not None else ""
        return "; ".join(filter(None, [derived, own]))

    @staticmethod
    def _how(judgement: Judgement, other: Claim, own: str) -> str:
        stated, right = judgement.claim.stated, other.stated
        if stated.form != "number" or right.form != "number":
            return edits.figures(stated, [tuple(int(value) for value in right.values)])
        return edits.digits(stated, right.value) or own

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
        if part and _gives(claim, related.value - part):
            return f"without {name} they give {show(related.value - part)}"
        if part and _gives(claim, related.value + part):
            return f"with {name} twice they give {show(related.value + part)}"
    for member in related.members:
        name, part = member.label or member.row or member.id, member.stated.value
        for slip in edits.slips(member.stated, part):
            if slip.tier <= _LIKELY and _gives(claim, related.value - part + slip.value):
                what = slip.keys[0]
                return f"{name} was added as {show(slip.value)}, not {show(part)} ({what})"
    return ""


def _gives(claim: Claim, value: Fraction) -> bool:
    agreement = claim.stated.agrees(value)
    return agreement == "exact" or (agreement == "rounded" and is_fine(claim.stated))


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
