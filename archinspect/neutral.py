"""Texts of users as the places may hold them that we write to: terminals, files of text, spreadsheets, docstrings.

A title or a name may come from a hostile file.  Control characters move a terminal's cursor, marks that turn the
direction make a line read otherwise than it is, a cell that begins with = is a formula to a spreadsheet.  HTML, SVG,
LaTeX and DOT have escapes of their own (`html.escape`, the writers' own tables) on top of this.
"""

from __future__ import annotations

import re
from textwrap import wrap

# Controls but tab and line feed, separators and marks of direction, what is no character.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_FORMULA = re.compile(r"\s*[=+\-@]")
_NUMBER = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?%?")


def text(content: str) -> str:
    """A whole text, whose own lines stay: what is not to be printed becomes its escape sequence, such as `\\x1b`."""
    if _HARMFUL.search(content) is None:
        return content
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), content)


def line(content: str) -> str:
    """A text that stands on one line."""
    return text(" ".join(content.splitlines()) if len(content.splitlines()) > 1 else content).replace(
        "\n", " "
    )


def cell(content: str) -> str:
    """A cell of a CSV file, which a spreadsheet takes for a text: a quote stands before what begins like a formula."""
    content = line(content)
    return f"'{content}" if _FORMULA.match(content) and not _NUMBER.fullmatch(content) else content


def in_json(document: str) -> str:
    """JSON that stands in a page, its harmful characters as escapes of JSON."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def docstring(content: str, width: int) -> list[str]:
    """Lines of a text inside a docstring.  They are escaped after they are wrapped, so that no escape is cut."""
    lines = wrap(line(content), width) or [""]
    return [part.replace("\\", "\\\\").replace('"', "'") for part in lines]
