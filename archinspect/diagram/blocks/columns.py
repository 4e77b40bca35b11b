"""Stacks wrapped into columns: the way leads from the foot of one column up to the head of the next."""

from __future__ import annotations

from typing import NamedTuple

from ...ops.base import Shape
from ..captions import shape_label
from ..scene import SHAPE, Edge, Label, Scene
from . import spacing as s
from .boxes import BlockBox, Stack, gap_below, top_lift
from .cards import CardBox

_HEAD = 24.0  # from the upper rail to a column's first box
#: a pooling layer may pass the limit by this much, to end a column rather than to begin the next
_LEEWAY = 60.0
_ORPHAN = 0.4  # a column lower than this share of the highest


class Columns:
    """Stacks side by side; the way goes on below the last one.  `framed` leaves room for the upper rail in a frame."""

    def __init__(self, stacks: list[Stack], ends: list[Shape], *, framed: bool) -> None:
        self.stacks, self.framed = stacks, framed
        self.labels = [shape_label(shape) for shape in ends]
        self.axes: list[float] = []
        edge = 0.0
        for stack in stacks:
            self.axes.append(edge + stack.left)
            edge += stack.left + stack.right + s.GUTTER
        self.left = self.axes[0]
        self.right = edge - s.GUTTER - self.left
        self.top = _HEAD if len(stacks) > 1 and framed else 0.0
        heights = [(_HEAD if i else self.top) + stack.height for i, stack in enumerate(stacks)]
        turns = [height + s.TURN for height in heights[:-1]]
        self.height = max([*heights, *turns])
        self.out = self.axes[-1] + stacks[-1].out - self.left

    @property
    def arrow(self) -> bool:
        return self.stacks[0].arrow

    @property
    def lift(self) -> float:
        return self.top + self.stacks[0].lift

    @property
    def orphan(self) -> bool:
        """Whether one of the columns is a few cards beside much higher ones: they look forgotten."""
        heights = [stack.height for stack in self.stacks]
        return any(
            stack.height < _ORPHAN * max(heights) and all(isinstance(box, CardBox) for box in stack.boxes)
            for stack in self.stacks
        )

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        left = x - self.left
        for i, stack in enumerate(self.stacks):
            at = left + self.axes[i]
            top = y + (_HEAD if i else self.top)
            stack.place(scene, at, top, owner, level)
            bottom, end_x = top + stack.height, at + stack.out
            if i + 1 < len(self.stacks):
                after = self.stacks[i + 1]
                gutter = at + stack.right + s.GUTTER / 2
                goal = left + self.axes[i + 1]
                low = bottom + s.TURN
                end = (goal, y + _HEAD + top_lift(after.boxes[0]))
                points = ((end_x, bottom), (end_x, low), (gutter, low), (gutter, y), (goal, y), end)
                scene.edges.append(Edge(points, "main", after.arrow, owner))
                scene.labels.append(Label(goal + s.LABEL, y + 15, self.labels[i], SHAPE, "shape"))
            elif self.framed and bottom < y + self.height:
                end = (end_x, y + self.height)
                scene.edges.append(Edge(((end_x, bottom), end), "main", False, owner))


def wrap(
    boxes: list[BlockBox], shapes: list[Shape], limit: float, *, framed: bool = False
) -> Stack | Columns:
    """One stack, or as many columns of about equal height as the limit asks for."""
    whole = _height(boxes)
    if whole <= limit or len(boxes) < 2:
        return Stack(boxes, shapes)
    groups = _groups(boxes)
    sizes = [_size([boxes[i] for i in group]) for group in groups]
    tallest = max(size.height for size in sizes)
    count = len(_split(sizes, max(limit, tallest)))
    low, high = tallest, max(limit, tallest)
    while high - low > 0.5:  # the lowest columns of which there are no more
        middle = (low + high) / 2
        if len(_split(sizes, middle)) <= count:
            high = middle
        else:
            low = middle
    parts = [[i for number in part for i in groups[number]] for part in _split(sizes, high)]
    if len(parts) == 1:
        return Stack(boxes, shapes)
    stacks = [Stack([boxes[i] for i in part], [shapes[i] for i in part]) for part in parts]
    return Columns(stacks, [shapes[part[-1]] for part in parts], framed=framed)


class _Size(NamedTuple):
    """Of boxes that stay together: their height, the gap below them, and whether they end a stage."""

    height: float
    gap: float
    closes: bool


def _size(boxes: list[BlockBox]) -> _Size:
    last = boxes[-1]
    closes = len(boxes) == 1 and isinstance(last, CardBox) and last.card.kind == "pooling"
    return _Size(_height(boxes), gap_below(last), closes)


def _groups(boxes: list[BlockBox]) -> list[list[int]]:
    """Indices of boxes that stay in one column: a card of an input with what reads it, of an output with its source."""
    groups = [[0]]
    for i in range(1, len(boxes)):
        if _is_end(boxes[i]) or _is_end(boxes[i - 1]):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _split(sizes: list[_Size], limit: float) -> list[list[int]]:
    """Indices of consecutive groups that fit into the limit, filled from the first."""
    parts: list[list[int]] = [[]]
    height = 0.0
    for i, (own, _, closes) in enumerate(sizes):
        more = own + (sizes[i - 1].gap if parts[-1] else 0.0)
        if parts[-1] and height + more > limit + (_LEEWAY if closes else 0.0):
            parts.append([])
            height, more = 0.0, own
        parts[-1].append(i)
        height += more
    return parts


def _height(boxes: list[BlockBox]) -> float:
    return sum(box.height for box in boxes) + sum(map(gap_below, boxes[:-1]))


def _is_end(box: BlockBox) -> bool:
    return isinstance(box, CardBox) and box.card.kind == "io"
