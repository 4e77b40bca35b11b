"""Volumes: a network as the cuboids that papers draw, one for each tensor.

The way of the data: `reading` (elements → solids, at a level of detail) → `groups` (stages) → `scale` → `stages`,
`lanes` (places within a stage) → `axis` (stages in a row) → `compose` (what fits, title, legend) → `paint` (colours).
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import fail
from ...graph import Graph
from ..colouring import Heat, heat
from ..drawing import Drawing
from ..elements import Outline
from ..options import Options
from ..outline import outlines, scope_paths
from .compose import Picture, best, compose
from .paint import paint


def volumes(graph: Graph, options: Options) -> Drawing:
    """The picture of volumes that the options ask for.

    Scopes of `options.only` and the networks of `options.beside` are drawn below each other; `expand` and `depth` say
    which blocks are drawn in full.  Raises ArchinspectError (A403) for a scope that there is not, and for a network
    that does not work on two dimensions.
    """
    for network in (graph, *options.beside):
        _need_maps(network)
    pictures = arranged(graph, options)
    warmth = _heat(pictures, options)
    return paint(compose(pictures, warmth), options.palette, warmth)


def _need_maps(graph: Graph) -> None:
    """Refuse signals and volumes: a solid has the height and width of a map, and its channels as thickness."""
    for index, node in enumerate(graph.nodes):
        given = graph.axes[index].count("space") if index < graph.inputs else node.op.spatial
        if given not in (0, 2) and len(node.output_shape) > 2:
            raise fail(
                "A403",
                f"solids are drawn of maps, and '{node.name}' of '{graph.name}' has {given}-D positions",
                help="--style blocks draws any network",
            )


def arranged(graph: Graph, options: Options) -> list[Picture]:
    """Each network or scope with every solid in its place."""
    outlines(graph, options)  # every name is a scope of one of the networks
    return [
        best(network, outline, options)
        for network in (graph, *options.beside)
        for outline in _own_outlines(network, options)
    ]


def _own_outlines(network: Graph, options: Options) -> tuple[Outline, ...]:
    scopes = scope_paths(network)
    expand = tuple(path for path in options.expand if path in scopes)
    only = tuple(path for path in options.only if path in scopes)
    if options.only and not only:
        return ()
    return outlines(network, replace(options, depth=None, fold=False, expand=expand, only=only, beside=()))


def _heat(pictures: list[Picture], options: Options) -> Heat | None:
    """The heat map of what is drawn, on one ramp for all networks of the picture."""
    found = [(p, heat(options, p.graph, (p.outline,))) for p in pictures]
    values = {id(s.card): own.value(s.card) for p, own in found if own for s in p.solids}
    if not values:
        return None
    return Heat(options.color, lambda card: values[id(card)], max(values.values()))
