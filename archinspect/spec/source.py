"""Where a spec's text comes from, and how a place in it becomes a span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import ArchinspectError, Diagnostic, Span, fail

#: A network written by hand is a few kilobytes; limits keep a hostile file an error, not an outage.
MAX_BYTES = 1 << 19
MAX_DEPTH = 160  # of YAML; a network whose scopes are MAX_SCOPES deep can still be written back
MAX_SCOPES = 48
MAX_EVENTS = 60_000
MAX_NODES = 200_000


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
        text = self.lines[line].rstrip("\r") if line < len(self.lines) else ""
        return Span(self.file, line + 1, column + 1, max(1, length), text)


#: of what is written in no text
NOWHERE = Source("", "")


def read(path: Path) -> Source:
    """The text of a spec file.  Raises ArchinspectError when it is missing, too large or not text."""
    try:
        if path.is_dir():
            raise fail("A102", f"'{path}' is a directory", help="name a .yaml file inside it")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise fail("A102", f"cannot read '{path}': {error.strerror}") from None
    if len(data) > MAX_BYTES:
        size = path.stat().st_size
        notes = [
            f"{size:,} bytes > limit {MAX_BYTES:,}" if size > MAX_BYTES else f"more than {MAX_BYTES:,} bytes"
        ]
        raise fail("A103", f"'{path}' is too large for a spec", notes=notes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail(
            "A102", f"'{path}' is not UTF-8 text", notes=[f"line {line}: byte {data[error.start]:#04x}"]
        ) from None
    source = Source(str(path), text.replace("\r\n", "\n"))
    refuse_control_characters(source)
    return source


def refuse_control_characters(source: Source) -> None:
    """YAML allows no control characters; say where the first one is."""
    for number, line in enumerate(source.lines):
        if line.isprintable():
            continue
        for column, character in enumerate(line):
            if (ord(character) < 32 and character not in "\t\r") or ord(character) in (
                127,
                0xFEFF,
                0xFFFE,
                0xFFFF,
            ):
                name = f"U+{ord(character):04X}"
                message = f"the file contains the control character {name}"
                span = source.span(number, column)
                raise ArchinspectError(Diagnostic("A102", message, span, help="is it a text file?"))
