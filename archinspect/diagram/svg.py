"""A drawing as SVG: plain elements that every viewer and editor knows, the same bytes every time.

No markers, no style sheets, no filters: arrowheads are polygons and each element carries its own colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .. import neutral
from .drawing import Disc, Drawing, Group, Item, Path, Rect, Text
from .typeface import FALLBACKS

_COMMENT = "<!-- archinspect; laid out by archinspect -->"


def to_svg(drawing: Drawing, *, family: str = FALLBACKS) -> str:
    """The SVG document.  Names and titles are escaped; text stays text."""
    width, height = number(drawing.width), number(drawing.height)
    left, top = number(drawing.left), number(drawing.top)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {_size(drawing)} '
        f'viewBox="{left} {top} {width} {height}" role="img" font-family="{escape(family)}" '
        'style="font-kerning:none" xml:space="preserve">'
    )
    lines = [head, _COMMENT, f"<title>{clean(drawing.title)}</title>"]
    if drawing.description:
        lines.append(f"<desc>{clean(drawing.description)}</desc>")
    place = "" if (left, top) == ("0", "0") else f'x="{left}" y="{top}" '
    lines.append(f'<rect {place}width="{width}" height="{height}" fill="{drawing.background}"/>')
    for item in drawing.items:
        lines += _write(item)
    return "\n".join([*lines, "</svg>", ""])


def _size(drawing: Drawing) -> str:
    """Width and height in the drawing's unit."""
    unit, per_px = ("", 1.0) if drawing.unit == "px" else ("mm", 25.4 / 96)
    width, height = (number(side * drawing.scale * per_px) for side in (drawing.width, drawing.height))
    return f'width="{width}{unit}" height="{height}{unit}"'


def number(value: float) -> str:
    """At most two decimals, no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def clean(text: str) -> str:
    """Escaped, and on one line, without what XML cannot hold or a terminal would obey."""
    return escape(neutral.line(text))


def _write(item: Item) -> Iterator[str]:
    if isinstance(item, Group):
        label = f' data-name="{clean(item.label)}"' if item.label else ""
        yield f"<g{label}>"
        if item.title:
            yield f"<title>{clean(item.title)}</title>"
        for child in item.items:
            yield from _write(child)
        yield "</g>"
    elif isinstance(item, Rect):
        yield _rect(item)
    elif isinstance(item, Disc):
        x, y = map(number, item.centre)
        paint = _paint(item.fill, item.stroke, item.width)
        yield f'<circle cx="{x}" cy="{y}" r="{number(item.radius)}"{paint}/>'
    elif isinstance(item, Path):
        yield _path(item)
    else:
        yield _text(item)


def _rect(item: Rect) -> str:
    box = item.box
    radius = f' rx="{number(item.radius)}"' if item.radius else ""
    place = (
        f'x="{number(box.x)}" y="{number(box.y)}" width="{number(box.width)}" height="{number(box.height)}"'
    )
    return f"<rect {place}{radius}{_paint(item.fill, item.stroke, item.width)}/>"


def _path(item: Path) -> str:
    data = "".join(
        command + " ".join(number(value) for value in values) for command, values in item.segments()
    )
    dash = f' stroke-dasharray="{number(item.dash[0])} {number(item.dash[1])}"' if item.dash else ""
    join = ' stroke-linejoin="round"' if item.stroke else ""
    return f'<path d="{data}"{_paint(item.fill, item.stroke, item.width)}{join}{dash}/>'


def _text(item: Text) -> str:
    anchor = f' text-anchor="{item.anchor}"' if item.anchor != "start" else ""
    weight = ' font-weight="700"' if item.bold else ""
    x, y = number(item.x), number(item.y)
    turn = f' transform="rotate({number(item.angle)} {x} {y})"' if item.angle else ""
    size = number(item.size)
    return (
        f'<text x="{x}" y="{y}" font-size="{size}"{weight}{anchor}{turn} fill="{item.fill}">'
        f"{clean(item.text)}</text>"
    )


def _paint(fill: str | None, stroke: str | None, width: float) -> str:
    text = f' fill="{fill or "none"}"'
    if stroke:
        text += f' stroke="{stroke}"'
        if width != 1:
            text += f' stroke-width="{number(width)}"'
    return text
