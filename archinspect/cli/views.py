"""The options that choose what of a table is shown, the same for every command that has one.

@with_view
def command(model: Model, ..., view: View, format: Format = None, output: Output = None) -> None:
    emit(report, format, output, view)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from ..errors import fail
from ..report.views import View as Rows
from .options import Width, choice, words_of

_COLUMNS = (
    "name",
    "op",
    "output_shape",
    "params",
    "trainable",
    "buffers",
    "macs",
    "flops",
    "activation_bytes",
    "receptive_field",
)


@dataclass(frozen=True)
class View:
    """Which rows and columns of a table are shown, and how wide it may be."""

    rows: Rows = field(default_factory=Rows)
    width: int | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that are asked for."""
        return self.rows.keys


_complete = words_of(lambda: _COLUMNS)

Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="COLUMN[:asc]",
        help="Sort rows by a column, largest first.",
        autocompletion=_complete,
        show_default=False,
    ),
]
Top = Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="Show the first N rows only.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="PATTERN",
        help="Show these rows only: a path or glob (conv*), a column's (op:conv*), or weighted; may be repeated.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,...",
        help="Show these columns beside the name, as JSON calls them; params_share is one of the total in %.",
        autocompletion=_complete,
        show_default=False,
    ),
]
Units = Annotated[
    str | None,
    typer.Option(
        "--units",
        **choice("--units", ("exact", "auto")),
        help="Write every count and size exactly, or all with prefixes.",
        show_default=False,
    ),
]
Share = Annotated[bool, typer.Option("--share", help="Show each row's share of the total in %, too.")]

#: parameters that `with_view` adds to a command, by their names
OPTIONS: dict[str, tuple[Any, Any]] = {
    "sort": (Sort, None),
    "top": (Top, None),
    "only": (Only, None),
    "columns": (Columns, None),
    "units": (Units, None),
    "share": (Share, False),
    "width": (Width, None),
}


def with_view(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with these options in place of its parameter `view`, which gets them as a `View`.

    An option that the command has itself is passed on to it, and is no part of the view.
    """
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    added = {name: entry for name, entry in OPTIONS.items() if name not in signature.parameters}

    @wraps(command)
    def viewing(**given: Any) -> Any:
        chosen = {name: given.pop(name) for name in added}
        return command(**given, view=view_of(**chosen))

    parameters = []
    for name, parameter in signature.parameters.items():
        if name != "view":
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        for key, (kind, default) in added.items():
            kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters.append(inspect.Parameter(key, kinds, default=default, annotation=kind))
    viewing.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    viewing.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    if "return" in hints:
        viewing.__annotations__["return"] = hints["return"]
    return viewing


def view_of(
    sort: str | None = None,
    top: int | None = None,
    only: list[str] | None = None,
    columns: str | None = None,
    units: str | None = None,
    share: bool = False,
    width: int | None = None,
) -> View:
    """What the options say.  Raises ArchinspectError (A403)."""
    named = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    if columns is not None and not named:
        raise fail("A403", "--columns names no column", help="--columns params,macs")
    patterns = tuple(word.strip() for text in only or () for word in _words(text) if word.strip())
    if only and not patterns:
        raise fail("A403", "--only names nothing", help="--only 'conv*'")
    return View(Rows(sort or "", top, patterns, named, units or "", share), width)


def _words(text: str) -> list[str]:
    """Patterns between commas; a comma inside brackets belongs to its pattern."""
    return [text] if "[" in text else text.split(",")
