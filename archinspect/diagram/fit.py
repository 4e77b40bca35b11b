"""The medium that a picture is made for: its room, how small text may be there, and the picture placed in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Literal

from ..errors import fail, suggestion
from .drawing import Drawing, Text

_PX_PER_MM = 96 / 25.4  # CSS: an inch is 96 px and 25.4 mm
_PT = 96 / 72  # px
_PRINTED, _SHOWN = 6 * _PT, 9.0  # px that text has at least, on paper and on a screen
_PROJECTED = 12.0  # px of a slide 1600 px wide, which is read from afar
_TALLEST_FIGURE = 240.0  # mm: the height of a journal's page without its margins
MARGIN = 24.0  # around every picture by itself; less is needed in a text


@dataclass(frozen=True)
class Medium:
    """Room in px (96 to the inch), and what text must measure in it.

    `whole`: the picture takes all of it (a slide), not only its width (a column); `largest` is how far a small picture
    may be enlarged.
    """

    name: str
    width: float
    height: float
    smallest: float
    unit: Literal["px", "mm"] = "px"
    whole: bool = False
    largest: float = 1.0
    margin: float = MARGIN

    @property
    def smallest_words(self) -> str:
        return self.size(self.smallest)

    def size(self, px: float) -> str:
        """A size of text in the medium's unit: `6 pt` on paper, `9 px` on a screen."""
        return f"{px / _PT:.2g} pt" if self.unit == "mm" else f"{px:.2g} px"


#: where a picture is shown that nothing is said about: a window, a page of the documentation
SCREEN = Medium("1600×1000 px", 1600.0, 1000.0, _SHOWN)

_PAPERS = {"A3": (297, 420), "A4": (210, 297), "A5": (148, 210), "Letter": (215.9, 279.4)}
#: name → what it stands for, in the words of `--fit`
PRESETS = {"column": "85mm", "page": "180mm", "slide": "16:9", "card": "1200x675px"}
FORMS = "85mm, 85x120mm, 1000px, 1200x675px, 16:9, A4, column, page, slide or card"

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(?:[x×](\d+(?:\.\d+)?))?(mm|cm|in|px)")
_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")
_UNITS = {"mm": _PX_PER_MM, "cm": 10 * _PX_PER_MM, "in": 96.0, "px": 1.0}


def medium(text: str) -> Medium:
    """The medium that a text names: `85mm`, `1200x675px`, `16:9`, `A4`, `column`.

    Raises ArchinspectError (A403) for a text that names none, and for a room without extent.
    """
    asked = PRESETS.get(text.lower(), text)
    paper = next((size for name, size in _PAPERS.items() if name.lower() == asked.lower()), None)
    if paper:
        width, height = (side * _PX_PER_MM for side in paper)
        return Medium(text, width, height, _PRINTED, "mm", whole=True, largest=1.3)
    ratio = _RATIO.fullmatch(asked)
    if ratio:
        across, down = map(float, ratio.groups())
        if across and down and 0.1 <= across / down <= 10:
            return Medium(text, 1600.0, 1600.0 * down / across, _PROJECTED, whole=True, largest=2.5)
    size = _SIZE.fullmatch(asked)
    if size is None:
        help = suggestion(text, [*PRESETS, *_PAPERS], otherwise=f"for example {FORMS}")
        raise fail("A403", f"'{text}' is no size of a picture", help=help)
    pixel = _UNITS[size[3]]
    width = float(size[1]) * pixel
    height = float(size[2]) * pixel if size[2] else inf
    if not 40 <= width <= 20_000 or (isfinite(height) and not 40 <= height <= 20_000):
        raise fail(
            "A403", f"a picture of {text} has no room", help="at least 40 px (11 mm), at most 20,000 px"
        )
    printed = size[3] != "px"
    smallest = _PRINTED if printed else _SHOWN
    unit: Literal["px", "mm"] = "mm" if printed else "px"
    if isfinite(height):
        return Medium(text, width, height, smallest, unit, whole=True, largest=2.5)
    height = _TALLEST_FIGURE * _PX_PER_MM if printed else 1.5 * width
    return Medium(text, width, height, smallest, unit, largest=1.0 if printed else 1.25, margin=4.0)


def placed(drawing: Drawing, medium: Medium) -> Drawing:
    """The drawing as large as the medium allows, in its middle; with less of its margin where that is enough."""
    spare = MARGIN - medium.margin
    width, height = drawing.width - 2 * spare, drawing.height - 2 * spare
    scale = min(medium.width / width, medium.height / height, medium.largest)
    room = (medium.width / scale, medium.height / scale if medium.whole else height)
    left, top = spare - (room[0] - width) / 2, spare - (room[1] - height) / 2
    note = drawing.note
    smallest = min((item.size for item in drawing.flat() if isinstance(item, Text)), default=inf) * scale
    if smallest < 0.995 * medium.smallest:
        too_small = f"its smallest text is {medium.size(smallest)}, and should be {medium.smallest_words}"
        note = "; ".join(filter(None, (note, too_small)))
    dpi = 300.0 if medium.unit == "mm" else 96.0
    return replace(
        drawing,
        width=room[0],
        height=room[1],
        left=left,
        top=top,
        scale=scale,
        unit=medium.unit,
        dpi=dpi,
        note=note,
    )
