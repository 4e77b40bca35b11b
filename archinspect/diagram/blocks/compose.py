"""A whole block diagram: the best wrapping into columns, the title, the legend."""

from __future__ import annotations

from ..captions import shape_label
from ..drawing import Box
from ..elements import Outline
from ..scene import HEADING, LEGEND, SUBHEADING, Label, LegendEntry, Scene
from ..theme import KINDS
from ..typeface import text_width
from . import spacing as s
from .boxes import BlockBox
from .build import sequence

PAGE = (1600.0, 1000.0)  # what a picture should fit well: a screen, a slide
_LIMITS = (450.0, 600.0, 750.0, 850.0, 950.0, 1100.0, 1300.0, 1600.0, 2000.0, 2500.0, 3200.0)
_TITLE = 62.0  # height of title and subtitle
_LEGEND = 40.0


def compose(outlines: tuple[Outline, ...]) -> Scene:
    """Lay the outlines out side by side, as large as can be on a page."""
    scene = Scene()
    x, bottom = s.MARGIN, 0.0
    room = (PAGE[0] / len(outlines), PAGE[1])
    for outline in outlines:
        boxes = (sequence(outline.body, limit) for limit in _LIMITS)
        best = max(boxes, key=lambda box: _scale(box, room))
        head = _head(scene, outline, x)
        best.place(scene, x + best.left, s.MARGIN + _TITLE, "", 0)
        x += max(best.left + best.right, head) + s.PANEL
        bottom = max(bottom, s.MARGIN + _TITLE + best.height)
    width = x - s.PANEL - s.MARGIN
    foot = bottom + 26
    rows = _legend(scene, _kinds(scene), max(width, 420.0), foot)
    right = max((entry.label.box.right for entry in scene.legend), default=0.0)
    scene.width = max(s.MARGIN + width, right) + s.MARGIN
    scene.height = foot + rows * 20 + s.MARGIN - 4
    scene.title = " and ".join(dict.fromkeys(outline.title for outline in outlines))
    return scene


def _scale(box: BlockBox, room: tuple[float, float]) -> float:
    width = box.left + box.right + 2 * s.MARGIN
    height = box.height + 2 * s.MARGIN + _TITLE + _LEGEND
    return min(room[0] / width, room[1] / height)


def _head(scene: Scene, outline: Outline, x: float) -> float:
    """Title and totals; returns their width."""
    title = f"{outline.title} · {outline.scope}" if outline.scope else outline.title
    shape = shape_label(outline.body[0].output_shape)
    parts = [outline.figures.text(), f"input {shape}", f"output {shape_label(outline.body[-1].output_shape)}"]
    subtitle = " · ".join(part for part in parts if part)
    scene.description = "; ".join(filter(None, (scene.description, f"{title}: {subtitle}")))
    y = s.MARGIN + 16
    heading = Label(x, y, title, HEADING, "heading", True)
    below = Label(x, y + 20, subtitle, SUBHEADING, "subheading")
    scene.labels += [heading, below]
    return max(heading.box.width, below.box.width)


def _kinds(scene: Scene) -> list[tuple[str, str]]:
    """What the legend explains: kinds of cards in a fixed order, skips, folded repeats."""
    present = {card.card.kind for card in scene.cards} - {"io"}
    entries = [(kind, words) for kind, words in KINDS.items() if kind in present]
    if any(edge.way == "skip" for edge in scene.edges):
        entries.append(("skip", "Skip connection"))
    repeats = any(frame.pill for frame in scene.frames) or any(card.card.repeat > 1 for card in scene.cards)
    if repeats:
        entries.append(("folded", "×N: N equal blocks in a row"))
    return entries


def _legend(scene: Scene, entries: list[tuple[str, str]], width: float, y: float) -> int:
    """Samples and words in rows of the given width; returns the number of rows."""
    x, row = s.MARGIN, 0
    for kind, words in entries:
        need = 24 + text_width(words, LEGEND) + 18
        if x > s.MARGIN and x + need > s.MARGIN + width:
            x, row = s.MARGIN, row + 1
        top = y + 20 * row
        label = Label(x + 24, top + 10, words, LEGEND, "legend")
        scene.legend.append(LegendEntry(Box(x, top, 17, 12), kind, label))
        x += need
    return row + 1
