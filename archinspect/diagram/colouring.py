"""What colours the cards: the kind of layer, or a heat map of a figure.

Heat grows with the square root of the figure: in most networks one layer has nearly all parameters, and a linear
ramp would show nothing else.  The legend gives the figures at the ramp's ends and middle, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import fail
from ..files import read_json
from ..graph import Graph
from ..records import FormError, listed, mapping, no_less_than_zero, text
from ..units import binary_bytes, brief, seconds
from .elements import Card, Outline, cards_of, mapped
from .options import Options
from .theme import Swatch, Theme, heated, swatch

_WORDS = {"params": "Parameters", "macs": "MACs", "memory": "Activations (fp32)", "latency": "Latency"}
_BYTES = 4  # of a float32


@dataclass(frozen=True)
class Heat:
    """Values of the cards of one picture, from 0 to the greatest."""

    color: str
    value: Callable[[Card], float]
    greatest: float

    def swatch(self, theme: Theme, card: Card) -> Swatch:
        return swatch(theme, "io") if card.kind == "io" else heated(theme, self.share(card))

    def share(self, card: Card) -> float:
        """Place on the ramp, 0 to 1."""
        return (self.value(card) / self.greatest) ** 0.5 if self.greatest else 0.0

    @property
    def title(self) -> str:
        return _WORDS[self.color]

    def legend(self) -> tuple[str, str, str]:
        """Words at the ramp's beginning, middle and end."""
        return "0", self.text(self.greatest / 4), self.text(self.greatest)

    def text(self, value: float) -> str:
        if self.color == "latency":
            return seconds(value)
        return binary_bytes(round(value)) if self.color == "memory" else brief(round(value))


def heat(options: Options, graph: Graph, outlines: tuple[Outline, ...]) -> Heat | None:
    """The heat map that the options ask for; None for colouring by kind of layer.

    Raises ArchinspectError (A403) for a saved run of another network.
    """
    if options.color == "type":
        return None
    value = _latency(graph, options.latency or {}) if options.color == "latency" else _FIGURES[options.color]
    greatest = max((value(card) for outline in outlines for card in cards_of(outline.body)), default=0.0)
    return Heat(options.color, value, greatest)


def annotated(outlines: tuple[Outline, ...], heat: Heat) -> tuple[Outline, ...]:
    """The outlines with the heat's value on each card, where the card does not say it anyway."""
    if heat.color not in ("memory", "latency"):
        return outlines

    def with_value(card: Card) -> Card:
        value = heat.value(card)
        return replace(card, note=heat.text(value)) if value and card.kind != "io" else card

    return tuple(replace(outline, body=mapped(outline.body, with_value)) for outline in outlines)


def read_latency(path: str | Path) -> dict[str, float]:
    """Seconds of each layer, from what `archinspect latency --layers --save FILE` wrote.

    A row of several layers that ran as one counts for the first of them; rows of no layer (the call itself) for none.

    Raises ArchinspectError (A102, A403) for a file that cannot be read or is something else.
    """
    data = read_json(path, help="a saved run is a file")
    try:
        _RUNS(data, "")
    except FormError as error:
        raise fail("A403", f"'{path}' is no saved run of `archinspect latency`", notes=[str(error)]) from None
    rows: list[dict[str, Any]] = next((run["layers"] for run in data["runs"] if run["layers"]), [])
    times: dict[str, float] = {}
    for row in rows:
        layers = row.get("layers", [row["name"]])
        if layers:
            times[layers[0]] = times.get(layers[0], 0.0) + float(row["ms"]) / 1000
    return times


#: what is read of a saved run
_RUNS = mapping(
    {
        "runs": listed(
            mapping(
                {"layers": listed(mapping({"name": text, "ms": no_less_than_zero}, {"layers": listed(text)}))}
            )
        )
    }
)

_FIGURES: dict[str, Callable[[Card], float]] = {
    "params": lambda card: card.figures.params,
    "macs": lambda card: card.figures.macs,
    "memory": lambda card: card.figures.activations * _BYTES,
}


def _latency(graph: Graph, times: Mapping[str, float]) -> Callable[[Card], float]:
    unknown = [name for name in times if name not in graph.by_name]
    if unknown or not times:
        note = f"no layer is named '{unknown[0]}'" if unknown else "it has no rows of layers"
        raise fail("A403", "the saved run is not one of this network's layers", notes=[note])
    return lambda card: sum(times.get(graph.nodes[i].name, 0.0) for i in card.nodes)
