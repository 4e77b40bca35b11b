"""The shipped typeface: widths for the layout, and glyphs for PNG and PDF.

Arimo has the widths of Arial, Helvetica and Liberation Sans, so that a picture laid out with it fits in all of them
and no layout depends on an installed font.  The files are subsets without kerning, under the SIL Open Font Licence.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "fonts"
FAMILY = "Arimo"
#: what an SVG names: the typefaces of the same widths that systems have, then anything
FALLBACKS = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif"
ASCENT, DESCENT = 0.905, 0.212  # of Arimo and its relatives, in em
CAP_HEIGHT = 0.716


class Typeface:
    """One weight of the shipped typeface, read from its TrueType file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self._tables = {
            self.data[at : at + 4]: struct.unpack_from(">II", self.data, at + 8)
            for at in range(12, 12 + 16 * struct.unpack_from(">H", self.data, 4)[0], 16)
        }
        (self.units,) = struct.unpack_from(">H", self.data, self._offset(b"head") + 18)
        self.bounds = struct.unpack_from(">4h", self.data, self._offset(b"head") + 36)
        self.glyphs = self._character_map()
        self.advances = self._advances()

    def glyph(self, character: str) -> int:
        """Number of the glyph; 0, the box for a missing one."""
        return self.glyphs.get(ord(character), 0)

    def advance(self, character: str) -> float:
        """Width in em.  A character that the typeface lacks is given the width that another font will need."""
        code = ord(character)
        if code in self.glyphs:
            return float(self.advances[self.glyphs[code]] / self.units)
        if unicodedata.combining(character):
            return 0.0
        return 1.0 if unicodedata.east_asian_width(character) in "WFA" else 0.75

    def width(self, text: str, size: float) -> float:
        """Width of a line in px at a font size in px."""
        return size * sum(map(self.advance, text))

    def _offset(self, tag: bytes) -> int:
        return int(self._tables[tag][0])

    def _character_map(self) -> dict[int, int]:
        """Code point → glyph, from the format 4 subtable that every such file has."""
        data, table = self.data, self._offset(b"cmap")
        for i in range(struct.unpack_from(">H", data, table + 2)[0]):
            start = table + struct.unpack_from(">I", data, table + 4 + 8 * i + 4)[0]
            if struct.unpack_from(">H", data, start)[0] == 4:
                break
        else:
            raise ValueError(f"{self.path} has no format 4 character map")
        count = struct.unpack_from(">H", data, start + 6)[0] // 2
        ends, starts, deltas, ranges = (
            struct.unpack_from(f">{count}H", data, start + 14 + skip + 2 * count * part)
            for part, skip in ((0, 0), (1, 2), (2, 2), (3, 2))
        )
        glyphs = {}
        for i, (first, last, delta, offset) in enumerate(zip(starts, ends, deltas, ranges, strict=True)):
            for code in range(first, min(last, 0xFFFE) + 1):
                glyph = code
                if offset:
                    at = start + 16 + 6 * count + 2 * i + offset + 2 * (code - first)
                    (glyph,) = struct.unpack_from(">H", data, at)
                if glyph or not offset:
                    glyphs[code] = (glyph + delta) & 0xFFFF
        return glyphs

    def _advances(self) -> tuple[int, ...]:
        """Advance of each glyph in font units; the last one given holds for all that follow."""
        (metrics,) = struct.unpack_from(">H", self.data, self._offset(b"hhea") + 34)
        (total,) = struct.unpack_from(">H", self.data, self._offset(b"maxp") + 4)
        pairs = struct.unpack_from(f">{2 * metrics}H", self.data, self._offset(b"hmtx"))
        widths = tuple(int(width) for width in pairs[::2])
        return widths + widths[-1:] * int(total - metrics)


@cache
def typeface(bold: bool = False) -> Typeface:
    """The shipped regular or bold weight."""
    return Typeface(FOLDER / ("Arimo-Bold.ttf" if bold else "Arimo-Regular.ttf"))


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line in px."""
    return typeface(bold).width(text, size)


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits with an ellipsis."""
    if text_width(text, size, bold) <= room:
        return text
    while text and text_width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped(text: str, size: float, room: float, bold: bool = False) -> list[str]:
    """The text in lines of at most the room: broken at spaces, and words that are too long where they have to be."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        while len(word) > 1 and text_width(word, size, bold) > room:
            fits = next(
                n for n in range(len(word) - 1, 0, -1) if n == 1 or text_width(word[:n], size, bold) <= room
            )
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line]
