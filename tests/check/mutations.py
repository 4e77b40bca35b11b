"""Mutations of right claims: does the tool notice each, and name its cause?

`python -m tests.check.mutations [COUNT]` prints the rates that docs/claims-proof.md shows.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from archinspect.check.equations import terms
from archinspect.check.judge import Judge
from archinspect.check.ledger import Claim, Ledgers
from archinspect.check.networks import Networks
from archinspect.check.printed import parse
from archinspect.check.reading import lecture
from archinspect.check.roles import SIZES
from archinspect.check.verdicts import NO_CAUSE, Judgement

Mutator = Callable[["Bench", Claim, random.Random], str | None]


@dataclass(frozen=True)
class Kind:
    """A kind of mutation; `cause` is what a true explanation of it says, "" where none can be expected."""

    name: str
    mutate: Mutator
    cause: str = ""
    of_formula: bool = False


class Bench:
    """The lecture's ledger, judged once, and everything a mutation needs."""

    def __init__(self) -> None:
        self.ledgers = lecture()
        self.networks = Networks(self.ledgers.models)
        self.judge = Judge(self.ledgers, self.networks)
        self.judged = {c.id: self.judge.of(c) for c in self.ledgers.claims}
        #: right claims that give all their digits, or those of a source; "≈ 60 Mil" stays true for many a change
        self.right = [
            c
            for c in self.ledgers.claims
            if not self.judged[c.id].wrong
            and (c.stated.claims_all_digits or (c.subject and not c.stated.about))
        ]

    def changed(self, claim: Claim, **fields: object) -> Judgement:
        """The claim's judgement after it, and nothing else in the ledger, was changed."""
        new = replace(claim, **fields)  # type: ignore[arg-type]
        parts = tuple(
            replace(part, claims=tuple(new if c.id == claim.id else c for c in part.claims))
            for part in self.ledgers.parts
        )
        return Judge(Ledgers(parts), self.networks).explained(new)


def digits_of(claim: Claim) -> list[int]:
    return [m.start() for m in re.finditer(r"\d", claim.stated.text)]


def one_digit(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
    text = claim.stated.text
    if not digits_of(claim):  # "two"
        return None
    place = rng.choice(digits_of(claim))
    other = rng.choice([d for d in "123456789" if d != text[place]])
    return text[:place] + other + text[place + 1 :]


def swapped_digits(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
    text = claim.stated.text
    places = digits_of(claim)
    pairs = [(a, b) for a, b in pairwise(places) if text[a] != text[b] and text[b] != "0"]
    if not pairs or claim.stated.form != "number":
        return None
    a, b = rng.choice(pairs)
    return text[:a] + text[b] + text[a + 1 : b] + text[a] + text[b + 1 :]


def lost_digit(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
    if claim.stated.form != "number" or not claim.stated.claims_all_digits or claim.stated.value < 100:
        return None
    digits = str(claim.stated.value)
    place = rng.randrange(1, len(digits))
    return f"{int(digits[:place] + digits[place + 1 :]):,}"


def scaled(ratio: Fraction) -> Mutator:
    def mutate(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
        value = claim.stated.value * ratio
        if (
            claim.quantity not in SIZES
            or not claim.stated.claims_all_digits
            or not value
            or value.denominator > 1
        ):
            return None
        return f"{int(value):,}"

    return mutate


def neighbour(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
    others = {
        c.stated.text
        for c in bench.ledgers.claims
        if claim.table
        and c.table == claim.table
        and c.column == claim.column
        and c.quantity == claim.quantity
    }
    others = {t for t in others if parse(t).values != claim.stated.values and parse(t).value}
    return rng.choice(sorted(others)) if others else None


def recounted(change: Callable[..., int]) -> Mutator:
    """A count with one attribute of its derivation changed."""

    def mutate(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
        layers = terms(claim.formula)
        if claim.quantity != "params" or len(layers) != 1 or not claim.stated.claims_all_digits:
            return None
        count = change(layers[0], rng)
        return f"{count:,}" if count != layers[0].count else None

    return mutate


def operand(bench: Bench, claim: Claim, rng: random.Random) -> str | None:
    """The derivation with one figure misprinted."""
    figures = list(re.finditer(r"\d+", claim.formula))
    if claim.quantity != "params" or not figures or "onvolution" in claim.formula:
        return None
    match = rng.choice(figures)
    value = int(match[0])
    other = rng.choice([value * 2, value + 1, value + 10, max(1, value // 2) if value > 1 else 3])
    return claim.formula[: match.start()] + str(other) + claim.formula[match.end() :]


KINDS = (
    Kind("one digit changed", one_digit, "digit| for "),
    Kind("two neighbouring digits swapped", swapped_digits, "swapped"),
    Kind("a digit lost", lost_digit, "lost"),
    Kind("twice the number", scaled(Fraction(2)), "twice|biases|width|kernel|row"),
    Kind("half the number", scaled(Fraction(1, 2)), "half|width|row"),
    Kind("ten times the number", scaled(Fraction(10)), "too many"),
    Kind("K = 1024 for 1000", scaled(Fraction(1000, 1024)), "1024|width|row"),
    Kind("a neighbouring row's value", neighbour, "row|'s"),
    Kind(
        "biases forgotten", recounted(lambda w, r: replace(w, bias=False).count), "leaving out the .* biases"
    ),
    Kind("kernel area forgotten", recounted(lambda w, r: replace(w, kernel=()).count), "kernel|row|width"),
    Kind(
        "another kernel",
        recounted(lambda w, r: replace(w, kernel=(5, 5) if w.kernel == (3, 3) else w.kernel).count),
        "kernel|row|width",
    ),
    Kind(
        "input width for output width",
        recounted(lambda w, r: replace(w, outputs=w.inputs).count),
        "width|row|half|twice|quarter|four",
    ),
    Kind("a figure of the derivation", operand, "derivation", of_formula=True),
)


def mutations(bench: Bench, count: int, seed: int) -> Iterator[tuple[Kind, Claim, str, Judgement]]:
    """Random mutations, all kinds in turn."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        kind = KINDS[made % len(KINDS)]
        claim = rng.choice(bench.right)
        text = kind.mutate(bench, claim, rng)
        if text is None or text == (claim.formula if kind.of_formula else claim.stated.text):
            continue
        if kind.of_formula:
            yield kind, claim, text, bench.changed(claim, formula=text)
        else:
            yield kind, claim, text, bench.changed(claim, stated=parse(text))
        made += 1


@dataclass
class Rate:
    tried: int = 0
    flagged: int = 0
    explained: int = 0
    rightly: int = 0


def rates(count: int, seed: int = 1) -> dict[str, Rate]:
    bench = Bench()
    found = {kind.name: Rate() for kind in KINDS}
    for kind, _, _, judgement in mutations(bench, count, seed):
        rate = found[kind.name]
        rate.tried += 1
        rate.flagged += judgement.wrong
        cause = judgement.cause
        named = judgement.wrong and bool(cause) and NO_CAUSE not in cause
        rate.explained += named
        rate.rightly += named and bool(re.search(kind.cause, cause))
    return found


def table(found: dict[str, Rate]) -> str:
    """The rates as Markdown."""
    lines = [
        "| mutation | tried | flagged | a cause stated | it names the mutation |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    total = Rate()
    for name, rate in found.items():
        lines.append(line(name, rate))
        for field in vars(total):
            setattr(total, field, getattr(total, field) + getattr(rate, field))
    return "\n".join([*lines, line("all", total)])


def line(name: str, rate: Rate) -> str:
    shares = [f"{count / rate.tried:.1%}" for count in (rate.flagged, rate.explained, rate.rightly)]
    return f"| {name} | {rate.tried:,} | {' | '.join(shares)} |"


if __name__ == "__main__":
    print(table(rates(int(sys.argv[1]) if len(sys.argv) > 1 else 520)))
