"""MODEL to `Graph`: a shipped name, a path to a spec, or a one-line network, with arguments and an input size."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ArchinspectError, fail, nearest
from ..graph import Graph
from ..ops import REGISTRY
from .document import Document
from .expand import Expander
from .nodes import Scalar, Tree, parse_plain
from .reader import INPUT_HELP, Reader, parse_input
from .source import MAX_BYTES, Source, read, refuse_control_characters
from .validate import Validator

_SETTINGS = re.compile(r"(?P<model>.+?):(?P<settings>[A-Za-z_]\w*=.*)\Z", re.DOTALL)

#: An input size as text ("3x224x224") or as a shape, batch first.
InputSize = str | tuple[int, ...]


def load_graph(
    model: str | os.PathLike[str],
    *,
    arguments: Mapping[str, Any] | None = None,
    input: InputSize | None = None,
) -> Graph:
    """The network that `model` names, with every shape known.

    `model` is a shipped name (`vgg16`), a path to a spec, or a one-line network (`"conv2d(8, 3) -> relu"`, which
    needs `input`); `name:argument=value,...` sets arguments in the same breath.  `arguments` overrides the spec's
    arguments, `input` its input size, `CxHxW` or `NxCxHxW`.

    Raises ArchinspectError with every error that was found.
    """
    name, settings = _split_settings(model)
    settings.update(arguments or {})
    if input is None and "input" in settings:
        input = settings.pop("input")
    return lay_out(read_document(name), settings, input)


def read_document(model: str | os.PathLike[str]) -> Document:
    """The spec that `model` names, read and not yet expanded; an unread error of it waits in `document.errors`."""
    if isinstance(model, str) and is_one_line(model):
        return _one_line(model)
    return _read(read(_find(model)))


def read_text(text: str, file: str) -> Document:
    """A spec from its text; `file` is the name that errors show."""
    source = Source(file, text)
    refuse_control_characters(source)
    return _read(source)


def _read(source: Source, borrowing: bool = True) -> Document:
    tree = Tree(source)
    document = Reader(tree).read()
    document.errors = tree.errors
    if document.lender is not None and borrowing:
        from .borrow import borrow

        borrow(document, lambda path: _read(read(path), borrowing=False), specs_folder(), shipped())
    return document


def lay_out(
    document: Document, arguments: Mapping[str, Any] | None = None, input: InputSize | None = None
) -> Graph:
    """Validate a document and expand it.  Raises ArchinspectError with all errors of the document."""
    return Prepared(document).expand(arguments, input)


class Prepared:
    """A validated document, to be expanded as often as one likes.

    `expander` is the class that lays it out.
    """

    def __init__(self, document: Document, expander: type[Expander] = Expander) -> None:
        self.document = document
        self._expander = expander
        self._errors = list(document.errors)
        validator = Validator(document, self._errors)
        validator.validate()
        self._broken = validator.broken

    def expand(self, arguments: Mapping[str, Any] | None = None, input: InputSize | None = None) -> Graph:
        """The network with these arguments and this input size.  Raises ArchinspectError with all errors."""
        document = self.document
        if self._errors and not document.layers:
            raise ArchinspectError(self._errors)
        shape = document.input if input is None else _input_shape(input)
        if shape is None and not self._errors:
            raise fail(
                "A402", f"the network '{document.name}' needs an input size", help="give --input 3x224x224"
            )
        values = _override(document, arguments or {})
        return self._expander(document, list(self._errors), self._broken).expand(values, shape)


def shipped() -> list[str]:
    """The names of the networks that ship, in alphabetical order."""
    return sorted(name[:-5] for name in os.listdir(specs_folder()) if name.endswith(".yaml"))


def specs_folder() -> str:
    """Where the shipped specs lie: inside an installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "specs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "specs")


def is_one_line(model: str) -> bool:
    """Whether MODEL is written as layers rather than as a name or a path."""
    if "->" in model or "→" in model or model in REGISTRY:
        return True
    return "(" in model and not model.endswith((".yaml", ".yml"))


def _split_settings(model: str | os.PathLike[str]) -> tuple[str | os.PathLike[str], dict[str, Any]]:
    """`resnet50:num_classes=10,input=3x128x128` to the name and its settings."""
    if not isinstance(model, str) or is_one_line(model):
        return model, {}
    match = _SETTINGS.match(model)
    if match is None:
        return model, {}
    return match["model"], parse_settings(match["settings"].split(","))


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """`["num_classes=10", "aux=true"]`, as `--set` gives them, to values.  Raises ArchinspectError (A401)."""
    settings: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise fail(
                "A401",
                f"cannot read the setting '{text}'",
                help="write NAME=VALUE, for example num_classes=10",
            )
        if name in settings:
            raise fail("A401", f"'{name}' is set twice", help="give each argument one value")
        settings[name] = value.strip() if name == "input" else parse_plain(value.strip())
    return settings


def _find(model: str | os.PathLike[str]) -> Path:
    """The file of a model: a shipped spec by its name, or a path."""
    name = os.fspath(model)
    if isinstance(model, str) and re.fullmatch(r"[\w.-]+", name):
        file = os.path.join(specs_folder(), f"{name}.yaml")
        if os.path.isfile(file):
            return Path(file)
    if os.path.exists(name) or name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    close = nearest(name, shipped())
    raise fail(
        "A101",
        f"no network is called '{name[:80]}'",
        help=(f"did you mean '{close}'? " if close else "")
        + "`archinspect list` shows the networks that ship; a path to a .yaml file or layers joined by -> work too",
    )


def _one_line(text: str) -> Document:
    if len(text) > MAX_BYTES:
        raise fail(
            "A103",
            "the one-line network is too long",
            notes=[f"{len(text):,} characters > limit {MAX_BYTES:,}"],
        )
    source = Source("MODEL", text.replace("\n", " ").replace("\r", " "))
    document = Document(source, name="network")
    from .calls import parse_chain
    from .expressions import ExpressionError
    from .reader import chain_statements

    scalar = Scalar(source.text, 0, 0, len(source.text), True, True, source)
    try:
        document.layers = chain_statements(parse_chain(scalar.value), scalar)
    except ExpressionError as error:
        span = source.span(0, error.column, error.length)
        raise ArchinspectError(error.diagnostic(span)) from None
    return document


def _input_shape(input: InputSize) -> tuple[int, ...]:
    text = input if isinstance(input, str) else "x".join(map(str, input))
    try:
        return parse_input(text)
    except ValueError as error:
        raise fail("A402", str(error), help=INPUT_HELP) from None


def _override(document: Document, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The spec's arguments with some of them replaced by values of the same type."""
    values = dict(document.arguments)
    for name, value in arguments.items():
        if name not in values:
            close = nearest(name, values)
            listed = ", ".join(f"{key}={default!r}" for key, default in values.items())
            help = (
                f"did you mean '{close}'?"
                if close
                else f"it has {listed}"
                if listed
                else "it has no arguments"
            )
            raise fail("A401", f"'{document.name}' has no argument '{name}'", help=help)
        values[name] = _same_type(name, value, document.arguments[name])
    return values


def _same_type(name: str, value: Any, default: Any) -> Any:
    kind = type(default)
    if (
        default is None
        or type(value) is kind
        or (value is None and not isinstance(default, (bool, int, float)))
    ):
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and isinstance(value, (int, float)):
        return str(value)
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a word"}
    raise fail(
        "A401",
        f"'{name}' must be {names.get(kind, kind.__name__)}, not {value!r}",
        help=f"its default is {default!r}",
    )
