"""The sheet that a diagram stands on: title and totals above it, the legend below, margins around."""

from __future__ import annotations

from ..captions import ends_text
from ..elements import Outline
from ..scene import HEADING, SUBHEADING, Label, Scene
from . import spacing as s
from .legend import Key, add_legend

PAGE = (1600.0, 1000.0)  # what a picture should fit well: a screen, a slide
TITLE = 62.0  # height of title and totals
TOP = s.MARGIN + TITLE
_LEGEND = 40.0
_NARROWEST = 420.0


def scale_on_page(width: float, height: float, room: tuple[float, float] = PAGE) -> float:
    """How large a body of this size can be drawn in the room."""
    return min(room[0] / (width + 2 * s.MARGIN), room[1] / (height + 2 * s.MARGIN + TITLE + _LEGEND))


def add_head(scene: Scene, outline: Outline, x: float, note: str = "", *, letter: str = "") -> float:
    """Title, totals, and a note behind them; returns their width.  `letter` numbers a picture among several."""
    title = f"{outline.title} · {outline.scope}" if outline.scope else outline.title
    if letter:
        title = f"({letter}) {title}"
    ends = ends_text(outline.inputs, outline.outputs)
    parts = [outline.figures.text(), *ends, note, outline.note]
    subtitle = " · ".join(part for part in parts if part)
    scene.description = "; ".join(filter(None, (scene.description, f"{title}: {subtitle}")))
    y = s.MARGIN + 16
    heading = Label(x, y, title, HEADING, "heading", True)
    below = Label(x, y + 20, subtitle, SUBHEADING, "subheading")
    scene.labels += [heading, below]
    return max(heading.box.width, below.box.width)


def finish(scene: Scene, outlines: tuple[Outline, ...], key: Key, right: float, bottom: float) -> Scene:
    """Set the legend below what ends at `right` and `bottom`, and the scene's size."""
    foot = bottom + 26
    rows = add_legend(scene, key, max(right - s.MARGIN, _NARROWEST), foot)
    edge = max((label.box.right for entry in scene.legend for label in entry.labels), default=0.0)
    scene.width = max(right, edge) + s.MARGIN
    scene.height = foot + rows * 20 + s.MARGIN - 4
    scene.title = " and ".join(dict.fromkeys(outline.title for outline in outlines))
    return scene
