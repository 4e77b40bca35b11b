"""The options that commands share, so that they are spelt and explained the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import fail, nearest
from ..report.formats import FORMATS
from . import completion

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..graph import Graph


def choice(option: str, names: Iterable[str], metavar: str = "") -> dict[str, Any]:
    """The arguments that make an option of typer one of a few words; help lists them, or shows the `metavar`."""
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
        "metavar": metavar or f"[{'|'.join(known)}]",
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
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch", metavar="N", min=1, help="Images or sequences at once; those of the input unless given."
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        **choice("--dtype", ("fp32", "fp16", "bf16", "fp64")),
        help="Precision of weights and activations, for their bytes.",
        show_default=False,
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
Freeze = Annotated[
    list[str] | None,
    typer.Option(
        "--freeze",
        metavar="PATTERN",
        help="Train no parameter of these: a path, with *, or a range as conv1..conv4_x; may be repeated.",
    ),
]
Depth = Annotated[
    int | None,
    typer.Option("--depth", metavar="N", min=1, help="Fold scopes below N levels into one row each."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        **choice("--format", FORMATS, "FORMAT"),
        help="table (unless given), tree, markdown, latex, html, csv, tsv, json; or, by tabulate, "
        "rst, org, asciidoc, mediawiki, jira, github, grid, ...",
        show_default=False,
    ),
]
Width = Annotated[
    int | None,
    typer.Option(
        "--width",
        metavar="N",
        min=1,
        help="Fit tables to N characters; to the terminal unless given, and not at all in a pipe or file.",
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
    batch: int | None = None,
) -> Graph:
    """The network that MODEL names, with `--input`, `--set`, `--real`, `--partial` and `--batch`.

    Raises ArchinspectError.
    """
    from ..frontends.models import load

    graph = load(model, inputs=input, arguments=arguments(settings), real=real, partial=partial)
    if batch is None or not graph.inputs:
        return graph
    from ..analysis.batch import input_batches, is_spec, own_batch, refuse_batch

    refuse_batch(graph, batch)
    if batch == own_batch(graph):
        return graph
    if is_spec(graph):
        from ..analysis.variants import at_batch

        return at_batch(graph, batch)
    # A module or a file may do something else with another batch: it is asked again.
    inputs = []
    for node, at in zip(graph.nodes, input_batches(graph), strict=False):
        shape = [batch if place == at else size for place, size in enumerate(node.output_shape)]
        name = f"{node.name}=" if graph.inputs > 1 else ""
        inputs.append(f"{name}{node.values[0].dtype}:{'x'.join(map(str, shape))}")
    return load(model, inputs=inputs, arguments=arguments(settings), real=real, partial=partial)


def analysed(
    graph: Graph, dtype: str | None, depth: int | None = None, freeze: list[str] | None = None
) -> Analysis:
    """The figures of the network, with `--dtype`, `--depth` and `--freeze`."""
    from ..analysis import analyse

    analysis = analyse(graph)
    if freeze:
        from ..analysis.plan import with_frozen

        analysis = with_frozen(analysis, freeze)
    if dtype is not None:
        from ..analysis.precision import at_precision

        analysis = at_precision(analysis, dtype)
    return analysis if depth is None else analysis.fold(depth)


def arguments(settings: list[str] | None) -> dict[str, Any]:
    """`--set` as the mapping that the loader takes.  Raises ArchinspectError (A401)."""
    if not settings:
        return {}  # without the language of specs, which other networks do not need
    from ..frontends.spec import parse_settings

    return parse_settings(settings)
