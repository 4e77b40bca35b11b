"""YAML nodes to a `Document`: the form of a spec, without looking at what ops and names mean.

Every error is recorded and reading goes on, so that one run shows all of them.
"""

from __future__ import annotations

import keyword
import re

from ..errors import Diagnostic, Span, suggestion
from .calls import Call, Chain, parse_chain
from .document import INLINE, JOINS, SIDE_OUTPUT, Block, Body, Document, Initializer, Parameter, Statement
from .expressions import Expression, ExpressionError, parse_expression, parse_python
from .names import is_reserved
from .nodes import Mapping, Scalar, Sequence, Tree, Value, entries, plain_value

#: optional top-level keys that describe the network, and the type of their values
METADATA: dict[str, type] = {
    "title": str,
    "source": str,
    "year": int,
    "family": str,
    "ilsvrc": str,
    "notes": str,
}
_KEYS = ("name", *METADATA, "input", "arguments", "init", "blocks_of", "blocks", "layers")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY = re.compile(
    r"(?P<name>[^\[\]\s]+)"
    r"(\[((?P<variable>[^\[\]=]+?)\s*=(?!=)\s*)?(?P<first>[^\[\]]+?)\.\.(?P<last>[^\[\]]+)\])?"
    r"(\s+if\s+(?P<if>.+))?\Z"
)
_BRACES = re.compile(r"\{([^{}]*)\}")


class Reader:
    """Reads one document; `errors` collects what is wrong."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.errors = tree.errors
        self.document = Document(tree.source)

    def read(self) -> Document:
        root = self.tree.root
        if not isinstance(root, Mapping):
            place = Scalar("", 0, 0, 1, True, False) if root is None else root
            message = (
                "the file is empty"
                if root is None
                else "a spec is a mapping with the keys name, input, layers"
            )
            self.error("A107", message, place, help="start with: name: my_network")
            return self.document
        found = {key: (place, value) for key, place, value in entries(root)}
        for key, (place, _) in found.items():
            if key not in _KEYS:
                known = "known keys: " + ", ".join(_KEYS)
                self.error(
                    "A108", f"unknown key '{key}'", place, help=suggestion(key, _KEYS, otherwise=known)
                )
        for key in ("name", "input", "layers"):
            if key not in found:
                self.error("A109", f"the spec has no '{key}'", root, help=_MISSING[key])
        for key, (_, value) in found.items():
            reader = getattr(self, f"_read_{key}", None)
            if reader is not None:
                reader(value)
            elif key in METADATA:
                self._metadata(key, value)
        return self.document

    # Top-level keys

    def _read_name(self, value: Value) -> None:
        text = self._text(value, "the name of the network")
        if text is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
            self.error(
                "A209", f"'{text}' cannot name a network", value, help="use letters, digits, '_', '-' and '.'"
            )
        self.document.name = text or ""

    def _metadata(self, key: str, value: Value) -> None:
        kind = METADATA[key]
        found = plain_value(value) if isinstance(value, Scalar) else None
        if kind is str and isinstance(value, Scalar):
            found = value.value
        if not isinstance(found, kind):
            self.error("A206", f"'{key}' must be {'text' if kind is str else 'an integer'}", value)
            return
        self.document.metadata[key] = found

    def _read_input(self, value: Value) -> None:
        text = self._text(value, "the input size")
        if text is None:
            return
        try:
            self.document.input = parse_input(text)
        except ValueError as error:
            self.error("A402", str(error), value, help=INPUT_HELP)

    def _read_arguments(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            self.error("A107", "'arguments' must be a mapping of names and defaults", value)
            return
        for name, key, default in entries(value):
            self._name(name, key, "argument")
            if not isinstance(default, Scalar):
                self.error("A206", f"the default of '{name}' must be one value", default)
                continue
            self.document.arguments[name] = plain_value(default)
            self.document.argument_keys[name] = key

    def _read_init(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            self.error("A107", "'init' must be a mapping of ops and initialisers", value)
            return
        made = []
        for op, key, text in entries(value):
            chain = self._chain(text)
            call = chain[0] if chain and len(chain) == 1 else None
            if not isinstance(call, Call):
                if chain is not None:
                    self.error("A107", f"expected one initialiser for '{op}'", text)
                continue
            if any(a.name is None for a in call.arguments) or any(a.value.names for a in call.arguments):
                self.error(
                    "A207", "an initialiser takes named values only", text, help="e.g. normal(std=0.01)"
                )
                continue
            kwargs = {a.name: a.value.evaluate({}) for a in call.arguments if a.name}
            made.append((Initializer(op, call.name, kwargs), key, text))
        from .initializers import check_initializer

        for initializer, key, text in made:
            problem = check_initializer(initializer)
            if problem is None:
                self.document.initializers += (initializer,)
            else:
                self.errors.append(
                    problem.diagnostic(self.tree.span(key if problem.attribute == "op" else text))
                )

    def _read_blocks_of(self, value: Value) -> None:
        if self._text(value, "the network whose blocks it uses") is not None and isinstance(value, Scalar):
            self.document.lender = value

    def _read_blocks(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            self.error(
                "A107",
                "'blocks' must be a mapping",
                value,
                help="write name(arguments): and its layers below",
            )
            return
        for text, key, body in entries(value):
            block = self._block(text, key, body)
            if block is None:
                continue
            first = self.document.blocks.get(block.name)
            if first is not None:
                related = ((self.tree.span(first.key), "first here"),)
                self.error("A210", f"block '{block.name}' is defined twice", key, related=related)
                continue
            self.document.blocks[block.name] = block

    def _block(self, text: str, key: Scalar, body: Value) -> Block | None:
        name, bracket, rest = text.partition("(")
        name = name.strip()
        parameters: list[Parameter] = []
        if bracket:
            if not rest.rstrip().endswith(")"):
                self.error(
                    "A201",
                    f"cannot read the block's arguments: '{text}'",
                    key,
                    help="e.g. block(width, stride=1):",
                )
                return None
            parameters = self._parameters(text, key)
        self._name(name, key, "block")
        return Block(name, tuple(parameters), self._sequence(body), key)

    def _parameters(self, text: str, key: Scalar) -> list[Parameter]:
        import ast

        try:
            tree = parse_python(f"lambda {text[text.index('(') + 1 : text.rindex(')')]}: 0")
        except ExpressionError as error:
            self.error("A201", f"cannot read the block's arguments: {error.message.partition(': ')[2]}", key)
            return []
        assert isinstance(tree, ast.Lambda)
        given = tree.args
        if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
            self.error("A201", "a block takes plain arguments only", key)
        offset = text.index("(") + 1 - len("lambda ")
        defaults: list[ast.expr | None] = [None] * (len(given.args) - len(given.defaults)) + list(
            given.defaults
        )
        made: list[Parameter] = []
        for argument, default in zip(given.args, defaults, strict=True):
            column, length = argument.col_offset + offset, len(argument.arg)
            if any(p.name == argument.arg for p in made):
                self._at("A210", f"argument '{argument.arg}' is there twice", key, column, length)
                continue
            self._name(argument.arg, key, "argument")
            expression = None
            if default is not None:
                start, end = default.col_offset + offset, (default.end_col_offset or 0) + offset
                expression = self._expression(text[start:end], key, start)
            made.append(Parameter(argument.arg, expression, column, length))
        return made

    def _read_layers(self, value: Value) -> None:
        self.document.layers = self._sequence(value)
        if not self.document.layers and not self.errors:
            self.error("A107", "'layers' is empty", value, help="a network has at least one layer")

    # Statements

    def _sequence(self, value: Value) -> tuple[Statement, ...]:
        if isinstance(value, Scalar):
            if value.plain and value.value in ("", "null", "~"):
                return ()
            return self._anonymous(value)
        if isinstance(value, Mapping):
            return tuple(self._statement(key, item) for _, key, item in entries(value))
        made: list[Statement] = []
        for item in value.items:
            if isinstance(item, Scalar):
                made += self._anonymous(item)
            elif isinstance(item, Mapping):
                made += [self._statement(key, inner) for _, key, inner in entries(item)]
            else:
                self.error(
                    "A107", "a list inside a list", item, help="give it a name: '- name:' and the list below"
                )
        return tuple(made)

    def _anonymous(self, text: Scalar) -> tuple[Statement, ...]:
        """The layers of a chain that stands where a sequence is expected, one statement each."""
        return chain_statements(self._chain(text) or (), text)

    def _statement(self, key: Scalar, value: Value) -> Statement:
        match = _KEY.match(key.value)
        if match is None:
            self.error(
                "A209",
                f"cannot read the name '{key.value}'",
                key,
                help="e.g. conv1, block[2..4], norm if batch_norm",
            )
            return Statement(None, key, Body(sequence=()))
        name = match["name"]
        condition = self._expression(match["if"], key, match.start("if")) if match["if"] else None
        first = self._expression(match["first"], key, match.start("first")) if match["first"] else None
        last = self._expression(match["last"], key, match.start("last")) if match["last"] else None
        if first is None or last is None:  # one of them could not be read
            first = last = None
        if name in JOINS or name == SIDE_OUTPUT:
            if first is not None:
                self.error(
                    "A107",
                    f"'{name}' cannot be repeated",
                    key,
                    help=f"put it into a named scope: x[1..3]: {{{name}: ...}}",
                )
            branches = self._branches(name, key, value)
            body = Body(join=None if name == SIDE_OUTPUT else name, branches=branches)
            return Statement(None, key, body, condition)
        variable = match["variable"]
        if variable is not None:
            self._name(variable, key, "argument")
        template: tuple[str | Expression, ...] = ()
        if "{" in name and name != INLINE:
            template = self._template(name, key)
        self._name(_BRACES.sub("0", name) if template else name, key, "layer")
        if isinstance(value, Scalar):
            chain = self._chain(value) if value.value else None
            if chain is None and not value.value:
                self.error(
                    "A107", f"'{name}' has no layer", key, help="write the layer after the colon, e.g. relu"
                )
            body = Body(chain=chain or (), text=value)
        else:
            body = Body(sequence=self._sequence(value))
        inline = name == INLINE
        return Statement(
            None if inline else name, key, body, condition, first, last, variable, template, inline
        )

    def _template(self, name: str, key: Scalar) -> tuple[str | Expression, ...]:
        """The texts and expressions of a name such as conv{stage}_{i}."""
        parts: list[str | Expression] = []
        end = 0
        for match in _BRACES.finditer(name):
            expression = self._expression(match[1], key, match.start(1))
            parts += [name[end : match.start()], *([expression] if expression else [])]
            end = match.end()
        return (*parts, name[end:])

    def _branches(self, name: str, key: Scalar, value: Value) -> tuple[Statement, ...]:
        if isinstance(value, Scalar):
            self.error(
                "A107",
                f"'{name}' needs named branches",
                key,
                help=f"write below {name}: one 'name: layers' a branch",
            )
            return ()
        made = []
        for branch in self._sequence_of_named(value):
            if branch.name is None:
                self.error("A107", f"a branch of '{name}' needs a name of its own", branch.key or key)
                continue
            made.append(branch)
        repeated = any(branch.first is not None for branch in made)
        if len(made) < (1 if name == SIDE_OUTPUT or repeated else 2):
            self.error(
                "A107", f"'{name}' needs {'a branch' if name == SIDE_OUTPUT else 'two branches or more'}", key
            )
        return tuple(made)

    def _sequence_of_named(self, value: Value) -> tuple[Statement, ...]:
        """Branches: as a sequence, except that an empty value is an identity branch."""
        items = value.items if isinstance(value, Sequence) else [value]
        made: list[Statement] = []
        for item in items:
            if not isinstance(item, Mapping):
                self.error("A107", "a branch is written as 'name: layers'", item)
                continue
            for _, key, inner in entries(item):
                empty = isinstance(inner, Scalar) and inner.plain and inner.value in ("", "null", "~")
                made.append(self._statement(key, Sequence([], key.line, key.column) if empty else inner))
        return tuple(made)

    # Leaves

    def _chain(self, value: Value) -> Chain | None:
        if not isinstance(value, Scalar):
            self.error("A107", "expected a layer", value, help="e.g. conv2d(64, 3, padding=1)")
            return None
        try:
            return parse_chain(value.value)
        except ExpressionError as error:
            self._at(error.code, error.message, value, error.column, error.length, error.help)
            return None

    def _expression(self, text: str, scalar: Scalar, start: int) -> Expression | None:
        try:
            return parse_expression(" " * start + text)
        except ExpressionError as error:
            self._at(error.code, error.message, scalar, error.column, error.length, error.help)
            return None

    def _text(self, value: Value, what: str) -> str | None:
        if isinstance(value, Scalar):
            return value.value
        self.error("A206", f"{what} must be text", value)
        return None

    def _name(self, name: str, key: Scalar, what: str) -> None:
        if not _NAME.match(name):
            help = "use letters, digits and '_', not starting with a digit"
            if re.match(r"[0-9]\w*\Z", name):
                help += f", e.g. _{name}"
            self.error("A209", f"'{name}' cannot name {_article(what)}", key, help=help)
        elif keyword.iskeyword(name) or (what == "layer" and is_reserved(name)):
            owner = "Python" if keyword.iskeyword(name) else "every PyTorch module"
            self.error(
                "A209", f"'{name}' cannot name {_article(what)}: {owner} uses it", key, help=f"e.g. {name}_"
            )
        elif what == "argument" and name == "in_channels":
            self.error("A209", "'in_channels' is the width of a layer's input and cannot be redefined", key)

    def error(
        self,
        code: str,
        message: str,
        value: Value,
        *,
        help: str = "",
        related: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        self.errors.append(Diagnostic(code, message, self.tree.span(value), help=help, related=related))

    def _at(self, code: str, message: str, scalar: Scalar, column: int, length: int, help: str = "") -> None:
        self.errors.append(Diagnostic(code, message, scalar.span_of(column, length), help=help))


def chain_statements(chain: Chain, text: Scalar) -> tuple[Statement, ...]:
    """The calls of a chain as anonymous layers of the sequence it stands in."""
    return tuple(Statement(None, text, Body((part,), text)) for part in chain)


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


INPUT_HELP = "write CxHxW, for example 3x224x224, or NxCxHxW for a batch"
LARGEST_SIDE = 1 << 20


def parse_input(text: str) -> tuple[int, ...]:
    """`3x224x224` to (1, 3, 224, 224); `8x3x224x224` keeps its batch; `784` and `8x784` are vectors of features.

    Raises ValueError with what is wrong.
    """
    parts = re.split(r"[x×X*,]", str(text).strip())
    if not all(
        part.strip().isascii() and part.strip().isdigit() and len(part.strip()) < 10 for part in parts
    ):
        raise ValueError(f"'{text}' is not an input size")
    sizes = tuple(int(part) for part in parts)
    if len(sizes) > 4:
        raise ValueError(f"'{text}' has {len(sizes)} sizes; an input has 3, or 4 with the batch")
    if min(sizes) < 1 or max(sizes) > LARGEST_SIDE:
        raise ValueError(f"'{text}' has a size outside 1 … {LARGEST_SIDE:,}")
    return sizes if len(sizes) in (2, 4) else (1, *sizes)


_MISSING = {
    "name": "add: name: my_network",
    "input": "add: input: 3x224x224",
    "layers": "add: layers: and the layers below it",
}
