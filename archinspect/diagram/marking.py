"""What differs from another network: marks on the cards, and what only the other has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..analysis.compare import compare
from ..graph import Graph
from .elements import Card, Outline, mapped

State = Literal["same", "changed", "added"]
#: state → (kind of card whose colours it takes, words of the legend)
STATES: dict[State, tuple[str, str]] = {
    "same": ("shape", "Same in both"),
    "changed": ("merge", "Changed"),
    "added": ("pooling", "Only here"),
}


@dataclass(frozen=True)
class Marks:
    """The nodes of a network that differ from another, with words on how; and the other's layers that it lacks."""

    other: str
    nodes: Mapping[int, tuple[State, str]]
    missing: tuple[str, ...]  # their ops

    def state(self, card: Card) -> State:
        """A card is changed when one of its layers is; added when all are."""
        states = {self.nodes[i][0] if i in self.nodes else "same" for i in card.nodes}
        if states == {"added"}:
            return "added"
        return "same" if states <= {"same"} else "changed"

    def kind(self, card: Card) -> str:
        """The kind of card whose colours the card takes."""
        return card.kind if card.kind == "io" else STATES[self.state(card)][0]

    def words(self, card: Card) -> str:
        """What changed, in the first of the card's layers that did."""
        return next(
            (self.nodes[i][1] for i in card.nodes if i in self.nodes and self.nodes[i][0] == "changed"), ""
        )

    def summary(self) -> str:
        """`against resnet50: 12 changed, 3 only here, 2 only there`."""
        states = [state for state, _ in self.nodes.values()]
        counts = (
            (states.count("changed"), "changed"),
            (states.count("added"), "only here"),
            (len(self.missing), f"only there ({_listed(self.missing)})"),
        )
        found = ", ".join(f"{count} {words}" for count, words in counts if count)
        return f"against {self.other}: {found or 'no layer differs'}"


def marks(graph: Graph, other: Graph) -> Marks:
    """Hold the network against another."""
    places = {node.name: index for index, node in enumerate(graph.nodes)}
    nodes: dict[int, tuple[State, str]] = {}
    missing = []
    for difference in compare(other, graph).differences:
        if difference.path_b is None:
            missing.append(other.by_name[difference.path_a or ""].op.type)
        else:
            state: State = "added" if difference.change == "added" else "changed"
            nodes[places[difference.path_b]] = (state, difference.what)
    return Marks(_called(other, graph), nodes, tuple(missing))


def _listed(ops: tuple[str, ...]) -> str:
    """`57 batch_norm2d, relu`: at most three kinds."""
    counts = Counter(ops).most_common()
    words = [f"{count} {op}" if count > 1 else op for op, count in counts[:3]]
    return ", ".join([*words, "…"] if len(counts) > 3 else words)


def _called(other: Graph, graph: Graph) -> str:
    """The other's title; with the arguments that it has of its own where the title is the same."""
    title, own = (str(network.metadata.get("title") or network.name) for network in (other, graph))
    if title != own:
        return title
    settings = [
        f"{name}={value}" for name, value in other.arguments.items() if graph.arguments.get(name) != value
    ]
    return f"{title} ({', '.join(settings)})" if settings else title


def marked(outlines: tuple[Outline, ...], marks: Marks) -> tuple[Outline, ...]:
    """The outlines with what changed written on the cards."""

    def with_words(card: Card) -> Card:
        words = "" if card.kind in ("io", "block") else marks.words(card)
        return replace(card, note=words if len(words) < 44 else words[:42] + "…") if words else card

    return tuple(
        replace(outline, body=mapped(outline.body, with_words), note=marks.summary()) for outline in outlines
    )
