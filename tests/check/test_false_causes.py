"""Random wrong figures have no cause: what is stated of them is an accident, and rare."""

from __future__ import annotations

import pytest

from archinspect.check.networks import Networks
from tests.check.false_causes import DIGITS, figures, stated
from tests.support import one_in

FEW, MANY = 12, 300


@pytest.mark.parametrize("kind", ["total", "layer"])
def test_a_random_figure_hardly_has_a_cause(kind: str) -> None:
    found = [
        cause for digits in DIGITS for _, cause in figures(kind, digits, FEW, Networks({})) if stated(cause)
    ]
    assert len(found) <= FEW // 4, found


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind_and_digits", one_in(3, [(kind, digits) for digits in DIGITS for kind in ("total", "layer")])
)
def test_at_most_two_in_a_hundred_have_one(kind_and_digits: tuple[str, int]) -> None:
    """A sample of this size of 2 % stays below 4 % in all but one of ten thousand."""
    kind, digits = kind_and_digits
    found = [cause for _, cause in figures(kind, digits, MANY, Networks({})) if stated(cause)]
    assert len(found) <= 0.04 * MANY, found
