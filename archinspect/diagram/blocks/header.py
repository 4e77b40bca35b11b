"""The head of a frame: its name, its block, its figures, and the pill of a folded one."""

from __future__ import annotations

from ..drawing import Box
from ..elements import Frame
from ..scene import DETAIL, FIGURES, PILL, TITLE, Label
from ..typeface import text_width
from . import spacing as s


class FrameHeader:
    """The words above a content of a given width; `width` is what the frame needs at least."""

    def __init__(self, frame: Frame, content: float) -> None:
        self.frame = frame
        self.pill = text_width(f"×{frame.repeat}", PILL, True) + 14 if frame.repeat > 1 else 0.0
        self.figures = frame.figures.text() if frame.costs else ""
        if frame.repeat > 1 and self.figures:
            self.figures = f"each {self.figures}"
        first = self._name_width() + (self.pill + 8 if self.pill else 0.0)
        last = text_width(self.figures, FIGURES)
        # one line when name and figures fit beside each other
        self.single = not self.figures or first + last + 14 + 2 * s.FRAME_PAD <= content
        need = first + (last + 14 if self.single and self.figures else 0.0)
        self.width = max(content, max(need, last) + 2 * s.FRAME_PAD)
        self.height = s.HEADER + (0.0 if self.single else s.HEADER_LINE)

    def labels(self, box: Box) -> tuple[tuple[Label, ...], Box | None]:
        """The words and the pill in the frame at `box`."""
        frame = self.frame
        base = box.y + 16.5
        name = Label(box.x + s.FRAME_PAD, base, frame.label, TITLE, "frame", True)
        labels = [name]
        if frame.block:
            labels.append(Label(name.box.right + 8, base, frame.block, DETAIL, "block"))
        if self.figures and self.single:
            x = box.right - s.FRAME_PAD - (self.pill + 8 if self.pill else 0.0)
            labels.append(Label(x, base, self.figures, FIGURES, "figures", False, "end"))
        elif self.figures:
            labels.append(Label(box.x + s.FRAME_PAD, base + s.HEADER_LINE, self.figures, FIGURES, "figures"))
        if not self.pill:
            return tuple(labels), None
        pill = Box(box.right - s.FRAME_PAD + 4 - self.pill, box.y + 4.5, self.pill, 16)
        x, y = pill.centre
        labels.append(Label(x, y + 4, f"×{frame.repeat}", PILL, "pill", True, "middle"))
        return tuple(labels), pill

    def _name_width(self) -> float:
        width = text_width(self.frame.label, TITLE, True)
        return width + (8 + text_width(self.frame.block, DETAIL) if self.frame.block else 0.0)
