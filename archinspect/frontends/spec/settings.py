"""Arguments of a network given from outside: `--set NAME=VALUE`, `MODEL:name=value`, keywords of `load`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ...errors import ArchinspectError, Diagnostic, Span, suggestion
from .document import Document
from .models import is_one_line
from .nodes import parse_plain

_SETTINGS = re.compile(r"(?P<model>.+?):(?P<settings>[A-Za-z_]\w*=.*)\Z", re.DOTALL)
#: how messages speak of the types of arguments
KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a word"}


def split_settings(model: str | os.PathLike[str]) -> tuple[str | os.PathLike[str], dict[str, Any]]:
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
    errors = []
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            help = "write NAME=VALUE, for example num_classes=10"
            errors.append(Diagnostic("A401", f"cannot read the setting '{text}'", _span(text), help=help))
        elif name in settings:
            help = "give each argument one value"
            errors.append(Diagnostic("A401", f"'{name}' is set twice", _span(text), help=help))
        else:
            settings[name] = value.strip() if name == "input" else parse_plain(value.strip())
    if errors:
        raise ArchinspectError(errors)
    return settings


def override(document: Document, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The spec's arguments with some of them replaced by values of the same type; errors go to the document's."""
    values = dict(document.arguments)
    for name, value in arguments.items():
        text = f"{name}={_written(value)}"
        if name not in document.argument_keys:
            listed = ", ".join(f"{key}={_written(default)}" for key, default in values.items())
            otherwise = f"it has {listed}" if listed else "it has no arguments"
            help = suggestion(name, document.argument_keys, otherwise=otherwise)
            message = f"'{document.name}' has no argument '{name}'"
            document.errors.add("A401", message, _span(text, 0, len(name)), help=help)
        elif name in values:
            values[name] = _same_type(document, name, value, document.arguments[name], text)
    return values


def _same_type(document: Document, name: str, value: Any, default: Any, text: str) -> Any:
    kind = type(default)
    if default is None or type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and isinstance(value, (int, float)):
        return _written(value)
    key = document.argument_keys[name]
    place = key.span
    document.errors.add(
        "A401",
        f"'{name}' must be {KINDS[kind]}, not {value!r}",
        _span(text, len(name) + 1, len(text) - len(name) - 1),
        help=f"write {KINDS[kind]}, as in {name}={_written(default)}",
        call_help=f"give {KINDS[kind]}, as in {name}={default!r}",
        related=((place, f"its default is {_written(default)}"),),
    )
    return default


def _written(value: Any) -> str:
    """A value as `--set` takes it."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _span(text: str, column: int = 0, length: int = 0) -> Span:
    return Span("--set", 1, column + 1, max(1, length or len(text)), text)
