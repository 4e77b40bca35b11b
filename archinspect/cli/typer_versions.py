"""What differs between releases of typer: where its click stands, and how words become values.

Up to 0.25 typer imports click; from 0.26 on it has a copy of its own, and click need not be installed.  From 0.29 on it
turns words into values with pydantic, whose import would take as long as all the rest of a start.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

_EXCEPTIONS: Any = sys.modules[typer.BadParameter.__module__]
#: what is raised for a wrong command line, and for an option that there is not
UsageError: Any = _EXCEPTIONS.UsageError
NoSuchOption: Any = _EXCEPTIONS.NoSuchOption


def keep_pydantic_out(parameters: list[Any]) -> list[Any]:
    """Let the words of these parameters become values without pydantic, where typer would use it.

    Ours are words, numbers with a least value at most, and paths.
    """
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _Plain()
    return parameters


class _Plain:
    """Stands in for typer's `RuntimeParam`."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        kind = param.type_descriptor.annotation
        if not several:
            return _made(value, kind, param, ctx)
        [kind] = getattr(kind, "__args__", (kind,))
        return [_made(word, kind, param, ctx) for word in value]


def _made(word: Any, kind: Any, param: Any, ctx: Any) -> Any:
    """The word as a value of this kind.  Raises typer.BadParameter."""
    if kind in (str, bool) or isinstance(word, kind):
        return word
    try:
        value = kind(word)
    except ValueError:
        what = "a valid integer" if kind is int else "a number"
        raise typer.BadParameter(f"{word!r} is not {what}", ctx, param) from None
    info = param.type_descriptor.parameter_info
    if kind is not Path and info.min is not None and value < info.min:
        raise typer.BadParameter(f"{word} is not in the range x>={info.min}", ctx, param)
    return value
