"""The sheet that a diagram stands on: title and totals above it, the legend below, margins around."""

from __future__ import annotations

from ..captions import ends_text
from ..elements import Outline
from ..fit import Medium
from ..scene import HEADING, SMALLEST, SUBHEADING, Label, Scene
from ..typeface import text_width, wrapped
from . import spacing as s
from .legend import Key, add_legend

TITLE = 62.0  # height of title and totals of one line each
_LEGEND = 40.0
_NARROWEST = 420.0  # of a heading by itself


def scale_on_page(width: float, height: float, page: Medium, share: int = 1) -> float:
    """How large a body of this size can be drawn on one of `share` equal parts of the page, side by side."""
    across = (page.width / share) / (width + 2 * page.margin)
    return min(across, page.height / (height + 2 * page.margin + TITLE + _LEGEND))


def needed_scale(page: Medium) -> float:
    """The scale at which the smallest text can be read."""
    return page.smallest / SMALLEST


def add_head(
    scene: Scene,
    outline: Outline,
    x: float,
    note: str = "",
    *,
    letter: str = "",
    top: float = s.MARGIN,
    room: float = _NARROWEST,
) -> tuple[float, float]:
    """Title, totals, and a note behind them, in lines of at most the room; returns their width and where they end.

    `letter` numbers a picture among several.
    """
    title = f"{outline.title} · {outline.scope}" if outline.scope else outline.title
    if letter:
        title = f"({letter}) {title}"
    ends = ends_text(outline.inputs, outline.outputs)
    parts = [part for part in (outline.figures.text(), *ends, note, outline.note) if part]
    scene.description = "; ".join(filter(None, (scene.description, f"{title}: {' · '.join(parts)}")))
    y = top - 7
    labels: list[Label] = []
    for line in wrapped(title, HEADING, room, True):
        y += 23
        labels.append(Label(x, y, line, HEADING, "heading", True))
    y += 3
    for line in _joined(parts, room):
        y += 17
        labels.append(Label(x, y, line, SUBHEADING, "subheading"))
    scene.labels += labels
    return max(label.box.width for label in labels), y + 26


def _joined(parts: list[str], room: float) -> list[str]:
    """The parts in lines of at most the room, broken between them where that is enough."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and text_width(longer, SUBHEADING) <= room:
            lines[-1] = longer
        else:
            lines += wrapped(part, SUBHEADING, room)
    return lines


def finish(
    scene: Scene,
    outlines: tuple[Outline, ...],
    key: Key,
    right: float,
    bottom: float,
    room: float = _NARROWEST,
) -> Scene:
    """Set the legend below what ends at `right` and `bottom`, and the scene's size."""
    foot = bottom + 22
    rows = add_legend(scene, key, max(right - s.MARGIN, room), foot)
    edge = max((label.box.right for entry in scene.legend for label in entry.labels), default=0.0)
    scene.width = max(right, edge) + s.MARGIN
    scene.height = foot + rows * 20 + s.MARGIN - 4
    scene.title = " and ".join(dict.fromkeys(outline.title for outline in outlines))
    return scene


def narrowest(page: Medium) -> float:
    """The least width of heading and legend: that of a heading, or the page where it is narrower."""
    return min(_NARROWEST, page.width / needed_scale(page) - 2 * page.margin)
