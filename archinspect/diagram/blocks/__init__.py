"""Block diagrams: boxes that know their size, put beside and below each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...graph import Graph
from ..colouring import annotated, heat
from ..drawing import Drawing
from ..elements import Element, Outline, cards_of, nets_of
from ..marking import Marks, marked, marks
from ..options import Options
from ..outline import Folding, outlines
from ..paint import Colouring, paint
from ..scene import Scene
from ..theme import Theme, swatch
from .compose import compose, overview, strip
from .legend import Key
from .sheet import PAGE

#: A default picture that a page would show smaller than this, or that is longer than the side, is drawn in less detail.
_SMALLEST_SCALE = 0.45
_LONGEST_SIDE = 4000.0
#: more cards, or parts of a net, than a readable page has room for: nothing has to be laid out to know it
_MOST_CARDS, _MOST_PARTS = 1200, 100


def blocks(graph: Graph, options: Options) -> Drawing:
    """The block diagram, strip or overview that the options ask for."""
    theme = options.palette
    scene, key = arrange(graph, options)
    return paint(scene, theme, _colours(key, theme))


def arrange(graph: Graph, options: Options) -> tuple[Scene, Key]:
    """The picture with every place fixed, and what its colours mean."""
    differences = marks(graph, options.against) if options.against else None
    foldings = list(_foldings(options))
    shrinks = options.style == "blocks" and not options.overview
    for number, folding in enumerate(foldings):
        last = not shrinks or number == len(foldings) - 1
        own = replace(folding, marks=differences.nodes) if differences else folding
        parts = outlines(graph, options, own)
        if not last and any(_too_much(part.body) for part in parts):
            continue
        arranged = _arranged(graph, options, parts, differences)
        if last or _readable(arranged[0]):
            break
    return arranged


def _too_much(body: tuple[Element, ...]) -> bool:
    """Whether a picture of the elements cannot be readable, however they are laid out."""
    return sum(1 for _ in cards_of(body)) > _MOST_CARDS or any(
        len(net.branches) > _MOST_PARTS for net in nets_of(body)
    )


def _arranged(
    graph: Graph, options: Options, parts: tuple[Outline, ...], differences: Marks | None
) -> tuple[Scene, Key]:
    key: Key = differences or heat(options, graph, parts)
    if isinstance(key, Marks):
        parts = marked(parts, key)
    elif key:
        parts = annotated(parts, key)
    composer = overview if options.overview else strip if options.style == "strip" else compose
    return composer(parts, key), key


def _colours(key: Key, theme: Theme) -> Colouring | None:
    if isinstance(key, Marks):
        return lambda card: swatch(theme, key.kind(card))
    return (lambda card: key.swatch(theme, card)) if key else None


def _foldings(options: Options) -> Iterator[Folding]:
    """What was asked for; where nothing was, the whole network and then ever less of it."""
    yield Folding(options.depth, options.expand, options.fold)
    if options.fold and options.depth is None and not options.expand:
        yield Folding(alike=True)
        for depth in (4, 3, 2, 1):
            yield Folding(depth, alike=True)


def _readable(scene: Scene) -> bool:
    """Whether the picture is no longer than the longest side, and its words can be read on a page."""
    scale = min(PAGE[0] / scene.width, PAGE[1] / scene.height)
    return scale >= _SMALLEST_SCALE and max(scene.width, scene.height) <= _LONGEST_SIDE
