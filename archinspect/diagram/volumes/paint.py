"""A scene of volumes in the colours of a theme: the drawing that backends write."""

from __future__ import annotations

from ..captions import shape_label
from ..colouring import Heat
from ..drawing import Box, Disc, Drawing, Group, Item, Path, Point, Rect, Text
from ..theme import Theme, heated
from .content import Solid
from .palette import Faces, band, faces, mixed, shaded
from .prism import Prism
from .scene import LegendEntry, Line, Placed, Scene, Sign, Words

_HEAD = (7.0, 3.3)  # length and half width of an arrowhead
_ACTIVE = 0.22  # share of the thickness that an activation's band takes


def paint(scene: Scene, theme: Theme, warmth: Heat | None = None) -> Drawing:
    """Funnels behind everything, then solids and ways from left to right, words last."""
    funnels = [thing for thing in scene.things if isinstance(thing, Line) and thing.way == "funnel"]
    items: list[Item] = [Path(line.points, theme.edge, 0.9, dash=(4, 3.5)) for line in funnels]
    for thing in scene.things:
        if isinstance(thing, Placed):
            items.append(_solid(thing, theme, warmth))
        elif isinstance(thing, Sign):
            items += _sign(thing, theme)
        elif isinstance(thing, Line) and thing.way != "funnel":
            items += _line(thing, theme)
    items += [_words(thing, theme) for thing in scene.things if isinstance(thing, Words)]
    for entry in scene.legend:
        items += [*_sample(entry, theme), _words(entry.words, theme)]
    return Drawing(scene.width, scene.height, theme.background, tuple(items), scene.title, scene.description)


def _solid(placed: Placed, theme: Theme, warmth: Heat | None) -> Group:
    solid, prism = placed.solid, placed.prism
    card = solid.card
    items: list[Item] = []
    if warmth and solid.kind != "input":
        _cut(items, prism, 0.0, prism.thickness, _warm(warmth, solid, theme))
    elif solid.bands:
        total = sum(part.channels for part in solid.bands)
        start = 0.0
        for part in solid.bands:
            stop = start + prism.thickness * part.channels / total
            _cut(items, prism, start, stop, faces(theme, part.kind))
            start = stop
    else:
        own = faces(theme, solid.kind)
        split = prism.thickness * (1 - _ACTIVE) if solid.active else prism.thickness
        _cut(items, prism, 0.0, split, own)
        if solid.active:
            _cut(items, prism, split, prism.thickness, band(own.front))
    side = _side_colour(solid, theme, warmth)
    items.append(Path(prism.side(), side.edge, 0.9, fill=side.side, closed=True))
    shape = shape_label(card.output_shape)
    title = " · ".join(p for p in (card.name, card.title, card.detail, shape, card.figures.text()) if p)
    return Group(tuple(items), card.name, title)


def _side_colour(solid: Solid, theme: Theme, warmth: Heat | None) -> Faces:
    if warmth and solid.kind != "input":
        return _warm(warmth, solid, theme)
    return mixed(theme, solid.bands) if solid.bands else faces(theme, solid.kind)


def _cut(items: list[Item], prism: Prism, start: float, stop: float, own: Faces) -> None:
    items.append(Path(prism.lid(start, stop), own.edge, 0.9, fill=own.lid, closed=True))
    items.append(Path(prism.front(start, stop), own.edge, 0.9, fill=own.front, closed=True))


def _warm(warmth: Heat, solid: Solid, theme: Theme) -> Faces:
    return shaded(warmth.swatch(theme, solid.card).fill)


def _line(line: Line, theme: Theme) -> list[Item]:
    if line.way == "kernel":
        fill = theme.background if line.closed else None
        return [Path(line.points, theme.text, 0.8, fill=fill, closed=line.closed)]
    around = line.way in ("skip", "projection")
    colour, width = (theme.skip, 1.7) if around else (theme.edge, 1.3)
    dash = (4.0, 3.0) if line.way == "projection" else None
    if not line.arrow:
        return [Path(line.points, colour, width, radius=7, dash=dash)]
    (x0, y0), (x1, y1) = line.points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    long, half = _HEAD if not around else (6.0, 2.9)
    neck = (x1 - dx * (long - 1), y1 - dy * (long - 1))
    head: tuple[Point, ...] = (
        (x1, y1),
        (x1 - dx * long - dy * half, y1 - dy * long + dx * half),
        (x1 - dx * long + dy * half, y1 - dy * long - dx * half),
    )
    shaft = Path((*line.points[:-1], neck), colour, width, radius=7, dash=dash)
    return [shaft, Path(head, fill=colour, closed=True)]


def _sign(sign: Sign, theme: Theme) -> list[Item]:
    colours = theme.swatches["merge"]
    x, y, r = sign.x, sign.y, sign.radius
    arm = r * 0.5 if sign.text == "+" else r * 0.38
    ends: tuple[tuple[Point, Point], ...]
    if sign.text == "+":
        ends = (((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm)))
    else:
        ends = (((x - arm, y - arm), (x + arm, y + arm)), ((x - arm, y + arm), (x + arm, y - arm)))
    return [
        Disc((x, y), r, colours.fill, colours.stroke, 1.4),
        *(Path(stroke, colours.title, 1.8) for stroke in ends),
    ]


def _words(words: Words, theme: Theme) -> Text:
    colours = {
        "heading": theme.heading,
        "subheading": theme.muted,
        "title": theme.heading,
        "number": theme.text,
    }
    fill = colours.get(words.role, theme.muted)
    return Text(words.x, words.y, words.text, words.size, fill, words.bold, words.anchor, words.angle)


def _sample(entry: LegendEntry, theme: Theme) -> list[Item]:
    x, y = entry.x, entry.y
    if entry.kind in ("skip", "projection"):
        dash = (4.0, 3.0) if entry.kind == "projection" else None
        return [Path(((x, y), (x + 18, y)), theme.skip, 1.7, dash=dash)]
    if entry.kind.startswith("heat "):
        warm = heated(theme, float(entry.kind.removeprefix("heat ")))
        return [Rect(Box(x, y - 6, 18, 12), 2, warm.fill, warm.stroke)]
    prism = Prism(x, y, 11.0, 12.0, 13.0)
    items: list[Item] = []
    own = faces(theme, "convolution" if entry.kind == "active" else entry.kind)
    if entry.kind == "active":
        _cut(items, prism, 0.0, 7.0, own)
        _cut(items, prism, 7.0, 11.0, band(own.front))
    elif entry.kind == "concat":
        for i, kind in enumerate(("1", "3", "pool")):
            _cut(items, prism, 11 * i / 3, 11 * (i + 1) / 3, faces(theme, kind))
        own = faces(theme, "pool")
    else:
        _cut(items, prism, 0.0, 11.0, own)
    items.append(Path(prism.side(), own.edge, 0.9, fill=own.side, closed=True))
    return items
