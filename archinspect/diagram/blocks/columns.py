"""Stacks wrapped into columns: the way leads from the foot of one column up to the head of the next."""

from __future__ import annotations

from ...ops.base import Shape
from ..captions import shape_label
from ..scene import SHAPE, Edge, Label, Scene
from . import spacing as s
from .boxes import BlockBox, Stack, gap_below, link, top_lift
from .cards import CardBox

_HEAD = 24.0  # from the upper rail to a column's first box
_LEEWAY = (
    60.0  # a pooling layer may pass the limit by this much, to end a column rather than to begin the next
)


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
        return self.stacks[0].arrow and not self.top

    @property
    def stack(self) -> float:
        return self.stacks[0].stack if not self.top else 0.0

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        left = x - self.left
        if self.top:
            first = self.stacks[0]
            scene.dots.append((x, y))
            link(scene, x, y, y + self.top, "", owner, arrow=first.arrow, lift=top_lift(first.boxes[0]))
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
    whole = sum(box.height for box in boxes) + sum(map(gap_below, boxes[:-1]))
    if whole <= limit or len(boxes) < 2:
        return Stack(boxes, shapes)
    tallest = max(box.height for box in boxes)
    count = len(_split(boxes, max(limit, tallest)))
    low, high = tallest, max(limit, tallest)
    for _ in range(24):  # the lowest columns of which there are no more
        middle = (low + high) / 2
        if len(_split(boxes, middle)) <= count:
            high = middle
        else:
            low = middle
    parts = _split(boxes, high)
    stacks = [Stack([boxes[i] for i in part], [shapes[i] for i in part]) for part in parts]
    return Columns(stacks, [shapes[part[-1]] for part in parts], framed=framed)


def _split(boxes: list[BlockBox], limit: float) -> list[list[int]]:
    """Indices of consecutive boxes that fit into the limit, filled from the first."""
    parts: list[list[int]] = [[]]
    height = 0.0
    for i, box in enumerate(boxes):
        more = box.height + (gap_below(boxes[i - 1]) if parts[-1] else 0.0)
        if parts[-1] and height + more > limit and not (_closes(box) and height + more < limit + _LEEWAY):
            parts.append([])
            height, more = 0.0, box.height
        parts[-1].append(i)
        height += more
    return parts


def _closes(box: BlockBox) -> bool:
    """Whether the box is a pooling layer, which ends a stage."""
    return isinstance(box, CardBox) and box.card.kind == "pooling"
