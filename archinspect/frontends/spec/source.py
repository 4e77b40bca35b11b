"""Where a spec's text comes from, and how a place in it becomes a span."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property

from ...errors import ArchinspectError, Diagnostic, Span
from ...files import read_text

#: A network written by hand is a few kilobytes; limits keep a hostile file an error, not an outage.
MAX_BYTES = 1 << 19
MAX_DEPTH = 160  # of YAML; a network whose scopes are MAX_SCOPES deep can still be written back
MAX_SCOPES = 48
MAX_NAME = 100
MAX_PATH = 400
MAX_EVENTS = 60_000
MAX_NODES = 200_000

# What YAML does not allow (controls, lone surrogates), what it takes for a line break and editors do not, and what
# makes a text read otherwise than it is written (marks that change the direction).
_REFUSED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)


@dataclass(frozen=True)
class Source:
    """A spec's text and the name that errors show for it."""

    file: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def span(self, line: int, column: int, length: int = 1) -> Span:
        """The span at a 0-based line and column."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Span(self.file, line + 1, column + 1, max(1, length), text)


#: of what is written in no text
NOWHERE = Source("", "")


def source_of(text: str, file: str) -> Source:
    """A text as a source: line ends as `\\n`, no byte-order mark.  Raises ArchinspectError for control characters."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    source = Source(file, text.removeprefix("\ufeff"))
    refuse_control_characters(source)
    return source


def read(path: str | os.PathLike[str], shown: str = "") -> Source:
    """The text of a spec file, `shown` in errors under another name.

    Raises ArchinspectError when it is missing, too large or not text.
    """
    path = os.fspath(path)
    text = read_text(
        path,
        MAX_BYTES,
        kind="a spec",
        inside="name a .yaml file inside it",
        help="a spec is a text file, such as net.yaml",
        too_large="is it a spec? Blocks and repeats keep one short",
    )
    return source_of(text, shown or path)


def refuse_control_characters(source: Source) -> None:
    """Say where the first character is that no spec may contain."""
    match = _REFUSED.search(source.text)
    if match is None:
        return
    start = source.text.rfind("\n", 0, match.start()) + 1
    span = source.span(source.text.count("\n", 0, match.start()), match.start() - start)
    message = f"the file contains the control character U+{ord(match[0]):04X}"
    raise ArchinspectError(Diagnostic("A102", message, span, help="remove it; is this a text file?"))
