"""Whole block diagrams: columns, one or several side by side; a strip; an overview of one row and insets."""

from __future__ import annotations

from itertools import count

from ..elements import Outline
from ..insets import Inset, insets
from ..row import as_row
from ..scene import FIGURES, TITLE, Label, Scene
from ..typeface import shorten, text_width
from . import spacing as s
from .build import sequence, upright
from .legend import Key
from .row import Rows
from .sheet import PAGE, TOP, add_head, finish, scale_on_page

_LIMITS = tuple(400.0 * 1.11**i for i in range(22))  # heights of columns to try, px
_TALLEST = 900.0  # an inset's block higher than this is wrapped
_CAPTION = 40.0  # height of the words above an inset
_ROW, _STRIP = 1900.0, 2300.0  # a row longer than this is broken


def compose(outlines: tuple[Outline, ...], key: Key = None) -> Scene:
    """Lay the outlines out in columns, side by side, as large as can be on a page."""
    scene = Scene()
    x, bottom = s.MARGIN, 0.0
    room = (PAGE[0] / len(outlines), PAGE[1])
    for letter, outline in zip(count(ord("a")), outlines, strict=False):
        arrange = upright if outline.scope else sequence
        boxes = [arrange(outline.body, limit) for limit in _LIMITS]
        best = max(boxes, key=lambda box: scale_on_page(box.left + box.right, box.height, room))
        head = add_head(scene, outline, x, letter=chr(letter) if len(outlines) > 1 else "")
        best.place(scene, x + best.left, TOP, "", 0)
        x += max(best.left + best.right, head) + s.PANEL
        bottom = max(bottom, TOP + best.height)
    return finish(scene, outlines, key, x - s.PANEL, bottom)


def strip(outlines: tuple[Outline, ...], key: Key = None) -> Scene:
    """Each outline from left to right, one below the other."""
    scene = Scene()
    bottom, right = TOP, s.MARGIN
    for number, outline in enumerate(outlines):
        elements, missing = as_row(outline.body, chains=True)
        rows = Rows(elements, _STRIP)
        if number:
            part = Scene()
            width = add_head(part, outline, s.MARGIN, missing)
            drop = bottom + s.PANEL - s.MARGIN
            scene.labels += [
                Label(label.x, label.y + drop, label.text, label.size, label.role, label.bold)
                for label in part.labels
            ]
            scene.description += "; " + part.description
            top = drop + TOP
        else:
            width, top = add_head(scene, outline, s.MARGIN, missing), TOP
        rows.place(scene, s.MARGIN, top)
        right = max(right, s.MARGIN + max(width, rows.width))
        bottom = top + rows.height
    return finish(scene, outlines, key, right, bottom)


def overview(outlines: tuple[Outline, ...], key: Key = None) -> Scene:
    """One row of stages, and below it each kind of block once."""
    (outline,) = outlines
    scene = Scene()
    elements, missing = as_row(outline.body, chains=False)
    rows = Rows(elements, _ROW)
    right = s.MARGIN + max(add_head(scene, outline, s.MARGIN, missing), rows.width)
    rows.place(scene, s.MARGIN, TOP)
    y = TOP + rows.height
    panels = [_Panel(inset) for inset in insets(outline.body)]
    for shelf in _best_shelves(panels, right - s.MARGIN):
        y += s.PANEL
        width = sum(panel.width for panel in shelf) + s.PANEL * (len(shelf) - 1)
        x = s.MARGIN + max(right - s.MARGIN - width, 0.0) / 2
        for panel in shelf:
            panel.place(scene, x, y)
            x += panel.width + s.PANEL
        right = max(right, x - s.PANEL)
        y += max(panel.height for panel in shelf)
    return finish(scene, outlines, key, right, y)


class _Panel:
    """An inset with its caption."""

    def __init__(self, inset: Inset) -> None:
        self.inset = inset
        self.box = upright(inset.body, _TALLEST)
        self.width = max(self.box.left + self.box.right, text_width(inset.name, TITLE, True), 150.0)
        self.height = _CAPTION + self.box.height

    def place(self, scene: Scene, x: float, y: float) -> None:
        scene.labels.append(Label(x, y + 12, self.inset.name, TITLE, "frame", True))
        fitting = (words for words in self.inset.where if text_width(words, FIGURES) <= self.width)
        words = next(fitting, shorten(self.inset.where[-1], FIGURES, self.width))
        scene.labels.append(Label(x, y + 26, words, FIGURES, "block"))
        middle = (self.width - self.box.left - self.box.right) / 2 + self.box.left
        self.box.place(scene, x + middle, y + _CAPTION, "", 0)


def _best_shelves(panels: list[_Panel], width: float) -> list[list[_Panel]]:
    """Panels in rows, as wide as shows them largest on a page."""
    if not panels:
        return []

    def scale(shelves: list[list[_Panel]]) -> float:
        longest = max(sum(panel.width + s.PANEL for panel in shelf) for shelf in shelves)
        height = sum(max(panel.height for panel in shelf) + s.PANEL for shelf in shelves)
        return scale_on_page(max(width, longest), height)

    return max((_shelves(panels, max(width, PAGE[0]) * factor) for factor in (1.0, 1.3, 1.7, 2.2)), key=scale)


def _shelves(panels: list[_Panel], width: float) -> list[list[_Panel]]:
    """Panels in rows of at most the width."""
    shelves: list[list[_Panel]] = []
    used = 0.0
    for panel in panels:
        if not shelves or used + panel.width > width:
            shelves.append([])
            used = 0.0
        shelves[-1].append(panel)
        used += panel.width + s.PANEL
    return shelves
