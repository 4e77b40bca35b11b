"""Why a printed number is wrong.

A cause is stated only when it gives the printed number, to its precision, and when that is hardly an accident (see
`hypotheses`); where several fit they are all named, and otherwise there is "no cause found".  The numbers of a table
are explained together (`columns`).  Nothing here knows any particular table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ... import units
from ...graph import Graph
from .. import edits
from ..assess import Assessor
from ..hypotheses import Fit, cause, possible, sure
from ..networks import title
from ..printed import show
from ..quantities import params
from ..roles import SIZES, STORED
from ..verdicts import NO_CAUSE, Judgement, Verdict
from .architecture import ArchitectureCauses
from .columns import Columns, Shared
from .origin import place
from .relations import RelationCauses
from .slips import Slips

_BINARY_WORDS = {2**10: "1024", 2**20: "2²⁰", 2**30: "2³⁰"}


def off_by(judgement: Judgement) -> str:
    """`, 6.9 % too small`: how far a rounded size is off."""
    right, stated = judgement.evidence.truth_value, judgement.claim.stated
    if not right or stated.form != "number" or stated.claims_all_digits:
        return ""
    share = (stated.value - right) / right
    amount = units.percent(abs(share.numerator), share.denominator)
    return f"; {amount} too {'small' if share < 0 else 'large'}"


class Explainer:
    """Searches the causes of judgements."""

    def __init__(self, judge: Assessor) -> None:
        self.judge = judge
        self.slips = Slips(judge)
        self.columns = Columns(judge, self.slips)
        self.architecture = ArchitectureCauses(judge, self.slips)
        self.relations = RelationCauses(judge)

    def explained(self, judgement: Judgement) -> Judgement:
        """The judgement with its cause, notes and the source of the computed figure."""
        claim = judgement.claim
        if claim.subject:
            return judgement
        graph = self.judge.networks.of(claim)
        notes = (*judgement.notes, *self._notes(judgement, graph))
        source = place(graph, claim.layers, self.judge.networks.selection(claim)) if graph is not None else ""
        if not judgement.wrong:
            return replace(judgement, notes=notes, source=source)
        fits = self.fits(judgement)
        judgement = self._renamed(judgement, fits)
        return replace(judgement, cause=self._cause(judgement, graph, fits), notes=notes, source=source)

    def fits(self, judgement: Judgement) -> list[Fit]:
        """The hypotheses about a number that is wrong, likeliest first, what explains its table before all others."""
        return self.columns.fits(judgement)

    def shared(self) -> tuple[Shared, ...]:
        """What explains several numbers of a table at once."""
        return self.columns.shared()

    @staticmethod
    def _renamed(judgement: Judgement, fits: list[Fit]) -> Judgement:
        """The judgement with "convention" for what is no difference of architecture: a unit, a way of counting."""
        found = sure(fits)
        if found is None or found.kind not in ("unit", "convention") or "differs" not in judgement.verdicts:
            return judgement
        verdicts: list[Verdict] = ["convention" if v == "differs" else v for v in judgement.verdicts]
        return replace(judgement, verdicts=tuple(verdicts))

    def _cause(self, judgement: Judgement, graph: Graph | None, fits: list[Fit]) -> str:
        """One cause for each verdict; with its verdict before it where there are several."""
        found = [(verdict, self._of(verdict, judgement, graph, fits)) for verdict in judgement.verdicts]
        if len(found) == 1:
            if found[0][1]:
                return found[0][1]
            perhaps = possible(fits)
            return NO_CAUSE + off_by(judgement) + (f"; {perhaps}" if perhaps else "")
        return "; ".join(f"{verdict}: {words or NO_CAUSE}" for verdict, words in found)

    def _of(self, verdict: Verdict, judgement: Judgement, graph: Graph | None, fits: list[Fit]) -> str:
        if verdict == "carried":
            return self.relations.carried(judgement)
        if verdict == "contradiction":
            return self.relations.contradiction(judgement, cause(fits) or self._attribute(judgement, graph))
        if verdict == "slip" and self._derivation_alone_is_wrong(judgement):
            return self.slips.misprinted_formula(judgement)
        if verdict in ("slip", "convention"):
            return cause(fits) or self._none(judgement) or self._attribute(judgement, graph)
        if judgement.claim.quantity not in SIZES:
            return self._attribute(judgement, graph)
        described = self.architecture.find(judgement, graph)
        return described or cause(fits) or self._none(judgement)

    @staticmethod
    def _derivation_alone_is_wrong(judgement: Judgement) -> bool:
        evidence, stated = judgement.evidence, judgement.claim.stated
        failed = evidence.formula is not None and stated.agrees(evidence.formula) is None
        return failed and evidence.truth is not None and evidence.truth.agrees(stated) is not None

    def _attribute(self, judgement: Judgement, graph: Graph | None) -> str:
        if graph is None or judgement.claim.quantity in SIZES:
            return ""
        return self.slips.attribute(judgement, graph)

    def _none(self, judgement: Judgement) -> str:
        """What has none of the quantity, and what is rounded where every digit is due."""
        chosen, right = self.judge.networks.selection(judgement.claim), self.slips.right(judgement)
        if right == 0 and chosen is not None:
            return f"{', '.join(dict.fromkeys(node.op.type for node in chosen.nodes))} has none"
        return edits.rounded_off(judgement.claim.stated, right) if right else ""

    def _notes(self, judgement: Judgement, graph: Graph | None) -> Iterator[str]:
        """What is right and still worth a word."""
        claim, truth = judgement.claim, judgement.evidence.truth
        if judgement.wrong and truth is not None and claim.quantity in STORED:
            yield from (f"{show(other.value)} where {other.words}" for other in truth.others)
        binary = _BINARY_WORDS.get(claim.stated.scales[0])
        if claim.stated.unit.upper() in ("K", "M", "G") and binary:
            yield f"{claim.stated.unit} means {binary} in this column"
        if graph is not None and judgement.verdicts == ("exact",) and claim.quantity in ("params", "weights"):
            yield from self._ungrouped(judgement)
        if graph is None or truth is None or truth.value is None or judgement.verdicts != ("rounded",):
            return
        right, stated = Fraction(truth.value), claim.stated
        if stated.unit.upper() in ("KB", "MB", "GB") and stated.meant(right) % 1024 == 0:
            yield f"{stated.unit} means {stated.unit[0]}iB here"
        for other in self.judge.networks.lookalikes(claim, graph):
            yield f"{show(right)} here; {title(other)} has {show(params(other.layers))}"

    def _ungrouped(self, judgement: Judgement) -> Iterator[str]:
        """A right figure of a convolution that a named variant of the network has in groups, or without them."""
        claim, chosen = judgement.claim, self.judge.networks.selection(judgement.claim)
        if chosen is None or len(chosen.weighted) != 1 or claim.stated.form != "number":
            return
        node = chosen.weighted[0]
        for other in self.judge.networks.variants(claim.model):
            twin = other.by_name.get(node.name)
            if twin is None or twin.output_shape != node.output_shape:
                continue
            groups = [int(getattr(layer.op, "groups", 1)) for layer in (node, twin)]
            if groups[0] != groups[1] and params((twin,)) != params((node,)):
                own = self.judge.networks.graph(claim.model).name
                yield f"right for {own}; {title(other)} has {show(params((twin,)))}"
