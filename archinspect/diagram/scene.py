"""A block diagram with every place fixed and no colour yet: what the geometry tests examine and `paint` draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from .drawing import Anchor, Box, Point, Text
from .elements import Card, Frame

Role = Literal[
    "heading", "subheading", "title", "detail", "figures", "shape", "frame", "block", "pill", "legend"
]
Way = Literal["main", "skip"]

TITLE, DETAIL, FIGURES, SHAPE = 12.5, 11.0, 10.0, 10.0  # font sizes, px
HEADING, SUBHEADING, LEGEND, PILL = 19.0, 13.0, 11.0, 11.0
SMALLEST = FIGURES


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text with its meaning; the anchor point lies on the baseline."""

    x: float
    y: float
    text: str
    size: float
    role: Role
    bold: bool = False
    anchor: Anchor = "start"

    @property
    def box(self) -> Box:
        return Text(self.x, self.y, self.text, self.size, "", self.bold, self.anchor).box


@dataclass(frozen=True, slots=True)
class PlacedCard:
    """A card: its box, its lines.  `sign` is the + or × of a join drawn as a pill."""

    card: Card
    box: Box
    labels: tuple[Label, ...]
    sign: str = ""


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame: its box, its header's lines, the pill of a folded one, its level of nesting from 0."""

    frame: Frame
    box: Box
    header: Box
    labels: tuple[Label, ...]
    pill: Box | None
    level: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A way through points with rounded corners; `owner` is the path of the frame it belongs to."""

    points: tuple[Point, ...]
    way: Way = "main"
    arrow: bool = True
    owner: str = ""

    def segments(self) -> Iterator[tuple[Point, Point]]:
        yield from zip(self.points, self.points[1:], strict=False)


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A sample at the foot of the picture and its words; `kind` is a kind of card, or skip, folded, ramp."""

    sample: Box
    kind: str
    labels: tuple[Label, ...]


@dataclass(slots=True)
class Scene:
    """Everything that is drawn, in paint order: frames, edges, cards, labels."""

    width: float = 0.0
    height: float = 0.0
    title: str = ""
    description: str = ""
    note: str = ""  # what was left out
    frames: list[PlacedFrame] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    dots: list[Point] = field(default_factory=list)
    cards: list[PlacedCard] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    legend: list[LegendEntry] = field(default_factory=list)

    def texts(self) -> Iterator[Label]:
        """All lines of text."""
        yield from self.labels
        for card in self.cards:
            yield from card.labels
        for frame in self.frames:
            yield from frame.labels
        for entry in self.legend:
            yield from entry.labels
