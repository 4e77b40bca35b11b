"""Hypotheses about a wrong number, and how far one that fits can be believed.

A hypothesis says what may have happened and which figure that gives.  It fits when that figure prints as the number
does.  Many hypotheses are tried, so some fit by accident; the coarser the printed number, the more.  The chance of that
is estimated, and bounded: likeliest first, hypotheses may be believed until a wrong figure drawn at random would meet
one of them with a probability of `BUDGET`.  What fits beyond that is told as a possibility, never as the cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..graph import Graph
from .printed import Printed, show

#: the most that a random wrong figure may meet a believed hypothesis of one claim
BUDGET = 0.02

#: what a hypothesis is about; a unit or a convention is no difference of architecture
Kind = Literal["unit", "convention", "variant", "counting", "layer", "digits", "neighbour"]

_NEAR = 0.22  # |ln ratio| within which wrong figures are likelier
_CUT = 0.5  # to cut digits off is that much less likely than to round them, in tiers
_OWN_CUT = 1.1
_FAR = 3  # steps of the printed precision
_RARE = 4  # the tier from which a hypothesis is only ever told as a possibility
_PLAIN = 2  # the tier up to which a coarse figure's hypotheses are worth naming
_SHOWN = 3  # hypotheses named where several fit


@dataclass(frozen=True)
class Step:
    """A part of a hypothesis: what it changes the figure by, and the name of undoing it."""

    amount: Fraction
    words: str
    undone: str


@dataclass(frozen=True)
class Hypothesis:
    """What may have happened, and the figure that it gives.

    `tier` ranks it: 1 for what happens daily, 3 for what is rare.  `keys` name its parts without their figures, so that
    the same mistake is recognised in other numbers of a table.  `other` is the network that it speaks of instead.
    """

    value: Fraction
    words: str
    tier: float
    kind: Kind
    keys: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    other: Graph | None = None


@dataclass(frozen=True)
class Fit:
    """A hypothesis that prints as the number does: rounded, or with its digits cut off.

    `chance` is the probability that a random wrong figure would fit it; `believed` tells whether all that were tried
    before it leave room for that.  `support` counts the other numbers of the table that it explains as well.
    """

    hypothesis: Hypothesis
    chance: float
    believed: bool
    cut: bool = False
    support: float = 0.0

    @property
    def rank(self) -> tuple[bool, float]:
        return not self.support, self.hypothesis.tier + (_CUT if self.cut else 0)

    @property
    def words(self) -> str:
        words = self.hypothesis.words
        return f"{words}, cut off instead of rounded" if self.cut else words


def chance(stated: Printed, value: Fraction, right: Fraction) -> float:
    """The probability that a random wrong figure of this precision prints as `value` would.

    Wrong figures are taken to lie within a fifth of the right one as often as further off, and hardly beyond a half and
    twice of it.  The estimate is on the high side.
    """
    if value <= 0 or right <= 0:
        return 1.0
    import math

    ratio = float(value / right)
    width = float(stated.step / value) if not stated.claims_all_digits else float(1 / value)
    far = ratio / 1.5 if 0.5 <= ratio <= 2 else 0.25
    return min(1.0, width * (max(far, 1.35) if abs(math.log(ratio)) < _NEAR else max(far, 0.25)))


def weigh(
    stated: Printed,
    right: Fraction,
    tried: Iterable[Hypothesis],
    *,
    own_cut: str = "",
    budget: float = BUDGET,
) -> list[Fit]:
    """The hypotheses that fit, in the order in which they were tried: likeliest first.

    `own_cut` are the words for the right figure with its digits cut off, where the number is that.
    """
    ordered = [(h.tier, False, h) for h in tried if h.value > 0]
    if not stated.claims_all_digits:
        # What is only a few steps away may as well be the right figure, cut off or misprinted.
        whole = [h for _, _, h in ordered if h.kind in ("unit", "convention", "variant")]
        whole = [h for h in whole if h.kind == "variant" or abs(h.value - right) >= _FAR * stated.step]
        ordered += [(h.tier + _CUT, True, h) for h in whole]
    ordered.sort(key=lambda entry: entry[:2])
    spent, met, found = 0.0, {_prints(stated, right, cut=False): True}, []
    if own_cut:
        window, cost = _prints(stated, right, cut=True), chance(stated, right, right)
        met[window] = cost <= budget
        spent = cost if met[window] else 0
        found.append(Fit(Hypothesis(right, own_cut, _OWN_CUT, "counting", ("cut",)), cost, met[window]))
    for _, cut, hypothesis in ordered:
        window = _prints(stated, hypothesis.value, cut=cut)
        fits = stated.cut_off(hypothesis.value) if cut else stated.agrees(hypothesis.value) is not None
        if window in met and not fits:
            continue
        cost = chance(stated, hypothesis.value, right)
        if window not in met:
            met[window] = spent + cost <= budget and hypothesis.tier < _RARE
            spent += cost if met[window] else 0
        if fits:
            found.append(Fit(hypothesis, cost, met[window], cut))
    return found


def _prints(stated: Printed, value: Fraction, *, cut: bool) -> int | Fraction:
    """What a figure looks like at the precision of the printed number."""
    if stated.claims_all_digits or not stated.step:
        return value
    return value // stated.step if cut else round(value / stated.step)


def ranked(fits: Iterable[Fit]) -> list[Fit]:
    """Likeliest first, without those that say the same as another, or only more than is needed."""
    found: dict[str, Fit] = {}
    for fit in sorted(fits, key=lambda fit: fit.rank):
        keys = set(fit.hypothesis.keys)
        if not any(set(other.hypothesis.keys) < keys for other in found.values() if other.hypothesis.keys):
            found.setdefault(fit.words, fit)
    return list(found.values())


def cause(fits: list[Fit]) -> str:
    """What may be said of the cause: one that is sure, several that fit, or nothing."""
    if not fits:
        return ""
    best, *rest = fits
    rivals = [fit for fit in rest if fit.rank == best.rank]
    if not best.believed:  # what is nearly as likely cannot be told from it, either; misprints always fit
        listed = [fit for fit in fits if fit.hypothesis.kind not in ("digits", "neighbour")]
        listed = [fit for fit in listed if fit.rank[1] - best.rank[1] <= 1 and fit.hypothesis.tier <= _PLAIN]
        rivals = [fit for fit in listed if fit is not best] if best in listed else []
    if not rivals:
        return best.words if best.believed else ""
    named = [best, *rivals][:_SHOWN]
    more = len(rivals) + 1 - len(named)
    words = "; or ".join(fit.words for fit in named) + (f"; or {more} more" if more else "")
    return f"several fit: {words} ({apart(named)})"


def sure(fits: list[Fit]) -> Hypothesis | None:
    """The one hypothesis that is the cause."""
    words = cause(fits)
    return fits[0].hypothesis if words and words == fits[0].words else None


def likeliest(fits: list[Fit]) -> Hypothesis | None:
    """The likeliest of what fits: believed, or another network's figure."""
    best = fits[0] if fits else None
    return best.hypothesis if best and (best.believed or best.hypothesis.kind == "variant") else None


def possible(fits: list[Fit]) -> str:
    """The likeliest that fits without being sure, and why not.  A misprint is always possible, and not worth a word."""
    if not fits or cause(fits) or fits[0].hypothesis.kind == "digits":
        return ""
    often = max(2, round(1 / fits[0].chance))
    return f"perhaps: {fits[0].words} (so coarse a figure fits something by chance, too: 1 in {often:,})"


def apart(fits: list[Fit]) -> str:
    """What would tell hypotheses apart that print alike."""
    values = list(dict.fromkeys(fit.hypothesis.value for fit in fits))
    if len(values) == 1:
        return "other figures of the table would tell: layers apart, or what is trained"
    return f"more digits would tell: {', '.join(map(show, values))}"
