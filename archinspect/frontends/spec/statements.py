"""Statements: the items of `layers` and of blocks, from YAML nodes."""

from __future__ import annotations

import keyword
import re

from ...errors import Span
from ...ops import REGISTRY
from .calls import Chain
from .chains import read_chain
from .document import INLINE, JOINS, LET, SIDE_OUTPUT, Body, Document, Named, Statement
from .expressions import Expression, parse_expression
from .names import is_reserved
from .nodes import Mapping, Scalar, Sequence, Value, entries
from .problems import Related
from .source import MAX_NAME
from .syntax import ExpressionError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY = re.compile(
    r"(?P<name>[^\[\]\s]+)"
    r"(\[((?P<variable>[^\[\]=]+?)\s*=(?!=)\s*)?(?P<first>[^\[\]]+?)\.\.(?P<last>[^\[\]]+)\])?"
    r"(\s+if\s+(?P<if>.+))?\Z"
)
_STRUCTURE = frozenset({*JOINS, SIDE_OUTPUT, INLINE, LET})
_BRACES = re.compile(r"\{([^{}]*)\}")


class StatementReader:
    """Reads sequences and branches into `document`; records what is wrong."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors = document.errors

    def _sequence(self, value: Value) -> tuple[Statement, ...]:
        if isinstance(value, Scalar):
            return () if _is_empty(value) else self._anonymous(value)
        if isinstance(value, Mapping):
            return tuple(self._statement(key, item) for _, key, item in entries(value))
        made: list[Statement] = []
        for item in value.items:
            if isinstance(item, Scalar):
                made += self._anonymous(item)
            elif isinstance(item, Mapping):
                made += [self._statement(key, inner) for _, key, inner in entries(item)]
            else:
                help = "give it a name: '- name:' and the list below"
                self.error("A107", "a list inside a list", item, help=help)
        return tuple(made)

    def _anonymous(self, text: Scalar) -> tuple[Statement, ...]:
        """The layers of a chain that stands where a sequence is expected, one statement each."""
        body = self._chain_body(text)
        if body.unreadable:
            return (Statement(None, None, body),)
        return chain_statements(body.chain or (), text)

    def _statement(self, key: Scalar, value: Value) -> Statement:
        name = key.value
        if _NAME.match(name) and name not in _STRUCTURE:  # as most keys are: nothing but a name
            self._name(name, key, "layer")
            return Statement(name, key, self._body(name, key, value))
        match = _KEY.match(key.value)
        if match is None:
            help = "e.g. conv1, block[2..4], norm if batch_norm"
            self.error("A209", f"cannot read the name '{key.value}'", key, help=help)
            self.document.unread.append(key.value)
            return Statement(None, key, Body(sequence=self._inside(value), unreadable=True))
        name, variable = match["name"], match["variable"]
        condition, first, last = [self._part_of_key(match, group, key) for group in ("if", "first", "last")]
        if first is None or last is None:  # one of them could not be read
            first = last = None
        if name in JOINS or name == SIDE_OUTPUT:
            if match["first"]:
                help = f"put it into a named scope: x[1..3]: {{{name}: ...}}"
                self.error("A107", f"'{name}' cannot be repeated", key, help=help)
            return Statement(None, key, self._joined(name, key, value), condition)
        if name == LET:
            return Statement(None, key, self._let(key, value), condition)
        if variable is not None:
            self._name(variable, key, "argument")
        template = self._template(name, key) if "{" in name and name != INLINE else ()
        self._name(_BRACES.sub("0", name) if template else name, key, "layer")
        body = self._body(name, key, value)
        inline = name == INLINE
        return Statement(
            None if inline else name, key, body, condition, first, last, variable, template, inline
        )

    def _part_of_key(self, match: re.Match[str], group: str, key: Scalar) -> Expression | None:
        return self._expression(match[group], key, match.start(group)) if match[group] else None

    def _body(self, name: str, key: Scalar, value: Value) -> Body:
        if not isinstance(value, Scalar):
            return Body(sequence=self._sequence(value))
        if value.value:
            return self._chain_body(value, name)
        help = "write the layer after the colon, e.g. relu"
        self.error("A107", f"'{name}' has no layer", key, help=help)
        return Body(chain=(), text=value, unreadable=True)

    def _chain_body(self, text: Scalar, name: str = "") -> Body:
        chain, errors = read_chain(text.value)
        if errors and name in REGISTRY:
            errors = (ExpressionError("A201", errors[0].message, errors[0].column, errors[0].length),)
            errors[0].help = f"write the layer as a call: - {name}({text.value})"
        for error in errors:
            self._at(error, text)
        if errors:
            self.document.unread.append(text.value)
        return Body(chain=chain, text=text, unreadable=bool(errors))

    def _inside(self, value: Value) -> tuple[Statement, ...]:
        """What stands below a key that could not be read, as far as it can be checked."""
        return () if isinstance(value, Scalar) and not value.value else self._sequence(value)

    def _template(self, name: str, key: Scalar) -> tuple[str | Expression, ...]:
        """The texts and expressions of a name such as conv{stage}_{i}."""
        parts: list[str | Expression] = []
        end = 0
        for match in _BRACES.finditer(name):
            expression = self._expression(match[1], key, match.start(1))
            parts += [name[end : match.start()], *([expression] if expression else [])]
            end = match.end()
        return (*parts, name[end:])

    def _let(self, key: Scalar, value: Value) -> Body:
        """The names and values of a `let`."""
        if not isinstance(value, Mapping):
            self.error("A107", "'let' needs names and values", key, help="e.g. let: {width: 4 * in_channels}")
            return Body(sequence=(), unreadable=True)
        return Body(names=self._named(value, "argument"))

    def _named(self, value: Mapping, what: str) -> tuple[Named, ...]:
        """Names with an expression each; a YAML list is a list of the language."""
        made = []
        for name, key, text in entries(value):
            scalar = _as_one_text(text)
            if scalar is None:
                help = "a number, a word, an expression or a list of these"
                self.error("A206", f"'{name}' must be one value", text, help=help)
                continue
            expression = self._expression(scalar.value, scalar, 0)
            if self._name(name, key, what) and expression is not None:
                made.append(Named(name, expression, key, scalar))
        return tuple(made)

    # Branches

    def _joined(self, name: str, key: Scalar, value: Value) -> Body:
        """The branches of a join or of a side output."""
        join = None if name == SIDE_OUTPUT else name
        if isinstance(value, Scalar):
            help = f"write below {name}: one 'name: layers' a branch"
            self.error("A107", f"'{name}' needs named branches", key, help=help)
            return Body(join=join, unreadable=True)
        items = value.items if isinstance(value, Sequence) else [value]
        if join is not None and items and all(isinstance(item, Scalar) and item.value for item in items):
            sources = tuple([self._chain_body(item) for item in items if isinstance(item, Scalar)])
            unreadable = any(source.unreadable for source in sources)
            if len(items) < 2:
                help = f"name the other one, too: {name}: [input, {items[0].value}]"  # type: ignore[union-attr]
                self.error("A107", f"'{name}' needs two values or more", key, help=help)
                unreadable = True
            return Body(join=join, sources=sources, unreadable=unreadable)
        made: list[Statement] = []
        refused = value.duplicates if isinstance(value, Mapping) else 0
        for item in items:
            if not isinstance(item, Mapping):
                self.error(
                    "A107", "a branch is written as 'name: layers'", item, help="e.g. shortcut: identity"
                )
                refused += 1
                continue
            for _, key_of_branch, inner in entries(item):
                branch = self._branch(name, key_of_branch, inner)
                made += [branch] if branch else []
                refused += branch is None
        repeated = any(branch.first is not None for branch in made)
        needed = 1 if name == SIDE_OUTPUT or repeated else 2
        if len(made) + refused < needed:
            help = f"write below {name}: one 'name: layers' a branch"
            what = "a branch" if needed == 1 else "two branches or more"
            self.error("A107", f"'{name}' needs {what}", key, help=help)
        return Body(join=join, branches=tuple(made), unreadable=bool(refused) or len(made) < needed)

    def _branch(self, name: str, key: Scalar, value: Value) -> Statement | None:
        """One branch; an empty value passes the input on."""
        if isinstance(value, Scalar) and _is_empty(value):
            value = Sequence([], key.line, key.column)
        branch = self._statement(key, value)
        if branch.name is not None:
            return branch
        if not branch.body.unreadable or branch.body.join or branch.inline:
            help = "e.g. shortcut: identity"
            self.error("A107", f"a branch of '{name}' needs a name of its own", key, help=help)
        return None

    # Leaves

    def _chain(self, value: Scalar) -> Chain | None:
        body = self._chain_body(value)
        return None if body.unreadable else body.chain

    def _expression(self, text: str, scalar: Scalar, start: int) -> Expression | None:
        try:
            return parse_expression(" " * start + text)
        except ExpressionError as error:
            self._at(error, scalar)
            self.document.unread.append(text)
            return None

    def _name(self, name: str, key: Scalar, what: str) -> bool:
        """Whether the name can be used; an error where not."""
        if not _NAME.match(name):
            article = f"an {what}" if what[0] in "aeiou" else f"a {what}"
            help = "use letters, digits and '_', not starting with a digit"
            if re.match(r"[0-9]\w*\Z", name):
                help += f", e.g. _{name}"
            self.error("A209", f"'{name}' cannot name {article}", key, help=help)
        elif len(name) > MAX_NAME:
            message = f"a name of {len(name):,} characters is too long"
            self.error("A209", message, key, help=f"use at most {MAX_NAME}")
        elif keyword.iskeyword(name) or (what == "layer" and is_reserved(name)):
            owner = "Python" if keyword.iskeyword(name) else "every PyTorch module"
            article = f"an {what}" if what[0] in "aeiou" else f"a {what}"
            message = f"'{name}' cannot name {article}: {owner} uses it"
            self.error("A209", message, key, help=f"e.g. {name.strip('_')}_")
        elif what == "argument" and name == "in_channels":
            message = "'in_channels' is the width of a layer's input and cannot be redefined"
            self.error("A209", message, key, help="e.g. width")
        else:
            return True
        return False

    def error(self, code: str, message: str, value: Value, *, help: str = "", related: Related = ()) -> None:
        self.errors.add(code, message, self._span(value), anchor=value, help=help, related=related)

    def _at(self, error: ExpressionError, value: Value) -> None:
        """Record what is wrong with a part of a scalar."""
        span = self._span(value)
        help = error.help
        if isinstance(value, Scalar):
            span = value.span_of(error.column, error.length)
            if "never closed" in error.message and span.text[
                value.column + value.length :
            ].lstrip().startswith(","):
                help = "inside [...] YAML splits at commas: quote the layer, or give it a line of its own"
        self.errors.add(error.code, error.message, span, anchor=value, help=help)

    def _span(self, value: Value) -> Span:
        return (
            value.span if isinstance(value, Scalar) else self.document.source.span(value.line, value.column)
        )


def chain_statements(chain: Chain, text: Scalar) -> tuple[Statement, ...]:
    """The calls of a chain as anonymous layers of the sequence it stands in."""
    return tuple(Statement(None, text, Body((part,), text)) for part in chain)


def _as_one_text(value: Value) -> Scalar | None:
    """A value, or a list of values, as the text of an expression; its place is that of the whole."""
    if isinstance(value, Scalar):
        return value
    if not isinstance(value, Sequence):
        return None
    parts = [_as_one_text(item) for item in value.items]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    text = "[" + ", ".join(part.value for part in known) + "]"
    first = known[0]
    return Scalar(text, first.line, first.column, first.length, True, False, first.source)


def _is_empty(value: Scalar) -> bool:
    return value.plain and value.value in ("", "null", "~")
