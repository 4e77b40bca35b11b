"""Where in the network a text of the spec stands, for errors that are met before the network is laid out."""

from __future__ import annotations

from dataclasses import replace

from ...errors import Diagnostic, Span
from .calls import Call, calls
from .document import Document, Statement
from .nodes import Scalar
from .problems import Problems
from .source import MAX_SCOPES

Use = tuple[Scalar, Call]


def with_paths(errors: Problems, document: Document) -> list[Diagnostic]:
    """The errors, each with the path of the layer that it is about, and inside a block with the block's first use."""
    if not errors.anchors:
        return list(errors)
    places = _Places(document)
    found = []
    for number, diagnostic in enumerate(errors):
        place = places.of.get(errors.anchors.get(number, 0))
        if place is not None:
            path, uses = place
            path = places.layer(errors.anchors[number], diagnostic.span) or path
            spans = tuple(_used(document, use) for use in reversed(uses))
            diagnostic = replace(
                diagnostic, path=diagnostic.path or path, related=(*diagnostic.related, *spans)
            )
        found.append(diagnostic)
    return found


def _used(document: Document, use: Use) -> tuple[Span, str]:
    text, call = use
    return text.span_of(call.column, call.length), f"block '{call.name}' used here"


class _Places:
    """`of`: the identity of a key or text → its path and the uses of blocks that lead there, outermost first."""

    def __init__(self, document: Document) -> None:
        self.blocks = document.blocks
        self.of: dict[int, tuple[str, tuple[Use, ...]]] = {}
        self.layers: dict[
            int, list[tuple[Scalar, int, str]]
        ] = {}  # of a chain: its text, a column in it, a path
        self.seen: set[str] = set()
        self._walk(document.layers, "", ())
        for block in document.blocks.values():  # what no layer uses
            if block.name not in self.seen:
                self.seen.add(block.name)
                self._walk(block.body, block.name, ())

    def layer(self, anchor: int, span: Span | None) -> str:
        """The layer of a chain that a span lies in; empty where it lies in none."""
        found = ""
        for text, column, path in self.layers.get(anchor, ()):
            if span is not None and text.exact and text.column + column < span.column:
                found = path
        return found

    def _walk(self, body: tuple[Statement, ...], scope: str, uses: tuple[Use, ...]) -> None:
        if scope.count(".") > MAX_SCOPES:
            return
        for statement in body:
            self._statement(statement, scope, uses)

    def _statement(self, statement: Statement, scope: str, uses: tuple[Use, ...]) -> None:
        made = statement.body
        path = _join(scope, _name_of(statement))
        if statement.key is not None:
            self.of.setdefault(id(statement.key), (path, uses))
        if made.text is not None:
            self.of.setdefault(id(made.text), (path, uses))
            if statement.name is None or len(made.chain or ()) > 1:
                outer = scope if statement.name is None else path
                parts = self.layers.setdefault(id(made.text), [])
                parts += [(made.text, c.column, _join(outer, c.name)) for c in calls(made.chain or ())]
        for call in calls(made.chain or ()) if made.text is not None else ():
            block = self.blocks.get(call.name)
            if block is not None and call.name not in self.seen:
                self.seen.add(call.name)
                assert made.text is not None
                self._walk(block.body, path, (*uses, (made.text, call)))
        outer = scope if statement.inline or made.branches else path
        self._walk(made.sequence or (), outer, uses)
        self._walk(made.branches, outer, uses)


def _name_of(statement: Statement) -> str:
    if statement.name is not None:
        number = (
            f"[{statement.first.text}..{statement.last.text}]" if statement.first and statement.last else ""
        )
        return statement.name + number
    if statement.body.join is not None or statement.inline:
        return statement.body.join or ""
    first = next(calls(statement.body.chain or ()), None)
    return first.name if first is not None else ""


def _join(scope: str, name: str) -> str:
    return ".".join(filter(None, (scope, name)))
