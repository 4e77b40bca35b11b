"""Results as notebooks show them: the same objects, with a short repr and their report as HTML.

Results come from rooms below, which know of no reports; the library's verbs hand them out in these classes.
"""

from __future__ import annotations

from dataclasses import fields

from ..analysis.compare import Comparison
from ..check.verification import Verification
from .compare import comparison
from .formats.html import fragment
from .verify import verification


class ShownVerification(Verification):
    """A verification whose repr is its verdict, and which a notebook shows as `archinspect verify` does."""

    def __repr__(self) -> str:
        heard = {check.tool for check in self.tools if check.verdict in ("agrees", "differs")}
        verdict = "agrees" if self.ok else _differ(len(self.mismatches))
        batches = ", ".join(map(str, self.batches))
        return (
            f"<Verification of {self.model}: {verdict}; "
            f"{len(self.layers)} layers, {len(heard)} tools, batches {batches}>"
        )

    def _repr_html_(self) -> str:
        return fragment(verification(self))


class ShownComparison(Comparison):
    """A comparison whose repr is the difference of the totals, and which a notebook shows as tables."""

    def __repr__(self) -> str:
        count = len(self.differences)
        return (
            f"<Comparison of {self.a.graph.name} and {self.b.graph.name}: "
            f"{count} difference{'' if count == 1 else 's'}, "
            f"{self.params:+,} parameters, {self.macs:+,} MACs>"
        )

    def _repr_html_(self) -> str:
        return fragment(comparison([self]))


def _differ(count: int) -> str:
    return "1 figure differs" if count == 1 else f"{count} figures differ"


def shown_verification(found: Verification) -> ShownVerification:
    return ShownVerification(**{field.name: getattr(found, field.name) for field in fields(found)})


def shown_comparison(found: Comparison) -> ShownComparison:
    return ShownComparison(**{field.name: getattr(found, field.name) for field in fields(found)})
