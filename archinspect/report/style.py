"""What a text destination can show: its width, colour, and characters beyond ASCII."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, TextIO

DEFAULT_WIDTH = 80
_NARROWEST = 40


class Style(NamedTuple):
    """How terminal text is laid out.  `width` None: as wide as the content."""

    width: int | None = None
    color: bool = False
    unicode: bool = True


FILE = Style()


def style_of(stream: TextIO) -> Style:
    """What a stream can show.  Into a pipe we write for the terminal behind it, without colour."""
    return Style(_width(), has_color(stream), _has_unicode(stream))


def has_color(stream: TextIO) -> bool:
    """Colour only on a terminal that knows it, and never under NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _has_unicode(stream: TextIO) -> bool:
    try:
        "×⌊⌋─═…≥".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width() -> int:
    """COLUMNS, or the width of the terminal that any standard stream is connected to, or 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return max(_NARROWEST, int(columns))
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is not None and (width := os.get_terminal_size(stream.fileno()).columns) > 0:
                return max(_NARROWEST, width)
        except (OSError, ValueError):  # not a terminal, or closed
            continue
    return DEFAULT_WIDTH
