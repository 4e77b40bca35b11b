"""What every backend draws: a few primitives in paint order, coordinates in px, y downwards.

A `Drawing` has all colours and positions fixed; SVG, PDF and PNG differ only in how they write it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .typeface import ASCENT, DESCENT, text_width

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def contains(self, other: Box, slack: float = 0.01) -> bool:
        return (
            other.x >= self.x - slack
            and other.y >= self.y - slack
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )

    def overlaps(self, other: Box, slack: float = 0.01) -> bool:
        """Whether the insides meet by more than `slack`."""
        return (
            self.x < other.right - slack
            and other.x < self.right - slack
            and self.y < other.bottom - slack
            and other.y < self.bottom - slack
        )

    def grown(self, by: float) -> Box:
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle with rounded corners."""

    box: Box
    radius: float = 0.0
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points, its corners rounded by `radius`; closed and filled when it is a polygon."""

    points: tuple[Point, ...]
    stroke: str | None = None
    width: float = 1.0
    fill: str | None = None
    closed: bool = False
    radius: float = 0.0
    dash: tuple[float, float] | None = None

    def segments(self) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Move, line and cubic curve commands; a rounded corner is a curve whose handles meet in the corner."""
        points = self.points
        yield "M", points[0]
        last = len(points) - 1
        for i in range(1, last + 1):
            corner = points[i]
            if i == last or not self.radius:
                yield "L", corner
                continue
            before, after = points[i - 1], points[i + 1]
            reach_in = min(self.radius, _distance(before, corner) / (1 if i == 1 else 2))
            reach_out = min(self.radius, _distance(corner, after) / (1 if i + 1 == last else 2))
            reach = min(reach_in, reach_out)
            start, end = _towards(corner, before, reach), _towards(corner, after, reach)
            k = 0.5523  # handle length of a quarter circle
            yield "L", start
            yield "C", (*_towards(start, corner, reach * k), *_towards(end, corner, reach * k), *end)
        if self.closed:
            yield "Z", ()


@dataclass(frozen=True, slots=True)
class Disc:
    """A circle."""

    centre: Point
    radius: float
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text: anchor point on its baseline, turned by `angle` degrees clockwise around it."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    bold: bool = False
    anchor: Anchor = "start"
    angle: float = 0.0

    @property
    def width(self) -> float:
        return text_width(self.text, self.size, self.bold)

    @property
    def left(self) -> float:
        return self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]

    @property
    def box(self) -> Box:
        """Where the glyphs of an upright text lie."""
        return Box(self.left, self.y - ASCENT * self.size, self.width, (ASCENT + DESCENT) * self.size)


@dataclass(frozen=True, slots=True)
class Group:
    """Primitives that belong together; `title` is shown on hovering, `label` names the group to a program."""

    items: tuple[Item, ...]
    label: str = ""
    title: str = ""


Item = Rect | Path | Disc | Text | Group


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished picture."""

    width: float
    height: float
    background: str
    items: tuple[Item, ...]
    title: str
    description: str = ""
    left: float = 0.0  # of what is shown
    top: float = 0.0
    scale: float = 1.0  # at which it is shown, in the unit
    unit: Literal["px", "mm"] = "px"
    dpi: float = 192.0  # density of a PNG for which none is asked
    note: str = ""  # what was left out so that it can be read

    def flat(self) -> Iterator[Rect | Path | Disc | Text]:
        """All primitives in paint order."""
        yield from _flat(self.items)


def _flat(items: tuple[Item, ...]) -> Iterator[Rect | Path | Disc | Text]:
    for item in items:
        if isinstance(item, Group):
            yield from _flat(item.items)
        else:
            yield item


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _towards(start: Point, goal: Point, length: float) -> Point:
    span = _distance(start, goal)
    share = length / span if span else 0.0
    return start[0] + (goal[0] - start[0]) * share, start[1] + (goal[1] - start[1]) * share
