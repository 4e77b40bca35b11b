"""The options that commands share, so that they are spelt and explained the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import fail, nearest
from ..report.formats import FORMATS
from . import completion

if TYPE_CHECKING:
    from ..graph import Graph


def choice(option: str, names: Iterable[str]) -> dict[str, Any]:
    """The arguments that make an option of typer one of a few words."""
    known = tuple(names)

    def check(ctx: typer.Context, value: str | None) -> str | None:
        if value is None or value in known or ctx.resilient_parsing:
            return value
        close = nearest(value, known)
        raise fail(
            "A403",
            f"invalid value for '{option}': '{value[:80]}' is not one of {', '.join(map(repr, known))}",
            help=f"did you mean '{close}'?" if close else f"{ctx.command_path} --help",
        )

    return {
        "metavar": f"[{'|'.join(known)}]",
        "callback": check,
        "autocompletion": words_of(lambda: known),
    }


def words_of(names: Callable[[], Iterable[str]]) -> Callable[[Any, list[str], str], list[str]]:
    """Completion of an option by these words."""

    def complete(ctx: Any, args: list[str], incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


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
        **choice("--format", FORMATS),
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
