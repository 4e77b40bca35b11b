"""A scene in the colours of a theme: the drawing that backends write."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from math import inf

from .drawing import Box, Disc, Drawing, Group, Item, Path, Point, Rect, Text
from .elements import Card
from .scene import Edge, Label, LegendEntry, PlacedCard, PlacedFrame, Scene
from .theme import Swatch, Theme, heated, swatch

Colouring = Callable[[Card], Swatch]
_STEPS = 30  # of a heat map's ramp
_HEAD = (7.0, 3.3)  # length and half width of an arrowhead


def paint(scene: Scene, theme: Theme, colouring: Colouring | None = None) -> Drawing:
    """Frames first, then ways, then the words of frames, then cards and other words."""
    colours = colouring or (lambda card: swatch(theme, card.kind))
    items: list[Item] = [_frame(frame, theme) for frame in scene.frames]
    for way in ("main", "skip"):
        items += [item for edge in scene.edges if edge.way == way for item in _edge(edge, theme)]
    upright = _Upright(scene)
    for frame in scene.frames:
        items += _header(frame, theme, upright)
    items += [Disc(dot, 2.6, theme.edge) for dot in scene.dots]
    items += [_card(card, theme, colours(card.card)) for card in scene.cards]
    items += [_text(label, theme) for label in scene.labels]
    for entry in scene.legend:
        items += _legend(entry, theme)
    return Drawing(
        scene.width,
        scene.height,
        theme.background,
        tuple(items),
        scene.title,
        scene.description,
        note=scene.note,
    )


def _frame(placed: PlacedFrame, theme: Theme) -> Group:
    frame = placed.frame
    folded = frame.repeat > 1
    fill = _ground(placed, theme)
    stroke = theme.folded_stroke if folded else theme.inner_stroke if placed.level % 2 else theme.frame_stroke
    items: list[Item] = []
    for step in (2, 1) if folded else ():
        behind = Box(
            placed.box.x + 3.5 * step, placed.box.y - 3.5 * step, placed.box.width, placed.box.height
        )
        items.append(Rect(behind, 8, fill, stroke))
    items.append(Rect(placed.box, 8, fill, stroke))
    times = f" ×{frame.repeat}" if folded else ""
    title = " · ".join(part for part in (frame.name + times, frame.block, frame.figures.text()) if part)
    return Group(tuple(items), frame.name, title)


def _ground(placed: PlacedFrame, theme: Theme) -> str:
    return theme.folded if placed.frame.repeat > 1 else theme.inner if placed.level % 2 else theme.frame


def _header(placed: PlacedFrame, theme: Theme, upright: _Upright) -> Iterator[Item]:
    """A frame's words, and its pill; words that a way into the frame passes stand on a plate of the frame's colour."""
    if placed.pill:
        yield Rect(placed.pill, 8, theme.pill)
    for label in placed.labels:
        if label.role != "pill" and upright.crosses(label.box):
            plate = label.box
            yield Rect(
                Box(plate.x - 2, plate.y - 1, plate.width + 4, plate.height + 3), fill=_ground(placed, theme)
            )
        yield _text(label, theme)


class _Upright:
    """The upright parts of all ways, by their place from left to right."""

    def __init__(self, scene: Scene) -> None:
        lines = (
            (start[0], *sorted((start[1], end[1])))
            for edge in scene.edges
            for start, end in edge.segments()
            if start[0] == end[0]
        )
        self.lines = sorted(lines)

    def crosses(self, box: Box) -> bool:
        """Whether one of them runs through the box."""
        first = bisect_left(self.lines, (box.x - 2, -inf, -inf))
        last = bisect_right(self.lines, (box.right + 2, inf, inf))
        return any(top < box.bottom and bottom > box.y for _, top, bottom in self.lines[first:last])


def _edge(edge: Edge, theme: Theme) -> list[Item]:
    colour, width = (theme.skip, 1.9) if edge.way == "skip" else (theme.edge, 1.3)
    points = edge.points
    if not edge.arrow:
        return [Path(points, colour, width, radius=8)]
    (x0, y0), (x1, y1) = points[-2], points[-1]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    long, half = _HEAD
    back = (x1 - dx * long, y1 - dy * long)
    head: tuple[Point, ...] = (
        (x1, y1),
        (back[0] - dy * half, back[1] + dx * half),
        (back[0] + dy * half, back[1] - dx * half),
    )
    neck = (x1 - dx * (long - 1), y1 - dy * (long - 1))
    return [Path((*points[:-1], neck), colour, width, radius=8), Path(head, fill=colour, closed=True)]


def _card(placed: PlacedCard, theme: Theme, colours: Swatch) -> Group:
    card, box = placed.card, placed.box
    items: list[Item] = []
    for step in (2, 1) if card.repeat > 1 else ():
        behind = Box(box.x + 3.5 * step, box.y - 3.5 * step, box.width, box.height)
        items.append(Rect(behind, 6, colours.fill, colours.stroke))
    if placed.sign:
        items += _sign(placed, colours)
    else:
        items += [Rect(box, 6, colours.fill, colours.stroke), _stripe(box, colours.stroke)]
    for label in placed.labels:
        if label.role == "pill":
            pill = Box(label.box.x - 6, label.y - 11.5, label.box.width + 12, 15)
            items += [Rect(pill, 7.5, theme.pill), _text(label, theme)]
        else:
            colour = colours.title if label.role == "title" else colours.detail
            items.append(_text(label, theme, colour))
    times = f" ×{card.repeat}" if card.repeat > 1 else ""
    figures = card.figures.text()
    title = " · ".join(
        part for part in (card.name + times, card.title, card.detail, figures, card.note) if part
    )
    return Group(tuple(items), card.name, title)


def _stripe(box: Box, colour: str) -> Path:
    """The coloured strip at the left, following the card's rounded corners."""
    r, w = 6.0, 5.0
    left, top, bottom = box.x, box.y, box.bottom
    points = (
        (left + r, top), (left + w + 1, top), (left + w + 1, bottom), (left + r, bottom),
        (left + r * 0.48, bottom - r * 0.12), (left + r * 0.12, bottom - r * 0.48), (left, bottom - r),
        (left, top + r), (left + r * 0.12, top + r * 0.48), (left + r * 0.48, top + r * 0.12),
    )  # fmt: skip
    return Path(points, fill=colour, closed=True)


def _sign(placed: PlacedCard, colours: Swatch) -> list[Item]:
    """A + or × in a circle; with an activation behind it the circle grows into a pill."""
    box = placed.box
    r = box.height / 2
    x, y = box.x + r, box.y + r
    arm = r * (0.38 if placed.labels else 0.45)
    if placed.sign == "+":
        strokes: tuple[tuple[Point, Point], ...] = (
            ((x - arm, y), (x + arm, y)),
            ((x, y - arm), (x, y + arm)),
        )
    else:
        d = arm * 0.78
        strokes = (((x - d, y - d), (x + d, y + d)), ((x - d, y + d), (x + d, y - d)))
    items: list[Item] = [Rect(box, r, colours.fill, colours.stroke, 1.4)]
    if placed.labels:
        items.append(Disc((x, y), r - 4, None, colours.stroke, 1.2))
    return items + [Path(stroke, colours.title, 2) for stroke in strokes]


def _text(label: Label, theme: Theme, colour: str | None = None) -> Text:
    colours = {
        "heading": theme.heading,
        "subheading": theme.muted,
        "shape": theme.muted,
        "frame": theme.text,
        "block": theme.muted,
        "figures": theme.muted,
        "pill": theme.pill_text,
        "legend": theme.muted,
    }
    fill = colour or colours.get(label.role, theme.text)
    return Text(label.x, label.y, label.text, label.size, fill, label.bold, label.anchor)


def _legend(entry: LegendEntry, theme: Theme) -> list[Item]:
    box = entry.sample
    if entry.kind == "skip":
        middle = box.y + box.height / 2
        sample: list[Item] = [Path(((box.x, middle), (box.right, middle)), theme.skip, 1.9)]
    elif entry.kind == "ramp":
        step = box.width / _STEPS
        sample = [
            Rect(
                Box(box.x + i * step, box.y, step, box.height),
                fill=heated(theme, (i + 0.5) / _STEPS).fill,
            )
            for i in range(_STEPS)
        ]
        sample.append(Rect(box, 0, None, theme.frame_stroke))
    elif entry.kind == "folded":
        behind = Box(box.x + 3, box.y - 2, box.width - 3, box.height - 1)
        front = Box(box.x, box.y + 1, box.width - 3, box.height - 1)
        sample = [Rect(b, 3, theme.folded, theme.folded_stroke) for b in (behind, front)]
    else:
        colours = swatch(theme, entry.kind)
        sample = [Rect(box, 3, colours.fill, colours.stroke)]
        sample.append(Rect(Box(box.x, box.y, 4, box.height), 2, colours.stroke))
    return [*sample, *(_text(label, theme) for label in entry.labels)]
