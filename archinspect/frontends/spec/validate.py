"""What can be checked in a document before any value is known: names, ops, blocks, arguments, recursion, use."""

from __future__ import annotations

import re
from functools import cache

from ...errors import suggestion
from ...ops import NEWER, REGISTRY
from ...ops.dimensions import WORDS
from .calls import Argument, Call, calls, conditions
from .document import SAME_AS, Block, Document, Statement, statements, texts
from .expressions import Expression
from .nodes import Scalar
from .problems import Problems
from .signatures import (
    Signature,
    attribute_help,
    block_signature,
    nearest_layer,
    op_signature,
    spelling,
    without_width,
)

IN_CHANNELS = "in_channels"
UNTIL = "until"  # of a network's call: the last layer or scope of it


class Validator:
    """Checks one document; records what is wrong in its `errors`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: Problems = document.errors
        self.blocks = {name: block_signature(block) for name, block in document.blocks.items()}
        self.used: set[str] = set()
        #: calls that cannot be laid out, by the identity of their text and their column in it
        self.broken: set[tuple[int, int]] = set()
        self.arguments = frozenset(document.argument_keys)
        self._networks: dict[str, Signature] = {}  # that calls name
        self._layers: re.Pattern[str] | None = None
        self._all_layers = re.compile("")

    def validate(self) -> None:
        document = self.document
        for block in document.blocks.values():
            if block.name in REGISTRY and block.name not in NEWER:
                message = f"block '{block.name}' has the name of an op"
                self._error("A210", message, block.key, help=f"rename it, e.g. my_{block.name}")
            self._block(block)
        for given in document.inputs:
            if given.name in self.arguments:
                message = f"'{given.name}' is the name of an argument and of an input"
                self._error("A210", message, document.argument_keys[given.name], help="rename one of them")
        self._body(document.layers, self.arguments, set())
        for output in document.outputs:
            self._names(output.value, output.text, self.arguments, self.used)
        self._unread_inputs()
        if document.init_places:
            from .initializers import check_places

            self.used |= check_places(document, self.errors)
        for name, key in document.argument_keys.items():
            if name not in self.used and name not in self._unread():
                message = f"argument '{name}' is used by no layer"
                self._error("A212", message, key, help="remove it, or use it in a layer")
        self._recursion()

    def _unread_inputs(self) -> None:
        """Refuse inputs after the first, which comes in by itself, that nothing names."""
        later = [given.name for given in self.document.inputs[1:] if given.name]
        if not later:
            return
        bodies = (self.document.layers, *[block.body for block in self.document.blocks.values()])
        written = [text.value for body in bodies for _, text in texts(body)]
        written += [output.text.value for output in self.document.outputs]
        words = _words(tuple(written)) | self._unread()
        for name in later:
            if name not in words:
                self.errors.add(
                    "A212",
                    f"no layer reads the input '{name}'",
                    self.document.source.span(0, 0, 1),
                    help=f"a chain begins at a value: x: {name} -> conv2d(64, 3); or leave the input out",
                )

    def _unread(self) -> frozenset[str]:
        """The words of what could not be read."""
        return _words(tuple(self.document.unread))

    def _block(self, block: Block) -> None:
        used: set[str] = set()
        for parameter in block.parameters:
            if parameter.default is not None:
                self._names(parameter.default, block.key, self.arguments, used)
        local = frozenset(p.name for p in block.parameters)
        self._body(block.body, local | self.arguments, used, local)
        for parameter in block.parameters:
            if parameter.name not in used and parameter.name not in self._unread():
                message = f"argument '{parameter.name}' of block '{block.name}' is never used"
                help = "remove it, or use it in a layer of the block"
                self._error("A212", message, block.key, parameter.column, parameter.length, help=help)

    def _body(
        self,
        body: tuple[Statement, ...],
        known: frozenset[str],
        used: set[str],
        local: frozenset[str] = frozenset(),
    ) -> None:
        self._statements(body, known, used)
        self.used |= used - local

    def _statements(self, body: tuple[Statement, ...], known: frozenset[str], used: set[str]) -> None:
        """The statements of one sequence; the names of a `let` are known to those after it."""
        own: dict[str, Scalar] = {}
        inner: set[str] = set()
        for statement in body:
            for named in statement.body.names:
                self._names(named.value, named.text, known, inner)
                if named.name in self.arguments or named.name in own:
                    message = f"'{named.name}' is the name of another value already"
                    self._error("A210", message, named.key, help="name it differently")
                own[named.name] = named.key
                known |= {named.name}
            self._statement(statement, known, inner)
        for name, key in own.items():
            if name not in inner and name not in self._unread():
                self._error("A212", f"nothing uses '{name}'", key, help="remove it, or use it in a layer")
        used |= inner - own.keys()

    def _statement(self, statement: Statement, known: frozenset[str], used: set[str]) -> None:
        key = statement.key
        for expression in (statement.condition, statement.first, statement.last):
            if expression is not None and key is not None:
                self._names(expression, key, known, used)
        for expression in (statement.first, statement.last):
            if expression is not None and key is not None and IN_CHANNELS in expression.names:
                message = "a repeat cannot depend on in_channels"
                help = "use an argument of the block or network"
                self._error("A213", message, key, expression.column, expression.length, help=help)
        if statement.variable is None or key is None:
            self._inside(statement, known, used)
            return
        variable, inner = statement.variable, set[str]()
        self._inside(statement, known | {variable}, inner)
        if variable in known:
            message = f"'{variable}' is the name of an argument already"
            self._error("A210", message, key, help="count with another name")
        elif variable not in inner and variable not in self._unread():
            place = f"{key.span.file}:{key.span.line}"
            self.document.remarks.append(
                f"Warning: nothing in the repeat {key.value} ({place}) uses '{variable}'; without it, "
                f"{key.value.replace(f'{variable}=', '', 1)} says the same."
            )
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
                self._call(call, text, known, used, readable=not statement.body.unreadable)
        for source in statement.body.sources:
            for number, call in enumerate(calls(source.chain or ())):
                if not number and not call.arguments and self._is_layer(call.name, named=True):
                    continue
                if source.text is not None:
                    self._call(call, source.text, known, used, readable=not source.unreadable)
        self._statements(statement.body.sequence or (), known, used)
        for inner in statement.body.branches:
            self._statement(inner, known, used)

    # Calls

    def _call(
        self, call: Call, text: Scalar, known: frozenset[str], used: set[str], *, readable: bool
    ) -> None:
        op = None if call.name in self.blocks else REGISTRY.get(call.name)
        with_words = known | WORDS if op is not None and op.named_dimensions else known
        signature = self.blocks.get(call.name) or op_signature(call.name)
        network = signature is None and not self._means_value(call, known) and self._network(call.name)
        for argument in call.arguments:
            if not (network and argument.name == UNTIL):
                self._names(argument.value, text, with_words, used)
        if network:
            signature = network
        if signature is None and call.name == SAME_AS:
            if len(call.arguments) != 1 or call.arguments[0].name is not None:
                self.broken.add((id(text), call.column))
                help = "e.g. same_as(tower)"
                self._error(
                    "A204", "same_as names one layer or scope", text, call.column, call.length, help=help
                )
            return
        if signature is None and self._means_value(call, known):
            used.add(call.name)  # a value, not a layer
            return
        if signature is None:
            self.broken.add((id(text), call.column))
            if call.name in self.document.lost_blocks:
                return
            message = f"unknown op or block '{call.name}'"
            help = self._help_with(call.name)
            self._error("A202", message, text, call.column, call.name_length, help=help)
            return
        if not call.arguments and signature.required and self._is_layer(call.name, named=True):
            return  # a layer of that name is meant
        before = len(self.errors)
        self._arguments(call, signature, text, complete=readable)
        if len(self.errors) > before:
            self.broken.add((id(text), call.column))

    def _means_value(self, call: Call, known: frozenset[str]) -> bool:
        return not call.arguments and (call.name in known or self._is_layer(call.name))

    def _network(self, name: str) -> Signature | None:
        """What a call of a network may give; None where no network has the name.  The network is checked, too."""
        if name in self._networks or name == SAME_AS or "." in name:
            return self._networks.get(name)
        from .networks import network_named, network_signature  # most specs hold none

        network = network_named(self.document, name)
        if network is None:
            return None
        checked = Validator(network)
        checked.validate()
        self.errors += network.errors
        network.errors.clear()
        self.broken |= checked.broken
        self.document.remarks += network.remarks
        self._networks[name] = network_signature(network)
        return self._networks[name]

    def _help_with(self, name: str) -> str:
        known = _NEAREST.get(spelling(name).lower().replace("_", ""))
        if known:
            return known
        near = nearest_layer(name, self.blocks)
        return f"did you mean '{near}'?" if near else "`archinspect ops` lists the ops"

    def _arguments(self, call: Call, signature: Signature, text: Scalar, *, complete: bool) -> None:
        """Compare the arguments given with those that the op or block takes; all are there if `complete`."""

        def error(code: str, message: str, argument: Argument, help: str) -> None:
            self._error(code, message, text, argument.column, argument.length, help=help)

        given: set[str] = set()
        positional = 0
        for argument in call.arguments:
            name = argument.name
            if name in signature.operands:
                continue
            if name is None and signature.joins and self._may_be_value(argument):
                complete = False  # a value or an argument: what it is shows when it has a value
                continue
            if name is None:
                if positional >= len(signature.names):
                    count = len(signature.names)
                    takes = f"takes {count or 'no'} argument{'s' * (count != 1)}"
                    message = f"too many arguments: {signature.kind} '{call.name}' {takes}"
                    error("A205", message, argument, without_width(call) or f"write {call.name}({signature})")
                    break
                name = signature.names[positional]
                positional += 1
            if name not in signature.names:
                message = f"{signature.kind} '{call.name}' has no attribute '{name}'"
                error("A203", message, argument, attribute_help(name, signature))
            elif name in given:
                message = f"argument '{name}' of '{call.name}' is given twice"
                at = signature.names.index(name)
                first = call.arguments[at].value.text if at < positional else argument.value.text
                surplus = without_width(call) if first != argument.value.text else ""
                error("A205", message, argument, surplus or f"write {call.name}({signature})")
            given.add(name)
        missing = [name for name in signature.names if name in signature.required and name not in given]
        if missing and complete:
            names = ", ".join(f"'{name}'" for name in missing)
            message = f"{signature.kind} '{call.name}' needs {names}"
            help = f"write {call.name}({signature})"
            self._error("A204", message, text, call.column, call.length, help=help)

    def _names(self, expression: Expression, scalar: Scalar, known: frozenset[str], used: set[str]) -> None:
        for name, column, length in expression.places:
            if name in known:
                used.add(name)
            elif name != IN_CHANNELS and not self._is_layer(name):
                listed = ", ".join(sorted(known))
                otherwise = f"known here: {listed}" if listed else "give the network an argument of this name"
                help = _NAME_HELP.get(name) or suggestion(
                    name, [*known, IN_CHANNELS, "True", "False"], otherwise=otherwise
                )
                if scalar.source is not self.document.source:  # in a borrowed block
                    file = self.document.source.file
                    help = f"{file} borrows this block: give it an argument of this name"
                self._error("A208", f"unknown name '{name}'", scalar, column, length, help=help)

    def _may_be_value(self, argument: Argument) -> bool:
        """Whether an argument may name a value of the network: a name, a path, or one of several outputs."""
        return re.fullmatch(r"[A-Za-z_][\w.]*(\[[^\]]*\])?", argument.value.text) is not None and (
            argument.value.text not in ("True", "False", "None")
        )

    def _is_layer(self, path: str, *, named: bool = False) -> bool:
        """Whether a layer, scope or input may have the first name of a path; where it stands is seen later.

        With `named` only those count that the spec names, not those that are called after their op.
        """
        if self._layers is None:
            names = {"input", *[given.name for given in self.document.inputs if given.name]}
            bodies = (self.document.layers, *[block.body for block in self.document.blocks.values()])
            for body in bodies:
                for statement in statements(body):
                    join = statement.body.join
                    texts_ = [part if isinstance(part, str) else "\0" for part in statement.template]
                    name = "".join(texts_) if statement.template else statement.name or join or ""
                    names.add(name + "\0" * (statement.first is not None or name == join))
            self._layers = _pattern(names)
            for body in bodies:
                found = {call.name for chain, _ in texts(body) for call in calls(chain)}
                names.update(f"{name}\0" for name in found if name in self.blocks or name in REGISTRY)
            self._all_layers = _pattern(names)
        known = self._layers if named else self._all_layers
        return known.fullmatch(path.partition(".")[0].partition("[")[0]) is not None

    # Recursion

    def _recursion(self) -> None:
        """Refuse blocks that use themselves; each cycle is reported once."""
        uses = {name: self._uses(block) for name, block in self.document.blocks.items()}
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
                call, text = step
                if call.name not in state:
                    state[call.name] = "open"
                    stack.append((call.name, iter(uses[call.name])))
                elif state[call.name] == "open":
                    names = [n for n, _ in stack]
                    cycle = [*names[names.index(call.name) :], call.name]
                    self.broken.add((id(text), call.column))  # without it the rest can still be laid out
                    message = f"block '{call.name}' uses itself"
                    note = " → ".join(cycle if len(cycle) < 12 else [*cycle[:6], "…", *cycle[-5:]])
                    help = "a block can repeat others, never itself; use name[1..n] to repeat"
                    span = text.span_of(call.column, call.length)
                    self.errors.add("A211", message, span, anchor=text, notes=(note,), help=help)

    def _uses(self, block: Block) -> list[tuple[Call, Scalar]]:
        """The calls of blocks inside a block."""
        return [
            (call, statement.body.text)
            for statement in statements(block.body)
            for call in calls(statement.body.chain or ())
            if call.name in self.blocks and statement.body.text is not None
        ]

    def _error(
        self, code: str, message: str, scalar: Scalar, column: int = 0, length: int = 0, *, help: str
    ) -> None:
        span = scalar.span_of(column, length or scalar.length)
        self.errors.add(code, message, span, anchor=scalar, help=help)


def _pattern(names: set[str]) -> re.Pattern[str]:
    """What any of these names looks like; a zero byte in a name stands for what is not known of it."""
    return re.compile("|".join(re.escape(name).replace("\0", r"\w*") for name in names if name))


@cache
def _words(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))


#: what the language has no layer for, and how it is said instead
_NEAREST = {
    "transformerencoderlayer": "write a block: layer_norm, multihead_attention and linear, joined by add",
    "transformerencoder": "write a block of layer_norm, multihead_attention and linear, and repeat it: layer[1..6]",
    "transformerdecoderlayer": "write a block: multihead_attention, and one more with key=memory",
    "transformerdecoder": "write a block: multihead_attention, and one more with key=memory, and repeat it",
    "transformer": "write blocks of multihead_attention and linear; vit_b_16 is an example",
    "lstmcell": "lstm runs its cell over a sequence: lstm(hidden_size)",
    "grucell": "gru runs its cell over a sequence: gru(hidden_size)",
    "rnncell": "rnn runs its cell over a sequence: rnn(hidden_size)",
    "sequential": "layers in a chain are one: conv2d(64, 3) -> relu; a list below a name is a scope",
    "modulelist": "a list below a name is a scope; name[1..3] repeats",
    "residual": "a residual connection is a join: add, with branches body and shortcut: identity",
    "skip": "a skip is a join: add or concat, of branches or of values by name",
    "stack": "concat joins along a dimension that is there; reshape makes one of size 1",
    "repeat": "a repeat is in the name: block[1..3]; sizes of 1 are repeated by add and multiply themselves",
    "expand": "sizes of 1 are repeated by add and multiply themselves",
    "weightnorm": "the language has no normed weights; a module that has them is a MODEL itself: net.py:Net",
    "spectralnorm": "the language has no normed weights; a module that has them is a MODEL itself: net.py:Net",
    "separableconv2d": "two layers: conv2d(in_channels, 3, groups=in_channels) -> conv2d(64, 1)",
    "depthwiseconv2d": "conv2d(in_channels, 3, groups=in_channels)",
    "maxunpool2d": "it needs the places of a max_pool2d, which are no value here; upsample and conv_transpose2d "
    "enlarge a map",
    "fractionalmaxpool2d": "its windows are random; adaptive_max_pool2d has windows of nearly equal size",
    "clamp": "hardtanh(min_val, max_val) keeps x between two bounds",
    "batchnorm": "batch_norm1d, batch_norm2d or batch_norm3d, by the dimensions of the input",
    "minimum": "the smaller of a and b is a + b - maximum(a, b); relu and hardtanh are bounds of one value",
    "alphadropout": "dropout has the same shapes and costs in evaluation",
    "featurealphadropout": "dropout2d has the same shapes and costs in evaluation",
    "argmax": "the language computes with numbers; what chooses among them stands behind the network",
    "topk": "mixture_of_experts chooses among experts; other choices stand behind the network",
    "onehot": "embedding looks up integers; it is linear of one-hot vectors",
    "lazylinear": "every layer infers its input width: linear(out_features)",
    "lazyconv2d": "every layer infers its input width: conv2d(out_channels, kernel_size)",
}
_NAME_HELP = {
    "true": "write True, as Python does",
    "false": "write False, as Python does",
    "none": "write None",
}
