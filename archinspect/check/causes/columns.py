"""A table is one witness: what explains several of its numbers outranks what explains one.

The wrong numbers of a table, and the single numbers of a section, are explained together.  A part of a hypothesis ("no
biases", "G means 2³⁰", "the variant with its stride in the 1×1 convolution") that fits two of them or more is shared
when all of them would hardly fit it by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

from ..assess import Assessor
from ..hypotheses import BUDGET, Fit
from ..ledger import Claim
from ..roles import SIZES
from ..verdicts import Judgement
from .slips import Slips

_FEWEST = 2  # numbers that a shared cause explains
_MANY = 6  # twice the numbers that make a cause one of the column
_ENOUGH = 0.5  # votes of other numbers
_HARDLY = 0.1  # the vote of a number that may as well be explained otherwise

#: parts of hypotheses in words; others say themselves what they are
_WORDS = {
    "no biases": "biases are left out",
    "biases": "biases are counted that the layers do not have",
    "one bias a layer": "one bias is counted for a whole layer",
    "statistics": "BatchNorm's running statistics are counted as parameters, as in Keras",
    "no γ": "BatchNorm has no scale γ",
    "MACs": "these are multiply-accumulates",
    "2 MACs": "twice the multiply-accumulates, and no other operation",
    "no input channels": "the input channels are left out",
    "groups ignored": "groups are ignored",
    "headless": "the head is left out",
}

#: the same of parts that have a figure or a name in them
_PATTERNS = (
    (r"batch (\d+)", r"counted for a batch of \1, not for one image"),
    (r"input (\d+)", r"counted for an input of \1×\1"),
    (r"variant (\w+)=(?:True|False)", r"it is the variant with the other \1"),
    (r"variant (.+)", r"it is \1"),
    (r"(\d) bytes", r"\1 bytes each, not 4"),
    (r"times 1/(\d+)", r"all are divided by \1"),
    (r"times (\d+)", r"all are multiplied by \1"),
    (r"(\w+) × 1", r"\1's rules"),
    (r"(\w+) × 2", r"\1's rules, 2 FLOPs for each multiply-accumulate"),
    (r"(\w+) (\d+)", r"the same \1: \2"),
)

Group = tuple[str, str]
#: part of a hypothesis → number → the chance that it fits by accident, and how much the number speaks for it
Votes = dict[str, dict[str, tuple[float, float]]]


@dataclass(frozen=True)
class Shared:
    """What numbers of one table have in common."""

    key: str
    claims: tuple[Claim, ...]

    @property
    def words(self) -> str:
        numbers = ", ".join(claim.stated.text.strip() for claim in self.claims[:4])
        more = len(self.claims) - 4
        rest = f" and {more} more" if more > 0 else ""
        return f"{_in_words(self.key)}: {numbers}{rest}"


def _in_words(key: str) -> str:
    """A part of hypotheses, as a sentence."""
    if key in _WORDS:
        return _WORDS[key]
    found = ((pattern, words) for pattern, words in _PATTERNS if re.fullmatch(pattern, key))
    return next((re.sub(pattern, words, key) for pattern, words in found), key)


class Columns:
    """Explains the wrong sizes of each table together."""

    def __init__(self, judge: Assessor, slips: Slips) -> None:
        self.judge = judge
        self.slips = slips
        self._groups: dict[Group, tuple[dict[str, list[Fit]], list[Shared]]] = {}

    def fits(self, judgement: Judgement) -> list[Fit]:
        """The hypotheses that give a printed number, those before all others that explain its table."""
        claim = judgement.claim
        fits, _ = self._explained(_group(claim))
        return fits[claim.id] if claim.id in fits else self.slips.fits(judgement)

    def shared(self) -> tuple[Shared, ...]:
        """What is shared in each table, most numbers first."""
        groups = dict.fromkeys(_group(claim) for claim in self._claims())
        found = [shared for group in groups for shared in self._explained(group)[1]]
        return tuple(sorted(found, key=lambda shared: -len(shared.claims)))

    def _claims(self) -> Iterator[Claim]:
        for claim in self.judge.ledgers.claims:
            if claim.quantity in SIZES and claim.stated.form == "number" and not claim.subject:
                yield claim

    def _explained(self, group: Group) -> tuple[dict[str, list[Fit]], list[Shared]]:
        if group not in self._groups:
            fits: dict[str, list[Fit]] = {}
            chances: Votes = {}
            for claim in self._claims():
                if _group(claim) != group or claim.derived:  # a sum repeats what its members say
                    continue
                judgement = self.judge.of(claim)
                if not judgement.wrong:
                    truth = judgement.evidence.truth
                    other = truth.meant(claim.stated) if truth is not None else None
                    if other is not None and other.key:
                        chances.setdefault(other.key, {})[claim.id] = (0.0, 1.0)
                    continue
                fits[claim.id] = self.slips.fits(judgement)
                for fit in reversed(fits[claim.id]):
                    # A slip of the pen is one number's; what multiplies all of a column is not.
                    multiplied = fit.hypothesis.keys[:1] and fit.hypothesis.keys[0].startswith("times ")
                    if multiplied or fit.hypothesis.kind not in ("digits", "neighbour"):
                        # A number speaks for its likeliest hypothesis, and hardly for one that is much rarer.
                        vote = 10 ** -(fit.rank[1] - fits[claim.id][0].rank[1])
                        for key in fit.hypothesis.keys:
                            chances.setdefault(key, {})[claim.id] = (fit.chance, vote)
            self._groups[group] = self._joined(fits, chances)
        return self._groups[group]

    def _joined(
        self, fits: dict[str, list[Fit]], chances: Votes
    ) -> tuple[dict[str, list[Fit]], list[Shared]]:
        by_id = self.judge.ledgers.by_id
        shared: dict[str, dict[str, float]] = {}
        for key, claims in chances.items():
            values = {by_id[id].stated.values for id in claims}
            if len(values) >= _FEWEST and len(chances) * prod(c for c, _ in claims.values()) <= BUDGET:
                shared[key] = {id: vote for id, (_, vote) in claims.items()}

        def supported(id: str, fit: Fit) -> Fit:
            votes = [
                sum(vote for other, vote in shared.get(key, {}).items() if other != id)
                for key in fit.hypothesis.keys
            ]
            support = min(votes, default=0.0)
            support = support if support >= _ENOUGH else 0.0
            return replace(fit, support=support, believed=fit.believed or support > 0)

        common = {
            quantity: {
                key
                for key, votes in shared.items()
                if _MANY <= 2 * sum(votes.get(id, 0.0) >= _HARDLY for id in ids) > len(ids)
            }
            for quantity, ids in _by_quantity(by_id[id] for id in fits).items()
        }

        def order(id: str, fit: Fit) -> tuple[object, ...]:
            # What holds for most of a column holds for all of it, as far as it can.
            kept = common[by_id[id].quantity].intersection(fit.hypothesis.keys)
            return (-len(kept), -fit.support, fit.rank)

        joined = {
            id: sorted((supported(id, fit) for fit in found), key=lambda fit, id=id: order(id, fit))  # type: ignore[misc]
            for id, found in fits.items()
        }
        explained: dict[str, list[Claim]] = {}
        for id, found in joined.items():
            if found and found[0].support:
                for key in found[0].hypothesis.keys:
                    explained.setdefault(key, []).append(by_id[id])
        return joined, [Shared(k, tuple(c)) for k, c in explained.items() if len(c) >= _FEWEST]


def _by_quantity(claims: Iterable[Claim]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for claim in claims:
        found.setdefault(claim.quantity, []).append(claim.id)
    return found


def _group(claim: Claim) -> Group:
    """The table that a number stands in; single numbers of a section stand together."""
    return claim.section, claim.table
