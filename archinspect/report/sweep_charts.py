"""`sweep` as a chart: every variant by two figures, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from ..plot import Axis, Chart, Line, Point, Points, Series

if TYPE_CHECKING:
    from ..sweep import Objective, Sweep, Variant

_TITLES = {
    "params": "parameters",
    "macs": "multiply-accumulates",
    "flops": "FLOPs",
    "weight_bytes": "bytes of weights",
    "activation_bytes": "bytes of activations",
    "peak_activation_bytes": "most bytes of activations at once",
    "input": "elements of the input",
}


def sweep_charts(found: Sweep, front: frozenset[int], objectives: Sequence[Objective]) -> list[Chart]:
    """The first two objectives against one another; nothing to show where no variant has figures."""
    first, second = (*objectives, *objectives)[:2]
    shown = [(i, variant) for i, variant in enumerate(found.variants) if variant.figures is not None]
    if not shown:
        return []
    places = {i: _point(found, variant, first, second, in_front=i in front) for i, variant in shown}
    best = sorted((places[i] for i in front), key=lambda point: (point.x, point.y))
    rest = tuple(point for i, point in places.items() if i not in front)
    series: list[Series] = [Line("Pareto front", tuple(best), colour=1)]
    if rest:
        series.insert(0, Points("other variants", rest, colour=7))
    positive = all(point.x > 0 for point in places.values())
    return [
        Chart(
            f"{len(shown):,} variants of {found.model}",
            Axis(
                _TITLES.get(first.name, first.name),
                log=positive,
                show=lambda value: units.brief(round(value)),
            ),
            Axis(_TITLES.get(second.name, second.name), show=lambda value: units.brief(round(value))),
            tuple(series),
            subtitle=" × ".join(f"{len(values)} of {name}" for name, values in found.grid.axes)
            + f"; no other beats the front ({', '.join(map(str, objectives))})",
        )
    ]


def _point(found: Sweep, variant: Variant, first: Objective, second: Objective, *, in_front: bool) -> Point:
    x, y = (abs(objective.value(variant)) for objective in (first, second))
    words = ", ".join(f"{name}={variant.settings[name]}" for name in found.grid.names)
    return Point(x, y, words if in_front else "", words, 4.0 if in_front else 3.0, 1.0)
