"""Expressions to values while a network is laid out, and the errors that have a place in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...errors import OpError, Span
from ...graph import Node, Value, input_axes, width_dimension
from ...ops.base import Axes, Shape
from ...ops.dimensions import WORDS
from .calls import Call, Part
from .document import Block, Document, Statement
from .expressions import Expression, Ref
from .guesses import Guess
from .nodes import Scalar
from .problems import Problems, Related
from .syntax import ExpressionError
from .validate import IN_CHANNELS

UNKNOWN: Any = object()  # the value of an expression that an earlier error, or an unknown shape, leaves open
Environment = dict[str, Any]


class _Bound(NamedTuple):
    """A call of a block: all parameters in order, with what is known of them before the call has a place; those that
    it gives, by name and expression; and the defaults that depend on the place.
    """

    known: Mapping[str, Any]
    names: tuple[str, ...]
    given: tuple[Expression, ...]
    defaults: tuple[tuple[str, Expression], ...]


class Values:
    """Evaluates expressions where a layer stands; `nodes` are the layers so far.

    `broken` are the calls that validation refused, by the identity of their text and their column in it.  `guessed`
    are the layers whose output shape is a guess, because of an error at or before them.
    """

    def __init__(
        self, document: Document, broken: set[tuple[int, int]], arguments: Mapping[str, Any]
    ) -> None:
        self.document = document
        self.broken = broken
        self._arguments = arguments
        self.errors: Problems = document.errors
        self.nodes: list[Node] = []
        self.guessed: dict[int, Guess] = {}
        self.uses: list[tuple[Scalar, Call]] = []  # blocks that are open, outermost first
        self._bound: dict[Call, _Bound] = {}
        self._spans: dict[tuple[int, int], Span] = {}
        self._seen: set[tuple[str, str, str]] = set()
        self._axes: list[tuple[Node, Axes]] = []  # of the first so many nodes
        self._ports: list[
            tuple[int, int]
        ] = []  # outputs beside the first: -1 is the first of these, and so on
        self._paths: dict[str, int] = {}  # of the first so many nodes
        self._ends: dict[str, int] = {}  # what a scope or block makes, by its path
        self._starts: dict[str, int | None] = {}  # what a scope or block reads, by its path
        self._bodies: list[
            tuple[str, int | None]
        ] = []  # blocks that are open: their path, and what they read
        #: whether branches may join anew, so that the structure has to be found from the flow
        self.linked = 0

    # Values of the network

    def port_of(self, current: int) -> tuple[int, int]:
        """The node that makes a value, and which of its outputs it is."""
        return (current, 0) if current >= 0 else self._ports[~current]

    def at(self, current: int) -> Value:
        """Shape and type of a value."""
        index, port = self.port_of(current)
        node = self.nodes[index]
        return Value(node.output_shape) if node.outputs is None else node.outputs[port]

    def shape_of(self, current: int) -> Shape:
        return self.nodes[current].output_shape if current >= 0 else self.at(current).shape

    def named(self, current: int) -> str:
        """The name of the layer that makes a value."""
        return self.nodes[self.port_of(current)[0]].name

    def value_of(self, ref: Ref) -> int:
        """What the main path is when it goes on with a value."""
        self.linked += 1
        if not ref.port:
            return ref.index
        self._ports.append((ref.index, ref.port))
        return ~(len(self._ports) - 1)

    def ref_of(self, current: int, name: str) -> Ref:
        index, port = self.port_of(current)
        outputs = self.nodes[index].outputs
        return Ref(index, port, len(outputs) if outputs and not port else 1, name)

    def resolve(self, name: str, path: str) -> Ref | None:
        """The value that a name or path means where a layer of path `path` is laid out; None where it means none."""
        root, start = self._bodies[-1] if self._bodies else ("", 0 if self.nodes else None)
        scope = path
        while True:
            if name == "input" and scope in self._starts and scope != root:
                start = self._starts[scope]
                break
            found = self._layer_at(f"{scope}.{name}" if scope else name)
            if found is not None:
                return self.ref_of(found, name)
            if scope == root or not scope:
                break
            scope = scope.rpartition(".")[0]
        if name == "input" and start is not None:
            return self.ref_of(start, name)
        head, dot, last = name.rpartition(".")
        owner = self.resolve(head, path) if dot else None
        if owner is not None and not owner.port:
            names = self.nodes[owner.index].op.output_names
            if last in names:
                port = names.index(last)
                if port < owner.outputs:
                    return Ref(owner.index, port, 1, name)
        return None

    def _layer_at(self, path: str) -> int | None:
        """The layer of a path, or the last layer of the scope of that path."""
        known, nodes = self._paths, self.nodes
        if len(known) != len(nodes):
            self._paths = known = {node.name: index for index, node in enumerate(nodes)}
        found = known.get(path)
        if found is not None:
            return found
        if path in self._ends:
            return self._ends[path]
        inside = f"{path}."
        return next((i for i in range(len(nodes) - 1, -1, -1) if nodes[i].name.startswith(inside)), None)

    def value(
        self, expression: Expression, scalar: Scalar, env: Environment, current: int | None, path: str = ""
    ) -> Any:
        """The value of an expression behind layer `current`; UNKNOWN where an error leaves it open."""
        if IN_CHANNELS in expression.names:
            if current is None or (current in self.guessed and self.guessed[current].width):
                return UNKNOWN
            shape = self.shape_of(current)
            env[IN_CHANNELS] = shape[width_dimension(self._axes_of(current), shape)]
        if expression.names and not expression.names <= env.keys():
            found = self._with_values(expression, scalar, env, path)
            if found is None:
                return UNKNOWN
            env = found
        try:
            return expression.evaluate(env)
        except KeyError:
            return UNKNOWN
        except ExpressionError as error:
            span = scalar.span_of(error.column, error.length)
            known = [f"{name} = {env[name]!r}" for name in sorted(expression.names & env.keys())]
            notes = (", ".join(known),) if known else ()
            self.error(error.code, error.message, span, path, help=error.help, notes=notes)
            return UNKNOWN

    def _with_values(
        self, expression: Expression, scalar: Scalar, env: Environment, path: str
    ) -> Environment | None:
        """The values of names, those of layers among them; None where one has no value, which is recorded."""
        more: Environment = {}
        for name, column, length in expression.places:
            if name in env or name in more or name == IN_CHANNELS:
                continue
            ref = self.resolve(name, path)
            if ref is None and name in WORDS and not self.errors:
                more[name] = name  # of a dimension
                continue
            if ref is None:
                if name not in self._known_names() and not self.errors:
                    message = f"nothing called '{name}' stands before this"
                    help = "name a layer or scope of this block that comes first, or an argument"
                    span = scalar.span_of(column, length)
                    self.error("A208", message, span, path, help=help)
                return None
            more[name] = ref
        return {**env, **more}

    def _known_names(self) -> frozenset[str]:
        """Names of arguments and variables, whose value may be open because of an error."""
        return frozenset(self.document.argument_keys)

    def _axes_of(self, current: int) -> Axes:
        """What the dimensions of a layer's output mean, as `Graph.axes` says once the network is whole."""
        if current < 0:
            first, shape = self._axes_of(self.port_of(current)[0]), self.shape_of(current)
            return first if len(first) == len(shape) else ("",) * len(shape)
        nodes, known = self.nodes, self._axes
        while known and (len(known) > len(nodes) or known[-1][0] is not nodes[len(known) - 1]):
            known.pop()  # laid out, and folded since
        for index in range(len(known), current + 1):
            node = nodes[index]
            if not node.inputs and len(node.output_shape) == 3 and not self.document.reads_sequences:
                axes: Axes = (
                    "batch",
                    "channel",
                    "space",
                )  # all else of a spec that has three sizes gets a batch
            elif not node.inputs or index in self.guessed:
                axes = input_axes(node.output_shape, self.at(index).dtype)
            else:
                before = [known[source][1] for source in node.inputs]
                if node.ports:
                    shapes = zip(before, node.input_shapes, strict=True)
                    before = [a if len(a) == len(shape) else ("",) * len(shape) for a, shape in shapes]
                axes = node.op.axes(before, node.input_shapes, node.output_shape)
            known.append((node, axes))
        return known[current][1]

    def values(
        self,
        expressions: Iterable[Expression],
        scalar: Scalar,
        env: Environment,
        current: int | None,
        path: str,
    ) -> list[Any]:
        """The value of each of some expressions."""
        found = []
        for expression in expressions:
            if IN_CHANNELS not in expression.names:
                try:
                    found.append(expression.evaluate(env))
                    continue
                except (KeyError, ExpressionError):
                    pass  # `value` says what is wrong
            found.append(self.value(expression, scalar, env, current, path))
        return found

    def truth(
        self, condition: Expression, scalar: Scalar | None, env: Environment, current: int | None, path: str
    ) -> bool:
        assert scalar is not None
        value = self._condition(condition, scalar, env, current, path)
        return value is not UNKNOWN and bool(value)

    def _condition(
        self, condition: Expression, scalar: Scalar, env: Environment, current: int | None, path: str
    ) -> Any:
        """A truth value or a number; UNKNOWN for a word, which as a condition would always hold."""
        value = self.value(condition, scalar, env, current, path)
        if not isinstance(value, (str, tuple, Ref)):
            return value
        span = scalar.span_of(condition.column, condition.length)
        help = "a name is written without quotes, a comparison with =="
        self.error("A206", f"a condition is true or false, not {value!r}", span, path, help=help)
        return UNKNOWN

    def numbers(self, statement: Statement, env: Environment, current: int | None, path: str) -> range:
        """The numbers of a repeat."""
        assert statement.first is not None
        assert statement.last is not None
        assert statement.key is not None
        bounds = []
        for expression in (statement.first, statement.last):
            value = self.value(expression, statement.key, env, current, path)
            if value is UNKNOWN:
                return range(0)
            # A range may end before it begins, also below 0: it repeats nothing.
            if type(value) is not int or (value < 0 and expression is statement.first):
                span = statement.key.span_of(expression.column, expression.length)
                message = f"a repeat counts with whole numbers, not {value!r}"
                self.error("A206", message, span, path, help=f"e.g. {statement.name or 'inline'}[1..3]")
                return range(0)
            bounds.append(value)
        return range(bounds[0], bounds[1] + 1)

    def choose(
        self, part: Part, text: Scalar, env: Environment, current: int | None, path: str
    ) -> Call | None:
        """The call that a choice comes to; None when its condition is unknown."""
        while not isinstance(part, Call):
            value = self._condition(part.condition, text, env, current, path)
            if value is UNKNOWN:
                return None
            part = part.then if value else part.otherwise
        return part

    def _block_arguments(
        self, block: Block, call: Call, text: Scalar, env: Environment, current: int | None, path: str = ""
    ) -> dict[str, Any] | None:
        """The values of a block's parameters for one use; None when one of them is unknown."""
        if self.broken and (id(text), call.column) in self.broken:
            return None
        bound = self._bound.get(call)
        if bound is None:
            bound = self._bound[call] = self._bind(block, call)
        values = dict(bound.known)
        for name, expression in bound.defaults:
            values[name] = self.value(expression, block.key, dict(self._arguments), current, path)
        values.update(zip(bound.names, self.values(bound.given, text, env, current, path), strict=True))
        return None if UNKNOWN in values.values() else values

    def _bind(self, block: Block, call: Call) -> _Bound:
        """What a call gives and leaves open; defaults that no place can change are evaluated once."""
        names = [parameter.name for parameter in block.parameters]
        known: dict[str, Any] = dict.fromkeys(names)
        given = {
            argument.name or names[position]: argument.value
            for position, argument in enumerate(call.arguments)
        }
        left = []
        for parameter in block.parameters:
            default = parameter.default
            if default is None or parameter.name in given:
                continue
            try:
                known[parameter.name] = default.evaluate(self._arguments)
            except (KeyError, ExpressionError):  # it reads in_channels, or is an error that has a place
                left.append((parameter.name, default))
        return _Bound(known, tuple(given), tuple(given.values()), tuple(left))

    # Errors

    def call_span(self, text: Scalar, call: Call) -> Span:
        key = (id(text), call.column)
        span = self._spans.get(key)
        if span is None:
            span = self._spans[key] = text.span_of(call.column, call.length)
        return span

    def op_error(self, error: OpError, span: Span, path: str, current: int | None) -> None:
        """An op's error where it stands; with `current`, the input that it did not suit."""
        from ...ops import show_shape

        notes = error.notes
        if current is not None:
            notes = (*notes, f"input {show_shape(self.shape_of(current))} from {self.named(current)}")
        self.error(error.code, error.message, span, path, help=error.help, notes=notes)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None,
        path: str = "",
        *,
        help: str = "",
        notes: tuple[str, ...] = (),
        related: Related = (),
    ) -> None:
        key = (code, message, span.place if span else "")
        if key in self._seen:  # a block used many times says it once
            return
        self._seen.add(key)
        uses = tuple(
            (self.call_span(text, call), f"block '{call.name}' used here")
            for text, call in reversed(self.uses)
        )
        self.errors.add(code, message, span, path=path, notes=notes, help=help, related=(*related, *uses))
