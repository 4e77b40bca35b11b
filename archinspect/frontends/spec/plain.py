"""Calls of words and whole numbers, as nearly all calls are: read by a regular expression, many times as fast as by
Python's parser.

What is not of this form, mistakes included, is left to the parser; where both can read a text they give the same call
(a test says so).
"""

from __future__ import annotations

import re

from .calls import Argument, Call
from .expressions import NO_NAMES, WORD, word

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_CALL = re.compile(rf" *({_NAME})(?: *\(([A-Za-z0-9_ =,]*)\))? *\Z")
_ARGUMENT = re.compile(rf" *(?:({_NAME}) *= *)?({WORD}) *(?:,|\Z)")
_NO_FUNCTION = NO_NAMES | {"True", "False", "None"}


def plain_call(text: str, start: int = 0) -> Call | None:
    """The call, if all its arguments are words and whole numbers; columns count from `start`.  None: any other text."""
    match = _CALL.match(text)
    if match is None or match[1] in _NO_FUNCTION:
        return None
    column, end = match.span(1)
    name = match[1]
    if match[2] is None:
        return Call(name, (), start + column, end - column, end - column, name)
    arguments = _arguments(text, *match.span(2), start)
    if arguments is None:
        return None
    written = text[column : match.end(2) + 1]
    return Call(name, arguments, start + column, len(written), end - column, written)


def _arguments(text: str, position: int, stop: int, start: int) -> tuple[Argument, ...] | None:
    if text[position:stop].isspace():
        return ()
    made: list[Argument] = []
    named: list[str] = []
    while position < stop:
        match = _ARGUMENT.match(text, position, stop)
        if match is None:
            return None
        name, value = match.groups()
        if value in NO_NAMES:
            return None
        at, end = match.span(2)
        expression = word(value, start + at)
        if name is not None:
            if name in _NO_FUNCTION or name in named:
                return None
            named.append(name)
            at = match.start(1)
        elif named:  # Python's parser says it best
            return None
        made.append(Argument(name, expression, start + at, end - at))
        position = match.end()
    return tuple(made)
