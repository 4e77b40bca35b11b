"""A validated document, argument values and an input size to a `Graph`.

Shapes are inferred while the network is laid out, because widths may follow `in_channels` and because an error is
best told where the layer stands.  After an error the path goes on without a shape ("poisoned"), so that one run
shows independent errors and no echoes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArchinspectError, Diagnostic, OpError, Span
from ..graph import BlockUse, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs
from ..ops import REGISTRY, Input, Op, show_shape
from .calls import Call, Part
from .document import Block, Body, Document, Statement
from .expressions import Expression, ExpressionError
from .names import is_reserved
from .nodes import Scalar
from .reader import chain_statements
from .size import refuse_too_many_layers
from .source import MAX_SCOPES
from .validate import IN_CHANNELS

_UNKNOWN = object()  # the value of an expression that an earlier error, or an unknown shape, leaves open
Environment = dict[str, Any]


@dataclass(slots=True)
class _Names:
    """The scope that names are unique in: its path, the names taken, and counters for anonymous layers."""

    path: str
    taken: dict[str, Scalar | None] = field(default_factory=dict)

    def join(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def free(self, name: str) -> str:
        """The first of name, name_1, name_2 ... that is not taken (as Keras and torch.fx number layers)."""
        count, candidate = 0, name
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        return candidate


class Expander:
    """Lays out one network; `errors` collects what is wrong."""

    def __init__(self, document: Document, errors: list[Diagnostic], broken: set[tuple[int, int]]) -> None:
        self.document = document
        self.errors = errors
        self.broken = broken  # calls that validation refused, by (text, column)
        self.nodes: list[Node] = []
        self.side_outputs: list[int] = []
        self.uses: list[tuple[Scalar, Call]] = []  # blocks that are open, outermost first
        self._arguments: Mapping[str, Any] = {}
        self._ops: dict[Any, Op] = {}
        self._spans: dict[tuple[int, int], Span] = {}
        self._seen: set[tuple[str, str, str]] = set()

    def expand(self, arguments: Mapping[str, Any], input_shape: tuple[int, ...] | None) -> Graph:
        refuse_too_many_layers(self.document, arguments, self.errors, self.broken)
        self._arguments = arguments
        if input_shape is not None:
            self.nodes.append(Node("input", Input(input_shape), (), (), input_shape))
        start = None if input_shape is None else 0
        items, end = self._sequence(self.document.layers, dict(arguments), _Names("", {"input": None}), start)
        if self.errors:
            raise ArchinspectError(sorted(self.errors, key=_reading_order))
        assert end is not None
        document = self.document
        return Graph(
            name=document.name,
            nodes=tuple(self.nodes),
            structure=Scope("", items),
            outputs=(end, *self.side_outputs),
            arguments=dict(arguments),
            metadata={**document.metadata, "init": document.initializers},
        )

    # Structure

    def _sequence(
        self, body: tuple[Statement, ...], env: Environment, names: _Names, current: int | None
    ) -> tuple[tuple[Item, ...], int | None]:
        items: list[Item] = []
        for statement in body:
            if statement.condition is not None and not self._truth(
                statement.condition, statement.key, env, current
            ):
                continue
            made = statement.body
            if made.join is not None:
                current = self._join(statement, env, names, current, items)
            elif statement.name is None and made.chain is None and not statement.inline:
                self._side_outputs(statement, env, names, current, items)
            else:
                for number, inner in self._rounds(statement, env, current):
                    item: Sequence[Item]
                    if statement.inline:
                        item, current = self._inline(made, inner, names, current)
                    else:
                        name = self._name(statement, number, inner, current)
                        item, current = self._item(statement, name, inner, names, current)
                    items += item
        return tuple(items), current

    def _inline(
        self, body: Body, env: Environment, names: _Names, current: int | None
    ) -> tuple[tuple[Item, ...], int | None]:
        """Layers without a scope of their own: a sequence's, or those of each block in a chain."""
        if body.chain is None:
            return self._sequence(body.sequence or (), env, names, current)
        assert body.text is not None
        items: list[Item] = []
        for statement in chain_statements(body.chain, body.text):
            call = (
                self._choose(statement.body.chain[0], body.text, env, current)
                if statement.body.chain
                else None
            )
            block = self.document.blocks.get(call.name) if call is not None else None
            more: Sequence[Item]
            if call is None or block is None:
                more, current = self._item(statement, None, env, names, current)
            else:
                values = self._block_arguments(block, call, body.text, env, current)
                if values is None:
                    return tuple(items), None
                self.uses.append((body.text, call))
                more, current = self._sequence(block.body, {**self._arguments, **values}, names, current)
                self.uses.pop()
            items += more
        return tuple(items), current

    def _rounds(
        self, statement: Statement, env: Environment, current: int | None
    ) -> Iterator[tuple[str, Environment]]:
        """What to add to the name, and the values of names, for each time that a statement is laid out."""
        if statement.first is None:
            yield "", env
            return
        for number in self._numbers(statement, env, current):
            yield str(number), env if statement.variable is None else {**env, statement.variable: number}

    def _name(self, statement: Statement, number: str, env: Environment, current: int | None) -> str | None:
        """The name that a statement gives, None when it gives none."""
        if statement.name is None or not statement.template:
            return statement.name and statement.name + number
        words = []
        for part in statement.template:
            value = part if isinstance(part, str) else self._value(part, statement.key, env, current)
            words.append("_" if value is _UNKNOWN else str(value))
        name = "".join(words) + number
        if not re.fullmatch(r"\w+", name, re.ASCII) or is_reserved(name):
            assert statement.key is not None
            self._error("A209", f"'{name}' cannot name a layer", statement.key.span, help="e.g. conv{i}")
        return name

    def _item(
        self, statement: Statement, name: str | None, env: Environment, names: _Names, current: int | None
    ) -> tuple[list[Item], int | None]:
        """A layer, a block or a named sequence."""
        body = statement.body
        if body.chain is not None and len(body.chain) == 1:
            assert body.text is not None
            call = self._choose(body.chain[0], body.text, env, current)
            if call is None:
                return [], None
            if name is None:
                name = names.free(call.name)
            path = self._take(names, name, statement.key)
            block = self.document.blocks.get(call.name)
            if block is not None:
                scope, current = self._block(block, call, body.text, name, path, env, current)
                return ([scope] if scope else []), current
            index = self._layer(call, body.text, path, env, current)
            return ([] if index is None else [Layer(index)]), index
        assert name is not None
        path = self._take(names, name, statement.key)
        if self._too_deep(path, statement.key):
            return [], None
        inner = _Names(path)
        if body.chain is not None:
            assert body.text is not None
            items, current = self._sequence(chain_statements(body.chain, body.text), env, inner, current)
        else:
            items, current = self._sequence(body.sequence or (), env, inner, current)
        return [Scope(name, items)], current

    def _block(
        self,
        block: Block,
        call: Call,
        text: Scalar,
        name: str,
        path: str,
        env: Environment,
        current: int | None,
    ) -> tuple[Scope | None, int | None]:
        values = self._block_arguments(block, call, text, env, current)
        if values is None:
            return None, None
        if self._too_deep(path, text):
            return None, None
        self.uses.append((text, call))
        items, current = self._sequence(block.body, {**self._arguments, **values}, _Names(path), current)
        self.uses.pop()
        return Scope(name, items, BlockUse(block.name, values)), current

    def _too_deep(self, path: str, scalar: Scalar | None) -> bool:
        if path.count(".") < MAX_SCOPES:
            return False
        span = scalar.span if scalar else None
        self._error("A103", f"scopes are nested more than {MAX_SCOPES} deep", span)
        return True

    def _join(
        self, statement: Statement, env: Environment, names: _Names, current: int | None, items: list[Item]
    ) -> int | None:
        kind = statement.body.join
        assert kind is not None
        assert statement.key is not None
        ends: list[tuple[str, int | None]] = []
        branches: list[Scope | Leaf] = []
        for branch, end in self._branches(statement, env, names, current):
            ends.append((branch.name if branch else "", end))
            if branch is not None:
                branches.append(branch)
        span = statement.key.span
        if len(ends) < 2:
            return self._branch_left(kind, ends, branches, statement, names, items)
        name = names.free(kind)
        path = self._take(names, name, None)
        inputs = [end for _, end in ends if end is not None]
        if len(inputs) < len(ends):
            return None
        index = self._append(path, REGISTRY[kind](), tuple(inputs), span, [label for label, _ in ends])
        if index is not None:
            items.append(Join(index, tuple(branches)))
        return index

    def _branch_left(
        self,
        kind: str,
        ends: list[tuple[str, int | None]],
        branches: list[Scope | Leaf],
        statement: Statement,
        names: _Names,
        items: list[Item],
    ) -> int | None:
        """A join of which conditions leave one branch: that branch, in sequence; to leave none is an error."""
        for branch in branches:
            if isinstance(branch, Leaf):
                items.append(Layer(branch.index))
            elif branch.items:
                items.append(branch)
        if not ends and statement.body.branches:
            assert statement.key is not None
            message = f"the conditions of '{kind}' leave none of its branches"
            self._error("A107", message, statement.key.span, names.path, help="leave one or more")
        return ends[0][1] if ends else None

    def _side_outputs(
        self, statement: Statement, env: Environment, names: _Names, current: int | None, items: list[Item]
    ) -> None:
        branches = []
        for branch, end in self._branches(statement, env, names, current):
            if branch is not None and end is not None:
                branches.append(branch)
                self.side_outputs.append(end)
        if branches:
            items.append(SideOutputs(tuple(branches)))

    def _branches(
        self, statement: Statement, env: Environment, names: _Names, current: int | None
    ) -> list[tuple[Scope | Leaf | None, int | None]]:
        made: list[tuple[Scope | Leaf | None, int | None]] = []
        for branch in statement.body.branches:
            if branch.condition is not None and not self._truth(branch.condition, branch.key, env, current):
                continue
            for number, inner in self._rounds(branch, env, current):
                made.append(self._branch(branch, number, inner, names, current))
        return made

    def _branch(
        self, branch: Statement, number: str, env: Environment, names: _Names, current: int | None
    ) -> tuple[Scope | Leaf | None, int | None]:
        name = self._name(branch, number, env, current)
        assert name is not None
        if self._is_identity(branch, env, current):
            self._take(names, name, branch.key)
            return Scope(name, ()), current
        item, end = self._item(branch, name, env, names, current)
        if item and isinstance(item[0], Layer):
            return Leaf(name, item[0].index), end
        if item and isinstance(item[0], Scope):
            return item[0], end
        return None, end

    def _is_identity(self, branch: Statement, env: Environment, current: int | None) -> bool:
        """Whether a branch only passes its input on: nothing at all, or the single word identity."""
        body = branch.body
        if body.chain is None:
            return not body.sequence and body.join is None and not body.branches
        if len(body.chain) != 1 or body.text is None:
            return False
        call = self._choose(body.chain[0], body.text, env, current)
        return call is not None and call.name == "identity" and not call.arguments

    # Layers

    def _layer(
        self, call: Call, text: Scalar, path: str, env: Environment, current: int | None
    ) -> int | None:
        op = self._op(call, text, path, env, current)
        if op is None or current is None:
            return None
        inputs = (self.nodes[current].output_shape,)
        try:
            shape = op.shape(inputs)
        except OpError as error:
            self._op_error(error, self._argument_span(text, call, error.attribute), path, current)
            return None
        self.nodes.append(Node(path, op, (current,), inputs, shape, self._call_span(text, call)))
        return len(self.nodes) - 1

    def _append(
        self, path: str, op: Op, inputs: tuple[int, ...], span: Span, labels: list[str]
    ) -> int | None:
        shapes = tuple(self.nodes[i].output_shape for i in inputs)
        try:
            shape = op.shape(shapes)
        except OpError as error:
            width = max(map(len, labels))
            notes = [f"{label:<{width}}  {show_shape(s)}" for label, s in zip(labels, shapes, strict=True)]
            merged = OpError(error.code, error.message, notes=[*notes, *error.notes], help=error.help)
            self._op_error(merged, span, path, None)
            return None
        self.nodes.append(Node(path, op, inputs, shapes, shape, span))
        return len(self.nodes) - 1

    def _op(self, call: Call, text: Scalar, path: str, env: Environment, current: int | None) -> Op | None:
        if (id(text), call.column) in self.broken:
            return None
        values = [self._value(a.value, text, env, current, path) for a in call.arguments]
        if any(value is _UNKNOWN for value in values):
            return None
        key = (call, *values, *map(type, values)) if values else call.name
        if key in self._ops:
            return self._ops[key]
        attributes = REGISTRY[call.name].attributes
        kinds = {a.name: a.kind for a in attributes}
        given: dict[str, Any] = {}
        failed = False
        for position, (argument, value) in enumerate(zip(call.arguments, values, strict=True)):
            name = argument.name or attributes[position].name
            try:
                given[name] = kinds[name].parse(value)
            except OpError as error:
                failed = True
                error.message = f"'{name}' of '{call.name}': {error.message}"
                self._op_error(error, text.span_of(argument.column, argument.length), path, None)
        if failed:
            return None
        try:
            op = REGISTRY[call.name](**given)
        except OpError as error:
            self._op_error(error, self._argument_span(text, call, error.attribute), path, None)
            return None
        self._ops[key] = op
        return op

    # Values

    def _value(
        self,
        expression: Expression,
        scalar: Scalar | None,
        env: Environment,
        current: int | None,
        path: str = "",
    ) -> Any:
        if IN_CHANNELS in expression.names:
            if current is None:
                return _UNKNOWN
            shape = self.nodes[current].output_shape
            env[IN_CHANNELS] = shape[-1] if len(shape) == 3 else shape[1]  # tokens carry their width last
        try:
            return expression.evaluate(env)
        except KeyError:
            return _UNKNOWN
        except ExpressionError as error:
            span = None if scalar is None else scalar.span_of(error.column, error.length)
            self._error(
                error.code, error.message, span, path, help=error.help, notes=self._values_of(expression, env)
            )
            return _UNKNOWN

    def _values_of(self, expression: Expression, env: Environment) -> list[str]:
        names = sorted(expression.names & env.keys())
        return [", ".join(f"{name} = {env[name]!r}" for name in names)] if names else []

    def _truth(
        self, condition: Expression, scalar: Scalar | None, env: Environment, current: int | None
    ) -> bool:
        value = self._value(condition, scalar, env, current)
        return value is not _UNKNOWN and bool(value)

    def _numbers(self, statement: Statement, env: Environment, current: int | None) -> range:
        assert statement.first is not None
        assert statement.last is not None
        bounds = [self._value(e, statement.key, env, current) for e in (statement.first, statement.last)]
        for value, expression in zip(bounds, (statement.first, statement.last), strict=True):
            if value is _UNKNOWN:
                return range(0)
            if type(value) is not int or value < 0:
                assert statement.key is not None
                span = statement.key.span_of(expression.column, expression.length)
                self._error("A206", f"a repeat counts with whole numbers, not {value!r}", span)
                return range(0)
        return range(bounds[0], bounds[1] + 1)

    def _choose(self, part: Part, text: Scalar, env: Environment, current: int | None) -> Call | None:
        while not isinstance(part, Call):
            value = self._value(part.condition, text, env, current)
            if value is _UNKNOWN:
                return None
            part = part.then if value else part.otherwise
        return part

    def _block_arguments(
        self, block: Block, call: Call, text: Scalar, env: Environment, current: int | None
    ) -> dict[str, Any] | None:
        if (id(text), call.column) in self.broken:
            return None
        values: dict[str, Any] = {}
        for position, argument in enumerate(call.arguments):
            name = argument.name or block.parameters[position].name
            values[name] = self._value(argument.value, text, env, current)
        for parameter in block.parameters:
            if parameter.name not in values and parameter.default is not None:
                values[parameter.name] = self._value(
                    parameter.default, block.key, dict(self._arguments), current
                )
        if any(value is _UNKNOWN for value in values.values()):
            return None
        return {p.name: values[p.name] for p in block.parameters}

    # Names and errors

    def _take(self, names: _Names, name: str, key: Scalar | None) -> str:
        path = names.join(name)
        if name in names.taken:
            first = names.taken[name]
            related = ((first.span, "first here"),) if first else ()
            span = key.span if key else None
            if name == "input" and not names.path:
                self._error(
                    "A209", "'input' is the name of the network's input", span, path, help="e.g. stem"
                )
            else:
                self._error(
                    "A210",
                    f"the name '{name}' is taken",
                    span,
                    path,
                    help="name it differently",
                    related=related,
                )
        else:
            names.taken[name] = key
        return path

    def _argument_span(self, text: Scalar, call: Call, attribute: str | None) -> Span:
        """The argument that an op's error is about, where the call gives it; else the call."""
        attributes = REGISTRY[call.name].attributes
        for position, argument in enumerate(call.arguments):
            if attribute is not None and (argument.name or attributes[position].name) == attribute:
                return text.span_of(argument.column, argument.length)
        return self._call_span(text, call)

    def _call_span(self, text: Scalar, call: Call) -> Span:
        key = (id(text), call.column)
        span = self._spans.get(key)
        if span is None:
            span = self._spans[key] = text.span_of(call.column, call.length)
        return span

    def _op_error(self, error: OpError, span: Span, path: str, current: int | None) -> None:
        notes = list(error.notes)
        if current is not None:
            before = self.nodes[current]
            notes.append(f"input {show_shape(before.output_shape)} from {before.name}")
        self._error(error.code, error.message, span, path, help=error.help, notes=notes)

    def _error(
        self,
        code: str,
        message: str,
        span: Span | None,
        path: str = "",
        *,
        help: str = "",
        notes: list[str] | None = None,
        related: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        key = (code, message, span.place if span else "")
        if key in self._seen:  # a block used many times says it once
            return
        self._seen.add(key)
        uses = tuple(
            (self._call_span(text, call), f"block '{call.name}' used here")
            for text, call in reversed(self.uses)
        )
        self.errors.append(Diagnostic(code, message, span, path, tuple(notes or ()), help, related + uses))


def _reading_order(diagnostic: Diagnostic) -> tuple[int, int]:
    span = diagnostic.span
    return (span.line, span.column) if span else (0, 0)
