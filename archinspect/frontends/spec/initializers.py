"""What a spec's `init` may say: its targets, functions and arguments, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import OpError, suggestion
from ...initializers import EVERYWHERE, FANS, INITIALIZERS, WORDS, Rule, pattern
from ...ops import REGISTRY
from .calls import calls
from .document import Document, Statement, statements, texts
from .nodes import Scalar
from .problems import Problems
from .syntax import ExpressionError

#: holes in one part of a name, and rules of a spec: more would make matching slow, and no network needs them
_MOST_HOLES = 2
MOST_RULES = 256


def check_target(target: str) -> None:
    """Raises ExpressionError (A209) for a text that is no op, tensor or path."""
    if target.isascii() and target.replace("_", "").replace(".", "").isalnum():
        return  # as most are, without a regular expression
    found = re.match(r"(?:[A-Za-z0-9_.]|\{[A-Za-z_]\w*\})+", target)
    end = found.end() if found else 0
    if end < len(target) or not target:
        help = "an op, as conv2d, a tensor of one, as linear.bias, or the path of a layer, as block{n}.conv"
        raise ExpressionError("A209", f"'{target}' is no path of a layer", end, 1, help)
    if any(part.count("{") > _MOST_HOLES for part in target.split(".")):
        message = f"more than {_MOST_HOLES} places are left open in one name"
        raise ExpressionError(
            "A209", message, 0, len(target), "{n} stands for any part of a name without dots"
        )


def check_function(rule: Rule) -> OpError | None:
    """What is wrong with a rule's function or its arguments, or None."""
    known = INITIALIZERS.get(rule.function)
    if known is None:
        listed = "known: " + ", ".join(INITIALIZERS)
        help = suggestion(rule.function, INITIALIZERS, otherwise=listed)
        return OpError("A202", f"unknown initialiser '{rule.function}'", help=help)
    for name, value in rule.arguments.items():
        if name not in known:
            help = suggestion(name, known, otherwise=f"it takes {', '.join(known) or 'nothing'}")
            return OpError("A203", f"'{rule.function}' has no argument '{name}'", help=help)
        if name in WORDS:
            if value not in WORDS[name]:
                return OpError("A207", f"{value!r} is not one of {', '.join(WORDS[name])}")
        elif isinstance(value, (bool, str, tuple)) or value is None:
            return OpError("A206", f"expected a number for '{name}', got {value!r}")
    if rule.function == "constant" and "val" not in rule.arguments:
        return OpError("A204", "'constant' needs val", help="constant(val=0.1)")
    return None


def check_places(document: Document, errors: Problems) -> set[str]:
    """Record targets and names that the spec does not have; returns the names of arguments that rules compute with."""
    known = {*FANS, *document.argument_keys}
    used: set[str] = set()
    layers: _Names | None = None
    for rule, key, text in document.init_places:
        for value in rule.arguments.values():
            for name, column, length in getattr(value, "places", ()):
                used.add(name)
                if name not in known:
                    help = suggestion(name, known, otherwise=f"known here: {', '.join(sorted(known))}")
                    span = text.span_of(column, length)
                    errors.add("A208", f"unknown name '{name}'", span, anchor=text, help=help)
        op, _, tensor = rule.target.partition(".")
        if rule.target in EVERYWHERE:
            continue
        if op in REGISTRY:
            if tensor not in ("", "weight", "bias"):
                _check_tensor(op, tensor, key, errors)
            continue
        layers = layers or _layer_names(document)
        _check_path(rule.target, layers, document, key, errors)
    return used


def _check_tensor(op: str, tensor: str, key: Scalar, errors: Problems) -> None:
    names = _tensors(op)
    if not any(re.fullmatch(pattern(tensor), name) for name in names):
        help = suggestion(tensor, names, otherwise=f"it has {', '.join(sorted(names)) or 'no weights'}")
        span = key.span_of(len(op) + 1, len(tensor))
        errors.add("A203", f"op '{op}' has no tensor '{tensor}'", span, anchor=key, help=help)


def _tensors(op: str) -> set[str]:
    kind = REGISTRY[op]
    return {name for given, shapes in kind.samples for name in kind.of(**given).weights(shapes)}


def _check_path(target: str, layers: _Names, document: Document, key: Scalar, errors: Problems) -> None:
    column = 0
    parts = target.split(".")
    for number, part in enumerate(parts):
        if part not in layers:
            ends = {"weight", "bias"} if number else set()
            if number and part not in ends:
                ends = {word for op in _ops(document) for name in _tensors(op) for word in name.split(".")}
            if part not in ends:
                what = "layer" if number else "op or layer"
                help = suggestion(
                    part, [*layers.plain, *REGISTRY], otherwise="a path as `archinspect params` shows it"
                )
                span = key.span_of(column, len(part))
                errors.add("A202", f"unknown {what} '{part}'", span, anchor=key, help=help)
                return
        column += len(part) + 1


class _Names:
    """What layers and scopes of a document are called; a zero byte in a name is what depends on numbers."""

    def __init__(self, names: Iterable[str]) -> None:
        self.plain = {name for name in names if "\0" not in name}
        self.samples = {name.replace("\0", "1") for name in names}
        open_names = [re.escape(name).replace("\0", r"\w*") for name in names if "\0" in name]
        self._open = re.compile("|".join(open_names) or r"(?!)")

    def __contains__(self, part: str) -> bool:
        """Whether a part of a path, with `{n}` for what it leaves open, can be one of the names."""
        sample = re.sub(r"\{\w+\}", "1", part)
        if sample in self.plain or self._open.fullmatch(sample):
            return True
        return "{" in part and any(map(re.compile(pattern(part)).fullmatch, self.samples))


def _layer_names(document: Document) -> _Names:
    names: set[str] = set()
    for body in _bodies(document):
        for statement in statements(body):
            written = [part if isinstance(part, str) else "\0" for part in statement.template]
            name = "".join(written) if statement.template else statement.name or statement.body.join or ""
            if name:
                names.add(name + "\0" * (statement.first is not None or name == statement.body.join))
        names.update(
            f"{call.name}\0" for chain, _ in texts(body) for call in calls(chain)
        )  # of no name, and second ones
    return _Names(names)


def _ops(document: Document) -> set[str]:
    found = {c.name for body in _bodies(document) for chain, _ in texts(body) for c in calls(chain)}
    return {name for name in found if name in REGISTRY}


def _bodies(document: Document) -> tuple[tuple[Statement, ...], ...]:
    return (document.layers, *[block.body for block in document.blocks.values()])
