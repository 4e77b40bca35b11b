"""Right claims with one number changed at random: each is flagged, and its cause named where its kind is known."""

from __future__ import annotations

import pytest

from tests.check.mutations import Bench, Rate, mutations, rates, table
from tests.support import DOCS

FEW, MANY = 104, 520


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def total(found: dict[str, Rate]) -> Rate:
    return Rate(*(sum(getattr(rate, field) for rate in found.values()) for field in vars(Rate())))


def test_right_claims_unchanged_are_not_flagged(bench: Bench) -> None:
    right = [claim for claim in bench.right if bench.changed(claim, stated=claim.stated).wrong]
    assert len(bench.right) > 200
    assert right == []


def test_a_changed_number_is_flagged(bench: Bench) -> None:
    unnoticed = [
        (c.id, text) for kind, c, text, judgement in mutations(bench, FEW, seed=7) if not judgement.wrong
    ]
    assert len(unnoticed) <= FEW // 100, unnoticed


@pytest.mark.slow
def test_rates_of_thousands_of_mutations_are_those_of_the_page() -> None:
    """`python -m tests.check.mutations` prints the table of docs/claims-proof.md."""
    found = rates(MANY)
    whole = total(found)
    assert whole.flagged >= 0.99 * whole.tried
    assert whole.rightly >= 0.9 * whole.tried
    assert table(found) in (DOCS / "claims-proof.md").read_text(encoding="utf-8")
