"""Block diagrams: boxes that know their size, put beside and below each other."""

from __future__ import annotations

from ...graph import Graph
from ..drawing import Drawing
from ..options import Options
from ..outline import outlines
from ..paint import paint
from .compose import compose


def blocks(graph: Graph, options: Options) -> Drawing:
    """The block diagram that the options ask for."""
    scene = compose(outlines(graph, options))
    return paint(scene, options.palette)
