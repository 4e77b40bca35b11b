"""The Pareto front: the variants that no other beats in everything that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import fail, suggestion
from .grid import INPUT
from .variants import Variant

MEASURES = ("params", "macs", "flops", "weight_bytes", "activation_bytes", "peak_activation_bytes")


@dataclass(frozen=True)
class Objective:
    """A figure of a variant or a numeric setting of it (of an input size its elements), and which end is good."""

    name: str
    largest: bool = False

    def value(self, variant: Variant) -> float:
        """Smaller is better."""
        found = _value(self.name, variant)
        return -found if self.largest else found

    def __str__(self) -> str:
        return f"{'large' if self.largest else 'small'} {self.name}"


#: what is best without being asked: the most parameters for the least work
DEFAULT = (Objective("macs"), Objective("params", largest=True))


def objectives(text: str, settings: Sequence[str]) -> tuple[Objective, ...]:
    """`macs,params:max` to objectives; a figure alone is to be small.  Raises ArchinspectError (A403)."""
    made = []
    known = [*MEASURES, *settings]
    for word in text.split(","):
        name, _, end = (part.strip() for part in word.partition(":"))
        if name not in known or end not in ("", "min", "max"):
            listed = f"figures: {', '.join(known)}; each with :min (unless given) or :max"
            raise fail(
                "A403",
                f"'{word.strip()}' is nothing to be optimal in",
                help=suggestion(name, known, otherwise=listed),
            )
        made.append(Objective(name, end == "max"))
    return tuple(made)


def front(variants: Sequence[Variant], objectives: Sequence[Objective] = DEFAULT) -> frozenset[int]:
    """Indices of the variants with figures that no other one beats: as good in all objectives, better in one."""
    points = [
        (tuple(objective.value(variant) for objective in objectives), index)
        for index, variant in enumerate(variants)
        if variant.figures is not None
    ]
    points.sort()
    if len(objectives) == 2:
        return frozenset(_staircase(points))
    found: list[tuple[tuple[float, ...], int]] = []
    for point, index in points:  # sorted, so that nothing later beats anything earlier
        if not any(_beats(other, point) for other, _ in found):
            found.append((point, index))
    return frozenset(index for _, index in found)


def _staircase(points: Sequence[tuple[tuple[float, ...], int]]) -> list[int]:
    """The front in two objectives, in one pass over points sorted by the first."""
    best: tuple[float, ...] = ()
    found: list[int] = []
    for point, index in points:
        if not best or point[1] < best[1] or point == best:
            best = point
            found.append(index)
    return found


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _value(name: str, variant: Variant) -> float:
    figures = variant.figures
    assert figures is not None
    if name in MEASURES:
        return float(getattr(figures, name))
    value: Any = variant.settings[name]
    if name == INPUT:
        value = 1
        for size in figures.input[1:]:
            value *= size
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise fail(
            "A403",
            f"'{name}' is not a number and cannot be optimal",
            help="name a figure or a numeric setting",
        )
    return float(value)
