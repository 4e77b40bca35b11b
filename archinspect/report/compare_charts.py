"""`compare` as charts: parameters and MACs by resolution, and accuracy against cost where figures are published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from ..plot import Axis, Bars, Chart, Point, Points

if TYPE_CHECKING:
    from ..analysis.compare import Comparison, Side
    from .networks import Listed


def comparison_charts(found: Sequence[Comparison], published: Sequence[Listed] = ()) -> list[Chart]:
    """Bars by resolution, then the picture of accuracy against cost if any of `published` has a result."""
    sides = [found[0].a, *(one.b for one in found)]
    charts = [
        _bars(sides, "params", "Parameters"),
        _bars(sides, "macs", "Multiply-accumulates"),
    ]
    entries = [one for one in published if one.result is not None]
    return [*charts, accuracy(entries, [side.graph.name for side in sides])] if entries else charts


def _bars(sides: Sequence[Side], figure: str, name: str) -> Chart:
    scales = sorted({stage.scale for side in sides for stage in side.stages})
    names = {stage.scale: stage.name for side in sides for stage in side.stages}
    series = []
    for side in sides:
        stages = {stage.scale: stage for stage in side.stages}
        values = [getattr(stages[s], figure) if s in stages else 0 for s in scales]
        total = getattr(side.analysis.totals, figure)
        points = tuple(
            Point(place, value, _label(value, sides), f"{side.name}, {names[scale]}: {value:,}")
            for place, (scale, value) in enumerate(zip(scales, values, strict=True))
        )
        series.append(Bars(f"{side.name}: {units.brief(total)}", points))
    return Chart(
        f"{name} by resolution",
        Axis(
            "height and width of the layers' outputs, as a fraction of the input's",
            categories=tuple(names[scale] for scale in scales),
        ),
        Axis(name, low=0, show=lambda value: units.brief(round(value))),
        tuple(series),
    )


def _label(value: int, sides: Sequence[Side]) -> str:
    """The value above its bar, where bars are not too narrow for it."""
    return units.brief(value) if value and len(sides) <= 2 else ""


def accuracy(entries: Sequence[Listed], highlighted: Sequence[str]) -> Chart:
    """Published top-5 errors against the computed cost of one network; areas are its parameters."""
    most = max(one.analysis.totals.params for one in entries)
    series = []
    for name, inside in (("compared here", True), ("other networks", False)):
        points = tuple(
            _point(one, most, weight=float(inside))
            for one in entries
            if (one.graph.name in highlighted) == inside
        )
        if points:
            series.append(Points(name, points, colour=0 if inside else 5))  # both are discs: areas compare
    sources = dict.fromkeys(f"{one.result.subject}: {one.result.source}" for one in entries if one.result)
    return Chart(
        "Top-5 error in ImageNet's challenge against cost",
        Axis(
            "multiply-accumulates of one network, one crop",
            log=True,
            show=lambda value: units.brief(round(value)),
        ),
        Axis("top-5 error, %", low=0, high=1.12 * max(point.y for one in series for point in one.points)),
        tuple(series),
        subtitle="Errors as published, of entries that often joined several networks; computed cost. Area: parameters.",
        notes=("Sources. " + "; ".join(sources) + ".",),
        height=640.0,
    )


def _point(one: Listed, most: int, *, weight: float) -> Point:
    result, totals = one.result, one.analysis.totals
    assert result is not None
    error = float(result.value.value)
    entry = f" ({result.entry})" if result.entry else ""
    words = (
        f"{one.graph.name}: {result.value.text}{entry}, {totals.macs:,} MACs, {totals.params:,} parameters"
    )
    radius = 4 + 16 * (totals.params / most) ** 0.5
    return Point(totals.macs, error, f"{one.graph.name} {result.value.text}", words, radius, weight)
