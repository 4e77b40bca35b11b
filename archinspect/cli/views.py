"""The options that choose what of a table is shown, the same for every command that has one.

@with_view
def command(model: Model, ..., view: View, format: Format = None, output: Output = None) -> None:
    emit(report, format, output, view)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import fail
from .options import Width, choice, words_of

if TYPE_CHECKING:
    from ..report.views import View as Rows

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


class View(NamedTuple):
    """What of a table is shown, as the options say it, and how wide it may be."""

    sort: str = ""
    top: int | None = None
    only: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    units: str = ""
    share: bool = False
    width: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all is shown as it is."""
        return self._replace(width=None) == View()

    @property
    def rows(self) -> Rows:
        """The view of a report's rows and columns."""
        from ..report.views import View as Rows  # most commands show all

        return Rows(*self[:-1])

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that are asked for."""
        return () if self.is_plain else self.rows.keys


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
    signature = inspect.signature(command, eval_str=True)
    added = {name: entry for name, entry in OPTIONS.items() if name not in signature.parameters}

    @wraps(command)
    def viewing(**given: Any) -> Any:
        chosen = {name: given.pop(name) for name in added}
        return command(**given, view=view_of(**chosen))

    parameters = []
    for name, parameter in signature.parameters.items():
        if name != "view":
            parameters.append(parameter)
            continue
        for key, (kind, default) in added.items():
            kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
            parameters.append(inspect.Parameter(key, kinds, default=default, annotation=kind))
    viewing.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    viewing.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    viewing.__annotations__["return"] = signature.return_annotation
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
    return View(sort or "", top, patterns, named, units or "", share, width)


def _words(text: str) -> list[str]:
    """Patterns between commas; a comma inside brackets belongs to its pattern."""
    return [text] if "[" in text else text.split(",")
