"""A picture: what was asked for, drawn when first needed and written in any format."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import PurePath
from typing import cast

from ..errors import fail, suggestion
from ..graph import Graph
from .drawing import Drawing
from .fit import placed
from .options import Options

Drawer = Callable[[Graph, Options], Drawing]

#: style → (module, function); a function takes the graph and the options and returns a `Drawing`
STYLES = {"blocks": ("blocks", "blocks"), "strip": ("blocks", "blocks"), "volume": ("volumes", "volumes")}
#: how a checkpoint is drawn, of which no flow is known
PARAMETERS_ONLY = ("treemap", "treemap")
#: format → file endings
FORMATS = {
    "svg": (".svg",),
    "png": (".png",),
    "pdf": (".pdf",),
    "dot": (".dot", ".gv"),
    "html": (".html", ".htm"),
}


@dataclass(frozen=True)
class Picture:
    """A network, and how to draw it.  A notebook shows it by itself."""

    graph: Graph
    options: Options

    @cached_property
    def drawing(self) -> Drawing:
        """Shapes and text with every place and colour fixed."""
        module, function = STYLES[self.options.style] if self.graph.inputs else PARAMETERS_ONLY
        drawer = cast(Drawer, getattr(import_module(f".{module}", __package__), function))
        drawing = drawer(self.graph, self.options)
        medium = self.options.fit
        return placed(drawing, medium) if medium else drawing

    @property
    def note(self) -> str:
        """What was left out so that the picture can be read where it is put; empty where nothing was."""
        return self.drawing.note

    def svg(self) -> str:
        from .svg import to_svg

        return to_svg(self.drawing)

    def png(self, *, width: int | None = None, dpi: float | None = None) -> bytes:
        """At a width in px or a density (96 dpi is the picture's own size; 192 unless given)."""
        from .png import to_png

        return to_png(self.drawing, width=width, dpi=dpi)

    def pdf(self) -> bytes:
        from .pdf import to_pdf

        return to_pdf(self.drawing)

    def dot(self) -> str:
        """The same cards and frames for Graphviz, to edit."""
        self._refuse_parameters_only()
        from .dot import to_dot
        from .outline import outlines

        return to_dot(outlines(self.graph, self.options), self.options.palette)

    def html(self) -> str:
        """One page to explore the network in, offline."""
        self._refuse_parameters_only()
        writer = cast(Callable[[Graph, Options], str], import_module(".page", __package__).page)
        return writer(self.graph, self.options)

    def _refuse_parameters_only(self) -> None:
        if not self.graph.inputs:
            raise fail("A403", "a checkpoint is drawn in SVG, PNG and PDF", help="write one of these")

    def render(self, format: str, *, width: int | None = None, dpi: float | None = None) -> str | bytes:
        """The picture in a format of `FORMATS`.  Raises ArchinspectError (A403) for another, or a size it has not."""
        if format not in FORMATS:
            help = suggestion(format, FORMATS, otherwise=f"formats: {', '.join(FORMATS)}")
            raise fail("A403", f"there is no format '{format}'", help=help)
        if self.options.against and format in ("dot", "html"):
            raise fail("A403", "differences are marked in SVG, PNG and PDF", help="write one of these")
        if self.options.fit and format in ("dot", "html"):
            raise fail(
                "A403", f"a medium is for SVG, PNG and PDF, not for {format.upper()}", help="leave out --fit"
            )
        if self.options.engine != "archinspect" and format in ("svg", "png", "pdf"):
            from .engines import run

            if width is not None or dpi is not None:
                raise fail(
                    "A403", "Graphviz chooses its own size", help="leave out --width and --dpi, or --engine"
                )
            return run(self.options.engine, self.dot(), format)
        if format == "png":
            return self.png(width=width, dpi=dpi)
        if width is not None or dpi is not None:
            raise fail("A403", f"a width or dpi is for PNG; {format.upper()} has no pixels")
        return cast("str | bytes", getattr(self, format)())

    def save(
        self, path: str | os.PathLike[str], *, width: int | None = None, dpi: float | None = None
    ) -> None:
        """Write a file, whole or not at all; its ending picks the format.  Raises ArchinspectError (A403, A405)."""
        from ..files import write

        write(self.render(format_of(path), width=width, dpi=dpi), path)

    def _repr_svg_(self) -> str:
        return self.svg()


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's ending asks for.  Raises ArchinspectError (A403) for an unknown ending."""
    ending = PurePath(path).suffix.lower()
    for name, endings in FORMATS.items():
        if ending in endings:
            return name
    what = f"the ending '{ending}'" if ending else "a name without an ending"
    raise fail(
        "A403",
        f"{what} does not say in which format to write '{path}'",
        help=f"end the name in one of {', '.join(e[0] for e in FORMATS.values())}, or give --format",
    )
