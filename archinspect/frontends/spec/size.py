"""How much work a document asks for, counted without laying it out.

A short text can ask for any number of layers (a repeat of repeats, blocks that double).  Each block is counted once
per set of arguments, so that refusing costs no more than reading.  What is counted are statements met: layers, scopes,
and layers that a condition leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ...errors import ArchinspectError, Diagnostic
from .calls import Call, Part
from .document import Block, Document, Statement
from .expressions import Expression
from .nodes import Scalar
from .paths import with_paths
from .problems import in_reading_order
from .source import MAX_NODES, MAX_SCOPES
from .syntax import ExpressionError

_OPEN = object()  # a value that only the layout knows (it follows in_channels)


def refuse_too_many_layers(
    document: Document, arguments: Mapping[str, Any], broken: set[tuple[int, int]]
) -> None:
    """Raise A103, with the errors found so far, when the network would have more than MAX_NODES layers.

    `broken` are the calls that will not be laid out (a recursive one among them).
    """
    counter = _Counter(document, arguments, broken)
    total = 0
    for statement in document.layers:
        total += counter.statement(statement, arguments, 0)
        if total > MAX_NODES:
            refuse(document, total, statement)


def refuse(document: Document, layers: int, statement: Statement | None = None) -> NoReturn:
    """Raise A103, with the errors found so far, for a network of so many layers up to a statement."""
    span = statement.key.span if statement is not None and statement.key else None
    error = Diagnostic(
        "A103",
        "the network has too many layers",
        span,
        statement.name or "" if statement is not None else "",
        (f"{layers:,} layers up to here > limit {MAX_NODES:,}",),
        "repeat fewer times",
    )
    found = in_reading_order(with_paths(document.errors, document), document.source.file)
    raise ArchinspectError([*found, error])


class _Counter:
    """Counts; what depends on `in_channels` counts as little as it can."""

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
            return statement.work
        if statement.first is None or statement.last is None:
            return self._once(statement, env, depth)
        first, last = self._value(statement.first, env, _OPEN), self._value(statement.last, env, _OPEN)
        if type(first) is not int or type(last) is not int:
            return self._once(statement, env, depth)
        rounds = max(0, last - first + 1)
        if statement.variable is None:
            return self._once(statement, env, depth) * rounds
        least = self._once(statement, env, depth) * rounds  # whatever the number is
        if least > MAX_NODES:
            return least
        count = 0
        for number in range(first, last + 1):
            count += self._once(statement, {**env, statement.variable: number}, depth)
            if count > MAX_NODES:
                break
        return count

    def _once(self, statement: Statement, env: Mapping[str, Any], depth: int) -> int:
        body = statement.body
        count = statement.work
        if body.unreadable:
            return count
        if body.chain is not None:
            return count + sum([self._part(part, body.text, env, depth) for part in body.chain])
        return count + self.body(body.sequence or (), env, depth) + self.body(body.branches, env, depth)

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
            return 1  # the layout says where
        values = self._arguments(block, part, env)
        key = (part.name, depth, *((name, type(value), value) for name, value in values.items()))
        count = self.known.get(key)
        if count is None:
            count = self.known[key] = 1 + self.body(block.body, values, depth + 1)
        return count

    def _arguments(self, block: Block, call: Call, env: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(self.arguments)
        given = {
            argument.name or block.parameters[position].name: argument.value
            for position, argument in enumerate(call.arguments)
        }
        for parameter in block.parameters:
            expression = given.get(parameter.name)
            value: Any = _OPEN
            if expression is not None:
                value = self._value(expression, env, _OPEN)
            elif parameter.default is not None:
                value = self._value(parameter.default, self.arguments, _OPEN)
            if value is _OPEN:
                values.pop(parameter.name, None)
            else:
                values[parameter.name] = value
        return values

    def _value(self, expression: Expression, env: Mapping[str, Any], otherwise: Any) -> Any:
        try:
            return expression.evaluate(env)
        except (KeyError, ExpressionError):
            return otherwise
