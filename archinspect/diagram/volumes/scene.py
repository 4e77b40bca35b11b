"""A picture of volumes with every place fixed and no colour yet: what the geometry tests examine and `paint` draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from ..drawing import Anchor, Box, Point
from ..typeface import ASCENT, DESCENT, text_width
from .content import Solid
from .prism import Polygon, Prism, turned

Role = Literal["heading", "subheading", "title", "caption", "number", "note", "legend"]
Way = Literal["funnel", "flow", "skip", "projection", "kernel"]

HEADING, SUBHEADING, TITLE, CAPTION, NUMBER, NOTE, LEGEND = 19.0, 13.0, 12.5, 11.0, 11.0, 10.5, 11.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; its anchor lies on the baseline, which runs at `angle` degrees."""

    x: float
    y: float
    text: str
    size: float
    role: Role
    bold: bool = False
    anchor: Anchor = "start"
    angle: float = 0.0

    @property
    def corners(self) -> Polygon:
        """Corners of the box around the glyphs."""
        width = text_width(self.text, self.size, self.bold)
        back = width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        turn = math.radians(self.angle)
        start = (self.x - back * math.cos(turn), self.y - back * math.sin(turn))
        return turned(start, width, ASCENT * self.size, DESCENT * self.size, self.angle)

    def moved(self, dx: float, dy: float) -> Words:
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True, slots=True)
class Placed:
    """A solid in its place."""

    solid: Solid
    prism: Prism

    @property
    def corners(self) -> Polygon:
        return self.prism.silhouette()

    def moved(self, dx: float, dy: float) -> Placed:
        return replace(self, prism=replace(self.prism, x=self.prism.x + dx, axis=self.prism.axis + dy))


@dataclass(frozen=True, slots=True)
class Line:
    """A way through points, with an arrowhead at its end when asked for; a closed one is a window."""

    points: tuple[Point, ...]
    way: Way
    arrow: bool = False
    closed: bool = False

    @property
    def corners(self) -> Polygon:
        return self.points

    def moved(self, dx: float, dy: float) -> Line:
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True, slots=True)
class Sign:
    """A join drawn as + or × in a circle."""

    x: float
    y: float
    text: str
    radius: float = 9.0

    @property
    def corners(self) -> Polygon:
        r = self.radius
        return (
            (self.x - r, self.y - r),
            (self.x + r, self.y - r),
            (self.x + r, self.y + r),
            (self.x - r, self.y + r),
        )

    def moved(self, dx: float, dy: float) -> Sign:
        return replace(self, x=self.x + dx, y=self.y + dy)


Thing = Placed | Line | Words | Sign


@dataclass(slots=True)
class Strip:
    """Things that are placed relative to each other, in paint order; the axis is y = 0.

    `enter` and `leave` are where flow comes in and goes out, `last` the prism at the end, if the strip ends in one.
    """

    things: list[Thing] = field(default_factory=list)
    enter: Point = (0.0, 0.0)
    leave: Point = (0.0, 0.0)
    first: Prism | None = None
    last: Prism | None = None

    def moved(self, dx: float, dy: float) -> Strip:
        def shifted(prism: Prism | None) -> Prism | None:
            return prism and replace(prism, x=prism.x + dx, axis=prism.axis + dy)

        return Strip(
            [thing.moved(dx, dy) for thing in self.things],
            (self.enter[0] + dx, self.enter[1] + dy),
            (self.leave[0] + dx, self.leave[1] + dy),
            shifted(self.first),
            shifted(self.last),
        )

    @property
    def box(self) -> Box:
        return bounds(self.things)


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A sample and its words at the foot of the picture."""

    x: float
    y: float
    kind: str
    words: Words


@dataclass(slots=True)
class Scene:
    """Everything that is drawn, in paint order."""

    width: float = 0.0
    height: float = 0.0
    title: str = ""
    description: str = ""
    things: list[Thing] = field(default_factory=list)
    legend: list[LegendEntry] = field(default_factory=list)

    def texts(self) -> Iterator[Words]:
        yield from (thing for thing in self.things if isinstance(thing, Words))
        yield from (entry.words for entry in self.legend)

    def placed(self) -> Iterator[Placed]:
        yield from (thing for thing in self.things if isinstance(thing, Placed))

    def lines(self) -> Iterator[Line]:
        yield from (thing for thing in self.things if isinstance(thing, Line))


def bounds(things: Iterable[Thing]) -> Box:
    """The smallest upright box around things."""
    points = [point for thing in things for point in thing.corners]
    if not points:
        return Box(0.0, 0.0, 0.0, 0.0)
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    return Box(left, top, right - left, bottom - top)
