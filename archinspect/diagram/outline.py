"""From the graph's structure to the elements of a block diagram: fuse, collapse, fold.

- convolution or linear · normalisation · activation become one card, across the scopes that wrap them;
- scopes become frames, or cards below the depth asked for; a scope that holds one card is that card;
- consecutive scopes fold into one with ×N when their layers, attributes and shapes are all equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from ..errors import fail, suggestion
from ..graph import Flow, Graph, Item, Join, Layer, Leaf, Scope, SideOutputs, below
from ..ops.base import Shape
from . import captions
from .bookkeeping import CONTAINERS, HIDDEN, Bookkeeping, hidden, without_hidden
from .elements import Branch, Card, Element, Figures, Fork, Frame, Net, Outline, Side, total
from .fusing import collapsed, fused, thinned
from .nets import net, parts_of, with_inputs, with_outputs
from .options import Options
from .repeats import Repeats


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
    if only and folding.depth:
        folding = replace(folding, depth=folding.depth + only.count(".") + 1)  # levels below the scope
    builder = _Builder(graph, folding)
    name = str(graph.metadata.get("title") or graph.name)
    if only:
        frame = builder.scope(scope_paths(graph)[only], only.rpartition(".")[0])
        first = graph.nodes[frame.nodes[0]] if frame.nodes else graph.nodes[0]
        start, end = first.input_shapes[0] if frame.nodes else first.output_shape, frame.output_shape
        alone = (_io("input", start), frame, _io("output", end))
        return Outline(name, only, alone, frame.figures, (start,), (end,), only)
    body = builder.items(graph.structure.items, "", graph.input_shape)
    starts = tuple(node.output_shape for node in graph.nodes[: graph.inputs])
    ends = tuple(graph.nodes[i].output_shape for i in graph.outputs)
    shown = builder.with_ends(body)
    return Outline(name, "", shown, total(body), starts, ends)


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
                found[below(path, scope.name)] = scope
    return found


class _Builder:
    def __init__(self, graph: Graph, folding: Folding) -> None:
        self.graph = graph
        self.folding = folding
        self.repeats = Repeats(graph, folding.marks)
        self.bookkeeping = Bookkeeping(graph)

    def items(self, items: tuple[Item, ...], path: str, shape: Shape) -> tuple[Element, ...]:
        """Elements of a sequence that reads `shape`."""
        made: list[Element] = []
        for item in items:
            if isinstance(item, Flow):
                made += self._net(item, path, shape)
                shape = made[-1].output_shape if made else shape
                continue
            element = self._item(item, path, shape)
            if element is None:
                continue
            shape = element.output_shape
            made.append(element)
        elements = list(self._fused(made))
        if self.folding.repeats:
            elements = self.repeats.fold(elements)
        if self.folding.alike:
            elements = self.repeats.shorten(elements)
        return tuple(elements)

    def _fused(self, made: list[Element]) -> tuple[Element, ...]:
        """Elements of a sequence with what is hidden or only a tail merged into others."""
        elements: list[Element] = []
        for element in without_hidden(made, self.bookkeeping.live):
            one = fused(elements[-1], element) if elements else None
            if one is None:
                elements.append(element)
            else:
                elements[-1] = one
        return tuple(elements)

    def _net(self, flow: Flow, path: str, shape: Shape) -> tuple[Element, ...]:
        """What is not series-parallel, as a net of its layers and scopes."""
        bodies = []
        for item in flow.items:
            grouped = isinstance(item, Scope) and not item.name
            body = self.items(item.items if grouped and isinstance(item, Scope) else (item,), path, shape)
            bodies.append((body, tuple(_nodes_of((item,)))))
        parts = parts_of(self.graph, self.bookkeeping.live, bodies)
        return net(self.graph, parts, self.repeats if self.folding.repeats else None, self._fused)

    def with_ends(self, body: tuple[Element, ...]) -> tuple[Element, ...]:
        """The elements of the whole network between cards of its inputs and outputs.

        Several inputs or outputs become parts of the net that reads or makes them; an output in the middle of a
        sequence is the way on from there.
        """
        graph = self.graph
        first, last = body[:1], body[-1:]
        if graph.inputs > 1:
            inputs = [_io(graph.nodes[i].name, graph.nodes[i].output_shape, i) for i in range(graph.inputs)]
            body = (with_inputs(first, inputs, graph), *body[1:]) if first else tuple(inputs)
        else:
            body = (_io("input", graph.input_shape, 0), *body)
        if last and isinstance(last[0], Net) and isinstance(body[-1], Net):
            outputs = [(_io(self._output(i), graph.nodes[i].output_shape), i) for i in graph.outputs]
            net = with_outputs(body[-1], outputs, graph)
            if net:
                return (*body[:-1], net)
        title = self._output(graph.outputs[0]) if self.bookkeeping.captured and graph.outputs else "output"
        return (*body, _io(title, graph.output_shape))

    def _output(self, index: int) -> str:
        """The title of an output's card: with its name, where there are several."""
        names = dict(zip(self.graph.outputs, self.graph.output_names, strict=False))
        return f"output {names[index]}" if index in names and len(names) > 1 else "output"

    def _output_of(self, branch: Branch, way: Scope | Leaf) -> str:
        """The title of the output that a branch beside the main path ends in."""
        last = max(_nodes_of((way,)), default=-1)
        named = last in self.graph.outputs and bool(self.graph.output_names)
        return self._output(last) if named else f"output {branch.name}"

    def scope(self, scope: Scope, path: str, shape: Shape | None = None) -> Frame:
        """The scope as a frame."""
        path = below(path, scope.name)
        if shape is None:
            first = next(_nodes_of(scope.items), 0)
            shape = self.graph.nodes[first].input_shapes[0] if first else self.graph.input_shape
        body = self.items(scope.items, path, shape)
        block = scope.block.name if scope.block and scope.block.name != scope.name else ""
        if block in CONTAINERS:
            block = ""
        label = scope.name
        if label.isdecimal() and scope.block:
            label = (
                path.rpartition(".")[0].rpartition(".")[2] + "." + label
            )  # `layer1.0`: a number says nothing
        end = body[-1].output_shape if body else shape
        nodes = tuple(_nodes_of(scope.items))
        return Frame(path, label, block, body, nodes, total(body), shape, end)

    def _item(self, item: Layer | Scope | Join | SideOutputs, path: str, shape: Shape) -> Element | None:
        if isinstance(item, Layer):
            return self._layer(item.index)
        if isinstance(item, Scope):
            frame = self.scope(item, path, shape)
            if not frame.body:
                return None
            if len(frame.body) == 1 and isinstance(frame.body[0], Card):
                return replace(frame.body[0], name=frame.name)
            card = self.bookkeeping.one_card(frame)
            if card:
                return card
            return thinned(frame) if self.folding.opens(frame.name) else collapsed(frame)
        branches = tuple(self._branch(branch, path, shape) for branch in item.branches)
        figures = reduce(Figures.__add__, (total(branch.body) for branch in branches), Figures())
        nodes = tuple(_nodes_of((item,)))
        if isinstance(item, SideOutputs):
            ends = (branch.body[-1].output_shape if branch.body else shape for branch in branches)
            ended = tuple(
                replace(branch, body=(*branch.body, _io(self._output_of(branch, way), end)))
                for branch, way, end in zip(branches, item.branches, ends, strict=True)
            )
            return Side(ended, nodes, figures, shape) if branches else None
        join = self._layer(item.index)
        branches = tuple(_shown(branch) for branch in branches)
        if self.bookkeeping.captured and not any(branch.body for branch in branches):
            return replace(
                join, nodes=nodes, figures=figures + join.figures
            )  # one value, several views of it
        return Fork(branches, join, nodes, figures + join.figures, shape)

    def _branch(self, branch: Scope | Leaf, path: str, shape: Shape) -> Branch:
        if isinstance(branch, Leaf):
            return Branch(branch.name, (self._layer(branch.index),))
        inner = below(path, branch.name)
        frame = self.scope(branch, path, shape)
        card = self.bookkeeping.one_card(frame)
        if card:
            return Branch(branch.name, (card,))
        if len(frame.body) > 1 and not self.folding.opens(inner):
            return Branch(branch.name, (collapsed(frame),))
        return Branch(branch.name, frame.body)

    def _layer(self, index: int) -> Card:
        node = self.graph.nodes[index]
        if self.bookkeeping.hides(index):
            return hidden(index, self.graph)
        detail = captions.detail(node)
        return Card(
            node.name,
            captions.kind(node),
            captions.title(node),
            (detail,) if detail else (),
            (index,),
            Figures.of(self.graph, index),
            node.input_shapes[0] if node.input_shapes else node.output_shape,
            node.output_shape,
        )


def _shown(branch: Branch) -> Branch:
    """A branch in which nothing is drawn is an identity."""
    only = branch.body[0] if len(branch.body) == 1 else None
    return replace(branch, body=()) if isinstance(only, Card) and only.kind == HIDDEN else branch


def _io(title: str, shape: Shape, node: int | None = None) -> Card:
    nodes = () if node is None else (node,)
    return Card(title, "io", title, (captions.shape_label(shape),), nodes, Figures(), shape, shape)


def _nodes_of(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        if isinstance(item, (Scope, Flow)):
            yield from _nodes_of(item.items)
            continue
        if isinstance(item, (Join, SideOutputs)):
            yield from _nodes_of(item.branches)
        if not isinstance(item, SideOutputs):
            yield item.index


def _within(path: str, scope: str) -> bool:
    return path == scope or path.startswith(scope + ".")
