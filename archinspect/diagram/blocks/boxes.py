"""The interface of all boxes, and the sequence: boxes below each other on one axis, edges between them."""

from __future__ import annotations

from typing import Protocol

from ...ops.base import Shape
from ..captions import shape_label
from ..scene import SHAPE, Edge, Label, Scene
from ..typeface import text_width
from . import spacing as s
from .cards import CardBox


class BlockBox(Protocol):
    """Something with a size that can be put on an axis: extents to the left and right of it, and a height."""

    @property
    def left(self) -> float: ...

    @property
    def right(self) -> float: ...

    @property
    def height(self) -> float: ...

    @property
    def out(self) -> float:
        """How far right of the axis the way goes on below the box."""

    @property
    def arrow(self) -> bool:
        """Whether an edge that comes in ends with an arrowhead."""

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        """Put everything inside into the scene; the axis is at `x`, the top at `y`."""


class Stack:
    """Boxes below each other, with the shape of what flows beside each edge."""

    def __init__(self, boxes: list[BlockBox], shapes: list[Shape]) -> None:
        self.boxes = boxes
        self.labels = edge_labels(boxes, shapes)  # behind each box; the last is not drawn here
        cards = [box for box in boxes if isinstance(box, CardBox) and box.stretches]
        widest = max((card.natural for card in cards), default=0.0)
        for card in cards:
            card.width = widest
        room = max((s.LABEL + text_width(label, SHAPE) for label in self.labels[:-1]), default=0.0)
        self.left = max((box.left for box in boxes), default=0.0)
        self.right = max([room, *(box.right for box in boxes)])
        self.height = sum(box.height for box in boxes) + sum(map(gap_below, boxes[:-1]))

    @property
    def lift(self) -> float:
        return top_lift(self.boxes[0]) if self.boxes else 0.0

    @property
    def out(self) -> float:
        return self.boxes[-1].out if self.boxes else 0.0

    @property
    def arrow(self) -> bool:
        return self.boxes[0].arrow if self.boxes else False

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        for i, box in enumerate(self.boxes):
            box.place(scene, x, y, owner, level)
            y += box.height
            if i + 1 < len(self.boxes):
                after = self.boxes[i + 1]
                end = y + gap_below(box)
                link(
                    scene,
                    x,
                    y,
                    end,
                    self.labels[i],
                    owner,
                    arrow=after.arrow,
                    lift=top_lift(after),
                    out=box.out,
                )
                y = end


def gap_below(box: BlockBox) -> float:
    """From a box to the next: more where the way has to come back to the axis."""
    return s.GAP + (s.TURN if box.out else 0.0)


def edge_labels(boxes: list[BlockBox], shapes: list[Shape]) -> list[str]:
    """The shape behind each box, but not beside a card of input or output that says it already."""
    ends = [isinstance(box, CardBox) and box.card.kind == "io" for box in boxes]
    return [
        "" if ends[i] or (i + 1 < len(ends) and ends[i + 1]) else shape_label(shape)
        for i, shape in enumerate(shapes)
    ]


def link(
    scene: Scene,
    x: float,
    start: float,
    end: float,
    label: str,
    owner: str,
    *,
    arrow: bool = True,
    lift: float = 0.0,
    out: float = 0.0,
) -> None:
    """A way down to the axis at `x`, from `out` right of it, with a label at its right.

    `lift` is how far below its top the box is met (see `top_lift`).
    """
    if out:
        turn = start + s.TURN
        points = ((x + out, start), (x + out, turn), (x, turn), (x, end + lift))
        scene.edges.append(Edge(points, "main", arrow, owner))
        start = turn
    else:
        scene.edges.append(Edge(((x, start), (x, end + lift)), "main", arrow, owner))
    if label:
        middle = (start + end - (4 if arrow else 0)) / 2
        scene.labels.append(Label(x + s.LABEL, middle + SHAPE * 0.36, label, SHAPE, "shape"))


def top_lift(box: BlockBox) -> float:
    """How far below a box's top a way into it ends.

    At the face of a folded card, behind which others stand; of a frame at the first card in it, so that a way runs on
    through border and header.
    """
    return float(getattr(box, "lift", 0.0))
