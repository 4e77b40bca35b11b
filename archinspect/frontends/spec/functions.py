"""The functions that an expression may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor`, never more than 10 % below `value`.

    Source: MobileNetV2's reference code, `_make_divisible`; used by MobileNetV2/V3 and EfficientNet widths.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def rounded(value: float, digits: int = 0) -> float:
    """Python's `round`; a whole number without `digits`.

    Raises ValueError for more digits than any number here has: Python would work out 10 to that power.
    """
    if abs(digits) > _MOST_DIGITS:
        raise ValueError(f"it rounds to {_MOST_DIGITS} digits at most")
    return round(value, digits) if digits else round(value)


_MOST_DIGITS = 400

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": int,
    "max": max,
    "min": min,
    "round": rounded,
    "make_divisible": make_divisible,
    "len": lambda *values: len(values),
    "sum": lambda *values: sum(values),
}
#: those that take a list, too
OF_LISTS = frozenset({"len", "max", "min", "sum"})
