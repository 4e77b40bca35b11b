"""What can be checked in a document before any value is known: names, ops, blocks, arguments, recursion, use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import Diagnostic, Span, suggestion
from ..ops import REGISTRY
from .calls import Argument, Call, calls, conditions
from .document import Block, Document, Statement, statements
from .expressions import Expression
from .nodes import Scalar

IN_CHANNELS = "in_channels"


@dataclass(frozen=True)
class Signature:
    """What a call may give: parameter names in order, and which of them must be given."""

    kind: str
    names: tuple[str, ...]
    required: frozenset[str]

    def __str__(self) -> str:
        return ", ".join(name if name in self.required else f"{name}=…" for name in self.names)


def op_signature(name: str) -> Signature:
    attributes = REGISTRY[name].attributes
    return Signature(
        "op", tuple(a.name for a in attributes), frozenset(a.name for a in attributes if a.required)
    )


def block_signature(block: Block) -> Signature:
    required = frozenset(p.name for p in block.parameters if p.default is None)
    return Signature("block", tuple(p.name for p in block.parameters), required)


def ops_for_specs() -> list[str]:
    """Names that a spec may use as layers: every op of one input."""
    return [name for name, op in REGISTRY.items() if op.arity == 1]


class Validator:
    """Checks one document; `errors` collects what is wrong."""

    def __init__(self, document: Document, errors: list[Diagnostic]) -> None:
        self.document = document
        self.errors = errors
        self.ops = {name: op_signature(name) for name in ops_for_specs()}
        self.blocks = {name: block_signature(block) for name, block in document.blocks.items()}
        self.used: set[str] = set()
        #: calls that cannot be laid out, by the identity of their text and their column in it
        self.broken: set[tuple[int, int]] = set()

    def validate(self) -> None:
        document = self.document
        for block in document.blocks.values():
            if block.name in self.ops:
                self._error(
                    "A210",
                    f"block '{block.name}' has the name of an op",
                    block.key.span,
                    help="rename it",
                )
            self._block(block)
        self._body(document.layers, frozenset(document.arguments), set())
        for name, key in document.argument_keys.items():
            if name not in self.used:
                message = f"argument '{name}' is used by no layer"
                self._error("A212", message, key.span, help="remove it, or use it in a layer")
        self._recursion()

    def _block(self, block: Block) -> None:
        used: set[str] = set()
        for parameter in block.parameters:
            if parameter.default is not None:
                known = frozenset(self.document.arguments)
                self._names(parameter.default, block.key, known, used)
        local = frozenset(p.name for p in block.parameters)
        self._body(block.body, local | frozenset(self.document.arguments), used, local)
        for parameter in block.parameters:
            if parameter.name not in used:
                span = block.key.span_of(parameter.column, parameter.length)
                message = f"argument '{parameter.name}' of block '{block.name}' is never used"
                self._error("A212", message, span, help="remove it, or use it in a layer of the block")

    def _body(
        self,
        body: tuple[Statement, ...],
        known: frozenset[str],
        used: set[str],
        local: frozenset[str] = frozenset(),
    ) -> None:
        for statement in body:
            self._statement(statement, known, used)
        self.used |= used - local

    def _statement(self, statement: Statement, known: frozenset[str], used: set[str]) -> None:
        key = statement.key
        for expression in (statement.condition, statement.first, statement.last):
            if expression is not None and key is not None:
                self._names(expression, key, known, used)
        for expression in (statement.first, statement.last):
            if expression is not None and key is not None and IN_CHANNELS in expression.names:
                span = key.span_of(expression.column, expression.length)
                self._error("A213", "a repeat cannot depend on in_channels", span)
        if statement.variable is None or key is None:
            self._inside(statement, known, used)
            return
        variable, inner = statement.variable, set[str]()
        self._inside(statement, known | {variable}, inner)
        if variable in known:
            message = f"'{variable}' is the name of an argument already"
            self._error("A210", message, key.span, help="count with another name")
        elif variable not in inner:
            message = f"nothing in this repeat uses '{variable}'"
            self._error("A212", message, key.span, help="leave it out: name[1..3]")
        used |= inner - {variable}

    def _inside(self, statement: Statement, known: frozenset[str], used: set[str]) -> None:
        """What a statement says of its layers: the parts that see the number of a repeat."""
        for part in statement.template:
            if not isinstance(part, str) and statement.key is not None:
                self._names(part, statement.key, known, used)
        text = statement.body.text
        if statement.body.chain is not None and text is not None:
            for condition in conditions(statement.body.chain):
                self._names(condition, text, known, used)
            for call in calls(statement.body.chain):
                self._call(call, text, known, used)
        for inner in (*(statement.body.sequence or ()), *statement.body.branches):
            self._statement(inner, known, used)

    def _call(self, call: Call, text: Scalar, known: frozenset[str], used: set[str]) -> None:
        for argument in call.arguments:
            self._names(argument.value, text, known, used)
        signature = self.blocks.get(call.name) or self.ops.get(call.name)
        if signature is None:
            span = text.span_of(call.column, call.name_length)
            candidates = [*self.blocks, *self.ops]
            if call.name in ("add", "concat", "multiply"):
                help = f"joins have named branches: '- {call.name}:' and below it one 'name: layers' a branch"
            else:
                help = suggestion(call.name, candidates, otherwise="`archinspect ops` lists the ops")
            self._error("A202", f"unknown op or block '{call.name}'", span, help=help)
            self.broken.add((id(text), call.column))
            return
        before = len(self.errors)
        self._arguments(call, signature, text)
        if len(self.errors) > before:
            self.broken.add((id(text), call.column))

    def _arguments(self, call: Call, signature: Signature, text: Scalar) -> None:
        def span(argument: Argument) -> Span:
            return text.span_of(argument.column, argument.length)

        given: set[str] = set()
        positional = 0
        for argument in call.arguments:
            name = argument.name
            if name is None:
                if positional >= len(signature.names):
                    count = len(signature.names)
                    takes = (
                        f"takes {count} argument{'s' * (count != 1)}: {signature}"
                        if count
                        else "takes no arguments"
                    )
                    self._error(
                        "A205", f"too many arguments: {signature.kind} '{call.name}' {takes}", span(argument)
                    )
                    break
                name = signature.names[positional]
                positional += 1
            if name not in signature.names:
                takes = f"it takes {signature}" if signature.names else "it takes no arguments"
                help = suggestion(name, signature.names, otherwise=takes)
                message = f"{signature.kind} '{call.name}' has no attribute '{name}'"
                self._error("A203", message, span(argument), help=help)
            elif name in given:
                self._error("A205", f"argument '{name}' of '{call.name}' is given twice", span(argument))
            given.add(name)
        missing = [name for name in signature.names if name in signature.required and name not in given]
        if missing:
            where = text.span_of(call.column, call.length)
            names = ", ".join(f"'{name}'" for name in missing)
            message = f"{signature.kind} '{call.name}' needs {names}"
            self._error("A204", message, where, help=f"{call.name}({signature})")

    def _names(self, expression: Expression, scalar: Scalar, known: frozenset[str], used: set[str]) -> None:
        for name, column, length in expression.places:
            if name in known:
                used.add(name)
            elif name != IN_CHANNELS:
                help = _NAME_HELP.get(name) or suggestion(
                    name,
                    [*known, IN_CHANNELS, "True", "False"],
                    otherwise="known here: " + ", ".join(sorted(known))
                    if known
                    else "give the network an argument of this name",
                )
                if scalar.source is not self.document.source:  # in a borrowed block
                    help = f"{self.document.source.file} borrows this block: give it an argument of this name"
                span = scalar.span_of(column, length)
                self._error("A208", f"unknown name '{name}'", span, help=help)

    def _recursion(self) -> None:
        """Refuse blocks that use themselves; each cycle is reported once."""
        uses = {
            name: [
                (call, s)
                for s in statements(b.body)
                for call in calls(s.body.chain or ())
                if call.name in self.blocks
            ]
            for name, b in self.document.blocks.items()
        }
        state: dict[str, str] = {}
        for root in uses:
            if root in state:
                continue
            stack = [(root, iter(uses[root]))]
            state[root] = "open"
            while stack:
                name, remaining = stack[-1]
                step = next(remaining, None)
                if step is None:
                    state[name] = "closed"
                    stack.pop()
                    continue
                call, statement = step
                if call.name not in state:
                    state[call.name] = "open"
                    stack.append((call.name, iter(uses[call.name])))
                elif state[call.name] == "open":
                    names = [n for n, _ in stack]
                    cycle = [*names[names.index(call.name) :], call.name]
                    text = statement.body.text
                    assert text is not None
                    self.broken.add((id(text), call.column))  # without it the rest can still be laid out
                    span = text.span_of(call.column, call.length)
                    message = f"block '{call.name}' uses itself"
                    help = "a block can repeat others, never itself; use name[1..n] to repeat"
                    self.errors.append(
                        Diagnostic("A211", message, span, notes=(" → ".join(cycle),), help=help)
                    )

    def _error(
        self, code: str, message: str, span: Span, *, help: str = "", notes: Iterable[str] = ()
    ) -> None:
        self.errors.append(Diagnostic(code, message, span, notes=tuple(notes), help=help))


_NAME_HELP = {
    "true": "write True, as Python does",
    "false": "write False, as Python does",
    "none": "write None",
}
