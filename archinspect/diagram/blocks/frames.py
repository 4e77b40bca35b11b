"""The box of a scope: a header with name and figures, and the scope's elements below it.

The way into a frame runs on to the first card in it, behind the header's words.
"""

from __future__ import annotations

from ..drawing import Box
from ..elements import Frame
from ..scene import Edge, PlacedFrame, Scene
from . import spacing as s
from .boxes import BlockBox, top_lift
from .header import FrameHeader


class FrameBox:
    """A frame around one box (a stack, or columns of stacks)."""

    def __init__(self, frame: Frame, inner: BlockBox) -> None:
        self.frame, self.inner = frame, inner
        self.stack = 2 * s.STACK if frame.repeat > 1 else 0.0
        self.left = inner.left + s.FRAME_PAD
        content = inner.left + inner.right + 2 * s.FRAME_PAD
        self.head = FrameHeader(frame, content)
        self.width, self.header = self.head.width, self.head.height
        self.arrow = inner.arrow
        self.port = s.ARROW if inner.arrow else s.PORT
        self.lift = self.stack + self.header + self.port + top_lift(inner)
        self.height = self.header + self.port + inner.height + s.FRAME_PAD + self.stack

    @property
    def out(self) -> float:
        return self.inner.out

    @property
    def right(self) -> float:
        return self.width - self.left + self.stack

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        name = self.frame.name
        box = Box(x - self.left, y + self.stack, self.width, self.height - self.stack)
        header = Box(box.x, box.y, box.width, self.header)
        labels, pill = self.head.labels(box)
        scene.frames.append(PlacedFrame(self.frame, box, header, labels, pill, level))
        first = box.y + self.header + self.port
        self.inner.place(scene, x, first, name, level + 1)
        end = x + self.out
        scene.edges.append(Edge(((end, first + self.inner.height), (end, box.bottom)), "main", False, name))
