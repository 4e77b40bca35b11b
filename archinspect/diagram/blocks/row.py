"""Cards and frames from left to right on one axis, broken into rows where they would be too long."""

from __future__ import annotations

from math import ceil
from typing import Protocol

from ..captions import shape_label
from ..drawing import Box, Point
from ..elements import Card, Element, Frame
from ..scene import SHAPE, Edge, Label, PlacedFrame, Scene
from ..typeface import text_width
from . import spacing as s
from .cards import CardBox
from .header import FrameHeader

_SPACE = 48.0  # between rows, for the way back
_TURN = 14.0  # from a row's end to where its way turns
_PAD = 10.0  # in a frame


class Cell(Protocol):
    """Something on the axis: extents above and below it, and a width."""

    width: float
    up: float
    down: float

    def place(self, scene: Scene, x: float, y: float, level: int) -> None:
        """Put it into the scene, its left side at `x`, the axis at `y`."""

    def ports(self, x: float) -> tuple[float, float]:
        """Where the way comes in and goes on when the left side is at `x`: at its first and last card."""


class CardCell:
    """A card in a row."""

    def __init__(self, card: Card) -> None:
        self.box = CardBox(card)
        self.width = self.box.width + self.box.stack
        self.down = self.box.body / 2
        self.up = self.down + self.box.stack

    def place(self, scene: Scene, x: float, y: float, level: int) -> None:
        self.box.place(scene, x + self.box.width / 2, y - self.up, "", level)

    def ports(self, x: float) -> tuple[float, float]:
        return x, x + self.box.width


class FrameCell:
    """A frame around a row."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.cells = [cell_of(element) for element in frame.body]
        self.gaps = gaps(frame.body)
        self.stack = 2 * s.STACK if frame.repeat > 1 else 0.0
        inside = sum(cell.width for cell in self.cells) + sum(self.gaps)
        self.header = FrameHeader(frame, inside + 2 * _PAD)
        self.inside = inside
        self.width = max(inside + 2 * _PAD, self.header.width) + self.stack
        self.up = max(cell.up for cell in self.cells) + self.header.height + _PAD / 2 + self.stack
        self.down = max(cell.down for cell in self.cells) + _PAD

    def place(self, scene: Scene, x: float, y: float, level: int) -> None:
        top = y - self.up + self.stack
        box = Box(x, top, self.width - self.stack, self.down + self.up - self.stack)
        header = Box(x, top, box.width, self.header.height)
        labels, pill = self.header.labels(box)
        scene.frames.append(PlacedFrame(self.frame, box, header, labels, pill, level))
        elements = tuple(e for e in self.frame.body)
        place_run(scene, self.cells, self.gaps, elements, self._start(x), y, self.frame.name, level + 1)

    def ports(self, x: float) -> tuple[float, float]:
        start = self._start(x)
        last = start + self.inside - self.cells[-1].width
        return self.cells[0].ports(start)[0], self.cells[-1].ports(last)[1]

    def _start(self, x: float) -> float:
        return x + (self.width - self.stack - self.inside) / 2


def cell_of(element: Element) -> Cell:
    assert isinstance(element, (Card, Frame))  # what a row holds
    return CardCell(element) if isinstance(element, Card) else FrameCell(element)


def gaps(elements: tuple[Element, ...]) -> list[float]:
    """Room behind each element but the last, for an arrow with the shape above it."""
    return [max(30.0, text_width(label, SHAPE) + 18) if label else 30.0 for label in _labels(elements)]


def place_run(
    scene: Scene,
    cells: list[Cell],
    widths: list[float],
    elements: tuple[Element, ...],
    x: float,
    y: float,
    owner: str,
    level: int,
) -> None:
    """Cells from left to right and the ways between them."""
    for i, cell in enumerate(cells):
        cell.place(scene, x, y, level)
        if i + 1 < len(cells):
            _, start = cell.ports(x)
            end = x + cell.width + widths[i]
            scene.edges.append(Edge(((start, y), (cells[i + 1].ports(end)[0], y)), "main", True, owner))
            label = _labels(elements)[i]
            if label:
                middle = (x + cell.width + end - 6) / 2
                scene.labels.append(Label(middle, y - 5, label, SHAPE, "shape", False, "middle"))
            x = end


class Rows:
    """The row, in as few parts as the longest row allows and of about equal length."""

    def __init__(self, elements: tuple[Card | Frame, ...], longest: float) -> None:
        cells = [cell_of(element) for element in elements]
        spaces = [*gaps(elements), 0.0]
        whole = sum(cell.width for cell in cells) + sum(spaces)
        sizes = [(cell.width, space) for cell, space in zip(cells, spaces, strict=True)]
        count, low, high = len(_parts(sizes, longest)), whole / ceil(whole / longest), longest
        for _ in range(16):  # the shortest rows of which there are no more
            middle = (low + high) / 2
            low, high = (low, middle) if len(_parts(sizes, middle)) <= count else (middle, high)
        self.parts = _parts(sizes, high)
        self.elements, self.cells, self.spaces = elements, cells, spaces
        self.indent = 2 * _TURN if len(self.parts) > 1 else 0.0
        lengths = [sum(cells[i].width for i in p) + sum(spaces[i] for i in p[:-1]) for p in self.parts]
        self.width = self.indent + max(lengths) + (_TURN if len(self.parts) > 1 else 0.0)
        self.height = sum(self._up(p) + self._down(p) for p in self.parts) + _SPACE * (len(self.parts) - 1)

    def place(self, scene: Scene, x: float, y: float) -> None:
        way: tuple[Point, ...] = ()
        label = ""
        for number, part in enumerate(self.parts):
            axis, start = y + self._up(part), x + self.indent
            cells = [self.cells[i] for i in part]
            elements = tuple(self.elements[i] for i in part)
            if way:
                turn = way[-1][1]
                end = (cells[0].ports(start)[0], axis)
                scene.edges.append(Edge((*way, (x + _TURN / 2, turn), (x + _TURN / 2, axis), end)))
                if label:
                    scene.labels.append(Label(x + 2 * _TURN, turn - 5, label, SHAPE, "shape"))
            place_run(scene, cells, [self.spaces[i] for i in part], elements, start, axis, "", 0)
            y = axis + self._down(part)
            if number + 1 < len(self.parts):
                left = start + sum(cell.width for cell in cells[:-1]) + sum(self.spaces[i] for i in part[:-1])
                right = left + cells[-1].width + _TURN
                turn = y + _SPACE / 2
                way = ((cells[-1].ports(left)[1], axis), (right, axis), (right, turn))
                label = _labels(self.elements)[part[-1]]
            y += _SPACE

    def _up(self, part: list[int]) -> float:
        return max(self.cells[i].up for i in part)

    def _down(self, part: list[int]) -> float:
        return max(self.cells[i].down for i in part)


def _parts(sizes: list[tuple[float, float]], longest: float) -> list[list[int]]:
    """Indices of consecutive cells that fit into a row, filled from the first."""
    parts: list[list[int]] = [[]]
    length = 0.0
    for i, (width, space) in enumerate(sizes):
        if parts[-1] and length + width > longest:
            parts.append([])
            length = 0.0
        parts[-1].append(i)
        length += width + space
    return parts


def _labels(elements: tuple[Element, ...]) -> list[str]:
    """The shape behind each element but the last; none beside the cards of input and output."""
    ends = [isinstance(element, Card) and element.kind == "io" for element in elements]
    return [
        "" if ends[i] or ends[i + 1] else shape_label(elements[i].output_shape)
        for i in range(len(elements) - 1)
    ]
