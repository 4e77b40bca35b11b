"""Calls to layers: an op from its arguments, its output shape, and a guess of that where there is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import OpError, Span
from ...graph import Node, Parameter, Value
from ...input_size import EXAMPLES
from ...ops import REGISTRY, Op, show_shape
from ...ops.base import Shape
from ...ops.dimensions import dimension_of
from ...ops.linear import Linear
from .calls import Argument, Call
from .contiguity import with_copy
from .document import Document
from .expressions import Ref
from .guesses import Guess, is_echo, likely_shape, passed_on
from .nodes import Scalar
from .signatures import op_signature, without_width
from .values import UNKNOWN, Environment, Values

_Given = tuple[tuple[int, ...], list[str]]  # values that a call names, and their names
_NOTHING: dict[str, Ref] = {}
#: what works on channels where no dimension is named, and cannot tell them among tokens
_OF_CHANNELS = frozenset({"chunk", "concat", "log_softmax", "slice_channels", "softmax", "softmin", "split"})
#: the attribute, by its place, that takes what in PyTorch's calls of a family follows or is the input width
_AFTER_WIDTH = {
    "batch_norm": 0,
    "sync_batch_norm": 0,
    "instance_norm": 0,
    "group_norm": 1,
    "rnn": 1,
    "gru": 1,
    "lstm": 1,
}
#: no recurrent network is said to have so many layers without their name
_MOST_LAYERS = 8


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
        #: whether some value has a type of its own, so that types have to be looked at
        self.typed = False

    def layer(self, call: Call, text: Scalar, path: str, env: Environment, current: int | None) -> int | None:
        """Append the layer that a call of an op says; its index, None when nothing is known of its output."""
        found = self._op(call, text, path, env, current)
        if found is None:
            return None
        op, values, tied = found
        span = self.call_span(text, call)
        if values is None:
            if current is None:
                return None
            inputs: tuple[int, ...] = (current,)
            labels: Sequence[str] = ()
        else:
            inputs, labels = values
        known = self._with_dimensions(op, inputs, span, path)
        if known is None or self._looks_wrong(known, call, text, path, inputs):
            return None
        op = known
        index = self._append(path, op, inputs, span, text=text, call=call, labels=labels)
        if index is not None:
            for name, owner in tied.items():
                self._tie(index, name, owner, span)
        return index

    def join(
        self, path: str, op: Op, inputs: tuple[int, ...], labels: Sequence[str], span: Span
    ) -> int | None:
        """Append the node that joins branches."""
        known = self._with_dimensions(op, inputs, span, path)
        return None if known is None else self._append(path, known, inputs, span, labels=labels)

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
        plain = min(inputs, default=0) >= 0
        shapes = tuple([nodes[i].output_shape if plain else self.shape_of(i) for i in inputs])
        try:
            if isinstance(op, Linear) and len(shapes[0]) > 3:
                op.need_features(shapes[0], self._axes_of(inputs[0]))
            shape = op.shape(shapes)
        except OpError as error:
            guesses = [self.guessed.get(self.port_of(i)[0]) for i in inputs]
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
                guess = passed_on(op, [self.guessed.get(self.port_of(i)[0]) for i in inputs])
                if guess is not None:
                    self.guessed[len(nodes)] = guess
        if op.type in ("flatten", "tokens") and plain:
            op = with_copy(op, nodes, inputs[0])
        dtypes = self._types(op, inputs, path, span) if self.typed else None
        more = op.outputs(shapes) if len(nodes) not in self.guessed else ()
        if plain and dtypes is None and not more:
            nodes.append(Node(path, op, inputs, shapes, shape, span))
            return len(nodes) - 1
        dtype = dtypes or "float32"
        self.typed = True
        places = [self.port_of(i) for i in inputs]
        nodes.append(
            Node(
                path,
                op,
                tuple([index for index, _ in places]),
                shapes,
                shape,
                span,
                outputs=tuple([Value(part, dtype) for part in (shape, *more)]),
                ports=tuple([port for _, port in places]) if any(port for _, port in places) else (),
                memory=places[0][0] if op.aliases and places else None,
            )
        )
        return len(nodes) - 1

    def _types(self, op: Op, inputs: tuple[int, ...], path: str, span: Span) -> str | None:
        """The type of what an op makes, None for float32; integers go to look-ups, and through what moves them."""
        types = [self.at(i).dtype for i in inputs]
        whole = [dtype for dtype in types if dtype.startswith(("int", "uint", "bool"))]
        if op.reads_integers:
            if len(whole) < 1 and inputs:
                self.error(
                    "A305",
                    f"{op.type} looks up integers, and gets numbers of {types[0]}",
                    span,
                    path,
                    help="write the input's type behind its size: 128xint64",
                )
            return None
        if not whole:
            return None
        if op.category in ("shape", "merge") or op.type == "select_token":
            return types[0]
        self.error(
            "A305",
            f"{op.type} computes with numbers, and gets {whole[0]}",
            span,
            path,
            notes=(f"input {show_shape(self.shape_of(inputs[0]))} from {self.named(inputs[0])}",),
            help="put embedding before it, or write the input without a type",
        )
        return None

    def _with_dimensions(self, op: Op, inputs: tuple[int, ...], span: Span, path: str) -> Op | None:
        """The op with its dimensions as numbers where it names them (`dim=sequence`); None where there is none."""
        kinds = op.named_dimensions
        if not kinds and op.type != "slice_channels":
            return op
        axes, shape = self._axes_of(inputs[0]), self.shape_of(inputs[0])
        found: dict[str, Any] = {}
        for name in kinds or ("dim",):
            value = getattr(op, name, None)
            words = value if isinstance(value, tuple) else (value,)
            if any(isinstance(word, str) for word in words):
                numbers = [dimension_of(word, axes, shape) for word in words]
                if None in numbers:
                    word = next(word for word, number in zip(words, numbers, strict=True) if number is None)
                    known = ", ".join(dict.fromkeys(filter(None, axes))) or "nothing"
                    self.error(
                        "A305",
                        f"no dimension of {show_shape(shape)} is '{word}'",
                        span,
                        path,
                        notes=(f"its dimensions are {known}",),
                        help=f"give its number: {name}={len(shape) - 1} is the last one",
                    )
                    return None
                found[name] = tuple(numbers) if isinstance(value, tuple) else numbers[0]
            elif value is None and len(shape) == 3 and "sequence" in axes and op.type in _OF_CHANNELS:
                self.error(
                    "A304" if op.arity is None else "A305",
                    f"{op.type} does not know which dimension of tokens {show_shape(shape)} is meant",
                    span,
                    path,
                    notes=("the tokens are dimension 1, their features dimension 2",),
                    help=f"say {name}=sequence or {name}=feature"
                    if kinds
                    else "slice(start, stop, dim=sequence) or dim=feature says it",
                )
                return None
        return op.replace(**found) if found else op

    def _tie(self, index: int, name: str, owner: Ref, span: Span) -> None:
        """Let a layer read another one's tensor as its own `name`: counted once."""
        node, source = self.nodes[index], self.own_parameters(owner.index)
        theirs = source.parameters or {}
        tensor = theirs.get(name)
        if tensor is None or node.weights.get(name) != tensor.shape:
            mine = show_shape(node.weights.get(name, ()))
            has = f"{name} {show_shape(tensor.shape)}" if tensor is not None else f"no {name}"
            self.error(
                "A305",
                f"{node.name} cannot have the {name} of {source.name}",
                span,
                node.name,
                notes=(f"it needs {mine}, and {source.name} has {has}",),
                help="a linear layer shares an embedding's table where their widths agree: linear(num_embeddings)",
            )
            return
        mine_too = self.own_parameters(index)
        tied = Parameter((*tensor.names, f"{node.name}.{name}"), tensor.shape)
        self._exchange(tensor, tied)
        own = dict(mine_too.parameters or {})
        own[name] = tied
        self.nodes[index] = replace(mine_too, parameters=own)
        self.linked += 1

    def _exchange(self, old: Parameter, new: Parameter) -> None:
        """Put one parameter in the place of another wherever it is read."""
        for number, node in enumerate(self.nodes):
            if node.parameters and any(p is old for p in node.parameters.values()):
                own = {key: new if p is old else p for key, p in node.parameters.items()}
                self.nodes[number] = replace(node, parameters=own)

    def own_parameters(self, index: int) -> Node:
        """A node that says which parameters it reads, so that others can read them, too."""
        node = self.nodes[index]
        if node.parameters is not None:
            return node
        own = {name: Parameter((f"{node.name}.{name}",), shape) for name, shape in node.weights.items()}
        own |= {
            name: Parameter((f"{node.name}.{name}",), shape, trainable=False, buffer=True)
            for name, shape in node.buffers.items()
        }
        memory = node.inputs[0] if node.op.aliases and node.outputs is None else node.memory
        made = self.nodes[index] = replace(node, parameters=own, outputs=node.values, memory=memory)
        self.typed = True
        return made

    def again(self, index: int, path: str, inputs: tuple[int, ...], span: Span) -> int | None:
        """Append a layer once more, on other inputs and with the same weights."""
        first = self.own_parameters(index)
        before = len(self.errors)
        made = self._append(path, first.op, inputs, span)
        if made is None or len(self.errors) > before:
            return None
        node = self.nodes[made]
        if node.weights != first.weights:
            self.error(
                "A305",
                f"{first.name} cannot be used again on {show_shape(node.input_shapes[0])}",
                span,
                path,
                notes=(f"its weights are for {show_shape(first.input_shapes[0])}",),
                help="an input of the same width has the same weights",
            )
            return None
        memory = node.inputs[0] if node.op.aliases and node.inputs else None
        module = first.module or first.name
        self.nodes[made] = replace(
            node, parameters=first.parameters, outputs=node.values, memory=memory, module=module
        )
        return made

    def _looks_wrong(self, op: Op, call: Call, text: Scalar, path: str, inputs: tuple[int, ...]) -> bool:
        """Refuse what has a meaning that nobody means: PyTorch's in_channels, and flattening vectors."""
        if len(inputs) != 1 or inputs[0] < 0:
            return False
        shape = self.nodes[inputs[0]].output_shape
        if op.type == "flatten" and inputs[0] == 0 and len(shape) == 2 and not call.arguments:
            size = "x".join(map(str, shape))
            span = self.call_span(text, call)
            message = f"flatten has nothing to join: {size} are {shape[0]} vectors of {shape[1]} features"
            self.error("A301", message, span, path, help=f"one image of one channel is 1x{size}")
            return True
        if self._has_surplus_width(op, call, text, path, shape):
            return True
        given = [argument for argument in call.arguments if argument.name is None]
        if not op.family.startswith("conv") or len(given) < 3 or len(shape) < 2:
            return False
        sizes = [argument.value.evaluate({}) if not argument.value.names else None for argument in given[:3]]
        width, kernel, stride = sizes
        if type(width) is not int or type(kernel) is not int or type(stride) is not int:
            return False
        if width != shape[1] or kernel <= stride or not (kernel >= 16 or (kernel >= 8 and kernel % 2 == 0)):
            return False
        try:
            op.shape((shape,))
        except OpError:
            return False  # which says it better
        self.error(
            "A205",
            f"{call.name} gets a kernel of {kernel} and a stride of {stride}",
            text.span_of(given[1].column, given[1].length),
            path,
            notes=(f"its arguments are {', '.join(a.name for a in op.attributes[:3])}",),
            help=f"{without_width(call)} If the kernel is meant, write stride={stride}",
        )
        return True

    def _has_surplus_width(self, op: Op, call: Call, text: Scalar, path: str, shape: Shape) -> bool:
        """Refuse a number that PyTorch takes for the input width and we for an epsilon, or a number of layers."""
        place = _AFTER_WIDTH.get(op.family)
        given = [argument for argument in call.arguments if argument.name is None]
        if place is None or len(given) <= place:
            return False
        meant = op.attributes[place].name
        value = getattr(op, meant)
        if op.layout == 1 and meant == "num_layers":
            width = shape[-1]
            wrong = value >= _MOST_LAYERS and given[0].value.text == str(width)
            surplus = given[0]
        else:
            wrong = value >= 1
            surplus = given[place]
        if wrong:
            self.error(
                "A205",
                f"{call.name} gets {meant} = {given[place].value.text}",
                text.span_of(surplus.column, surplus.length),
                path,
                notes=(f"its arguments are {', '.join(a.name for a in op.attributes[:3])}",),
                help=f"{without_width(call)} If it is meant, write {meant}={given[place].value.text}",
            )
        return wrong

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
        if text is not None and call is not None and not labels:
            space = REGISTRY[call.name].spatial or 2
            shapes = [self.shape_of(i) for i in inputs]
            if (
                not labels
                and error.code == "A301"
                and inputs[0] == 0
                and len(self.nodes[0].output_shape) < space + 2
            ):
                size = EXAMPLES[space]
                if REGISTRY[call.name].category in ("attention", "sequence") and len(shapes[0]) == 2:
                    size = "NxLxwidth, with the letter N for the batch: Nx100x64"
                error.help = f"it reads the network's input: write the size as {size}"
            channels = self.shape_of(inputs[0])[1:2]
            if call.name.startswith("conv") and len(call.arguments) > 2 and channels:
                error.help = without_width(call, channels[0]) or error.help
            self.op_error(error, self._argument_span(text, call, error.attribute), path, inputs[0])
            return
        width = max(map(len, labels))
        shapes = [self.shape_of(i) for i in inputs]
        notes = [f"{label:<{width}}  {show_shape(s)}" for label, s in zip(labels, shapes, strict=True)]
        shown = notes if len(notes) < 12 else [*notes[:6], "…", *notes[-5:]]
        self.op_error(
            OpError(error.code, error.message, notes=[*shown, *error.notes], help=error.help),
            span,
            path,
            None,
        )

    def _op(
        self, call: Call, text: Scalar, path: str, env: Environment, current: int | None
    ) -> tuple[Op, _Given | None, dict[str, Ref]] | None:
        """The op of a call; the values that it says it reads, None for what comes in; and tensors of others."""
        if self.broken and (id(text), call.column) in self.broken:
            return None
        op = self._ops.get(call)  # there, if nothing in the call depends on where it stands
        if op is not None:
            return op, None, _NOTHING
        arguments = call.arguments
        values = self.values([argument.value for argument in arguments], text, env, current, path)
        if UNKNOWN in values:
            return None
        kind = REGISTRY[call.name]
        given: _Given | None = None
        tied: dict[str, Ref] = {}
        if kind.arity != 1 or any(isinstance(value, Ref) for value in values):
            read = self._operands(kind, call, values, text, path, current)
            if read is None:
                return None
            given, tied, rest = read
            arguments = tuple([arguments[i] for i in rest])
            values = [values[i] for i in rest]
        key = (call, *values, *map(type, values))
        op = self._ops.get(key)
        if op is None:
            op = self._new_op(call, arguments, values, text, path)
            if op is not None:
                constant = not any(argument.value.names for argument in call.arguments)
                self._ops[call if constant and given is None else key] = op
        return None if op is None else (op, given, tied)

    def _operands(
        self,
        kind: type[Op],
        call: Call,
        values: list[Any],
        text: Scalar,
        path: str,
        current: int | None,
    ) -> tuple[_Given, dict[str, Ref], list[int]] | None:
        """What a call reads: the values that it names, after what comes in where it names fewer than it needs.

        Also the tensors of other layers that it has, and which of its arguments are neither.
        """
        plain: list[tuple[str, int]] = []
        named: dict[str, tuple[str, int]] = {}
        tied: dict[str, Ref] = {}
        rest: list[int] = []
        for number, (argument, value) in enumerate(zip(call.arguments, values, strict=True)):
            span = text.span_of(argument.column, argument.length)
            if not isinstance(value, Ref):
                if argument.name in kind.reads or argument.name in kind.tied:
                    message = f"'{argument.name}' of '{call.name}' is a layer, not {value!r}"
                    self.error("A206", message, span, path, help=f"e.g. {argument.name}=memory")
                    return None
                rest.append(number)
            elif argument.name in kind.tied:
                tied[argument.name] = value
            elif argument.name in kind.reads:
                named[argument.name] = (value.name, self.value_of(value))
            elif argument.name is None and kind.arity != 1:
                plain.append((value.name, self.value_of(value)))
            else:
                what = f"'{argument.name}' of '{call.name}'" if argument.name else f"'{call.name}'"
                self.error(
                    "A206",
                    f"{what} takes no layer",
                    span,
                    path,
                    help=f"a layer that reads another one than the last is {value.name} -> {call.name}(...)",
                )
                return None
        count = kind.arity or 2
        if len(plain) < count and (kind.arity == 1 or len(plain) == count - 1):
            if current is None:
                return None
            if plain and plain[0][1] == current:
                name = plain[0][0]
                message = f"'{call.name}' reads '{name}' twice: it comes in, and is named"
                help = f"name the other value; if it is meant, write {call.name}({name}, {name})"
                self.error("A204", message, self.call_span(text, call), path, help=help)
                return None
            plain.insert(0, (self.named(current), current))
        if len(plain) < count or (kind.arity is not None and len(plain) > count):
            message = f"'{call.name}' reads {count} values, and {len(plain)} are named"
            help = f"e.g. {call.name}({', '.join('abcd'[:count])})"
            self.error("A204", message, self.call_span(text, call), path, help=help)
            return None
        order = [named[name] for name in kind.reads if name in named]
        missing = [name for name in kind.reads[: len(order)] if name not in named]
        if missing:
            message = f"'{call.name}' needs '{missing[0]}' where it has '{next(iter(named))}'"
            self.error("A204", message, self.call_span(text, call), path, help=f"add {missing[0]}=...")
            return None
        read = [*plain, *order]
        return (tuple([value for _, value in read]), [name for name, _ in read]), tied, rest

    def _new_op(
        self, call: Call, arguments: Sequence[Argument], values: list[Any], text: Scalar, path: str
    ) -> Op | None:
        attributes, kinds = REGISTRY[call.name].attributes, REGISTRY[call.name].kinds
        given: dict[str, Any] = {}
        failed = False
        for position, (argument, value) in enumerate(zip(arguments, values, strict=True)):
            if argument.name is None and position >= len(attributes):
                message = f"'{argument.value.text}' of '{call.name}' is no layer"
                self.error("A205", message, text.span_of(argument.column, argument.length), path)
                return None
            name = argument.name or attributes[position].name
            try:
                given[name] = kinds[name].parse(value)
            except OpError as error:
                failed = True
                error.message = f"'{name}' of '{call.name}': {error.message}"
                beyond = argument.name is None and position >= len(REGISTRY[call.name]._required)
                surplus = without_width(call) if beyond and type(value) is int else ""
                error.help = surplus or error.help or f"'{name}' takes {kinds[name].schema}"
                span = text.span_of(argument.column, argument.length)
                self.op_error(error, span, path, None)
        missing = [a.name for a in attributes if a.required and a.name not in given]
        if missing and not failed:
            names = ", ".join(f"'{name}'" for name in missing)
            help = f"write {call.name}({op_signature(call.name)})"
            self.error("A204", f"op '{call.name}' needs {names}", self.call_span(text, call), path, help=help)
            return None
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
            if attribute is None or (argument.name is None and position >= len(attributes)):
                continue
            if (argument.name or attributes[position].name) == attribute:
                return text.span_of(argument.column, argument.length)
        return self.call_span(text, call)
