"""From values to places: linear and logarithmic scales, and ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..units import significant
from .chart import Axis

_MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Tick:
    """A value with a line; minor ones have no text."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` … `high` to px from `start` … `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Px of a value."""
        low, high, value = (
            map(math.log10, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def scale(axis: Axis, values: Sequence[float], start: float, end: float, *, from_zero: bool = False) -> Scale:
    """The scale of an axis that shows these values."""
    if axis.categories:
        low, high = -0.5, len(axis.categories) - 0.5
        ticks = tuple(Tick(float(i), name) for i, name in enumerate(axis.categories))
        return Scale(low, high, start, end, False, ticks)
    low, high = _ends(axis, values, from_zero)
    made = _chosen(axis) or (_log_ticks if axis.log else _linear_ticks)(low, high)
    show = axis.show or _plain
    inside = [tick for tick in made if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) or tick == low]
    return Scale(low, high, start, end, axis.log, tuple(Tick(value, show(value)) for value in inside))


def minor(made: Scale) -> list[float]:
    """The values 2 … 9 times a power of ten inside a logarithmic scale; none for a linear one."""
    if not made.log:
        return []
    powers = range(math.floor(math.log10(made.low)), math.ceil(math.log10(made.high)) + 1)
    values = [digit * 10.0**power for power in powers for digit in range(1, 10)]
    taken = {round(math.log10(tick.value), 9) for tick in made.ticks}
    return [v for v in values if made.low <= v <= made.high and round(math.log10(v), 9) not in taken]


def _chosen(axis: Axis) -> list[float]:
    return list(axis.ticks)


def _ends(axis: Axis, values: Sequence[float], from_zero: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if axis.log:
        low, high = low / 1.25, high * 1.25
    else:
        room = 0.05 * (high - low)
        nothing_below = low >= 0 and (from_zero or low < 0.5 * high)
        low, high = (0.0 if nothing_below else low - room), high + room
    low = axis.low if axis.low is not None else low
    high = axis.high if axis.high is not None else high
    if low >= high:  # one value, or none of them inside the ends given
        low, high = (low / 2, low * 2) if axis.log else (low - 0.5, low + 0.5)
    return low, high


def _linear_ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high / low)
    digits: tuple[int, ...] = (1,) if decades > 3 else (1, 2, 5) if decades > 0.7 else tuple(range(1, 10))
    stride = max(1, math.ceil(decades / _MOST_TICKS))
    return [d * 10.0**power for power in range(first, last + 1, stride) for d in digits]


def _plain(value: float) -> str:
    text = significant(value, 6) if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
