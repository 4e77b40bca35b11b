"""A whole block diagram: the best wrapping into columns, the title, the legend."""

from __future__ import annotations

from ..captions import shape_label
from ..colouring import Heat
from ..elements import Outline
from ..scene import HEADING, SUBHEADING, Label, Scene
from . import spacing as s
from .boxes import BlockBox
from .build import sequence
from .legend import add_legend

PAGE = (1600.0, 1000.0)  # what a picture should fit well: a screen, a slide
_LIMITS = tuple(400.0 * 1.11**i for i in range(22))  # heights of columns to try, px
_TITLE = 62.0  # height of title and subtitle
_LEGEND = 40.0


def compose(outlines: tuple[Outline, ...], heat: Heat | None = None) -> Scene:
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
    rows = add_legend(scene, heat, max(width, 420.0), foot)
    right = max((label.box.right for entry in scene.legend for label in entry.labels), default=0.0)
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
