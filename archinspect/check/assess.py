"""From evidence to verdicts, without their causes.

No claim is judged by its id or text: only by what the witnesses say.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .equations import terms
from .evidence import Evidence, Related, Witnesses, holds, slack, with_binary_units
from .ledger import Claim, Ledgers
from .networks import Networks
from .precision import to_the_last_digit
from .printed import Printed
from .published import confirmed, judge_cited
from .roles import SIZES
from .verdicts import Judgement, Verdict


class Assessor:
    """Gives verdicts, to members of a sum before the sum.  `networks` may be shared by several assessors."""

    def __init__(self, ledgers: Ledgers, networks: Networks | None = None) -> None:
        self.networks = networks or Networks(ledgers.models)
        self.ledgers = with_binary_units(to_the_last_digit(ledgers), self.networks)
        self.witnesses = Witnesses(self.ledgers, self.networks)
        self._done: dict[str, Judgement] = {}
        self._open: set[str] = set()

    def of(self, claim: Claim) -> Judgement:
        """The claim's verdicts, without their causes."""
        if claim.id not in self._done:
            self._open.add(claim.id)
            self._done[claim.id] = self._judge(self.witnesses.of(claim))
            self._open.discard(claim.id)
        return self._done[claim.id]

    def members(self, related: Related) -> tuple[Judgement, ...]:
        """The judged members of a relation; a circle of relations ends here."""
        return tuple(self.of(member) for member in related.members if member.id not in self._open)

    def _judge(self, evidence: Evidence) -> Judgement:
        claim = evidence.claim
        if claim.subject:
            return judge_cited(evidence)
        truth = evidence.truth
        agreement = truth.agrees(claim.stated) if truth is not None else None
        if agreement is None and not (evidence.formula or evidence.related):
            cited = confirmed(evidence)
            if cited is not None:
                return replace(cited, computed=None if truth is None else _figure(evidence))
        verdicts = self._arithmetic(evidence, right=agreement is not None)
        mended = self._mended(evidence)
        if truth is None:
            if not verdicts:
                verdicts = ["exact" if claim.stated.claims_all_digits else "rounded"]
        elif agreement is None:
            if self._misfit(evidence, mended) or not verdicts:
                verdicts += [self._unlike(evidence)] if not verdicts else ["differs"]
        elif not verdicts:
            verdicts = [agreement]
        computed = None if truth is None else _figure(evidence)
        notes = [claim.stated.misprint] if claim.stated.misprint else []
        other = truth.meant(claim.stated) if truth is not None else None
        if other is not None:
            notes.append(other.words)
        return Judgement(
            claim, evidence, tuple(dict.fromkeys(verdicts)), computed, mended, notes=tuple(notes)
        )

    def _arithmetic(self, evidence: Evidence, *, right: bool) -> list[Verdict]:
        """What the number's own derivation and the numbers around it say."""
        stated = evidence.claim.stated
        verdicts: list[Verdict] = []
        if evidence.formula is not None and stated.agrees(evidence.formula) is None:
            # A sum of printed terms that is right for them carries their slips.
            carries = any(r.kind == "sum" and holds(stated, r) and self.tainted(r) for r in evidence.related)
            verdicts.append("carried" if carries else "slip")
        for related in evidence.related:
            if holds(stated, related):
                if not right and self.tainted(related) and not self._holds_mended(stated, related):
                    verdicts.append("carried")
            elif self._contradicts(evidence, related, right=right) and (
                not verdicts or related.kind != "sum"
            ):
                verdicts.append("contradiction")
        if stated.misprint and not verdicts:
            verdicts.append("contradiction")
        return verdicts

    def _contradicts(self, evidence: Evidence, related: Related, *, right: bool) -> bool:
        """Whether a relation that does not hold speaks against this number, and not against its members."""
        members = self.members(related)
        if right:
            return not any(member.wrong for member in members)
        mended = [member.mended for member in members if member.mended is not None]
        if len(mended) < len(members) or not self.tainted(related):
            return True
        return not holds(evidence.claim.stated, replace(related, value=_combine(related, mended)))

    def _holds_mended(self, stated: Printed, related: Related) -> bool:
        """Whether the relation holds without the slips, too: they are lost in the rounding."""
        mended = [member.mended for member in self.members(related)]
        known = [part for part in mended if part is not None]
        if stated.claims_all_digits or len(known) < len(related.members):
            return False
        return holds(stated, replace(related, value=_combine(related, known)))

    def tainted(self, related: Related) -> bool:
        """Whether a member of the relation is a slip, or carries one."""
        return any(map(self.taints, self.members(related)))

    @staticmethod
    def taints(judgement: Judgement) -> bool:
        """Whether what is built on this number is built on a slip."""
        return any(verdict in ("slip", "carried", "contradiction") for verdict in judgement.verdicts)

    def _mended(self, evidence: Evidence) -> Fraction | None:
        """The number with the slips behind it mended, and nothing else changed."""
        if evidence.formula is not None:
            return evidence.formula
        for related in evidence.related:
            parts = [member.mended for member in self.members(related)]
            if len(parts) == len(related.members) and None not in parts:
                known = [part for part in parts if part is not None]
                return _combine(related, known)
        return evidence.claim.stated.value if evidence.claim.stated.form == "number" else None

    @staticmethod
    def _misfit(evidence: Evidence, mended: Fraction | None) -> bool:
        """Whether even the mended number is not the network's."""
        true = evidence.truth.value if evidence.truth is not None else None
        if true is None or mended is None or (evidence.formula is None and not evidence.related):
            return False
        loose = sum((related.slack for related in evidence.related), Fraction(0))
        return abs(mended - true) > loose

    def _unlike(self, evidence: Evidence) -> Verdict:
        """What to call a number that is not the network's, with no derivation of its own that fails."""
        claim = evidence.claim
        if evidence.formula is not None or evidence.related:
            return "differs"
        for other in self.witnesses.repeats[self.witnesses.topic(claim)]:
            if other.id != claim.id and self.witnesses.of(other).truth is not None:
                truth = self.witnesses.of(other).truth
                if truth is not None and truth.agrees(other.stated) and not _compatible(claim, other):
                    return "contradiction"
        if claim.quantity in SIZES:
            return "slip" if self._row_is_right(claim) else "differs"
        return "contradiction" if self._row_formula_is_right(evidence) else "differs"

    def _row_is_right(self, claim: Claim) -> bool:
        """Whether the other columns of the row are the network's, so that they give another number."""
        others = [
            c for c in self.ledgers.claims if claim.table and c.table == claim.table and c.row == claim.row
        ]
        others = [c for c in others if c.id != claim.id and c.quantity not in SIZES]
        truths = [(self.witnesses.of(c).truth, c) for c in others]
        return bool(truths) and all(truth is not None and truth.agrees(c.stated) for truth, c in truths)

    def _row_formula_is_right(self, evidence: Evidence) -> bool:
        """Whether the row's own derivation uses the network's value of this attribute."""
        claim, truth = evidence.claim, evidence.truth
        for other in self.ledgers.claims:
            if claim.table and other.table == claim.table and other.row == claim.row and other.formula:
                described = terms(other.formula)
                if len(described) != 1 or truth is None:
                    continue
                layer = described[0]
                said = {
                    "in_channels": (layer.inputs,),
                    "out_channels": (layer.outputs,),
                    "kernel_size": layer.kernel
                    if len(claim.stated.values) < 3
                    else (*layer.kernel, layer.inputs),
                }.get(claim.quantity)
                if said is not None and said in truth.readings:
                    return True
        return False


def _combine(related: Related, parts: list[Fraction]) -> Fraction:
    if related.kind != "product":
        return sum(parts, Fraction(0))
    value = Fraction(1)
    for part in parts:
        value *= part
    return value


def _compatible(one: Claim, other: Claim) -> bool:
    """Whether two printed numbers can stand for the same figure."""
    if one.stated.form != "number" or other.stated.form != "number":
        return one.stated.values == other.stated.values
    return holds(one.stated, Related("same", (other,), other.stated.value, slack(other.stated)))


def _figure(evidence: Evidence) -> Fraction | tuple[int, ...] | None:
    truth = evidence.truth
    if truth is None:
        return None
    other = truth.meant(evidence.claim.stated)
    if other is not None:
        return Fraction(other.value)
    return Fraction(truth.value) if truth.value is not None else truth.readings[0]
