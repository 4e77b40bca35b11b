"""What a text destination can show: its width, colour, and characters beyond ASCII."""

from __future__ import annotations

import os
from typing import NamedTuple, TextIO

DEFAULT_WIDTH = 80
_NARROWEST = 40


class Style(NamedTuple):
    """How terminal text is laid out.  `width` None: as wide as the content."""

    width: int | None = None
    color: bool = False
    unicode: bool = True


FILE = Style()


def style_of(stream: TextIO, width: int | None = None) -> Style:
    """What a stream can show: tables fit a terminal, and are never cut in a pipe or a file.

    `width` overrules that, and so does the variable COLUMNS.
    """
    wide = max(_NARROWEST, width) if width is not None else _width(stream)
    return Style(wide, has_color(stream), _has_unicode(stream))


def has_color(stream: TextIO) -> bool:
    """Colour only on a terminal that knows it, and never under NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _has_unicode(stream: TextIO) -> bool:
    try:
        "×⌊⌋─═…≥".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width(stream: TextIO) -> int | None:
    """COLUMNS, or the width of a terminal; None for a pipe or a file, which has none."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return max(_NARROWEST, int(columns))
    if not stream.isatty():
        return None
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # a terminal that tells no size
        width = 0
    return max(_NARROWEST, width) if width > 0 else DEFAULT_WIDTH
