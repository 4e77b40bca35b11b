"""Why a printed number is wrong.

A cause is stated only when it gives the printed number exactly (to the printed precision where digits are left out);
otherwise there is "no cause found".  Nothing here knows any particular table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ... import units
from ...graph import Graph
from ..networks import title
from ..printed import show
from ..quantities import params
from ..verdicts import NO_CAUSE, Judgement, Verdict
from . import edits
from .architecture import ArchitectureCauses
from .origin import place
from .relations import RelationCauses
from .slips import SlipCauses

if TYPE_CHECKING:
    from ..judge import Judge


def off_by(judgement: Judgement) -> str:
    """`, 6.9 % too small`: how far a rounded size is off."""
    right, stated = judgement.evidence.truth_value, judgement.claim.stated
    if not right or stated.form != "number" or stated.claims_all_digits:
        return ""
    share = (stated.value - right) / right
    amount = units.percent(abs(share.numerator), share.denominator)
    return f"; {amount} too {'small' if share < 0 else 'large'}"


class Causes:
    """Searches the causes of judgements."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        slips = SlipCauses(judge)
        self.slips = slips
        self.architecture = ArchitectureCauses(judge, slips)
        self.relations = RelationCauses(judge, slips)

    def explained(self, judgement: Judgement) -> Judgement:
        """The judgement with its cause, notes and the source of the computed figure."""
        claim = judgement.claim
        if claim.subject:
            return judgement
        graph = self.judge.networks.of(claim)
        notes = (*judgement.notes, *self._notes(judgement, graph))
        cause = self._cause(judgement, graph) if judgement.wrong else ""
        source = place(graph, claim.layers, self.judge.networks.selection(claim)) if graph is not None else ""
        return replace(judgement, cause=cause, notes=notes, source=source)

    def _cause(self, judgement: Judgement, graph: Graph | None) -> str:
        """One cause for each verdict; with its verdict before it where there are several."""
        found = [(verdict, self._of(verdict, judgement, graph)) for verdict in judgement.verdicts]
        if len(found) == 1:
            return found[0][1] or NO_CAUSE + off_by(judgement)
        return "; ".join(f"{verdict}: {words or NO_CAUSE}" for verdict, words in found)

    def _of(self, verdict: Verdict, judgement: Judgement, graph: Graph | None) -> str:
        if verdict == "slip":
            return self.slips.find(judgement, graph)
        if verdict == "carried":
            return self.relations.carried(judgement)
        if verdict == "contradiction":
            return self.relations.contradiction(judgement, graph)
        return self.architecture.find(judgement, graph)

    def _notes(self, judgement: Judgement, graph: Graph | None) -> Iterator[str]:
        """What is right and still worth a word."""
        claim, truth = judgement.claim, judgement.evidence.truth
        if claim.stated.unit.upper() == "K" and claim.stated.scales == (1024,):
            yield "K means 1024 in this column"
        if graph is None or truth is None or truth.value is None or judgement.verdicts != ("rounded",):
            return
        right, stated = Fraction(truth.value), claim.stated
        words = edits.cut_off(stated, right)
        if words:
            yield words
        if stated.unit.upper() in ("KB", "MB", "GB") and stated.meant(right) % 1024 == 0:
            yield f"{stated.unit} means {stated.unit[0]}iB here"
        for other in self.judge.networks.lookalikes(claim, graph):
            yield f"{show(right)} here; {title(other)} has {show(params(other.layers))}"
