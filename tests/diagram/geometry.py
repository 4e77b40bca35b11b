"""What must hold of every block diagram's places, whatever the network: one sentence for each fault found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

from archinspect.diagram.drawing import Box, Point
from archinspect.diagram.scene import Scene

_TOUCH = 0.6  # px: lines may touch what they lead to


def faults(scene: Scene, *, insets: bool = False) -> Iterator[str]:
    """Every breach of the rules; none for a good picture.  With `insets` a layer may be drawn twice."""
    yield from _texts(scene)
    yield from _boxes(scene)
    if not insets:
        yield from _frames(scene)
    yield from _edges(scene)
    yield from _ends(scene)
    yield from _skips(scene)


class Grid:
    """Boxes by place, so that a large picture's are not all compared with each other."""

    SIDE = 150.0

    def __init__(self, boxes: list[tuple[Box, Any]]) -> None:
        self.cells: dict[tuple[int, int], list[tuple[Box, Any]]] = {}
        for box, what in boxes:
            for cell in self._cells(box):
                self.cells.setdefault(cell, []).append((box, what))

    def near(self, box: Box) -> Iterator[tuple[Box, Any]]:
        for cell in self._cells(box):
            yield from self.cells.get(cell, ())

    def _cells(self, box: Box) -> Iterator[tuple[int, int]]:
        columns = range(int(box.x // self.SIDE), int(box.right // self.SIDE) + 1)
        rows = range(int(box.y // self.SIDE), int(box.bottom // self.SIDE) + 1)
        yield from product(columns, rows)


def _texts(scene: Scene) -> Iterator[str]:
    picture = Box(0, 0, scene.width, scene.height)
    texts = list(scene.texts())
    for label in texts:
        if not picture.contains(label.box):
            yield f"text '{label.text}' leaves the picture"
    for first, second in _meeting([(label.box, label) for label in texts]):
        yield f"texts '{first.text}' and '{second.text}' overlap"
    for placed in scene.cards:
        for label in placed.labels:
            if not placed.box.contains(label.box):
                yield f"text '{label.text}' leaves the card '{placed.card.name}'"
    for frame in scene.frames:
        for label in frame.labels:
            if not frame.header.contains(label.box):
                yield f"text '{label.text}' leaves the header of '{frame.frame.name}'"
    cards = Grid([(card.box, card.card) for card in scene.cards])
    for label in scene.labels:
        for box, card in cards.near(label.box):
            if box.overlaps(label.box):
                yield f"text '{label.text}' lies on the card '{card.name}'"


def _boxes(scene: Scene) -> Iterator[str]:
    for first, second in _meeting([(card.box, card.card) for card in scene.cards]):
        yield f"cards '{first.name}' and '{second.name}' overlap"
    for first, second in _meeting([(frame.box, frame) for frame in scene.frames]):
        inside = first.box.contains(second.box) or second.box.contains(first.box)
        if not inside:
            yield f"frames '{first.frame.name}' and '{second.frame.name}' cross"
    for frame in scene.frames:
        for card in scene.cards:
            if frame.box.overlaps(card.box) and not frame.box.contains(card.box):
                yield f"card '{card.card.name}' crosses the frame '{frame.frame.name}'"
            if frame.header.overlaps(card.box):
                yield f"card '{card.card.name}' lies on the header of '{frame.frame.name}'"


def _frames(scene: Scene) -> Iterator[str]:
    """Children lie inside their frames, and nobody else does."""
    for frame in scene.frames:
        members = set(frame.frame.nodes)
        for card in scene.cards:
            nodes = set(card.card.nodes)
            belongs = bool(nodes) and nodes <= members
            if belongs != frame.box.contains(card.box) and card.card.kind != "io":
                yield f"card '{card.card.name}' is on the wrong side of the frame '{frame.frame.name}'"


def _edges(scene: Scene) -> Iterator[str]:
    picture = Box(0, 0, scene.width, scene.height)
    cards = [(card.box, f"card '{card.card.name}'") for card in scene.cards]
    behind = {
        id(label) for frame in scene.frames for label in frame.labels
    }  # a way down passes behind these words
    heads = [(label.box, f"text '{label.text}'") for f in scene.frames for label in f.labels]
    words = [(label.box, f"text '{label.text}'") for label in scene.texts() if id(label) not in behind]
    pills = [(f.pill, f"pill of '{f.frame.name}'") for f in scene.frames if f.pill]
    upright, level = Grid([*cards, *words, *pills]), Grid([*cards, *words, *pills, *heads])
    for edge in scene.edges:
        if len(edge.points) < 2:
            yield "an edge without two ends"
        for start, end in edge.segments():
            if not picture.contains(_span(start, end)):
                yield f"an edge leaves the picture at {end}"
            if start[0] != end[0] and start[1] != end[1]:
                yield f"an edge runs aslant from {start} to {end}"
            for box, what in (upright if start[0] == end[0] else level).near(_span(start, end)):
                if _crosses(start, end, box):
                    yield f"an edge of '{edge.owner}' runs through the {what}"


def _skips(scene: Scene) -> Iterator[str]:
    """Every skip starts and ends in the frame of its block."""
    frames = {frame.frame.name: frame.box for frame in scene.frames}
    for edge in scene.edges:
        box = frames.get(edge.owner)
        if edge.way == "skip" and box is not None:
            for point in edge.points:
                if not box.contains(Box(*point, 0, 0)):
                    yield f"a skip leaves its block '{edge.owner}' at {point}"


def _ends(scene: Scene) -> Iterator[str]:
    """Every way starts and ends at something: a card, a border, a dot, another way; arrows at a card or frame."""
    things = [card.box for card in scene.cards]
    borders = [frame.box for frame in scene.frames]
    dots = [Box(*dot, 0, 0) for dot in scene.dots]
    points = Counter(point for edge in scene.edges for point in (edge.points[0], edge.points[-1]))
    grid = Grid([(box, box) for box in (*things, *borders)])
    for edge in scene.edges:
        start, end = edge.points[0], edge.points[-1]
        for point in (start, end):
            spot = Box(*point, 0, 0).grown(1)
            met = any(_on_border(point, box) for box, _ in grid.near(spot)) or points[point] > 1
            if not met and not any(_on_border(point, dot) for dot in dots):
                yield f"a way of '{edge.owner}' hangs in the air at {point}"
        if edge.arrow and not any(_on_border(end, box) for box, _ in grid.near(Box(*end, 0, 0).grown(1))):
            yield f"an arrow of '{edge.owner}' points at nothing at {end}"


def _on_border(point: Point, box: Box) -> bool:
    spot = Box(*point, 0, 0)
    return box.grown(_TOUCH).contains(spot) and not box.grown(-_TOUCH).overlaps(spot.grown(0.1))


def _span(start: Point, end: Point) -> Box:
    left, top = min(start[0], end[0]), min(start[1], end[1])
    return Box(left, top, abs(start[0] - end[0]), abs(start[1] - end[1]))


def _crosses(start: Point, end: Point, box: Box) -> bool:
    """Whether an upright or level line passes through the inside of the box."""
    span, inner = _span(start, end), box.grown(-_TOUCH)
    return (
        span.x < inner.right and inner.x < span.right + 1e-9
        and span.y < inner.bottom and inner.y < span.bottom + 1e-9
        and inner.width > 0 and inner.height > 0
    )  # fmt: skip


def _meeting(boxes: list[tuple[Box, Any]]) -> Iterator[tuple[Any, Any]]:
    """Pairs whose boxes overlap."""
    ordered = sorted(boxes, key=lambda pair: pair[0].y)
    active: list[tuple[Box, Any]] = []
    for box, item in ordered:
        active = [pair for pair in active if pair[0].bottom > box.y]
        for other, before in active:
            if other.overlaps(box):
                yield before, item
        active.append((box, item))
