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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": int,
    "max": max,
    "min": min,
    "round": round,
    "make_divisible": make_divisible,
}
