"""What of a captured module's calls a picture leaves out, and the small modules that it draws as one card.

A recording holds every view and copy, and all arithmetic on positions and masks.  A picture shows what computes: the
rest is added to the card before it, or after it, so that figures and shapes stay true.  A spec has none of this.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node
from ..ops.tensor import TensorOp
from .elements import Card, Element, Figures, Fork, Frame, Net, Side

#: kind of a card that is not drawn
HIDDEN = "hidden"
#: rearrangements that change what a picture is about
_SHOWN = {
    "cat",
    "embedding",
    "fold",
    "gather",
    "index",
    "interpolate",
    "pad",
    "pixel_shuffle",
    "roll",
    "stack",
    "unfold",
}
_MOVES = {"flatten", "identity", "permute", "reshape"}
#: modules that only hold others: their class says nothing
CONTAINERS = {"ModuleDict", "ModuleList", "Sequential"}
_LIGHT = {
    "activation",
    "elementwise",
    "merge",
    "normalisation",
    "pooling",
    "reduction",
    "regularisation",
    "shape",
}


class Bookkeeping:
    """Which calls of a graph are not drawn."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.captured = any(node.parameters is not None for node in graph.layers)
        self.live = set(range(graph.inputs))
        for index, node in enumerate(graph.nodes):
            if not self.live.isdisjoint(node.inputs):
                self.live.add(index)

    def hides(self, index: int) -> bool:
        """Whether a call depends on no input, or only moves data, or does nothing in evaluation."""
        if not self.captured:
            return False
        node = self.graph.nodes[index]
        return index not in self.live or _only_moves(node)

    def one_card(self, frame: Frame) -> Card | None:
        """A module of a few operations without products, such as a norm, as one card with its class's name."""
        if not self.captured or not frame.block or frame.figures.macs:
            return None
        nodes = [self.graph.nodes[index] for index in frame.nodes]
        if any(node.op.category not in _LIGHT for node in nodes):
            return None
        if any(len(parameter.shape) > 1 for node in nodes for parameter in (node.parameters or {}).values()):
            return None
        if any(isinstance(element, (Frame, Net, Side)) for element in frame.body):
            return None
        kind = "normalisation" if "norm" in frame.block.lower() else "activation"
        shapes = frame.input_shape, frame.output_shape
        return Card(frame.name, kind, frame.block, (), frame.nodes, frame.figures, *shapes)


def _only_moves(node: Node) -> bool:
    op = node.op
    if isinstance(op, TensorOp):
        return op.category == "shape" and op.type not in _SHOWN and len(node.inputs) < 2
    return op.type in _MOVES or (op.type.startswith("dropout") and not getattr(op, "p", 1))


def hidden(index: int, graph: Graph) -> Card:
    """A call that is not drawn."""
    node = graph.nodes[index]
    shape = node.input_shapes[0] if node.input_shapes else node.output_shape
    return Card(node.name, HIDDEN, "", (), (index,), Figures.of(graph, index), shape, node.output_shape)


def without_hidden(elements: list[Element], live: set[int]) -> list[Element]:
    """The elements, with what is hidden added to those before or after; one hidden card, where all are."""
    shown: list[Element] = []
    waiting: list[Card] = []
    for element in elements:
        if isinstance(element, Card) and element.kind == HIDDEN:
            flows = not live.isdisjoint(element.nodes)
            if shown and flows:
                shown[-1] = _extended(shown[-1], element)
            else:
                waiting.append(element)
            continue
        for card in reversed(waiting):
            element = _after(card, element)
        waiting = []
        shown.append(element)
    if waiting and shown:
        for card in waiting:
            shown[-1] = _extended(shown[-1], card, shaped=False)
    elif waiting:
        first, last = waiting[0], waiting[-1]
        figures = sum((card.figures for card in waiting), start=Figures())
        nodes = tuple(i for card in waiting for i in card.nodes)
        shown = [replace(first, nodes=nodes, figures=figures, output_shape=last.output_shape)]
    return shown


def _extended(element: Element, card: Card, *, shaped: bool = True) -> Element:
    """The element with a hidden card behind it; `shaped` when what flows has the card's shape."""
    nodes, figures = (*element.nodes, *card.nodes), element.figures + card.figures
    if isinstance(element, Fork):
        join = element.join
        join = replace(join, nodes=(*join.nodes, *card.nodes), figures=join.figures + card.figures)
        if shaped:
            join = replace(join, output_shape=card.output_shape)
        return replace(element, join=join, nodes=nodes, figures=figures)
    element = replace(element, nodes=nodes, figures=figures)
    if shaped and isinstance(element, (Card, Frame)):
        return replace(element, output_shape=card.output_shape)
    return element


def _after(card: Card, element: Element) -> Element:
    """The element with a hidden card before it."""
    element = replace(element, nodes=(*element.nodes, *card.nodes), figures=card.figures + element.figures)
    if isinstance(element, Card) and card.figures.params:  # learnt positions and the like
        return replace(element, parts=(*element.parts, card.name.rpartition(".")[2]))
    return element
