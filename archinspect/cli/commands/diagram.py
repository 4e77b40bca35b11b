"""`diagram`: the network as a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated

import typer

from ...diagram.engines import ENGINES
from ...diagram.options import COLORS, STYLE_NAMES, request
from ...diagram.picture import FORMATS, Picture, format_of
from ...diagram.theme import THEMES
from ...errors import ArchinspectError
from ...files import write
from ..options import Input, Model, Partial, Real, Set, choice, load
from ..output import chosen_format, emit_text, put, say

Depth = Annotated[
    int | None,
    typer.Option(
        "--depth", metavar="N", min=1, help="Open scopes down to N levels; draw those below as one card."
    ),
]
Names = list[str] | None


def diagram(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    style: Annotated[
        str,
        typer.Option("--style", **choice("--style", STYLE_NAMES), help="Cards and frames, or cuboids."),
    ] = "blocks",
    depth: Depth = None,
    expand: Annotated[
        Names,
        typer.Option("--expand", metavar="SCOPE", help="Open this scope beyond --depth; may be repeated."),
    ] = None,
    only: Annotated[
        Names,
        typer.Option("--only", metavar="SCOPE", help="Draw this scope alone; several stand side by side."),
    ] = None,
    fold: Annotated[
        bool, typer.Option("--fold/--no-fold", help="Draw equal blocks in a row once, with ×N.")
    ] = True,
    overview: Annotated[
        bool, typer.Option("--overview", help="One row of stages, and each block once.")
    ] = False,
    color: Annotated[
        str, typer.Option("--color", **choice("--color", COLORS), help="What colours the cards.")
    ] = "type",
    run: Annotated[
        str | None, typer.Option("--run", metavar="FILE", help="The saved run that --color latency reads.")
    ] = None,
    theme: Annotated[
        str, typer.Option("--theme", **choice("--theme", THEMES), help="Colours of the picture.")
    ] = "light",
    beside: Annotated[
        Names, typer.Option("--beside", metavar="MODEL", help="Draw this network beside it; may be repeated.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="MODEL", help="Mark what differs from this network."),
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", **choice("--engine", ENGINES), help="Who lays the blocks out.")
    ] = "archinspect",
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="SIZE",
            help="Draw what can be read in a medium: 85mm, 1000px, 1200x675px, 16:9, A4, column, page, slide, card.",
        ),
    ] = None,
    width: Annotated[int | None, typer.Option("--width", metavar="PX", min=1, help="Width of a PNG.")] = None,
    dpi: Annotated[
        float | None, typer.Option("--dpi", min=1, help="Density of a PNG; 192 unless given.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            **choice("--format", FORMATS),
            show_default=False,
            help="Format of the picture; the file's ending unless given, else SVG.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file; MODEL.svg unless given."),
    ] = None,
) -> None:
    """Draw the network: blocks, volumes, or a page to explore.

    Writes SVG, PNG, PDF, Graphviz' DOT or HTML, by the ending of the file; without -o an SVG in the current folder,
    whose path is printed.
    """
    graph = load(model, input, set, real=real, partial=partial)
    options = request(
        {
            "style": style, "depth": depth, "expand": expand or (), "only": only or (), "fold": fold,
            "overview": overview, "color": color, "latency": run, "theme": theme,
            "beside": [load(other) for other in beside or ()],
            "against": load(against) if against else None, "engine": engine, "fit": fit,
        }
    )  # fmt: skip
    picture = Picture(graph, options)
    format = chosen_format(format, output, "svg", format_of)
    content = _rendered(picture, format, width, dpi, output)
    if format in ("svg", "png", "pdf") and engine == "archinspect" and picture.note:
        say(f"note: {picture.note}")
    if output is not None:
        emit_text(content, output)
        return
    path = f"{file_name(graph.name)}.{format}"
    write(content, path)
    put(path + "\n", machine=True)


def _rendered(
    picture: Picture, format: str, width: int | None, dpi: float | None, output: str | None
) -> str | bytes:
    """The picture; of one that an engine cannot lay out, the DOT is written where the picture would have been."""
    try:
        return picture.render(format, width=width, dpi=dpi)
    except ArchinspectError as error:
        if picture.options.engine == "archinspect" or error.diagnostics[0].code not in ("A404", "A405"):
            raise
        target = PurePath(output) if output not in (None, "-") else PurePath(file_name(picture.graph.name))
        path = str(target.with_suffix(".dot")) if output else f"{target}.dot"
        write(picture.dot(), path)
        first = error.diagnostics[0]
        note = f"its input is in {path}"
        raise ArchinspectError(replace(first, notes=(*first.notes, note))) from None


def file_name(name: str) -> str:
    """The network's name as that of a file: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "network"
