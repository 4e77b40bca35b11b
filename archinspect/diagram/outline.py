"""From the graph's structure to the elements of a block diagram: fuse, collapse, fold.

- convolution or linear · normalisation · activation become one card, across the scopes that wrap them;
- scopes become frames, or cards below the depth asked for; a scope that holds one card is that card;
- consecutive scopes fold into one with ×N when their layers, attributes and shapes are all equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby
from typing import Any

from ..errors import fail, suggestion
from ..graph import Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs
from ..ops.base import Shape
from . import captions
from .elements import Branch, Card, Element, Figures, Fork, Frame, Outline, Side, repeated, total
from .options import Options

_HEADS = {"convolution", "linear", "merge", "normalisation", "attention"}
_TAILS = {"normalisation", "activation", "regularisation"}
_MOST_PARTS = 4


@dataclass(frozen=True)
class Folding:
    """How much to draw: levels of scopes (None: all), scopes to open below that, whether repeats fold.

    With `alike`, of blocks in a row that differ in widths only the first is opened; the others are one card.
    """

    depth: int | None = None
    expand: tuple[str, ...] = ()
    repeats: bool = True
    alike: bool = False
    marks: Mapping[int, Any] = field(default_factory=dict)  # what layers must share beside their look to fold

    def opens(self, path: str) -> bool:
        """Whether the scope at `path` is drawn as a frame."""
        if self.depth is None or path.count(".") + 1 < self.depth:
            return True
        return any(_within(path, asked) or _within(asked, path) for asked in self.expand)


def outline(graph: Graph, folding: Folding | None = None, only: str | None = None) -> Outline:
    """The elements of the whole network, or of its scope at the path `only`."""
    folding = folding or Folding()
    builder = _Builder(graph, folding)
    name = str(graph.metadata.get("title") or graph.name)
    if only:
        frame = builder.scope(scope_paths(graph)[only], only.rpartition(".")[0], opened=True)
        first = graph.nodes[frame.nodes[0]] if frame.nodes else graph.nodes[0]
        start, end = first.input_shapes[0] if frame.nodes else first.output_shape, frame.output_shape
        return Outline(name, only, (_io("input", start), frame, _io("output", end)), frame.figures, only)
    body = builder.items(graph.structure.items, "", graph.input_shape)
    whole = (_io("input", graph.input_shape, 0), *body, _io("output", graph.output_shape))
    return Outline(name, "", whole, total(tuple(body)))


def outlines(graph: Graph, options: Options, folding: Folding | None = None) -> tuple[Outline, ...]:
    """What the options ask to draw side by side: the network or some of its scopes, then the networks beside it.

    `folding` stands instead of the options' own.  Raises ArchinspectError (A403) for a scope that no network has.
    """
    folding = folding or Folding(options.depth, options.expand, options.fold)
    networks = (graph, *options.beside)
    found = [scope_paths(network) for network in networks]
    for path in (*options.expand, *options.only):
        if not any(path in scopes for scopes in found):
            help = suggestion(path, found[0], otherwise="`archinspect summary MODEL` lists the names")
            raise fail("A403", f"'{path}' is no scope of {graph.name}", help=help)
    parts: list[Outline] = []
    for network, scopes in zip(networks, found, strict=True):
        own = replace(folding, expand=tuple(path for path in folding.expand if path in scopes))
        wanted = [path for path in options.only if path in scopes] if options.only else [None]
        parts += [outline(network, own, only) for only in wanted]
    return tuple(parts)


def scope_paths(graph: Graph) -> dict[str, Scope]:
    """All named scopes by path, branches among them."""
    found: dict[str, Scope] = {}
    for path, item in graph.walk():
        candidates: Iterable[Any] = (item,)
        if isinstance(item, (Join, SideOutputs)):
            candidates = item.branches
        for scope in candidates:
            if isinstance(scope, Scope):
                found[_join(path, scope.name)] = scope
    return found


class _Builder:
    def __init__(self, graph: Graph, folding: Folding) -> None:
        self.graph = graph
        self.folding = folding

    def items(self, items: tuple[Item, ...], path: str, shape: Shape) -> tuple[Element, ...]:
        """Elements of a sequence that reads `shape`."""
        elements: list[Element] = []
        for item in items:
            element = self._item(item, path, shape)
            if element is None:
                continue
            shape = element.output_shape
            fused = _fused(elements[-1], element) if elements else None
            if fused is None:
                elements.append(element)
            else:
                elements[-1] = fused
        if self.folding.repeats:
            elements = self._folded(elements)
        if self.folding.alike:
            elements = self._series(elements)
        return tuple(elements)

    def scope(self, scope: Scope, path: str, shape: Shape | None = None, *, opened: bool = False) -> Frame:
        """The scope as a frame."""
        path = _join(path, scope.name)
        if shape is None:
            first = next(_nodes_of(scope.items), 0)
            shape = self.graph.nodes[first].input_shapes[0] if first else self.graph.input_shape
        folding = self.folding
        if opened:
            self.folding = replace(folding, expand=(*folding.expand, path))
        body = self.items(scope.items, path, shape)
        self.folding = folding
        block = scope.block.name if scope.block and scope.block.name != scope.name else ""
        end = body[-1].output_shape if body else shape
        nodes = tuple(_nodes_of(scope.items))
        return Frame(path, scope.name, block, body, nodes, total(body), shape, end)

    def _item(self, item: Item, path: str, shape: Shape) -> Element | None:
        if isinstance(item, Layer):
            return self._layer(item.index)
        if isinstance(item, Scope):
            frame = self.scope(item, path, shape)
            if not frame.body:
                return None
            if len(frame.body) == 1 and isinstance(frame.body[0], Card):
                return replace(frame.body[0], name=frame.name)
            return _thinned(frame) if self.folding.opens(frame.name) else _collapsed(frame)
        branches = tuple(self._branch(branch, path, shape) for branch in item.branches)
        figures = reduce(Figures.__add__, (total(branch.body) for branch in branches), Figures())
        nodes = tuple(_nodes_of((item,)))
        if isinstance(item, SideOutputs):
            ends = (branch.body[-1].output_shape if branch.body else shape for branch in branches)
            ended = tuple(
                replace(branch, body=(*branch.body, _io(f"output {branch.name}", end)))
                for branch, end in zip(branches, ends, strict=True)
            )
            return Side(ended, nodes, figures, shape) if branches else None
        join = self._layer(item.index)
        return Fork(branches, join, nodes, figures + join.figures, shape)

    def _branch(self, branch: Scope | Leaf, path: str, shape: Shape) -> Branch:
        if isinstance(branch, Leaf):
            return Branch(branch.name, (self._layer(branch.index),))
        inner = _join(path, branch.name)
        frame = self.scope(branch, path, shape)
        if len(frame.body) > 1 and not self.folding.opens(inner):
            return Branch(branch.name, (_collapsed(frame),))
        return Branch(branch.name, frame.body)

    def _layer(self, index: int) -> Card:
        node = self.graph.nodes[index]
        detail = captions.detail(node)
        return Card(
            node.name,
            node.op.category,
            captions.title(node),
            (detail,) if detail else (),
            (index,),
            Figures.of(node),
            node.input_shapes[0],
            node.output_shape,
        )

    def _folded(self, elements: list[Element]) -> list[Element]:
        """Runs of equal frames (or scopes drawn as cards) as one."""
        result: list[Element] = []
        run: list[Card | Frame] = []
        signature: Any = None
        for element in [*elements, None]:
            own = self._signature(element) if _can_repeat(element) else None
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

    def _signature(self, element: Any) -> tuple[Any, ...]:
        """Equal for elements that draw alike: the same layers, shapes and ways between them."""
        nodes = self.graph.nodes
        first = element.nodes[0]
        return (
            type(element),
            *(
                (
                    _drawn(nodes[i]),
                    self.folding.marks.get(i),
                    nodes[i].output_shape,
                    tuple(max(s - first, -1) for s in nodes[i].inputs),
                )
                for i in element.nodes
            ),
            nodes[first].input_shapes,
        )

    def _series(self, elements: list[Element]) -> list[Element]:
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
        (f"{count}, widths grow", " → ".join(ends)),
        tuple(i for frame in frames for i in frame.nodes),
        total((*frames,)),
        first.input_shape,
        last.output_shape,
    )


def span_label(run: list[Card | Frame]) -> str:
    """`block2–4` for block2, block3, block4."""
    first, last = (element.name.rpartition(".")[2] for element in (run[0], run[-1]))
    a, b = (re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last))
    if a and b and a[1] == b[1]:
        return f"{first}–{b[2]}"
    return f"{first} – {last}"


def _fused(card: Element, tail: Element) -> Element | None:
    """The card with the tail in it, when the tail is a mere normalisation, activation, dropout or flattening."""
    if isinstance(card, Fork):
        join = _fused(card.join, tail)
        if not isinstance(join, Card):
            return None
        figures = Figures() + card.figures + tail.figures
        return replace(card, join=join, nodes=card.nodes + tail.nodes, figures=figures)
    if not isinstance(card, Card) or not isinstance(tail, Card):
        return None
    lead = card.kind in _HEADS and tail.kind in _TAILS and len(tail.nodes) == 1
    flat = card.kind == "pooling" and tail.title == "Flatten" and set(card.output_shape[2:]) == {1}
    dropped = card.kind in ("pooling", "shape") and tail.kind == "regularisation"
    if not (lead or flat or dropped) or len(card.parts) >= _MOST_PARTS:
        return None
    if card.kind == "normalisation" and tail.kind == "normalisation":
        return None
    return replace(
        card,
        parts=(*card.parts, tail.title),
        nodes=card.nodes + tail.nodes,
        figures=card.figures + tail.figures,
        output_shape=tail.output_shape,
    )


def _thinned(frame: Frame) -> Frame:
    """A frame around a single frame is one, with both names."""
    inner = frame.body[0]
    if len(frame.body) > 1 or not isinstance(inner, Frame) or inner.repeat > 1:
        return frame
    return replace(
        frame,
        label=f"{frame.label}.{inner.label}",
        block=inner.block or frame.block,
        body=inner.body,
    )


def _collapsed(frame: Frame) -> Card:
    """A scope as one card."""
    layers = frame.figures.layers
    count = f"{layers} layer{'s' if layers > 1 else ''}"
    parts = (frame.block, count) if frame.block else (count,)
    return Card(
        frame.name,
        "block",
        frame.label,
        parts,
        frame.nodes,
        frame.figures,
        frame.input_shape,
        frame.output_shape,
    )


def _io(title: str, shape: Shape, node: int | None = None) -> Card:
    nodes = () if node is None else (node,)
    return Card(title, "io", title, (captions.shape_label(shape),), nodes, Figures(), shape, shape)


def _can_repeat(element: Element | None) -> bool:
    """Whether the element stands for a scope: a frame, or a scope drawn as one card."""
    return (
        isinstance(element, (Card, Frame))
        and bool(element.nodes)
        and (isinstance(element, Frame) or element.kind == "block")
    )


def _nodes_of(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        if isinstance(item, Scope):
            yield from _nodes_of(item.items)
            continue
        if isinstance(item, (Join, SideOutputs)):
            yield from _nodes_of(item.branches)
        if not isinstance(item, SideOutputs):
            yield item.index


def _within(path: str, scope: str) -> bool:
    return path == scope or path.startswith(scope + ".")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
