"""Charts written as pictures."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal, overload

from ..diagram.svg import to_svg
from .chart import Chart
from .draw import draw

#: file endings of pictures
ENDINGS = {".svg": "svg", ".png": "png"}


@overload
def render(chart: Chart, format: Literal["svg"]) -> str: ...
@overload
def render(chart: Chart, format: Literal["png"]) -> bytes: ...
@overload
def render(chart: Chart, format: str) -> str | bytes: ...
def render(chart: Chart, format: str) -> str | bytes:
    """The picture: SVG as text, PNG as bytes.  Raises ArchinspectError (A404) for PNG without the `diagram` extra."""
    drawing = draw(chart)
    if format == "svg":
        return to_svg(drawing)
    if format == "png":
        from ..diagram.png import to_png  # SVG needs no renderer

        return to_png(drawing)
    raise ValueError(f"a chart is written as svg or png, not {format!r}")


def is_picture(path: str | None) -> bool:
    """Whether a file's ending asks for a picture."""
    return path is not None and PurePath(path).suffix.lower() in ENDINGS
