"""A whole picture of volumes: as much detail as fits a page, stages along one axis, captions on one baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...graph import Graph
from ..captions import shape_label
from ..colouring import Heat
from ..elements import Card, Figures, Outline
from ..options import Options
from ..typeface import text_width
from .axis import along
from .content import Extent, Gap, Part, Solid, solids
from .groups import Group, elided, grouped
from .palette import KINDS, kind_of
from .reading import Detail, Reader, every_extent
from .scale import LARGEST, Scale, scale
from .scene import HEADING, LEGEND, NOTE, SUBHEADING, LegendEntry, Scene, Thing, Words, bounds

WIDE = 2100.0  # at most, where that shows the inside of blocks: text has 8 px on a slide of 1600
HIGH = 800.0
_SIDES = (LARGEST, 160.0, 110.0, 80.0)
_MOST_PARTS = 120
_MOST_FINE = 14  # groups by name; more are grouped by size alone
_MARGIN = 24.0


@dataclass
class Picture:
    """Stages of one network in their places, captions included; the axis is y = 0."""

    graph: Graph
    outline: Outline
    things: list[Thing]
    scale: Scale
    solids: list[Solid]


def compose(pictures: list[Picture], warmth: Heat | None = None) -> Scene:
    """The networks below each other, each with a title, and one legend."""
    scene = Scene(title=" and ".join(dict.fromkeys(picture.outline.title for picture in pictures)))
    y = _MARGIN
    words: list[str] = []
    for picture in pictures:
        head = _head(picture.outline, y)
        words.append(f"{head[0].text}: {head[1].text}")
        scene.things += head
        box = bounds(picture.things)
        moved = [thing.moved(_MARGIN - box.x, y + 52.0 - box.y) for thing in picture.things]
        scene.things += moved
        y = bounds(moved).bottom + 30.0
        note = f"Not to one linear scale: {picture.scale.words}."
        scene.things.append(Words(_MARGIN, y - 4.0, note, NOTE, "note"))
        y += 26.0
    scene.description = "; ".join(words)
    width = max(bounds(scene.things).right, 480.0)
    drawn = [solid for picture in pictures for solid in picture.solids]
    y = _legend(scene, _entries(scene, drawn, warmth), width, y)
    scene.width = max(width, *(bounds([entry.words]).right for entry in scene.legend)) + _MARGIN
    scene.height = y + _MARGIN - 8.0
    return scene


def best(graph: Graph, outline: Outline, options: Options) -> Picture:
    """The most detailed picture that fits the page, else the least detailed."""
    expand, depth = options.expand, options.depth
    expand = (*expand, outline.scope) if outline.scope else expand
    levels = [
        (1700.0, Detail("all", 12, 1000, expand, depth)),
        (1700.0, Detail("first", 8, 1000, expand, depth)),
        (WIDE, Detail("once", 8, 1000, expand, depth)),
        (WIDE, Detail("none", 8, 24, expand, depth)),
        (WIDE, Detail("none", 4, 14, expand, depth)),
        (WIDE, Detail("none", 3, 11, expand, depth)),
    ]
    for width, detail in levels:
        shown = _shown(graph, outline, detail)
        kept: list[Part] = [part for group in shown if isinstance(group, Group) for part in group.drawn]
        if len(kept) > _MOST_PARTS and detail is not levels[-1][1]:
            continue  # that cannot fit, and need not be laid out to see it
        for largest in _SIDES:  # a smaller scale only helps against height: many branches of large maps
            own = scale(every_extent(kept), largest)
            picture = Picture(graph, outline, along(shown, own), own, list(solids(kept)))
            box = bounds(picture.things)
            if box.width <= width and box.height <= HIGH:
                return picture
            if box.width > width:
                break
    return picture


def _shown(graph: Graph, outline: Outline, detail: Detail) -> list[Group | Gap]:
    """The stages of a network at a level of detail."""
    parts = Reader(graph, detail).parts(outline.body)
    parts = [_input(outline), *_with_output(outline, parts)]
    groups = grouped(parts, fine=True)
    if len(groups) > _MOST_FINE:
        groups = grouped(parts, fine=False)
    return elided(groups, detail.most, detail.groups)


def _input(outline: Outline) -> Solid:
    shape = outline.inputs[0] if outline.inputs else ()
    card = Card("input", "io", "input", (shape_label(shape),), (), Figures(), shape, shape)
    return Solid(card, "input", shape_label(shape), "input", Extent.of(shape))


def _with_output(outline: Outline, parts: list[Part]) -> list[Part]:
    """The last bar of a whole network in the colour of outputs."""
    last = parts[-1] if parts else None
    if outline.scope or not isinstance(last, Solid) or not last.extent.flat:
        return parts
    return [*parts[:-1], replace(last, kind="output")]


def _head(outline: Outline, y: float) -> list[Words]:
    """Title and totals."""
    title = f"{outline.title} · {outline.scope}" if outline.scope else outline.title
    shapes = [shape_label(outline.body[i].output_shape) for i in (0, -1)]
    parts = [outline.figures.text(), f"input {shapes[0]}", f"output {shapes[1]}"]
    subtitle = " · ".join(part for part in parts if part)
    return [
        Words(_MARGIN, y + 16.0, title, HEADING, "heading", True),
        Words(_MARGIN, y + 36.0, subtitle, SUBHEADING, "subheading"),
    ]


def _entries(scene: Scene, drawn: list[Solid], warmth: Heat | None) -> list[tuple[str, str]]:
    """What the legend explains: kinds of solids or the ramp of a heat map, then ways around."""
    ways = {line.way for line in scene.lines()}
    around = [(way, words) for way, words in _WAYS.items() if way in ways]
    if warmth:
        texts = zip(("heat 0", "heat 0.5", "heat 1"), warmth.legend(), strict=True)
        return [
            (kind, f"{warmth.title} {text}" if kind == "heat 0" else text) for kind, text in texts
        ] + around
    present = {kind_of(solid.kind) for solid in drawn if not solid.bands}
    present |= {band.kind for solid in drawn for band in solid.bands}
    if any(solid.active for solid in drawn):
        present.add("active")
    return [(kind, words) for kind, words in KINDS.items() if kind in present] + around


def _legend(scene: Scene, entries: list[tuple[str, str]], width: float, y: float) -> float:
    """Samples and words in rows; returns the y below the last."""
    x = _MARGIN
    for kind, words in entries:
        need = 28 + text_width(words, LEGEND) + 22
        if x > _MARGIN and x + need > width + 22:
            x, y = _MARGIN, y + 22.0
        scene.legend.append(LegendEntry(x, y, kind, Words(x + 28, y + 4, words, LEGEND, "legend")))
        x += need
    return y + 14.0


_WAYS = {"skip": "skip connection", "projection": "skip with projection"}
