"""YAML nodes to a `Document`: the form of a spec, without looking at what ops and names mean.

Every error is recorded and reading goes on, so that one run shows all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...errors import nearest, suggestion
from ...input_size import INPUT_HELP, parse_input_text
from .calls import Call
from .chains import parse_chain
from .document import Block, Document, Named, Parameter
from .nodes import Mapping, Scalar, Sequence, Tree, Value, entries, plain_value
from .source import MAX_NAME
from .statements import StatementReader
from .syntax import ExpressionError

if TYPE_CHECKING:
    from ...initializers import Rule

#: optional top-level keys that describe the network, and the type of their values
METADATA: dict[str, type] = {
    "title": str,
    "source": str,
    "year": int,
    "family": str,
    "task": str,
    "ilsvrc": str,
    "notes": str,
}
_KEYS = (
    "name", *METADATA, "input", "inputs", "outputs", "arguments", "init", "weights", "blocks_of", "blocks", "layers"
)  # fmt: skip
_NEEDED = {
    "name": "add: name: my_network",
    "input": "add: input: 3x224x224",
    "layers": "add: layers: and the layers below it",
}


def read_tree(tree: Tree) -> Document:
    """The document that a tree says; what is wrong with it waits in its `errors`."""
    return Reader(tree).read()


class Reader(StatementReader):
    """Reads one document."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(Document(tree.source, errors=tree.errors))
        self.root = tree.root

    def read(self) -> Document:
        root = self.root
        if not isinstance(root, Mapping):
            at = Scalar("", 0, 0, 1, True, False, self.document.source) if root is None else root
            message = (
                "the file is empty"
                if root is None
                else "a spec is a mapping with the keys name, input, layers"
            )
            self.error("A107", message, at, help="start with: name: my_network")
            return self.document
        found = {key: value for key, _, value in entries(root)}
        for key, at, _ in entries(root):
            if key not in _KEYS:
                known = "known keys: " + ", ".join(_KEYS)
                self.error("A108", f"unknown key '{key}'", at, help=suggestion(key, _KEYS, otherwise=known))
        missing = [key for key in _NEEDED if key not in found and f"{key}s" not in found]
        meant = {nearest(key, _KEYS) for key in found if key not in _KEYS} if missing else set()
        for key in missing:
            # An input may be given on the command line; where it is not, that is said when the network is laid out.
            if key not in meant and key != "input":
                self.error("A109", f"the spec has no '{key}'", root, help=_NEEDED[key])
        for key, value in found.items():
            reader = getattr(self, f"_read_{key}", None)
            if reader is not None:
                reader(value)
            elif key in METADATA:
                self._metadata(key, value)
        return self.document

    def _read_name(self, value: Value) -> None:
        text = self._text(value, "the name of the network", "name: my_network")
        if text is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
            message = f"'{text}' cannot name a network" if text else "the network has no name"
            self.error("A209", message, value, help="use letters, digits, '_', '-' and '.'")
        elif text is not None and len(text) > MAX_NAME:
            message = f"a name of {len(text):,} characters is too long"
            self.error("A209", message, value, help=f"use at most {MAX_NAME}")
        self.document.name = text or ""

    def _metadata(self, key: str, value: Value) -> None:
        kind = METADATA[key]
        found = plain_value(value) if isinstance(value, Scalar) else None
        if kind is str and isinstance(value, Scalar):
            found = value.value
        if isinstance(found, kind) and not isinstance(found, bool):
            self.document.metadata[key] = found
        elif kind is str:
            self.error("A206", f"'{key}' must be text", value, help=f"write the text on the line of '{key}:'")
        else:
            self.error("A206", f"'{key}' must be an integer", value, help=f"e.g. {key}: 2015")

    def _read_input(self, value: Value) -> None:
        if isinstance(value, Sequence) and all(isinstance(item, Scalar) for item in value.items):
            sizes = [item.value for item in value.items if isinstance(item, Scalar)]
            several = any(not size.isdecimal() for size in sizes)
            named = ", ".join(f"{name}: {size}" for name, size in zip("abcdefgh", sizes, strict=False))
            help = f"write inputs: {{{named}}}" if several else f"write input: {'x'.join(sizes)}"
            self.error("A206", "the input size must be text", value, help=help)
            return
        if isinstance(value, Mapping):
            self._read_inputs(value)
            return
        text = self._text(value, "the input size", "input: 3x224x224")
        if text is None:
            return
        self._input(text, None, value)

    def _read_inputs(self, value: Value) -> None:
        if not isinstance(value, Mapping) or not value.entries:
            help = "write inputs: {image: 3x224x224, ids: 128xint64}"
            self.error("A107", "'inputs' must be a mapping of names and sizes", value, help=help)
            return
        for name, key, size in entries(value):
            text = self._text(size, f"the size of '{name}'", f"{name}: 3x224x224")
            if self._name(name, key, "layer") and text is not None:
                self._input(text, name, size)

    def _input(self, text: str, name: str | None, value: Value) -> None:
        try:
            self.document.inputs += (parse_input_text(text, name),)
        except ValueError as error:
            self.error("A402", str(error), value, help=INPUT_HELP)

    def _read_outputs(self, value: Value) -> None:
        if (
            isinstance(value, Sequence)
            and all(isinstance(item, Scalar) for item in value.items)
            and value.items
        ):
            pairs = [(item, item) for item in value.items if isinstance(item, Scalar)]
            value = Mapping([*pairs], value.line, value.column)
            names = [key.value for key, _ in pairs]
        elif isinstance(value, Mapping) and value.entries:
            names = []
        else:
            help = "name them: outputs: [logits, features]"
            self.error(
                "A107", "'outputs' must be a list of layers, or names with a layer each", value, help=help
            )
            return
        found = self._named(value, "") if not names else self._named_alike(value)
        self.document.outputs = found

    def _named_alike(self, value: Mapping) -> tuple[Named, ...]:
        """Outputs that are called as the layers that make them."""
        made = []
        for key, text in value.entries:
            expression = self._expression(key.value, key, 0)
            if expression is not None and isinstance(text, Scalar):
                made.append(Named(re.sub(r"\W", "_", key.value).strip("_"), expression, key, text))
        return tuple(made)

    def _read_arguments(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            help = "write arguments: {num_classes: 1000}"
            self.error("A107", "'arguments' must be a mapping of names and defaults", value, help=help)
            self.document.unread += _words_of(value)
            return
        for name, key, default in entries(value):
            if not self._name(name, key, "argument"):
                continue
            self.document.argument_keys[name] = key
            if isinstance(default, Scalar):
                self.document.arguments[name] = plain_value(default)
            elif isinstance(default, Sequence) and all(isinstance(item, Scalar) for item in default.items):
                values = [plain_value(item) for item in default.items if isinstance(item, Scalar)]
                self.document.arguments[name] = tuple(values)
            else:
                help = "a number, true, false, a word or a list of these"
                self.error("A206", f"the default of '{name}' must be one value", default, help=help)

    def _read_init(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            help = "write init: {conv2d: normal(std=0.01)}"
            self.error("A107", "'init' must be a mapping of ops or paths and initialisers", value, help=help)
            return
        from ...initializers import Initialization
        from .initializers import MOST_RULES, check_function, check_target

        if len(value.entries) > MOST_RULES:
            message = f"{len(value.entries):,} rules of how weights start are too many"
            self.error(
                "A103", message, value, help=f"use at most {MOST_RULES}; one rule may be for many layers"
            )
            return

        source = ""
        for target, key, text in entries(value):
            if target == "source":
                source = self._text(text, "where the initialisers come from", "source: He et al. 2015") or ""
                continue
            try:
                check_target(target)
            except ExpressionError as error:
                self._at(error, key)
                continue
            rule = self._rule(target, text)
            problem = check_function(rule) if rule is not None else None
            if problem is not None:
                self.errors.append(problem.diagnostic(self._span(text)))
            elif rule is not None:
                assert isinstance(text, Scalar)
                self.document.init_places += ((rule, key, text),)
        self.document.init = Initialization(tuple([rule for rule, _, _ in self.document.init_places]), source)

    def _read_weights(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            help = "write weights: {conv1: features.0}"
            self.error(
                "A107", "'weights' must be a mapping of our layers and a checkpoint's", value, help=help
            )
            return
        from .weight_names import weight_name

        for ours, key, theirs in entries(value):
            if not isinstance(theirs, Scalar):
                self.error(
                    "A107", f"expected the checkpoint's name of '{ours}'", theirs, help="e.g. features.0"
                )
                continue
            try:
                self.document.weight_names += (weight_name(ours, theirs.value),)
            except ExpressionError as error:
                self._at(error, key if error.code == "A209" else theirs)

    def _rule(self, target: str, text: Value) -> Rule | None:
        from ...initializers import Rule

        help = "e.g. normal(std=0.01)"
        chain = self._chain(text) if isinstance(text, Scalar) else None
        call = chain[0] if chain and len(chain) == 1 else None
        if not isinstance(call, Call):
            if chain is not None or not isinstance(text, Scalar):
                self.error("A107", f"expected one initialiser for '{target}'", text, help=help)
            return None
        if any(a.name is None for a in call.arguments):
            self.error("A207", "an initialiser takes named numbers and words only", text, help=help)
            return None
        try:  # what depends on the layer or on arguments of the network stays an expression
            given = {
                a.name: a.value if a.value.names else a.value.evaluate({}) for a in call.arguments if a.name
            }
        except ExpressionError as error:
            self._at(error, text)
            return None
        return Rule(target, call.name, given)

    def _read_blocks_of(self, value: Value) -> None:
        if self._text(value, "the network whose blocks it uses", "blocks_of: resnet50") is not None:
            assert isinstance(value, Scalar)
            self.document.lender = value

    def _read_blocks(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            help = "write name(arguments): and its layers below"
            self.error("A107", "'blocks' must be a mapping", value, help=help)
            self.document.unread += _words_of(value)
            self.document.lost_blocks |= {text.partition("(")[0].strip() for text in _words_of(value)}
            return
        for text, key, body in entries(value):
            block = self._block(text, key, body)
            if block is None:
                self.document.unread.append(text)
                self.document.lost_blocks.add(text.partition("(")[0].strip())
                continue
            first = self.document.blocks.get(block.name)
            if first is not None:
                related = ((self._span(first.key), "first here"),)
                message = f"block '{block.name}' is defined twice"
                self.error("A210", message, key, help="rename one of them", related=related)
                continue
            self.document.blocks[block.name] = block

    def _block(self, text: str, key: Scalar, body: Value) -> Block | None:
        """A block from its key, `name` or `name(argument, argument=default)`, which reads as a call does."""
        name = text.partition("(")[0].strip()
        parameters: tuple[Parameter, ...] | None = None
        if self._name(name, key, "block"):
            parameters = self._parameters(text, key) if "(" in text else ()
        sequence = self._sequence(body)
        return None if parameters is None else Block(name, parameters, sequence, key)

    def _parameters(self, text: str, key: Scalar) -> tuple[Parameter, ...] | None:
        help = "write name(argument, argument=default):"
        try:
            chain = parse_chain(text)
            if len(chain) != 1 or not isinstance(chain[0], Call):
                raise ExpressionError("A201", "cannot read the block's arguments", 0, len(text), help)
            made: list[Parameter] = []
            for argument in chain[0].arguments:
                name, default = argument.name, argument.value
                if name is None:
                    name = default.text
                    if default.names != {name}:
                        where = argument.column, argument.length
                        raise ExpressionError("A201", "a block's argument is a name", *where, help)
                if any(p.name == name for p in made):
                    where = argument.column, argument.length
                    raise ExpressionError("A210", f"argument '{name}' is there twice", *where, "rename it")
                self._name(name, key, "argument")
                given = None if argument.name is None else default
                made.append(Parameter(name, given, argument.column, len(name)))
        except ExpressionError as error:
            error.help = error.help if error.code != "A201" else help
            self._at(error, key)
            return None
        return tuple(made)

    def _read_layers(self, value: Value) -> None:
        before = len(self.errors)
        self.document.layers = self._sequence(value)
        if not self.document.layers and len(self.errors) == before:
            self.error("A107", "'layers' is empty", value, help="a network has at least one layer")

    def _text(self, value: Value, what: str, example: str) -> str | None:
        if isinstance(value, Scalar):
            return value.value
        self.error("A206", f"{what} must be text", value, help=f"e.g. {example}")
        return None


def _words_of(value: Value) -> list[str]:
    """Every scalar in a value that has the wrong form."""
    if isinstance(value, Scalar):
        return [value.value]
    items: list[Any] = (
        value.items if isinstance(value, Sequence) else [v for pair in value.entries for v in pair]
    )
    return [word for item in items for word in _words_of(item)]


__all__ = ["INPUT_HELP", "METADATA", "Reader", "read_tree"]
