"""The call syntax: a text such as `conv2d(64, 3, padding=1) -> relu` becomes a chain of calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from .calls import Argument, Call, Chain, Choice, Part
from .expressions import compile_expression, dotted
from .plain import plain_call
from .syntax import MAX_TEXT, ExpressionError, parse_python, place


@lru_cache(maxsize=4096)
def read_chain(text: str) -> tuple[Chain, tuple[ExpressionError, ...]]:
    """The calls of `a(...) -> b(...)` that can be read, and what is wrong with the others."""
    if len(text) > MAX_TEXT * 16:
        return (), (ExpressionError("A103", f"a text of {len(text):,} characters is too long", 0, 1),)
    parts: list[Part] = []
    errors: list[ExpressionError] = []
    pieces = list(_split(text))
    for start, piece in pieces:
        if len(pieces) > 1 and not piece.strip():
            help = "write a layer on both sides of the arrow"
            at = max(0, start - 1)
            errors.append(ExpressionError("A201", "expected a layer beside the arrow", at, 1, help))
            continue
        part = _parse_part(piece, start, errors)
        if part is not None:
            parts.append(part)
    return tuple(parts), tuple(errors)


def parse_chain(text: str) -> Chain:
    """Parse `a(...) -> b(...)`.  Raises ExpressionError with the column in `text`."""
    chain, errors = read_chain(text)
    if errors:
        raise errors[0]
    return chain


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The pieces between arrows that stand outside brackets and quotes."""
    if "->" not in text and "→" not in text:
        yield 0, text
        return
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


def _parse_part(text: str, start: int, errors: list[ExpressionError]) -> Part | None:
    call = plain_call(text, start)
    if call is not None:
        return call
    try:
        # The text is padded so that every column counts from the beginning of the chain.
        padded = " " * start + text
        return _part(parse_python(padded), padded, errors)
    except ExpressionError as error:
        if error.code == "A201" and "=" in text and "(" not in text:
            error.help = "a layer is written as a call: name(arguments)"
        errors.append(error)
        return None


def _part(node: ast.expr, text: str, errors: list[ExpressionError]) -> Part:
    if isinstance(node, ast.IfExp):
        condition = compile_expression(node.test, text)
        return Choice(condition, _part(node.body, text, errors), _part(node.orelse, text, errors))
    column, length = place(node, text)
    written = text[column : column + length]
    if isinstance(node, ast.Subscript) and dotted(node.value):
        compile_expression(node, text)  # one of several outputs, if it can be read
        return Call(written, (), column, length, length, written)
    name = dotted(node.func if isinstance(node, ast.Call) else node)
    if not name:
        help = "write a layer as name(arguments), for example conv2d(64, 3, padding=1)"
        raise ExpressionError("A201", f"expected a layer, found {written[:60]!r}", column, length, help)
    if not isinstance(node, ast.Call):
        return Call(name, (), column, length, length, name)
    arguments = []
    given: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
    for value in given:
        where = place(value, text)
        inner = value.value if isinstance(value, ast.keyword) else value
        try:
            if isinstance(inner, ast.Starred) or (isinstance(value, ast.keyword) and value.arg is None):
                help = "write each argument by itself"
                raise ExpressionError("A213", "a starred argument is not part of the language", *where, help)
            expression = compile_expression(inner, text)
        except ExpressionError as error:
            errors.append(error)
            continue
        arguments.append(Argument(value.arg if isinstance(value, ast.keyword) else None, expression, *where))
    return Call(name, tuple(arguments), column, length, place(node.func, text)[1], written)
