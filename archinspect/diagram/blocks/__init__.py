"""Block diagrams: boxes that know their size, put beside and below each other."""

from __future__ import annotations

from ...graph import Graph
from ..colouring import annotated, heat
from ..drawing import Drawing
from ..options import Options
from ..outline import outlines
from ..paint import paint
from .compose import compose


def blocks(graph: Graph, options: Options) -> Drawing:
    """The block diagram that the options ask for."""
    parts = outlines(graph, options)
    theme = options.palette
    warmth = heat(options, graph, parts)
    if warmth is None:
        return paint(compose(parts), theme)
    scene = compose(annotated(parts, warmth), warmth)
    return paint(scene, theme, lambda card: warmth.swatch(theme, card))
