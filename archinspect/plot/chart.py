"""What a chart shows: axes and series, without places or colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.  A logarithmic one takes positive values only.

    `low` and `high` are its ends; None: from the data.  `show` writes a tick's value.  `ticks` are the places of the
    ticks; none: round numbers.  `categories` name the places 0, 1, 2, … of bars instead.
    """

    title: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    show: Callable[[float], str] | None = None
    ticks: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the chart.

    `label` stands beside it where there is room, those of most `weight` first; `title` shows on hovering; `size` is
    its radius in px.
    """

    x: float
    y: float
    label: str = ""
    title: str = ""
    size: float = 3.5
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, under a name in the legend (none: not in the legend).

    `colour` is a number of the palette, and the shape of the markers with it; None: the next one.
    """

    name: str
    points: tuple[Point, ...]
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class Line(Series):
    """Points joined by a line.  `caption` is written along its last stretch."""

    dashed: bool = False
    markers: bool = True
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Points(Series):
    """Points alone."""


@dataclass(frozen=True, slots=True)
class Bars(Series):
    """Bars from the axis (or zero) to the points."""


@dataclass(frozen=True, slots=True)
class Band(Series):
    """The area between the points and those of `upper`, at the same places; pale, and behind all else."""

    upper: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A title, two axes, the series, and remarks below.  `width` and `height` in px."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()
    width: float = 880.0
    height: float = 560.0

    def _repr_svg_(self) -> str:
        from .write import render  # only a notebook asks

        return render(self, "svg")

    def __post_init__(self) -> None:
        """A chart needs something to show, and logarithms of it."""
        points = [point for series in self.series for point in series.points]
        if not points:
            raise ValueError(f"the chart '{self.title}' has no points")
        for name, axis in (("x", self.x), ("y", self.y)):
            if axis.log and any(getattr(point, name) <= 0 for point in points):
                raise ValueError(
                    f"the logarithmic {name} axis of '{self.title}' has a value that is not positive"
                )
