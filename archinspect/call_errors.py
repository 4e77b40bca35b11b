"""Errors of a library call in the words of that call: no `--input`, no `--set`, and the place is in the call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .errors import ArchinspectError, Diagnostic, Span

_LONGEST = 40  # of an argument's text; a longer one is shown by its type


@contextmanager
def in_words_of_call(function: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Iterator[None]:
    """Raise errors that speak of options of the command line as errors of `function(*args, **keywords)`."""
    try:
        yield
    except ArchinspectError as error:
        call = _Call(function, args, keywords)
        raise ArchinspectError(map(call.words, error.diagnostics)) from error.__cause__


#: an option of the command line, with its value where that is a number or stands in quotes
_OPTION = re.compile(r"--([a-z]+)(?: (-?\d+\b|'[^']*'))?")


@contextmanager
def options_as_arguments() -> Iterator[None]:
    """Raise errors that name options of the command line with the arguments of the same names: `batch=0`."""
    try:
        yield
    except ArchinspectError as error:
        raise ArchinspectError(
            replace(
                each,
                message=_as_arguments(each.message),
                notes=tuple(map(_as_arguments, each.notes)),
                help=each.call_help or _as_arguments(each.help),
            )
            for each in error.diagnostics
        ) from error.__cause__


def _as_arguments(text: str) -> str:
    return _OPTION.sub(lambda option: f"{option[1]}={option[2] or ''}", text)


class _Call:
    """A call as somebody may have written it, and where each argument stands in its text."""

    def __init__(self, function: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        self._places: dict[str | int, tuple[int, int]] = {}  # an argument's name or number: column and length
        text = f"{function}("
        given: list[tuple[str | int, Any]] = [*enumerate(args), *keywords.items()]
        for name, value in given:
            text += ", " if self._places else ""
            written = _written(value) if isinstance(name, int) else f"{name}={_written(value)}"
            self._places[name] = len(text), len(written)
            text += written
        self._text = f"{text})"

    def words(self, diagnostic: Diagnostic) -> Diagnostic:
        span = diagnostic.span
        return replace(
            diagnostic,
            span=None if span is None else self._moved(span),
            help=diagnostic.call_help or diagnostic.help,
        )

    def _moved(self, span: Span) -> Span:
        """A place on the command line as one in the call; a place in a file stays."""
        if span.file == "--set":
            name = span.text.partition("=")[0]
            if name not in self._places:  # it stands in the text that names the model
                return self._at(*self._places.get("arguments", self._places[0]))
            start, length = self._places[name]
            if span.column == 1:
                return self._at(start, len(name))
            return self._at(start + len(name) + 1, length - len(name) - 1)
        if span.file == "MODEL":
            start, length = self._places[0]
            if self._text[start + 1 : start + length - 1] == span.text:
                return self._at(start + span.column, span.length)
            return self._at(start, length)
        if span.file == "--input":
            return self._at(*self._places.get("input", self._places.get(1, self._places[0])))
        return span

    def _at(self, start: int, length: int) -> Span:
        return Span("<call>", 1, start + 1, length, self._text)


def _written(value: Any) -> str:
    """An argument's text; a tensor by its shape, another large object by its type."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"<{type(value).__name__} {'×'.join(map(str, shape))}>"
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else f"<{type(value).__name__}>"
