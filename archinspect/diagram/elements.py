"""What a block diagram consists of, before it has places: cards, frames, forks.

An element stands for layers of the graph (`nodes`, indices) and knows their figures.  A folded element stands for
`repeat` equal runs of layers, of which `nodes` are the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..graph import Graph
from ..ops.base import Shape, numel
from ..units import brief


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over layers: learnable parameters, multiply-accumulates, elements of the activations, layers."""

    params: int = 0
    macs: int = 0
    activations: int = 0
    layers: int = 0
    complete: bool = True

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.params + other.params,
            self.macs + other.macs,
            self.activations + other.activations,
            self.layers + other.layers,
            self.complete and other.complete,
        )

    def times(self, count: int) -> Figures:
        return Figures(
            self.params * count,
            self.macs * count,
            self.activations * count,
            self.layers * count,
            self.complete,
        )

    @classmethod
    def of(cls, graph: Graph, index: int) -> Figures:
        """Those of one call; parameters that several calls read are the first one's."""
        node, params = graph.nodes[index], graph.learnt[index]
        cost = node.cost
        macs = cost.macs if cost else 0
        kept = 0 if node.op.aliases else sum([numel(value.shape) for value in node.values])
        return cls(params, macs, kept, 1, cost is not None)

    def text(self) -> str:
        """`148 k params · 116 M MACs`; empty for layers that have neither."""
        at_least = "" if self.complete else "≥ "
        parts = [f"{brief(self.params)} params"] if self.params else []
        if self.macs or not self.complete:
            parts.append(f"{at_least}{brief(self.macs)} MACs")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Card:
    """One box: a layer with what is fused to it, or a scope drawn as one."""

    name: str
    kind: str
    title: str
    parts: tuple[str, ...]
    nodes: tuple[int, ...]
    figures: Figures
    input_shape: Shape
    output_shape: Shape
    repeat: int = 1
    note: str = ""  # stands instead of the figures
    costs: bool = True  # whether figures or note are written

    @property
    def detail(self) -> str:
        return " · ".join(self.parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """A scope drawn around its elements."""

    name: str
    label: str
    block: str
    body: tuple[Element, ...]
    nodes: tuple[int, ...]
    figures: Figures
    input_shape: Shape
    output_shape: Shape
    repeat: int = 1
    costs: bool = True  # whether its figures are written


@dataclass(frozen=True, slots=True)
class Branch:
    """One way from a fork to its join; empty for an identity."""

    name: str
    body: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches that read the same input, and the card that joins them."""

    branches: tuple[Branch, ...]
    join: Card
    nodes: tuple[int, ...]
    figures: Figures
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        return self.join.output_shape

    @property
    def name(self) -> str:
        return self.join.name


@dataclass(frozen=True, slots=True)
class Side:
    """Ways to outputs beside the main one, which leaves the main path as it is."""

    branches: tuple[Branch, ...]
    nodes: tuple[int, ...]
    figures: Figures
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        return self.input_shape


@dataclass(frozen=True, slots=True)
class Link:
    """A way in a net: from a branch, or from outside (`source` −1 for the first value of `Net.entries`, −2 …)."""

    source: int
    target: int
    value: int  # the node that made what flows


@dataclass(frozen=True, slots=True)
class Net:
    """Branches between which flow is neither a sequence nor parallel; the last is the one that the way goes on from."""

    branches: tuple[Branch, ...]
    links: tuple[Link, ...]
    entries: tuple[int, ...]  # the nodes outside whose values it reads
    nodes: tuple[int, ...]
    figures: Figures
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        return self.branches[-1].body[-1].output_shape

    @property
    def name(self) -> str:
        return self.branches[-1].name


Element = Card | Frame | Fork | Side | Net


@dataclass(frozen=True, slots=True)
class Outline:
    """A whole picture's content: the elements from the input's card to the output's, and the totals."""

    title: str
    subtitle: str
    body: tuple[Element, ...]
    figures: Figures
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    scope: str = ""
    note: str = ""


def total(elements: tuple[Element, ...]) -> Figures:
    """Sum over elements, folded ones counted as often as they stand for."""
    figures = Figures()
    for element in elements:
        figures += element.figures.times(repeat_of(element))
    return figures


def cards_of(elements: tuple[Element, ...]) -> Iterator[Card]:
    """Every card drawn for the elements."""
    for element in elements:
        if isinstance(element, Card):
            yield element
        elif isinstance(element, Frame):
            yield from cards_of(element.body)
        else:
            for branch in element.branches:
                yield from cards_of(branch.body)
            if isinstance(element, Fork):
                yield element.join


def nets_of(elements: tuple[Element, ...]) -> Iterator[Net]:
    """Every net among the elements and in them."""
    for element in elements:
        if isinstance(element, Net):
            yield element
        if isinstance(element, Frame):
            yield from nets_of(element.body)
        elif not isinstance(element, Card):
            for branch in element.branches:
                yield from nets_of(branch.body)


def mapped(
    elements: tuple[Element, ...],
    change: Callable[[Card], Card],
    framed: Callable[[Frame], Frame] = lambda frame: frame,
) -> tuple[Element, ...]:
    """The elements with every card changed, and every frame."""
    result: list[Element] = []
    for element in elements:
        if isinstance(element, Card):
            result.append(change(element))
        elif isinstance(element, Frame):
            result.append(framed(replace(element, body=mapped(element.body, change, framed))))
        else:
            branches = tuple(replace(b, body=mapped(b.body, change, framed)) for b in element.branches)
            if isinstance(element, Fork):
                result.append(replace(element, branches=branches, join=change(element.join)))
            else:
                result.append(replace(element, branches=branches))
    return tuple(result)


def without_costs(elements: tuple[Element, ...], *, notes: bool) -> tuple[Element, ...]:
    """The elements without their figures; with `notes`, what stands instead of them stays."""
    return mapped(
        elements,
        lambda card: replace(card, costs=notes and bool(card.note)),
        lambda frame: replace(frame, costs=False),
    )


def repeat_of(element: Element) -> int:
    return element.repeat if isinstance(element, (Card, Frame)) else 1


def repeated(element: Card | Frame, count: int, label: str) -> Card | Frame:
    """The element standing for a run of `count` equal ones."""
    if isinstance(element, Card):
        return replace(element, repeat=count, title=label)
    return replace(element, repeat=count, label=label)
