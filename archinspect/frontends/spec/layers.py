"""Calls to layers: an op from its arguments, its output shape, and a guess of that where there is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import OpError, Span
from ...graph import Node
from ...input_size import EXAMPLES
from ...ops import REGISTRY, Op, show_shape
from .calls import Call
from .document import Document
from .guesses import Guess, is_echo, likely_shape, passed_on
from .nodes import Scalar
from .values import UNKNOWN, Environment, Values


class Layers(Values):
    """Appends layers to `nodes`.

    After a shape error the path goes on with the likely shape, so that independent errors behind it are found; what
    such a guess may have caused is not reported.
    """

    def __init__(
        self, document: Document, broken: set[tuple[int, int]], arguments: Mapping[str, Any]
    ) -> None:
        super().__init__(document, broken, arguments)
        self._ops: dict[Any, Op] = {}

    def layer(self, call: Call, text: Scalar, path: str, env: Environment, current: int | None) -> int | None:
        """Append the layer that a call of an op says; its index, None when nothing is known of its output."""
        op = self._op(call, text, path, env, current)
        if op is None or current is None:
            return None
        return self._append(path, op, (current,), self.call_span(text, call), text=text, call=call)

    def join(
        self, path: str, op: Op, inputs: tuple[int, ...], labels: Sequence[str], span: Span
    ) -> int | None:
        """Append the node that joins branches."""
        return self._append(path, op, inputs, span, labels=labels)

    def _append(
        self,
        path: str,
        op: Op,
        inputs: tuple[int, ...],
        span: Span,
        *,
        text: Scalar | None = None,
        call: Call | None = None,
        labels: Sequence[str] = (),
    ) -> int | None:
        nodes = self.nodes
        shapes = tuple([nodes[i].output_shape for i in inputs])
        try:
            shape = op.shape(shapes)
        except OpError as error:
            guesses = [self.guessed.get(i) for i in inputs]
            if not is_echo(op, error.code, guesses):
                self._refuse(error, path, inputs, span, text, call, labels)
            likely = likely_shape(op, shapes)
            if likely is None:
                return None
            shape, wide = likely
            before = passed_on(op, guesses)
            self.guessed[len(nodes)] = Guess(wide or (before is not None and before.width), len(nodes))
        else:
            if self.guessed:
                guess = passed_on(op, [self.guessed.get(i) for i in inputs])
                if guess is not None:
                    self.guessed[len(nodes)] = guess
        nodes.append(Node(path, op, inputs, shapes, shape, span))
        return len(nodes) - 1

    def _refuse(
        self,
        error: OpError,
        path: str,
        inputs: tuple[int, ...],
        span: Span,
        text: Scalar | None,
        call: Call | None,
        labels: Sequence[str],
    ) -> None:
        if text is not None and call is not None:
            space = REGISTRY[call.name].spatial or 2
            if error.code == "A301" and inputs[0] == 0 and len(self.nodes[0].output_shape) < space + 2:
                error.help = f"it reads the network's input: write the size as {EXAMPLES[space]}"
            error.help = self._without_input_width(call, inputs[0]) or error.help
            self.op_error(error, self._argument_span(text, call, error.attribute), path, inputs[0])
            return
        width = max(map(len, labels))
        shapes = [self.nodes[i].output_shape for i in inputs]
        notes = [f"{label:<{width}}  {show_shape(s)}" for label, s in zip(labels, shapes, strict=True)]
        shown = notes if len(notes) < 12 else [*notes[:6], "…", *notes[-5:]]
        self.op_error(
            OpError(error.code, error.message, notes=[*shown, *error.notes], help=error.help),
            span,
            path,
            None,
        )

    def _without_input_width(self, call: Call, current: int) -> str:
        """What to write for PyTorch's `Conv2d(3, 64, 3)`, whose first argument is inferred here."""
        given = [argument.value.text for argument in call.arguments if argument.name is None]
        width = self.nodes[current].output_shape[1]
        if not call.name.startswith("conv") or len(given) < 3 or given[0] != str(width):
            return ""
        return f"the input width, {width}, is inferred: did you mean {call.name}({', '.join(given[1:])})?"

    def _op(self, call: Call, text: Scalar, path: str, env: Environment, current: int | None) -> Op | None:
        if self.broken and (id(text), call.column) in self.broken:
            return None
        op = self._ops.get(call)  # there, if nothing in the call depends on where it stands
        if op is not None:
            return op
        arguments = call.arguments
        values = self.values([argument.value for argument in arguments], text, env, current, path)
        if UNKNOWN in values:
            return None
        key = (call, *values, *map(type, values))
        op = self._ops.get(key)
        if op is None:
            op = self._new_op(call, values, text, path)
            if op is not None:
                constant = not any(argument.value.names for argument in arguments)
                self._ops[call if constant else key] = op
        return op

    def _new_op(self, call: Call, values: list[Any], text: Scalar, path: str) -> Op | None:
        attributes, kinds = REGISTRY[call.name].attributes, REGISTRY[call.name].kinds
        given: dict[str, Any] = {}
        failed = False
        for position, (argument, value) in enumerate(zip(call.arguments, values, strict=True)):
            name = argument.name or attributes[position].name
            try:
                given[name] = kinds[name].parse(value)
            except OpError as error:
                failed = True
                error.message = f"'{name}' of '{call.name}': {error.message}"
                if (call.name, name, type(value)) == ("linear", "bias", int):
                    error.help = f"the input width is inferred: did you mean linear({value})?"
                error.help = error.help or f"'{name}' takes {kinds[name].schema}"
                span = text.span_of(argument.column, argument.length)
                self.op_error(error, span, path, None)
        if failed:
            return None
        try:
            return REGISTRY[call.name](**given)
        except OpError as error:
            self.op_error(error, self._argument_span(text, call, error.attribute), path, None)
            return None

    def _argument_span(self, text: Scalar, call: Call, attribute: str | None) -> Span:
        """The argument that an op's error is about, where the call gives it; else the call."""
        attributes = REGISTRY[call.name].attributes
        for position, argument in enumerate(call.arguments):
            if attribute is not None and (argument.name or attributes[position].name) == attribute:
                return text.span_of(argument.column, argument.length)
        return self.call_span(text, call)
