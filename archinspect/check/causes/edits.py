"""What can happen to a number on its way into print: one digit, two digits swapped, a digit lost, a unit.

Pure text and arithmetic; each function says how the printed number comes out of the right one, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ... import units
from ..printed import Printed, show

_FACTORS = (
    (Fraction(2), "twice {}"),
    (Fraction(1, 2), "half of {}"),
    (Fraction(4), "four times {}"),
    (Fraction(1, 4), "a quarter of {}"),
    (Fraction(1024, 1000), "{} with K = 1024 for 1000"),
    (Fraction(1000, 1024), "{} with K = 1000 for 1024"),
    (Fraction(1000**2, 1024**2), "{} in Mi, printed as M"),
    (Fraction(1024**2, 1000**2), "{} in M, printed as Mi"),
    (Fraction(10), "{} with a digit too many"),
    (Fraction(1, 10), "{} with a digit too few"),
    (Fraction(1000), "{} in another unit (× 1000)"),
    (Fraction(1, 1000), "{} in another unit (÷ 1000)"),
)


_ROUND = 1000  # figures with so many zeros may be round ones


def factor(stated: Printed, right: Fraction) -> str:
    """`twice 204,800`: the printed number is a usual multiple of the right one."""
    for ratio, words in _FACTORS:
        agreement = stated.agrees(right * ratio) if right else None
        # A coarse figure cannot tell a factor of 1.024 from chance.
        telling = stated.step * 10 <= abs(ratio - 1) * abs(right)
        if agreement == "exact" or (agreement and telling):
            scale = stated.scales[0] if stated.unit.upper() in ("KB", "MB", "GB", "KIB", "MIB", "GIB") else 1
            return words.format(f"{show(right / scale)} {stated.unit}" if scale > 1 else show(right))
    return ""


def digits(stated: Printed, right: Fraction) -> str:
    """`digits swapped: 34,494 for 34,944`: one slip of the pen, between numbers of the same precision."""
    fraction = stated.step < 1
    if not (stated.claims_all_digits or fraction) or stated.form != "number":
        return ""
    last = stated.step if fraction else Fraction(1)
    if not fraction and (right.denominator != 1 or stated.value.denominator != 1):
        return ""
    printed, wanted = str(round(stated.value / last)), str(round(right / last))
    pair = f"{stated.text.strip()} for {show(right)}"
    if len(printed) == len(wanted):
        wrong = [index for index, (a, b) in enumerate(zip(printed, wanted, strict=True)) if a != b]
        if len(wrong) == 1 and len(printed) > 1:
            return f"one digit misprinted: {pair}"
        if len(wrong) == 2:
            first, second = wrong
            if printed[first] == wanted[second] and printed[second] == wanted[first]:
                return f"digits swapped: {pair}"
    longer, shorter = (printed, wanted) if len(printed) > len(wanted) else (wanted, printed)
    if len(longer) == len(shorter) + 1 and len(shorter) > 1:
        for index in range(len(longer)):
            if longer[:index] + longer[index + 1 :] == shorter:
                return f"a digit {'too many' if longer == printed else 'lost'}: {pair}"
    return ""


def cut_off(stated: Printed, right: Fraction) -> str:
    """A rounded figure whose digits were cut off: 5,849,136 as "5 million"."""
    if stated.claims_all_digits or stated.form != "number" or stated.step == 0 or not right:
        return ""
    down = (right // stated.step) * stated.step
    nearest = round(right / stated.step) * stated.step
    if stated.value == down != nearest:
        unit = f" {stated.unit}" if stated.unit else ""
        shown = _as_printed(stated, nearest / stated.scales[0])
        return f"cut off instead of rounded: {show(right)} is {shown}{unit} to the nearest"
    return ""


def rounded_off(stated: Printed, right: Fraction) -> str:
    """A round figure where every digit is due: 37,000 for 36,928."""
    value = stated.value
    if not stated.claims_all_digits or stated.form != "number" or value.denominator != 1 or not value:
        return ""
    digits = str(value.numerator)
    step = 10 ** (len(digits) - len(digits.rstrip("0")))
    if step >= _ROUND and value == round(right / step) * step:
        return f"rounded, and its column gives every digit: {show(right)}"
    return ""


def _as_printed(stated: Printed, value: Fraction) -> str:
    """A figure with as many decimals as the printed one: 31.0 beside 30.9."""
    step = stated.step / stated.scales[0]
    places = len(str(step.denominator)) - 1 if step < 1 else 0
    return units.fixed(value.numerator, value.denominator, places) if places else show(value)


def figures(stated: Printed, readings: Sequence[Sequence[int]]) -> str:
    """Of a printed shape, kernel or sequence, the one figure that is another in a true reading."""
    printed = [int(value) for value in stated.values]
    for reading in readings:
        wrong = [(p, r) for p, r in zip(printed, reading, strict=False) if p != r]
        if len(printed) == len(reading) and len(wrong) == 1:
            return f"{wrong[0][0]:,} for {wrong[0][1]:,} in {stated.text.strip()}"
    return ""
