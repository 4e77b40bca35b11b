"""What colours the cards: the kind of layer, or a heat map of a figure.

Heat grows with the square root of the figure: in most networks one layer has nearly all parameters, and a linear
ramp would show nothing else.  The legend gives the figures at the ramp's ends and middle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import fail
from ..graph import Graph
from ..units import binary_bytes, brief, seconds
from .elements import Card
from .theme import Swatch, Theme, heated, swatch

COLOURS = ("type", "params", "macs", "memory", "latency")
_WORDS = {"params": "Parameters", "macs": "MACs", "memory": "Output memory", "latency": "Latency"}
_BYTES = 4  # of a float32


@dataclass(frozen=True)
class Heat:
    """Values of the cards of one picture, up to the greatest."""

    colour: str
    value: Callable[[Card], float]
    greatest: float

    def swatch(self, theme: Theme, card: Card) -> Swatch:
        if card.kind == "io":
            return swatch(theme, "io")
        return heated(theme, (self.value(card) / self.greatest) ** 0.5 if self.greatest else 0.0)

    @property
    def title(self) -> str:
        return _WORDS[self.colour]

    def legend(self) -> tuple[str, str, str]:
        """Words at the ramp's beginning, middle and end."""
        return self.text(0), self.text(self.greatest / 4), self.text(self.greatest)

    def text(self, value: float) -> str:
        if self.colour == "latency":
            return seconds(value)
        return binary_bytes(round(value)) if self.colour == "memory" else brief(round(value))


def heat(colour: str, graph: Graph, cards: list[Card], latency: Mapping[str, float] | None) -> Heat | None:
    """The heat map for a colouring; None for colouring by type.  Raises ArchinspectError (A403)."""
    if colour == "type":
        return None
    if colour not in COLOURS:
        raise fail("A403", f"'{colour}' colours nothing", help=f"one of: {', '.join(COLOURS)}")
    if colour == "latency":
        if latency is None:
            raise fail(
                "A403",
                "colouring by latency needs a saved run",
                help="archinspect latency MODEL --layers -o run.json, then --run run.json",
            )
        times = latency
        unknown = [name for name in times if name not in graph.by_name]
        if unknown or not times:
            note = f"no layer is named '{unknown[0]}'" if unknown else "it has no rows of layers"
            raise fail("A403", "the saved run is not one of this network", notes=[note])

        def value(card: Card) -> float:
            return sum(times.get(graph.nodes[i].name, 0.0) for i in card.nodes)

    else:

        def value(card: Card) -> float:
            figures = card.figures
            return {
                "params": figures.params,
                "macs": figures.macs,
                "memory": figures.activations * _BYTES,
            }[colour]

    return Heat(colour, value, max(map(value, cards), default=0.0))


def read_latency(path: str | Path) -> dict[str, float]:
    """Seconds of each layer, from what `archinspect latency --layers -o FILE.json` wrote.

    Raises ArchinspectError (A102, A403) for a file that cannot be read or is something else.
    """
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise fail("A102", f"cannot read '{path}'", notes=[str(error)]) from None
    except json.JSONDecodeError as error:
        raise fail("A403", f"'{path}' is not JSON", notes=[str(error)]) from None
    try:
        runs = data["runs"]
        rows: list[dict[str, object]] = next((run["layers"] for run in runs if run["layers"]), [])
        return {str(row["name"]): float(str(row["ms"])) / 1000 for row in rows}
    except (KeyError, TypeError, ValueError):
        raise fail("A403", f"'{path}' is no saved run of `archinspect latency`") from None
