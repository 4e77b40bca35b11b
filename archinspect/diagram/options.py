"""What a picture is asked to show: one value, validated once, that every style and format reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import fail, suggestion
from ..graph import Graph
from .engines import ENGINES
from .fit import Medium, medium
from .theme import THEMES, Theme

STYLE_NAMES = ("blocks", "strip", "volume")
COLORS = ("type", "params", "macs", "memory", "latency")


@dataclass(frozen=True)
class Options:
    """A request for a picture.

    `depth`: levels of scopes to open (None: all); `expand`: scopes to open below that; `only`: draw these scopes alone,
    side by side; `fold`: draw equal consecutive blocks once, with ×N; `overview`: one row and insets; `color`: what
    colours the cards; `latency`: seconds by layer name, for color="latency"; `theme`: a name of `theme.THEMES`;
    `beside`: further networks in the same picture; `against`: a network to mark differences to; `engine`: who lays the
    blocks out, archinspect itself or Graphviz by a name of `engines.ENGINES`; `fit`: the medium that the picture is
    made for, which `request` takes in words (`85mm`, `slide`).
    """

    style: str = "blocks"
    depth: int | None = None
    expand: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    fold: bool = True
    overview: bool = False
    color: str = "type"
    latency: Mapping[str, float] | None = None
    theme: str = "light"
    beside: tuple[Graph, ...] = ()
    against: Graph | None = None
    engine: str = "archinspect"
    fit: Medium | None = None

    def __post_init__(self) -> None:
        _one_of("style", self.style, STYLE_NAMES)
        _one_of("colouring", self.color, COLORS)
        _one_of("theme", self.theme, THEMES)
        _one_of("engine", self.engine, ENGINES)
        if self.engine != "archinspect" and (
            self.style != "blocks" or self.overview or self.against or self.color != "type" or self.fit
        ):
            raise fail(
                "A403", "Graphviz lays out plain blocks only", help="leave out the other option, or --engine"
            )
        if self.overview and (self.style != "blocks" or self.only or self.beside):
            raise fail(
                "A403", "an overview is of one whole network in blocks", help="leave out the other option"
            )
        if self.against and (self.style == "volume" or self.beside or self.color != "type"):
            raise fail(
                "A403",
                "differences are marked in the blocks or the strip of one network, in colours of their own",
                help="leave out the other option",
            )
        if self.depth is not None and self.depth < 1:
            raise fail("A403", f"the depth is at least 1, and is {self.depth}")
        if self.color == "latency" and self.latency is None:
            raise fail(
                "A403",
                "colouring by latency needs a saved run",
                help="archinspect latency MODEL --layers --save run.json, then --run run.json",
            )

    @property
    def palette(self) -> Theme:
        """The theme itself."""
        return THEMES[self.theme]


def request(values: Mapping[str, Any]) -> Options:
    """Options from keywords; a single name or network stands for a tuple of one, a path of a saved run for its times.

    Raises ArchinspectError (A403) for a keyword or value that there is not, A102 for a run that cannot be read.
    """
    from .colouring import read_latency  # which needs this module

    known = {field.name for field in fields(Options)}
    given: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            help = suggestion(name, known, otherwise=f"options: {', '.join(sorted(known))}")
            raise fail("A403", f"a picture has no option '{name}'", help=help)
        if name in ("expand", "only", "beside"):
            value = (value,) if isinstance(value, (str, Graph)) else tuple(value)
        if name == "beside":
            value = tuple(getattr(network, "graph", network) for network in value)
        if name == "against":
            value = getattr(value, "graph", value)
        if name == "latency" and value is not None and not isinstance(value, Mapping):
            value = read_latency(value)
        if name == "fit" and isinstance(value, str):
            value = medium(value)
        given[name] = value
    return Options(**given)


def _one_of(what: str, value: str, known: Any) -> None:
    if value not in known:
        help = suggestion(str(value), known, otherwise=f"one of: {', '.join(known)}")
        raise fail("A403", f"there is no {what} '{value}'", help=help)
