"""Sizes as people write them on a command line: `5`, `1x7`, `8:256:8`."""

from __future__ import annotations

import re

from ..errors import fail

_MOST_WIDTHS = 10_000


def pair(option: str, text: str) -> tuple[int, int]:
    """`5` or `1x7`, height first.  Raises ArchinspectError (A403)."""
    match = re.fullmatch(r"(\d{1,6})(?:[x×,](\d{1,6}))?", text.strip(), re.ASCII)
    if match is None:
        help = f"{option} 5, or {option} 1x7"
        raise fail("A403", f"{option} needs one size or two, and got '{text}'", help=help)
    return int(match[1]), int(match[2] or match[1])


def widths(option: str, text: str) -> list[int]:
    """`64`, `16,32,64` or `8:256:8` (the end included), ascending.  Raises ArchinspectError (A403)."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?::(\d{1,7})(?::(\d{1,7}))?)?\s*", part, re.ASCII)
        first, last, step = (int(g) if g else None for g in match.groups()) if match else (None, None, None)
        if first is None or first < 1 or step == 0 or (last is not None and last < first):
            raise fail(
                "A403",
                f"{option} needs widths of at least 1, and got '{part.strip()}'",
                help=f"{option} 64, or {option} 16,32,64, or {option} 8:256:8 from 8 to 256 in steps of 8",
            )
        found.update(range(first, (last or first) + 1, step or 1))
        if len(found) > _MOST_WIDTHS:
            raise fail(
                "A403", f"{option} asks for more than {_MOST_WIDTHS:,} widths", help="take larger steps"
            )
    return sorted(found)


def width_between(text: str | None) -> str | int:
    """`in`, `out` (unless given) or a number of channels.  Raises ArchinspectError (A403)."""
    if text is None or text in ("in", "out"):
        return text or "out"
    if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        return int(text)
    raise fail("A403", f"--mid is 'in', 'out' or a number of channels, and not '{text}'", help="--mid 64")
