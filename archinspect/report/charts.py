"""Charts as a result's picture, or above its tables on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ..diagram.svg import to_svg
from ..plot import ENDINGS, Chart, draw
from ..plot.stack import stack
from .formats.html import export
from .style import FILE
from .table import Report

_MAIN = '<main class="archinspect">\n'
_CSS = "<style>\nfigure { margin: 0 0 2rem; } figure svg { max-width: 100%; height: auto; }\n</style>\n"


def picture(charts: Sequence[Chart], path: str, title: str = "") -> str | bytes:
    """All charts below one another, in the format that the ending of `path` asks for.

    Raises ArchinspectError (A404) for PNG without the `diagram` extra.
    """
    drawing = stack([draw(chart) for chart in charts], title)
    if ENDINGS[PurePath(path).suffix.lower()] == "svg":
        return to_svg(drawing)
    from ..diagram.png import to_png  # SVG needs no renderer

    return to_png(drawing)


def page(report: Report, charts: Sequence[Chart]) -> str:
    """A page of its own: the charts, then the tables."""
    figures = "".join(f"<figure>\n{to_svg(draw(chart))}</figure>\n" for chart in charts)
    head, main, rest = export(report, FILE).partition(_MAIN)
    return head.replace("</head>", f"{_CSS}</head>") + main + figures + rest
