"""Rounding and units."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archinspect import units


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (units.grouped, 138_357_544, "138,357,544"),
        (units.binary_bytes, 138_357_544 * 4, "527.79 MiB"),
        (units.binary_bytes, 0, "0 B"),
        (units.binary_bytes, 1023, "1023 B"),
        (units.binary_bytes, 1024, "1.00 KiB"),
        (units.binary_bytes, 1024**2 - 1, "1.00 MiB"),  # not 1024.00 KiB
        (units.decimal_bytes, 138_357_544 * 4, "553.43 MB"),
        (units.decimal_bytes, 999_999, "1.00 MB"),
        (units.keras_bytes, 62_378_344 * 4, "237.95 MB"),  # lecture 6, section 4.2.2
        (units.keras_bytes, 0, "0.00 B"),
        (units.si, 15_470_264_320, "15.47 G"),
        (units.si, 4_089_184_256, "4.09 G"),
        (units.si, 999, "999"),
        (units.si, 999_999, "1.00 M"),
        (units.si, -2_000, "-2.00 k"),
        (units.shape_text, (1, 64, 224, 224), "1×64×224×224"),
        (units.seconds, 0.00123, "1.23 ms"),
        (units.seconds, 0.0, "0.00 ns"),
        (units.seconds, 0.9999999, "1.00 s"),
        (units.seconds, 75.0, "75.00 s"),
        (units.ratio, 2.4142, "2.41×"),
    ],
)
def test_text(function: object, value: object, text: str) -> None:
    assert callable(function)
    assert function(value) == text


def test_si_with_a_unit() -> None:
    assert units.si(15_470_264_320, "MACs") == "15.47 GMACs"
    assert units.si(12, "MACs") == "12 MACs"


def test_percent() -> None:
    assert units.percent(1, 8) == "12.5 %"
    assert units.percent(0, 0) == "0.0 %"


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**9), st.integers(0, 6))
def test_fixed_rounds_the_exact_quotient(numerator: int, denominator: int, places: int) -> None:
    text = units.fixed(numerator, denominator, places).replace(",", "")
    exact = Fraction(numerator, denominator)
    assert Fraction(text) == round(exact, places)


@given(st.integers(0, 10**19))
def test_a_unit_never_shows_more_than_its_base(count: int) -> None:
    for text, base in ((units.binary_bytes(count), 1024), (units.decimal_bytes(count), 1000)):
        number, _unit = text.replace(",", "").split(" ")
        assert float(number) < base or "e+" in number
