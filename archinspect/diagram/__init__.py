"""Pictures of networks.

    draw(graph, style="volume").save("vgg16.pdf")

The way of a picture, each step a file that can be read alone:

    graph + Options ──> Drawing ──> svg.py | png.py | pdf.py            `.svg`, `.png`, `.pdf`
      style "blocks":  blocks.blocks(graph, options) -> Drawing         (outline.py: fuse, fold; then boxes; then paint)
      style "volume":  volumes.volumes(graph, options) -> Drawing
    graph + Options ──> dot.to_dot(outline(...))                        `.dot`
    graph + Options ──> page.page(graph, options) -> str                `.html`

`fit.py` knows media (`85mm`, `slide`): `blocks` draws as much as can be read in one, and every drawing is placed in it.

Of a captured module `bookkeeping.py` says what is left out, and `nets.py` makes elements of flows that are not
series-parallel, which `blocks/net.py` lays out in layers.

`picture.py` holds the dispatch points, `STYLES` and `FORMATS`.  `Options` (options.py) is the whole request, already
validated; a style or format reads from it what it understands: `options.palette` (the `Theme`), `color`, `latency`
(seconds by layer), `depth`, `expand`, `only`, `fold`.  A `Drawing` (drawing.py) holds `Rect`, `Path`, `Disc`, `Text`
and `Group` in paint order, all colours and places fixed, so that every style gets every format.  Widths of text come
from `typeface.text_width`, never from an installed font.  Bad requests are `errors.fail("A403", ...)`.

Nothing is imported before a picture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..graph import Graph
    from .options import Options
    from .picture import Picture

__all__ = ["Options", "Picture", "draw"]


def draw(graph: Graph, **options: Any) -> Picture:
    """A picture of the network; keywords are the fields of `Options`.

    Raises ArchinspectError (A403) for an option or value that there is not.
    """
    from .options import request
    from .picture import Picture

    return Picture(graph, request(options))


def __getattr__(name: str) -> Any:
    if name == "Options":
        from .options import Options

        return Options
    if name == "Picture":
        from .picture import Picture

        return Picture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
