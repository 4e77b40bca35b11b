"""The box of a scope: a header with name and figures, and the scope's elements below it.

The way into a frame ends at its header and goes on below it, so that no line crosses the words.
"""

from __future__ import annotations

from ..drawing import Box
from ..elements import Frame
from ..scene import DETAIL, FIGURES, PILL, TITLE, Edge, Label, PlacedFrame, Scene
from ..typeface import text_width
from . import spacing as s
from .boxes import BlockBox, link, top_lift


class FrameBox:
    """A frame around one box (a stack, or columns of stacks)."""

    arrow = True

    def __init__(self, frame: Frame, inner: BlockBox) -> None:
        self.frame, self.inner = frame, inner
        self.stack = 2 * s.STACK if frame.repeat > 1 else 0.0
        self.pill = text_width(f"×{frame.repeat}", PILL, True) + 14 if frame.repeat > 1 else 0.0
        self.figures = frame.figures.text()
        if frame.repeat > 1 and self.figures:
            self.figures = f"each {self.figures}"
        self.left = inner.left + s.FRAME_PAD
        content = inner.left + inner.right + 2 * s.FRAME_PAD
        first = self._name_width() + (self.pill + 8 if self.pill else 0.0)
        last = text_width(self.figures, FIGURES)
        # one line when name and figures fit beside each other
        self.single = not self.figures or first + last + 14 + 2 * s.FRAME_PAD <= content
        need = first + (last + 14 if self.single and self.figures else 0.0)
        self.width = max(content, max(need, last) + 2 * s.FRAME_PAD)
        self.header = s.HEADER + (0.0 if self.single else s.HEADER_LINE)
        self.port = s.PORT if not inner.arrow else s.PORT + s.ARROW
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
        labels, pill = self._header(box)
        scene.frames.append(PlacedFrame(self.frame, box, header, labels, pill, level))
        start = box.y + self.header + s.PORT
        first = box.y + self.header + self.port
        if self.inner.arrow:
            scene.dots.append((x, start))
            link(scene, x, start, first, "", name, lift=top_lift(self.inner))
        self.inner.place(scene, x, first, name, level + 1)
        end = x + self.out
        scene.edges.append(Edge(((end, first + self.inner.height), (end, box.bottom)), "main", False, name))

    def _name_width(self) -> float:
        width = text_width(self.frame.label, TITLE, True)
        return width + (8 + text_width(self.frame.block, DETAIL) if self.frame.block else 0.0)

    def _header(self, box: Box) -> tuple[tuple[Label, ...], Box | None]:
        frame = self.frame
        base = box.y + 16.5
        name = Label(box.x + s.FRAME_PAD, base, frame.label, TITLE, "frame", True)
        labels = [name]
        if frame.block:
            labels.append(Label(name.box.right + 8, base, frame.block, DETAIL, "block"))
        if self.figures:
            if self.single:
                x = box.right - s.FRAME_PAD - (self.pill + 8 if self.pill else 0.0)
                labels.append(Label(x, base, self.figures, FIGURES, "figures", False, "end"))
            else:
                labels.append(
                    Label(box.x + s.FRAME_PAD, base + s.HEADER_LINE, self.figures, FIGURES, "figures")
                )
        if not self.pill:
            return tuple(labels), None
        pill = Box(box.right - s.FRAME_PAD + 4 - self.pill, box.y + 4.5, self.pill, 16)
        x, y = pill.centre
        labels.append(Label(x, y + 4, f"×{frame.repeat}", PILL, "pill", True, "middle"))
        return tuple(labels), pill
