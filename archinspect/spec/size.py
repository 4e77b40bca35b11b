"""How many layers a document asks for, counted without laying them out.

A short text can ask for any number of layers (a repeat of repeats, blocks that double).  Each block is counted once
per set of arguments, so that refusing costs no more than reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ArchinspectError, Diagnostic
from .calls import Call, Part
from .document import Body, Document, Statement
from .expressions import Expression, ExpressionError
from .nodes import Scalar
from .source import MAX_NODES, MAX_SCOPES

_OPEN = object()  # a value that only the layout knows (it follows in_channels)


def refuse_too_many_layers(
    document: Document, arguments: Mapping[str, Any], errors: list[Diagnostic], broken: set[tuple[int, int]]
) -> None:
    """Raise A103, with the errors found so far, when the network would have more than MAX_NODES layers.

    `broken` are the calls that will not be laid out (a recursive one among them).
    """
    counter = _Counter(document, arguments, broken)
    total = 0
    for statement in document.layers:
        count = counter.statement(statement, arguments, 0)
        total += count
        if total > MAX_NODES:
            key = statement.key
            span = key.span if key else None
            notes = [f"{total:,} layers up to here > limit {MAX_NODES:,}"]
            raise ArchinspectError(
                [*errors, Diagnostic("A103", "the network has too many layers", span, notes=tuple(notes))]
            )


class _Counter:
    """Counts layers and scopes; what depends on `in_channels` counts as little as it can."""

    def __init__(
        self, document: Document, arguments: Mapping[str, Any], broken: set[tuple[int, int]]
    ) -> None:
        self.broken = broken
        self.blocks = document.blocks
        self.arguments = arguments
        self.known: dict[Any, int] = {}

    def body(self, body: tuple[Statement, ...], env: Mapping[str, Any], depth: int) -> int:
        return sum([self.statement(statement, env, depth) for statement in body])

    def statement(self, statement: Statement, env: Mapping[str, Any], depth: int) -> int:
        if statement.condition is not None and not self._value(statement.condition, env, False):
            return 0
        body = statement.body
        if statement.first is None or statement.last is None:
            return self._once(body, env, depth)
        first, last = self._value(statement.first, env, _OPEN), self._value(statement.last, env, _OPEN)
        if type(first) is not int or type(last) is not int:
            return self._once(body, env, depth)
        if statement.variable is None:
            return self._once(body, env, depth) * max(0, last - first + 1)
        count = 0
        for number in range(
            first, last + 1
        ):  # its layers may follow the number; each round counts one at least
            count += self._once(body, {**env, statement.variable: number}, depth)
            if count > MAX_NODES:
                break
        return count

    def _once(self, body: Body, env: Mapping[str, Any], depth: int) -> int:
        if body.chain is not None:
            return max(1, sum([self._part(part, body.text, env, depth) for part in body.chain]))
        return 1 + self.body(body.sequence or (), env, depth) + self.body(body.branches, env, depth)

    def _part(self, part: Part, text: Scalar | None, env: Mapping[str, Any], depth: int) -> int:
        while not isinstance(part, Call):
            truth = self._value(part.condition, env, _OPEN)
            if truth is _OPEN:
                return 0
            part = part.then if truth else part.otherwise
        block = self.blocks.get(part.name)
        if block is None or (id(text), part.column) in self.broken:
            return 1
        if depth > MAX_SCOPES:
            return 0  # the layout says where
        values = dict(self.arguments)
        for parameter in block.parameters:
            if parameter.default is not None:
                values[parameter.name] = self._value(parameter.default, self.arguments, _OPEN)
        for position, argument in enumerate(part.arguments):
            if argument.name is None and position >= len(block.parameters):
                continue
            values[argument.name or block.parameters[position].name] = self._value(argument.value, env, _OPEN)
        values = {name: value for name, value in values.items() if value is not _OPEN}
        key = (part.name, depth, *((name, type(value), value) for name, value in values.items()))
        count = self.known.get(key)
        if count is None:
            count = self.known[key] = 1 + self.body(block.body, values, depth + 1)
        return count

    def _value(self, expression: Expression, env: Mapping[str, Any], otherwise: Any) -> Any:
        try:
            return expression.evaluate(env)
        except (KeyError, ExpressionError):
            return otherwise
