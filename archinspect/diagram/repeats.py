"""Equal blocks in a row drawn once with ×N; blocks that differ in widths only as the first, and a card for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ..graph import Graph, Node
from . import captions
from .elements import Card, Element, Frame, repeated, total


class Repeats:
    """Finds what repeats among elements of a graph.  Layers with different `marks` are never drawn as one."""

    def __init__(self, graph: Graph, marks: Mapping[int, Any]) -> None:
        self.graph = graph
        self.marks = marks

    def fold(self, elements: list[Element]) -> list[Element]:
        """Runs of equal frames (or scopes drawn as cards) as one."""
        result: list[Element] = []
        run: list[Card | Frame] = []
        signature: Any = None
        for element in [*elements, None]:
            own = self.signature(element)
            if run and own != signature:
                result.append(repeated(run[0], len(run), span_label(run)) if len(run) > 1 else run[0])
                run = []
            if own is not None:
                assert isinstance(element, (Card, Frame))
                run.append(element)
                signature = own
            elif element is not None:
                result.append(element)
        return result

    def signature(self, element: Any) -> tuple[Any, ...] | None:
        """Equal for scopes that draw alike: the same layers, shapes and ways between them.  None for other elements."""
        if not _can_repeat(element):
            return None
        nodes = self.graph.nodes
        first = element.nodes[0]
        return (
            type(element),
            *(
                (
                    _drawn(nodes[i]),
                    self.marks.get(i),
                    nodes[i].output_shape,
                    tuple(max(s - first, -1) for s in nodes[i].inputs),
                )
                for i in element.nodes
            ),
            nodes[first].input_shapes,
        )

    def shorten(self, elements: list[Element]) -> list[Element]:
        """Of three or more frames in a row that differ in widths only: the first, and a card for the others."""
        result: list[Element] = []
        for same, group in groupby(elements, self._likeness):
            run = list(group)
            if same is None or len(run) < 3:
                result += run
                continue
            frames = [frame for frame in run if isinstance(frame, Frame)]
            result += [frames[0], _merged(frames[1:])]
        return result

    def _likeness(self, element: Element) -> tuple[Any, ...] | None:
        """Equal for frames whose layers differ in widths only; None for what is never drawn as one of a series."""
        if not isinstance(element, Frame) or element.repeat > 1 or not element.nodes:
            return None
        first = element.nodes[0]
        layers = [self.graph.nodes[i] for i in element.nodes]
        return element.block, *(
            (captions.title(node), tuple(max(source - first, -1) for source in node.inputs))
            for node in layers
        )


def _can_repeat(element: Element | None) -> bool:
    """Whether the element stands for a scope: a frame, or a scope drawn as one card."""
    return (
        isinstance(element, (Card, Frame))
        and bool(element.nodes)
        and (isinstance(element, Frame) or element.kind == "block")
    )


def _drawn(node: Node) -> Any:
    """What of a layer the picture shows: its op; how often a path is dropped in training is not drawn."""
    return node.op.type if node.op.type == "drop_path" else node.op


def _merged(frames: list[Frame]) -> Card:
    """Blocks in a row as one card."""
    first, last = frames[0], frames[-1]
    ends = [captions.shape_label(shape) for shape in (first.input_shape, last.output_shape)]
    count = f"{len(frames)} {first.block or 'blocks'}".strip()
    return Card(
        first.name,
        "block",
        span_label([*frames]),
        (f"{count} of other widths", " → ".join(ends)),
        tuple(i for frame in frames for i in frame.nodes),
        total((*frames,)),
        first.input_shape,
        last.output_shape,
    )


def span_label(run: list[Card | Frame]) -> str:
    """`block2–4` for block2, block3, block4."""
    first, last = (_label(element) for element in (run[0], run[-1]))
    a, b = (re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last))
    if a and b and a[1] == b[1]:
        return f"{first}–{b[2]}"
    return f"{first} – {last}"


def _label(element: Card | Frame) -> str:
    """The last part of the name; with the one before it where it is a number."""
    head, _, last = element.name.rpartition(".")
    return f"{head.rpartition('.')[2]}.{last}" if last.isdecimal() and head else last
