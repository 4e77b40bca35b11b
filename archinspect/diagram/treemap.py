"""A checkpoint as boxes inside boxes, by module: their areas are the numbers of parameters.

Nothing is known of what flows where, so there are no arrows.  Boxes are laid out as near to squares as can be
(Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000); equal modules in a numbered row are drawn once, with ×N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..analysis import analyse
from ..errors import fail
from ..graph import Graph, Layer, Scope, below
from ..units import brief, shape_text
from .drawing import Box, Drawing, Group, Item, Rect, Text
from .options import Options
from .scene import DETAIL, FIGURES, HEADING, SUBHEADING, TITLE
from .theme import Swatch, Theme, swatch
from .typeface import shorten, text_width

_MARGIN, _HEAD, _LEGEND = 24.0, 50.0, 30.0
_WIDTH, _HEIGHT = 1240.0, 800.0  # of the map itself
_HEADER, _PAD, _GAP = 19.0, 4.0, 2.0
_LINE = 14.0
_SMALLEST = 60.0  # px²: the parts of a smaller box are not drawn
_NARROWEST = 26.0  # a box that has less room has no words
#: colours by how many dimensions a module's largest tensor has
_KINDS = (
    ("convolution", "three dimensions and more"),
    ("linear", "matrices"),
    ("normalisation", "vectors and numbers"),
)


@dataclass(frozen=True)
class _Part:
    """A module: its own name, its path, its parameters, and the modules inside it.  `repeat` equal ones are one."""

    label: str
    path: str
    params: int
    kind: str = ""
    shape: str = ""
    inside: tuple[_Part, ...] = ()
    repeat: int = 1

    @property
    def likeness(self) -> tuple[Any, ...]:
        """Equal for modules that hold the same."""
        names = tuple((part.label, part.likeness) for part in self.inside)
        return self.params, self.shape, names


def treemap(graph: Graph, options: Options) -> Drawing:
    """The picture of a network of which only parameters are known.

    Of the options it takes `depth`, `only` (one scope), `fold` and `theme`.  Raises ArchinspectError (A403) for others.
    """
    whole = _chosen(graph, _refuse_others(options))
    if options.fold:
        whole = _folded(whole)
    theme = options.palette
    right, bottom = _MARGIN + _WIDTH, _MARGIN + _HEAD + _HEIGHT
    figures = (
        f"{brief(whole.params)} parameters; areas are numbers of parameters, nothing is known of the flow"
    )
    items: list[Item] = [
        Text(
            _MARGIN,
            _MARGIN + 16,
            shorten(whole.label, HEADING, _WIDTH, bold=True),
            HEADING,
            theme.heading,
            True,
        ),
        Text(_MARGIN, _MARGIN + 36, figures, SUBHEADING, theme.muted),
        *_inside(whole, Box(_MARGIN, _MARGIN + _HEAD, _WIDTH, _HEIGHT), theme, options.depth or 99, 0),
        *_legend(theme, bottom + _LEGEND - 8),
    ]
    return Drawing(
        right + _MARGIN,
        bottom + _LEGEND + _MARGIN / 2,
        theme.background,
        tuple(items),
        whole.label,
        f"{whole.label}: {figures}",
    )


def _refuse_others(options: Options) -> Options:
    """Raises ArchinspectError (A403) for what a picture without flow does not have."""
    plain = Options()
    for name in ("style", "expand", "color", "beside", "against", "engine"):
        if getattr(options, name) != getattr(plain, name):
            raise fail(
                "A403",
                f"a checkpoint cannot be drawn with '{name}': it holds parameters only",
                help="it is drawn as boxes by size, with --depth, --only and --theme",
            )
    if len(options.only) > 1:
        raise fail("A403", "of a checkpoint one scope is drawn at a time", help="give --only once")
    return options


def _chosen(graph: Graph, options: Options) -> _Part:
    """All modules, or those of the scope that `only` names."""
    params = {row.name: row.params for row in analyse(graph).rows}
    whole = _of_scope(graph, graph.structure, "", params)
    whole = replace(whole, label=graph.name)
    for path in options.only:
        found = _at(whole, path)
        if found is None:
            raise fail(
                "A403", f"'{path}' is no scope of {graph.name}", help="`archinspect params` lists the names"
            )
        whole = replace(found, label=f"{graph.name} · {path}")
    return whole


def _at(part: _Part, path: str) -> _Part | None:
    for inner in part.inside:
        if inner.path == path:
            return inner
        if path.startswith(f"{inner.path}."):
            return _at(inner, path)
    return None


def _of_scope(graph: Graph, scope: Scope, path: str, params: dict[str, int]) -> _Part:
    inside = []
    for item in scope.items:
        if isinstance(item, Layer):
            part = _of_node(graph, item.index, path, params)
        else:
            assert isinstance(item, Scope)  # a graph of parameters has no joins
            part = _of_scope(graph, item, below(path, item.name), params)
        if part.params:
            inside.append(part)
    return _Part(scope.name, path, sum(part.params for part in inside), inside=tuple(inside))


def _of_node(graph: Graph, index: int, path: str, params: dict[str, int]) -> _Part:
    node = graph.nodes[index]
    learnt = [parameter.shape for parameter in (node.parameters or {}).values() if not parameter.buffer]
    largest = max(learnt, key=lambda shape: (len(shape), shape), default=())
    kind = "convolution" if len(largest) > 2 else "linear" if len(largest) == 2 else "normalisation"
    # A module's own parameters stand beside the modules inside it.
    label = "own" if node.name == path else node.name.rpartition(".")[2]
    return _Part(label, node.name, params[node.name], kind, shape_text(largest))


def _folded(part: _Part) -> _Part:
    """Equal neighbours that are called by numbers as one."""
    made: list[_Part] = []
    for inner in map(_folded, part.inside):
        before = made[-1] if made else None
        if before and inner.label.isdecimal() and before.path.rpartition(".")[2].isdecimal():
            first = replace(before, params=before.params // before.repeat)
            if first.likeness == inner.likeness:
                label = f"{before.label.partition('–')[0]}–{inner.label}"
                params = before.params + inner.params
                made[-1] = replace(before, label=label, params=params, repeat=before.repeat + 1)
                continue
        made.append(inner)
    return replace(part, inside=tuple(made))


def _inside(part: _Part, box: Box, theme: Theme, levels: int, level: int) -> list[Item]:
    """The boxes of what is inside a part."""
    parts = sorted(part.inside, key=lambda inner: -inner.params)
    items: list[Item] = []
    for inner, place in zip(parts, _squarified([p.params for p in parts], box), strict=True):
        room = Box(place.x, place.y, max(place.width - _GAP, 0.5), max(place.height - _GAP, 0.5))
        items.append(_box(inner, room, theme, levels, level))
    return items


def _box(part: _Part, box: Box, theme: Theme, levels: int, level: int) -> Item:
    inner = Box(
        box.x + _PAD, box.y + _HEADER, box.width - 2 * _PAD + _GAP, box.height - _HEADER - _PAD + _GAP
    )
    room = inner.width > _NARROWEST and inner.height > _PAD and inner.width * inner.height > _SMALLEST
    opened = bool(part.inside) and levels > 1 and room
    figures = f"{brief(part.params)} params" if part.repeat == 1 else _each(part)
    if not opened:
        kind = part.kind or "block"
        colours = swatch(theme, kind)
        items: list[Item] = [
            Rect(box, 2.0, colours.fill, colours.stroke, 0.8),
            *_words(part, figures, box, colours),
        ]
    else:
        fill, stroke = (theme.inner, theme.inner_stroke) if level % 2 else (theme.frame, theme.frame_stroke)
        if part.repeat > 1:
            fill, stroke = theme.folded, theme.folded_stroke
        items = [Rect(box, 3.0, fill, stroke)]
        items += _header(part, figures, box, theme)
        items += _inside(part, inner, theme, levels - 1, level + 1)
    title = f"{part.path}{f' ×{part.repeat}' if part.repeat > 1 else ''}: {part.params:,} parameters"
    return Group(tuple(items), part.path, title)


def _each(part: _Part) -> str:
    return f"{part.repeat} × {brief(part.params // part.repeat)} params"


def _header(part: _Part, figures: str, box: Box, theme: Theme) -> list[Item]:
    """The name of an opened module, and its figures where they fit behind it."""
    width = box.width - 2 * _PAD
    name = shorten(part.label, TITLE, width, bold=True)
    items: list[Item] = [Text(box.x + _PAD, box.y + 14, name, TITLE, theme.text, True)]
    if text_width(name, TITLE, True) + 12 + text_width(figures, FIGURES) <= width:
        items.append(Text(box.right - _PAD, box.y + 14, figures, FIGURES, theme.muted, anchor="end"))
    return items


def _words(part: _Part, figures: str, box: Box, colours: Swatch) -> list[Item]:
    """Name, shape and figures of a closed box, as many lines as it has room for."""
    width = box.width - 2 * _PAD
    if width < _NARROWEST or box.height < _LINE + _PAD:
        return []
    lines = [(shorten(part.label, DETAIL, width, bold=True), True)]
    lines += [(text, False) for text in (part.shape, figures) if text and text_width(text, FIGURES) <= width]
    lines = lines[: int((box.height - _PAD) // _LINE)]
    x, y = box.centre
    top = y - _LINE * len(lines) / 2 + 10.5
    return [
        Text(x, top + _LINE * i, text, DETAIL if bold else FIGURES, colours.title, bold, "middle")
        for i, (text, bold) in enumerate(lines)
    ]


def _legend(theme: Theme, y: float) -> list[Item]:
    items: list[Item] = []
    x = _MARGIN
    for kind, words in (*_KINDS, ("block", "modules that are not opened")):
        colours = swatch(theme, kind)
        items.append(Rect(Box(x, y - 9, 12, 12), 2.0, colours.fill, colours.stroke))
        items.append(Text(x + 18, y + 1, words, FIGURES, theme.muted))
        x += 18 + text_width(words, FIGURES) + 24
    return items


def _squarified(sizes: Sequence[int], box: Box) -> list[Box]:
    """A box for each size, the largest first, with areas as the sizes; together they fill `box`."""
    whole = sum(sizes)
    if not whole or box.width <= 0 or box.height <= 0:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in sizes]
    scale = box.width * box.height / whole
    places: list[Box] = []
    start = 0
    while start < len(sizes):
        side = min(box.width, box.height)
        end, area = start + 1, sizes[start] * scale
        worst = _worst(sizes[start] * scale, sizes[start] * scale, area, side)
        while end < len(sizes):  # as long as one more makes the row's boxes more like squares
            more = area + sizes[end] * scale
            next_worst = _worst(sizes[start] * scale, sizes[end] * scale, more, side)
            if next_worst > worst:
                break
            end, area, worst = end + 1, more, next_worst
        thickness = area / side
        at = 0.0
        for size in sizes[start:end]:
            length = size * scale / thickness
            if box.width >= box.height:
                places.append(Box(box.x, box.y + at, thickness, length))
            else:
                places.append(Box(box.x + at, box.y, length, thickness))
            at += length
        if box.width >= box.height:
            box = Box(box.x + thickness, box.y, max(box.width - thickness, 1e-9), box.height)
        else:
            box = Box(box.x, box.y + thickness, box.width, max(box.height - thickness, 1e-9))
        start = end
    return places


def _worst(largest: float, smallest: float, area: float, side: float) -> float:
    """The ratio of the sides of a row's least square box."""
    return max(side**2 * largest / area**2, area**2 / (side**2 * smallest)) if smallest else float("inf")
