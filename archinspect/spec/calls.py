"""The call syntax: `conv2d(64, 3, padding=1) -> relu`, `projection(256) if project else identity`.

A text becomes a chain of calls.  Parsing knows nothing of ops, blocks or places in a file; offsets are columns in
the text, so equal texts are parsed once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .expressions import MAX_TEXT, Expression, ExpressionError, compile_expression, parse_python, place


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument of a call; `name` is None for a positional one."""

    name: str | None
    value: Expression
    column: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An op or block by name, with its arguments."""

    name: str
    arguments: tuple[Argument, ...]
    column: int
    length: int
    name_length: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """`then if condition else otherwise`."""

    condition: Expression
    then: Part
    otherwise: Part


Part = Call | Choice
Chain = tuple[Part, ...]


@lru_cache(maxsize=4096)
def parse_chain(text: str) -> Chain:
    """Parse `a(...) -> b(...)`.  Raises ExpressionError with the column in `text`."""
    if len(text) > MAX_TEXT * 16:
        raise ExpressionError("A103", f"a text of {len(text):,} characters is too long", 0, 1)
    return tuple(_parse_part(piece, start) for start, piece in _split(text))


def calls(chain: Chain) -> Iterator[Call]:
    """Every call of a chain, both sides of a choice."""
    for part in chain:
        if isinstance(part, Call):
            yield part
        else:
            yield from calls((part.then, part.otherwise))


def conditions(chain: Chain) -> Iterator[Expression]:
    """The condition of every choice of a chain."""
    for part in chain:
        if isinstance(part, Choice):
            yield part.condition
            yield from conditions((part.then, part.otherwise))


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The pieces between arrows that stand outside brackets and quotes."""
    depth = start = index = 0
    quote = ""
    while index < len(text):
        character = text[index]
        if quote:
            if character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth <= 0 and (text.startswith("->", index) or character == "→"):
            yield start, text[start:index]
            index += 1 if character == "→" else 2
            start = index
            continue
        index += 1
    yield start, text[start:]


def _parse_part(text: str, start: int) -> Part:
    try:
        # The text is padded so that every column counts from the beginning of the chain.
        padded = " " * start + text
        if not text.strip():
            raise ExpressionError("A201", "expected a layer beside the arrow", max(0, start - 1), 1)
        return _part(parse_python(padded), padded)
    except ExpressionError as error:
        if error.code == "A201" and "=" in text and "(" not in text:
            error.help = "a layer is written as a call: name(arguments)"
        raise


def _part(node: ast.expr, text: str) -> Part:
    if isinstance(node, ast.IfExp):
        return Choice(compile_expression(node.test, text), _part(node.body, text), _part(node.orelse, text))
    column, length = place(node, text)
    if isinstance(node, ast.Name):
        return Call(node.id, (), column, length, length, node.id)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        written = text[column : column + length]
        help = "write a layer as name(arguments), for example conv2d(64, 3, padding=1)"
        raise ExpressionError("A201", f"expected a layer, found {written[:60]!r}", column, length, help)
    arguments = []
    for value in node.args:
        if isinstance(value, ast.Starred):
            raise ExpressionError(
                "A213", "a starred argument is not part of the language", *place(value, text)
            )
        arguments.append(Argument(None, compile_expression(value, text), *place(value, text)))
    for keyword in node.keywords:
        where = place(keyword, text)
        if keyword.arg is None:
            raise ExpressionError("A213", "a starred argument is not part of the language", *where)
        arguments.append(Argument(keyword.arg, compile_expression(keyword.value, text), *where))
    name_length = place(node.func, text)[1]
    return Call(node.func.id, tuple(arguments), column, length, name_length, text[column : column + length])
