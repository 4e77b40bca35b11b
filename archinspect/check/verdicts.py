"""The verdicts a claim can bear, and the judgement that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from .evidence import Evidence
from .ledger import Claim

Verdict = Literal["exact", "rounded", "convention", "slip", "carried", "contradiction", "differs", "cited"]

#: verdict → what it says
MEANING: dict[Verdict, str] = {
    "exact": "equal to the computed figure",
    "rounded": "equal within the printed precision",
    "convention": "right in another unit or by another way of counting, which the cause names",
    "slip": "the printed derivation does not give the printed number",
    "carried": "right for the printed numbers it is made of, of which some are slips",
    "contradiction": "printed numbers contradict each other",
    "differs": "the arithmetic is right, the network has another figure",
    "cited": "history, held against a published source",
}
WRONG: frozenset[Verdict] = frozenset({"convention", "slip", "carried", "contradiction", "differs"})
NO_CAUSE = "no cause found"


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdicts.

    `computed` is what the number should be, `formula_value` what its own derivation gives, `mended` what it would be
    with the slips among the printed numbers mended.  `refuted` is None where no source speaks.
    """

    claim: Claim
    evidence: Evidence
    verdicts: tuple[Verdict, ...]
    computed: Fraction | tuple[int, ...] | None = None
    mended: Fraction | None = None
    refuted: bool | None = None
    cause: str = ""
    notes: tuple[str, ...] = ()
    source: str = ""

    @property
    def formula_value(self) -> Fraction | None:
        return self.evidence.formula

    @property
    def wrong(self) -> bool:
        return bool(WRONG.intersection(self.verdicts)) or self.refuted is True

    @property
    def word(self) -> str:
        """The verdicts as people read them."""
        words = [str(verdict) for verdict in self.verdicts]
        if "cited" in self.verdicts:
            state = {True: "refuted", False: "confirmed", None: "no source"}[self.refuted]
            words[words.index("cited")] = f"cited, {state}"
        return " + ".join(words)
