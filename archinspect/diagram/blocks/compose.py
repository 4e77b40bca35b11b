"""Whole block diagrams: columns, one or several side by side; a strip; an overview of one row and insets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from ..elements import Element, Frame, Outline
from ..fit import SCREEN, Medium
from ..insets import Inset, insets
from ..row import as_row
from ..scene import FIGURES, TITLE, Label, Scene
from ..typeface import shorten, text_width
from . import spacing as s
from .boxes import BlockBox
from .build import Builder, Wrapping
from .columns import Columns
from .legend import Key
from .row import Rows
from .sheet import add_head, finish, narrowest, needed_scale, scale_on_page

_LIMITS = tuple(200.0 * 1.11**i for i in range(29))  # heights of columns to try, px
_ORPHAN = 0.8  # how much smaller a picture may be, to have no column of a few forgotten cards
_DENSEST = (
    1.4  # how much of the parts' area, empty corners included, another break of their insides may spare
)
_TALLEST = 900.0  # an inset's block higher than this is wrapped
_CAPTION = 40.0  # height of the words above an inset
_ROW, _STRIP = 1900.0, 2300.0  # a row longer than this is broken, at the size that a screen has room for


def compose(outlines: tuple[Outline, ...], key: Key, page: Medium) -> Scene:
    """Lay the outlines out in columns, side by side, as large as can be on a page."""
    scene = Scene()
    share = len(outlines)
    least = narrowest(page) if share == 1 else 0.0
    boxes = [_columns(outline, page, share) for outline in outlines]
    letters = [chr(letter) if share > 1 else "" for letter, _ in zip(count(ord("a")), outlines, strict=False)]
    heads = []
    x = s.MARGIN
    for outline, box, letter in zip(outlines, boxes, letters, strict=True):
        room = max(box.left + box.right, least or 260.0)
        width, end = add_head(scene, outline, x, letter=letter, room=room)
        heads.append((x, end))
        x += max(box.left + box.right, width) + s.PANEL
    top = max(end for _, end in heads)
    for box, (start, _) in zip(boxes, heads, strict=True):
        box.place(scene, start + box.left, top, "", 0)
    bottom = top + max(box.height for box in boxes)
    return finish(scene, outlines, key, x - s.PANEL, bottom, narrowest(page))


def _columns(outline: Outline, page: Medium, share: int) -> BlockBox:
    """The outline in the columns that can be drawn largest.

    First only the network's own sequence is broken; that in frames where the text could not be read otherwise, and in
    blocks last.
    """
    best: BlockBox | None = None
    builder = Builder()
    most = 0.0
    can_break = any(isinstance(element, Frame) for element in outline.body) and not _hopeless(
        outline, page, share, builder
    )
    for within in (0, 1, 2) if can_break else (0,):
        for limit, box in _tries(outline.body, within, builder):
            scale = scale_on_page(box.left + box.right, box.height, page, share)
            if isinstance(box, Columns) and box.orphan:
                scale *= _ORPHAN
            if best is None or scale > most * 1.0001:
                best, most, wrapping = box, scale, Wrapping(limit, within)
        if most >= needed_scale(page):
            break
    return builder.sequence(outline.body, wrapping)  # anew: boxes of a sequence share their cards' widths


def _hopeless(outline: Outline, page: Medium, share: int, builder: Builder) -> bool:
    """Whether the parts of the sequence cover more than the page has at the scale needed, however they are broken."""
    area = sum((box.left + box.right) * box.height for box in builder.boxes(outline.body, Wrapping()))
    return area > _DENSEST * page.width * page.height / needed_scale(page) ** 2 / share


def _tries(body: tuple[Element, ...], within: int, builder: Builder) -> Iterator[tuple[float, BlockBox]]:
    """The sequence with columns of ever greater height, until it is one."""
    for limit in _LIMITS:
        box = builder.sequence(body, Wrapping(limit, within))
        yield limit, box
        if box.height <= limit and not isinstance(box, Columns):
            break


def strip(outlines: tuple[Outline, ...], key: Key, page: Medium) -> Scene:
    """Each outline from left to right, one below the other."""
    scene = Scene()
    bottom, right = 0.0, s.MARGIN
    longest = _longest(page, _STRIP)
    for outline in outlines:
        elements, missing = as_row(outline.body, chains=True)
        rows = Rows(elements, longest)
        top = bottom + s.PANEL if bottom else s.MARGIN
        room = max(rows.width, narrowest(page))
        width, end = add_head(scene, outline, s.MARGIN, missing, top=top, room=room)
        rows.place(scene, s.MARGIN, end)
        right = max(right, s.MARGIN + max(width, rows.width))
        bottom = end + rows.height
    return finish(scene, outlines, key, right, bottom, narrowest(page))


def overview(outlines: tuple[Outline, ...], key: Key, page: Medium) -> Scene:
    """One row of stages, and below it each kind of block once."""
    (outline,) = outlines
    scene = Scene()
    elements, missing = as_row(outline.body, chains=False)
    rows = Rows(elements, _longest(page, _ROW))
    room = max(rows.width, narrowest(page))
    width, end = add_head(scene, outline, s.MARGIN, missing, room=room)
    right = s.MARGIN + max(width, rows.width)
    rows.place(scene, s.MARGIN, end)
    y = end + rows.height
    panels = [_Panel(inset) for inset in insets(outline.body)]
    for shelf in _best_shelves(panels, right - s.MARGIN, page):
        y += s.PANEL
        width = sum(panel.width for panel in shelf) + s.PANEL * (len(shelf) - 1)
        x = s.MARGIN + max(right - s.MARGIN - width, 0.0) / 2
        for panel in shelf:
            panel.place(scene, x, y)
            x += panel.width + s.PANEL
        right = max(right, x - s.PANEL)
        y += max(panel.height for panel in shelf)
    return finish(scene, outlines, key, right, y, narrowest(page))


def _longest(page: Medium, on_screen: float) -> float:
    """The longest row: as given for a screen, and for another medium what can be read there."""
    return on_screen if page == SCREEN else page.width / needed_scale(page) - 2 * page.margin


class _Panel:
    """An inset with its caption."""

    def __init__(self, inset: Inset) -> None:
        self.inset = inset
        self.box = Builder().upright(inset.body, Wrapping(_TALLEST))
        self.width = max(self.box.left + self.box.right, text_width(inset.name, TITLE, True), 150.0)
        self.height = _CAPTION + self.box.height

    def place(self, scene: Scene, x: float, y: float) -> None:
        scene.labels.append(Label(x, y + 12, self.inset.name, TITLE, "frame", True))
        fitting = (words for words in self.inset.where if text_width(words, FIGURES) <= self.width)
        words = next(fitting, shorten(self.inset.where[-1], FIGURES, self.width))
        scene.labels.append(Label(x, y + 26, words, FIGURES, "block"))
        middle = (self.width - self.box.left - self.box.right) / 2 + self.box.left
        self.box.place(scene, x + middle, y + _CAPTION, "", 0)


def _best_shelves(panels: list[_Panel], width: float, page: Medium) -> list[list[_Panel]]:
    """Panels in rows, as wide as shows them largest on a page."""
    if not panels:
        return []

    def scale(shelves: list[list[_Panel]]) -> float:
        longest = max(sum(panel.width + s.PANEL for panel in shelf) for shelf in shelves)
        height = sum(max(panel.height for panel in shelf) + s.PANEL for shelf in shelves)
        return scale_on_page(max(width, longest), height, page)

    base = max(width, page.width)
    return max((_shelves(panels, base * factor) for factor in (1.0, 1.3, 1.7, 2.2)), key=scale)


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
