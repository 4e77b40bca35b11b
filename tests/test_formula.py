"""Derivations: what they mean, and that nothing else can be written in one."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archinspect.formula import FormulaError, equation, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("73,856", 73_856),
        ("1,024,000", 1_024_000),
        ("(3×3×64×128) + 128", 73_856),  # lecture 6, VGG-16, conv2_1
        ("(11 × 11 × 3 × 96) + 96", 34_944),  # lecture 6, section 4.2.2, Conv1
        ("⌊(224 + 2×3 − 7)/2⌋ + 1", 112),  # GoogLeNet conv1, arXiv:1409.4842, Table 1
        ("⌈(112 - 3)/2⌉ + 1", 56),
        ("⌈(112 − 3)/2⌉ + 1 − 1", 55),
        ("2×1,024 + 3", 2051),
        ("2·3*4", 24),
        ("3²×2³", 72),
        ("2^10", 1024),
        ("2 + 3×4 − 5", 9),
        ("8/4/2", 1),
        ("1/3", Fraction(1, 3)),
        ("−3 + 5", 2),
        ("2×−3", -6),
        ("(1, 64, ⌊(224 + 2×1 − 3)/1⌋ + 1, 224)", (1, 64, 224, 224)),
        ("(1, 256×6×6)", (1, 9216)),
        ("(1,000, 2)", (1000, 2)),
        ("(5,)", (5,)),
        ("((3))", 3),
        ("  7  ", 7),
    ],
)
def test_value(text: str, value: object) -> None:
    result = evaluate(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "expected a number, found the end", 1),
        ("3 +", "expected a number, found the end", 4),
        ("3 4", "expected the end, found '4'", 3),
        ("(3", "expected ')', found the end", 3),
        ("⌊3⌉", "expected '⌋', found '⌉'", 3),
        ("4/(2 − 2)", "division by zero", 2),
        ("2^(1/2)", "exponent must be an integer", 2),
        ("2^999", "exponent must be an integer", 2),
        ("__import__('os')", "unexpected character '_'", 1),
        ("1.5", "unexpected character '.'", 2),
        ("3 ; 4", "unexpected character ';'", 3),
        ("٣", "unexpected character", 1),  # a digit elsewhere in Unicode
        ("(1, 2) + 1", "a tuple cannot be calculated with", 8),
        ("((1, 2), 3)", "expected ')', found ','", 4),
    ],
)
def test_refusal_names_the_column(text: str, message: str, column: int) -> None:
    with pytest.raises(FormulaError, match=f".*at column {column}$") as caught:
        evaluate(text)
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("text", ["(" * 5000, "9" * 9999, "−" * 5000 + "1", "9^64^64^64", "1+" * 20_000])
def test_hostile_text_is_refused_at_once(text: str) -> None:
    start = time.process_time()  # what a busy neighbour takes is not ours
    with pytest.raises(FormulaError):
        evaluate(text)
    assert time.process_time() - start < 0.5


@given(st.text(max_size=60) | st.text("0123456789,()+−×/⌊⌋⌈⌉² ^", max_size=60))
def test_any_text_gives_a_value_or_a_formula_error(text: str) -> None:
    refused = None
    try:
        value = evaluate(text)
    except FormulaError as error:
        refused = error
    if refused is None:
        assert isinstance(value, (int, Fraction, tuple))
    else:
        assert 1 <= refused.column <= len(text) + 1


_leaf = st.integers(0, 10**6).map(lambda n: (f"{n:,}", Fraction(n)))


def _binary(children: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy[tuple[str, Fraction]]:
    operations = {
        "+": lambda a, b: a + b,
        "−": lambda a, b: a - b,
        "×": lambda a, b: a * b,
    }

    def combine(parts: tuple[tuple[str, Fraction], str, tuple[str, Fraction]]) -> tuple[str, Fraction]:
        (left, a), sign, (right, b) = parts
        return f"({left}) {sign} ({right})", operations[sign](a, b)

    def floored(part: tuple[str, Fraction], divisor: int, up: bool) -> tuple[str, Fraction]:
        text, value = part
        quotient = value / divisor
        if up:
            return f"⌈({text})/{divisor}⌉", Fraction(-(-quotient.numerator // quotient.denominator))
        return f"⌊({text})/{divisor}⌋", Fraction(quotient.numerator // quotient.denominator)

    return st.tuples(children, st.sampled_from(sorted(operations)), children).map(combine) | st.builds(
        floored, children, st.integers(1, 9), st.booleans()
    )


@given(st.recursive(_leaf, _binary, max_leaves=8))
def test_random_formulas_have_pythons_value(pair: tuple[str, Fraction]) -> None:
    text, value = pair
    assert evaluate(text) == value


@given(st.integers(0, 10**30))
def test_thousands_commas_change_nothing(number: int) -> None:
    assert evaluate(f"{number:,}") == evaluate(str(number)) == number


@pytest.mark.parametrize(
    ("formula", "value", "text"),
    [
        ("(3×3×64×128) + 128", 73_856, "(3×3×64×128) + 128 = 73,856"),
        ("73,856", 73_856, "73,856"),
        ("73856", 73_856, "73,856"),
        ("0", 0, "0"),
        ("", 12, "12"),
        ("(1, 64)", (1, 64), "(1, 64)"),
        ("(1, 8×8)", (1, 64), "(1, 8×8) = (1, 64)"),
    ],
)
def test_equation(formula: str, value: int | tuple[int, ...], text: str) -> None:
    assert equation(formula, value) == text
