"""How precisely a column prints: a round figure among figures that give every digit gives every digit, too."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .ledger import Claim, Ledgers
from .roles import SIZES

_FEWEST = 3  # other cells that tell how a column prints


def to_the_last_digit(ledgers: Ledgers) -> Ledgers:
    """The ledgers with 2,000 read as the exact number where its column prints 1,728 and 36,864.

    Not so where it says "about", has a unit, or is a sum or a total, which people round.
    """
    columns: dict[tuple[str, str], list[Claim]] = {}
    for claim in ledgers.claims:
        if claim.table and claim.quantity in SIZES and not claim.subject:
            columns.setdefault((claim.table, claim.column), []).append(claim)
    exact: dict[str, Claim] = {}
    for claims in columns.values():
        telling = [claim for claim in claims if claim.stated.value >= 1000]
        full = sum(claim.stated.claims_all_digits for claim in telling)
        if full < _FEWEST or 2 * full <= len(telling):
            continue
        for claim in telling:
            stated = claim.stated
            loose = stated.about or stated.over or stated.under
            bare = stated.form == "number" and not (stated.unit or loose)
            part = claim.layers and not claim.derived
            if bare and part and stated.step > 1:
                exact[claim.id] = replace(claim, stated=replace(stated, step=Fraction(1)))
    if not exact:
        return ledgers
    parts = [replace(p, claims=tuple(exact.get(c.id, c) for c in p.claims)) for p in ledgers.parts]
    return Ledgers(tuple(parts))
