"""The options that commands share, so that they are spelt and explained the same everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import click
import typer

from ..report.formats import FORMATS
from . import completion


def _conventions(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    from ..check.conventions import CONVENTIONS

    return [name for name in CONVENTIONS if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A network that ships, a path to a spec, or a one-line network.",
        autocompletion=completion.models,
        show_default=False,
    ),
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="CxHxW", help="Input size, CxHxW or NxCxHxW (batch 1 unless given)."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set an argument of the network; may be repeated."),
]
Depth = Annotated[
    int | None,
    typer.Option("--depth", metavar="N", min=1, help="Fold scopes below N levels into one row each."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        click_type=click.Choice(list(FORMATS)),
        help="Format of the result; a table unless given.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file; its ending picks the format."),
]
OutputFile = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")]
Convention = Annotated[
    str | None,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Count as this tool does: torchinfo, fvcore, torch, ptflops or thop.",
        autocompletion=_conventions,
        show_default=False,
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show where each number comes from, as a formula with its figures.")
]


def arguments(settings: list[str] | None) -> dict[str, Any]:
    """`--set` as the mapping that the loader takes.  Raises ArchinspectError (A401)."""
    from ..frontends.spec import parse_settings

    return parse_settings(settings or [])
