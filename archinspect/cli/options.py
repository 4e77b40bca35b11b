"""The options that commands share, so that they are spelt and explained the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from ..report.formats import FORMATS
from . import completion

if TYPE_CHECKING:
    from ..graph import Graph


def _conventions(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    from ..check.conventions import CONVENTIONS

    return [name for name in CONVENTIONS if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A network that ships, a path to a spec, a one-line network, a module (net.py:Net), a library's model "
        "(timm:resnet50), or a file (.onnx, .pt2, .safetensors, .gguf, .pth).",
        autocompletion=completion.models,
        show_default=False,
    ),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=][TYPE:]CxHxW",
        help="Input size, CxHxW or NxCxHxW (batch 1 unless given); several inputs each by its name, "
        "as in ids=int64:1x128.",
    ),
]
Real = Annotated[
    bool,
    typer.Option("--real", help="Run a module on small real tensors, where its forward looks at values."),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Where a module's forward raises an exception, show what came before."),
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


def load(
    model: str,
    input: list[str] | None = None,
    settings: list[str] | None = None,
    *,
    real: bool = False,
    partial: bool = False,
) -> Graph:
    """The network that MODEL names, with `--input`, `--set`, `--real` and `--partial`.  Raises ArchinspectError."""
    from ..frontends.models import load

    return load(model, inputs=input, arguments=arguments(settings), real=real, partial=partial)


def arguments(settings: list[str] | None) -> dict[str, Any]:
    """`--set` as the mapping that the loader takes.  Raises ArchinspectError (A401)."""
    if not settings:
        return {}  # without the language of specs, which other networks do not need
    from ..frontends.spec import parse_settings

    return parse_settings(settings)
