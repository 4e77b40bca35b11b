"""YAML text to nodes that know their place.

PyYAML's event parser (its C form where there is one) does the reading; the tree is built here, because a spec needs
every scalar as text with its place, every duplicate key reported, and limits that hold while the text is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ...errors import ArchinspectError, Diagnostic, Span
from .problems import Problems
from .source import MAX_DEPTH, MAX_EVENTS, NOWHERE, Source

_Loader: Any = getattr(yaml, "CLoader", yaml.Loader)


@dataclass(slots=True)
class Scalar:
    """A scalar as text.  `plain` is false for quoted ones; `exact` is true when its characters stand in one line as
    they are, so that an offset in the value is an offset in the line.
    """

    value: str
    line: int
    column: int
    length: int
    plain: bool
    exact: bool
    source: Source = field(default=NOWHERE, repr=False)

    @property
    def span(self) -> Span:
        return self.source.span(self.line, self.column, self.length)

    def span_of(self, column: int, length: int) -> Span:
        """The span of a part; of the whole where the text does not stand in one line as it is."""
        return self.source.span(self.line, self.column + column, length) if self.exact else self.span


@dataclass(slots=True)
class Mapping:
    entries: list[tuple[Scalar, Value]]
    line: int
    column: int
    duplicates: int = 0  # entries left out because their key was there already


@dataclass(slots=True)
class Sequence:
    items: list[Value]
    line: int
    column: int


Value = Scalar | Mapping | Sequence


class Tree:
    """The root value of a document and the errors met while reading it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.errors = Problems()
        self._count = 0
        self._depth = 0
        self.root = self._read()

    def span(self, value: Value) -> Span:
        length = value.length if isinstance(value, Scalar) else 1
        return self.source.span(value.line, value.column, length)

    def _read(self) -> Value | None:
        loader = _Loader(self.source.text)
        try:
            next_event = loader.get_event
            next_event()  # stream start
            if isinstance(next_event(), yaml.StreamEndEvent):
                return None
            root = self._value(next_event, next_event())
            next_event()  # document end
            extra = next_event()
            if not isinstance(extra, yaml.StreamEndEvent):
                raise self._refuse(
                    extra, "a spec is one YAML document", "remove the '---' that starts a second one"
                )
            return root
        except yaml.YAMLError as error:
            raise ArchinspectError([*self.errors, self._syntax(error)]) from None
        finally:
            loader.dispose()

    def _value(self, next_event: Any, event: Any) -> Value:
        self._count += 1
        if self._count > MAX_EVENTS:
            raise self._too_large(event, f"has more than {MAX_EVENTS:,} values")
        kind = type(event)
        start = event.start_mark
        if kind is yaml.AliasEvent:
            raise self._refuse(event, "specs use no YAML aliases", "use a block for what repeats")
        if event.anchor is not None:
            raise self._refuse(event, "specs use no YAML anchors", "use a block for what repeats")
        if event.tag is not None and not (kind is yaml.ScalarEvent and event.tag == "!"):
            raise self._refuse(event, f"specs use no YAML tags ({event.tag})", "write the plain value")
        if kind is yaml.ScalarEvent:
            end = event.end_mark
            plain = event.style is None or event.style == ""
            quote = 0 if plain else 1
            one_line = start.line == end.line and event.style != "|" and event.style != ">"
            exact = one_line and end.column - start.column - 2 * quote == len(event.value)
            length = end.column - start.column - 2 * quote if one_line else 1
            at = start.column + (quote if one_line else 0)
            return Scalar(event.value, start.line, at, length, plain, exact, self.source)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._too_large(event, f"is nested more than {MAX_DEPTH} deep")
        result: Value
        if kind is yaml.SequenceStartEvent:
            items = []
            while not isinstance(event := next_event(), yaml.SequenceEndEvent):
                items.append(self._value(next_event, event))
            result = Sequence(items, start.line, start.column)
        else:
            result = self._mapping(next_event, start)
        self._depth -= 1
        return result

    def _mapping(self, next_event: Any, start: Any) -> Mapping:
        result = Mapping([], start.line, start.column)
        seen: dict[str, Scalar] = {}
        while not isinstance(event := next_event(), yaml.MappingEndEvent):
            key = self._value(next_event, event)
            value = self._value(next_event, next_event())
            if not isinstance(key, Scalar):
                self.errors.add("A107", "a key must be a word", self.span(key), help="write 'name: layer'")
                continue
            first = seen.setdefault(key.value, key)
            if first is not key:
                related = ((self.span(first), "first here"),)
                message = f"key '{key.value}' is there twice"
                help = "give one of them another name" if self._depth > 1 else "merge the two"
                self.errors.add("A106", message, self.span(key), anchor=first, help=help, related=related)
                result.duplicates += 1
                continue
            result.entries.append((key, value))
        return result

    def _refuse(self, event: Any, message: str, help: str) -> ArchinspectError:
        mark = event.start_mark
        error = Diagnostic("A105", message, self.source.span(mark.line, mark.column), help=help)
        return ArchinspectError([*self.errors, error])

    def _too_large(self, event: Any, what: str) -> ArchinspectError:
        mark = event.start_mark
        span = self.source.span(mark.line, mark.column)
        error = Diagnostic("A103", f"the spec {what}", span, help="blocks and repeats keep a spec short")
        return ArchinspectError([*self.errors, error])

    def _syntax(self, error: yaml.YAMLError) -> Diagnostic:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        context = getattr(error, "context", None)
        span = self.source.span(mark.line, mark.column) if mark else None
        notes = (context,) if context else ()
        if "nesting depth" in problem:  # libyaml's own limit
            return Diagnostic("A103", f"the spec is nested more than {MAX_DEPTH} deep", span)
        help = _yaml_help(problem, span.text if span else "")
        return Diagnostic("A104", f"not valid YAML: {problem}", span, notes=notes, help=help)


def _yaml_help(problem: str, line: str) -> str:
    """A way out of what the YAML parser met in a line."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    if re.search(r":\s.*:(\s|$)", line):
        return "a value that contains ': ' must be quoted"
    if "could not find expected ':'" in problem:
        return "write 'name: layer', with a space after the colon"
    if "expected" in problem or "not allowed" in problem:
        return "is it indented as its neighbours are? Every '-' of a list stands in the same column"
    return "quote the text if it contains special characters"


def entries(value: Mapping) -> Iterator[tuple[str, Scalar, Value]]:
    for key, item in value.entries:
        yield key.value, key, item


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "None": None,
}


def plain_value(scalar: Scalar) -> Any:
    """A scalar's value: number, truth value, null or text (YAML 1.2's core rules; `yes` and `on` are words)."""
    return parse_plain(scalar.value) if scalar.plain else scalar.value


def parse_plain(text: str) -> Any:
    """The value that plain text stands for, in a spec or after `--set`."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text) and len(text) < 30:
        return int(text.replace("_", ""))
    if _FLOAT.match(text):
        return float(text)
    return text
