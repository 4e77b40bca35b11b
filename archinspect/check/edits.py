"""What can happen to a number on its way into print: one digit, two digits swapped, a digit lost, a unit.

Pure text and arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from .. import units
from .hypotheses import Hypothesis, Kind
from .printed import Printed, show

_FACTORS = (
    (Fraction(2), "twice {}", 2),
    (Fraction(1, 2), "half of {}", 2),
    (Fraction(4), "four times {}", 3),
    (Fraction(1, 4), "a quarter of {}", 3),
    (Fraction(10), "{} with a digit too many", 2),
    (Fraction(1, 10), "{} with a digit too few", 2),
    (Fraction(1000), "{} in another unit (× 1000)", 2),
    (Fraction(1, 1000), "{} in another unit (÷ 1000)", 2),
)
_TELLING = 3  # digits of a rounded figure in which a swap can be seen
_ROUND = 1000  # figures with so many zeros may be round ones


def factors(stated: Printed, right: Fraction) -> Iterator[Hypothesis]:
    """`twice 204,800`: usual multiples of the right figure."""
    scale = stated.scales[0] if stated.unit.upper() in ("KB", "MB", "GB", "KIB", "MIB", "GIB") else 1
    shown = f"{show(right / scale)} {stated.unit}" if scale > 1 else show(right)
    for ratio, words, tier in _FACTORS:
        said = f"{stated.text.strip()} is {words.format(shown)}"
        kind: Kind = "unit" if "unit" in words else "digits"
        yield Hypothesis(right * ratio, said, tier, kind, (f"times {ratio}",))


def slips(stated: Printed, right: Fraction) -> Iterator[Hypothesis]:
    """One slip of the pen in the right figure, printed as precisely as the number is: digits swapped, lost, changed."""
    if stated.form != "number" or stated.over or stated.under or stated.top is not None or not stated.step:
        return
    last = stated.step
    wanted = str(round(right / last))
    pair = f"{stated.text.strip()} for {_as_printed(stated, right)}"
    for other, what, tier in _edited(wanted, all_digits=stated.claims_all_digits):
        yield Hypothesis(int(other) * last, f"{what}: {pair}", tier, "digits", (what,))


def _edited(digits: str, *, all_digits: bool) -> Iterator[tuple[str, str, float]]:
    """Every figure that one slip makes of these digits, what the slip is, and how rare it is."""
    for first, second in combinations(range(len(digits)), 2):
        if len(digits) < _TELLING and not all_digits:
            break
        if digits[first] != digits[second] and (first or digits[second] != "0"):
            between = digits[first + 1 : second]
            swapped = digits[:first] + digits[second] + between + digits[first] + digits[second + 1 :]
            yield swapped, "digits swapped", 0.95 if second == first + 1 else 3
    if len(digits) > 1:
        for place in range(len(digits)):
            for digit in "0123456789":
                if digit != digits[place] and (place or digit != "0"):
                    yield digits[:place] + digit + digits[place + 1 :], "one digit misprinted", 3
    if all_digits and len(digits) > 2:
        for place in range(len(digits)):
            lost = digits[:place] + digits[place + 1 :]
            if lost[0] != "0":
                yield lost, "a digit lost", 2.1
        for place in range(len(digits) + 1):
            for digit in "0123456789":
                if place or digit != "0":
                    rare = 2 if digit in digits[max(0, place - 1) : place + 1] else 3
                    yield digits[:place] + digit + digits[place:], "a digit too many", rare


def digits(stated: Printed, right: Fraction) -> str:
    """`digits swapped: 34,494 for 34,944`: the slip of the pen that makes the printed number of the right one."""
    fits = [h for h in slips(stated, right) if stated.agrees(h.value)]
    return min(fits, key=lambda h: h.tier).words if fits else ""


def factor(stated: Printed, right: Fraction) -> str:
    """`25.0M is twice 12.5M`: the usual multiple of the right figure that the printed number is."""
    fits = [
        h for h in factors(stated, right) if right and stated.agrees(h.value) and stated.claims_all_digits
    ]
    return fits[0].words if fits else ""


def cut_off(stated: Printed, right: Fraction) -> str:
    """A rounded figure whose digits were cut off: 5,849,136 as "5 million"."""
    if stated.form == "number" and stated.cut_off(right):
        nearest = round(right / stated.step) * stated.step
        unit = f" {stated.unit}" if stated.unit else ""
        shown = _as_printed(stated, nearest)
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
    """A figure with as many decimals as the printed one, and without its unit: 31.0 beside 30.9G."""
    if stated.claims_all_digits:
        return show(value)
    step = stated.step / stated.scales[0]
    places = len(str(step.denominator)) - 1 if step < 1 else 0
    scaled = value / stated.scales[0]
    return (
        units.fixed(scaled.numerator, scaled.denominator, places)
        if places
        else show(round(scaled / step) * step)
    )


def figures(stated: Printed, readings: Sequence[Sequence[int]]) -> str:
    """Of a printed shape, kernel or sequence, the one figure that is another in a true reading."""
    printed = [int(value) for value in stated.values]
    for reading in readings:
        wrong = [(p, r) for p, r in zip(printed, reading, strict=False) if p != r]
        if len(printed) == len(reading) and len(wrong) == 1:
            return f"{wrong[0][0]:,} for {wrong[0][1]:,} in {stated.text.strip()}"
    return ""
