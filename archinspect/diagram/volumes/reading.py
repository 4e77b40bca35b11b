"""From the elements of a picture to the solids of a picture of volumes, at one of several levels of detail.

What leaves a tensor's shape as it is (normalisation, activation, dropout) is no solid of its own: an activation is a
darker band of what it follows.  A block with branches is drawn in full or as one solid: a residual block with an arc
over it, a module whose branches are concatenated with a band of each branch's channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...graph import Graph
from ...ops.base import Shape
from ..captions import short_name
from ..elements import Card, Element, Figures, Fork, Frame, Net, Side
from ..row import net_card
from .closing import closed, closed_fork, solid_of
from .content import Aside, Extent, Part, Solid, Split, result, solids

_KEEPS_SHAPE = {"activation", "normalisation", "regularisation"}
_SIGNS = {"add": "+", "multiply": "×"}
_MOST_LANES, _LONGEST_LANE = 6, 7  # of a block that is drawn in full


@dataclass(frozen=True)
class Detail:
    """How much to draw: blocks in full "all", the "first" of each kind and size, each kind "once", or "none".

    `most` solids of a run and `groups` of the picture are drawn, the rest counted.  `expand`: scopes to open at any
    rate; `depth` closes scopes below it.
    """

    blocks: str
    most: int
    groups: int = 1000
    expand: tuple[str, ...] = ()
    depth: int | None = None


class Reader:
    """Reads the elements of one network, in which no repeats are folded."""

    def __init__(self, graph: Graph, detail: Detail) -> None:
        self.graph = graph
        self.detail = detail
        self.drawn: set[tuple[Any, ...]] = set()  # blocks that have been drawn in full

    def parts(self, elements: tuple[Element, ...], *, opened: bool = False) -> list[Part]:
        """Solids and splits of a sequence; `opened` when it is the inside of a block that is drawn in full."""
        found: list[Part] = []
        for element in elements:
            if isinstance(element, Card):
                solid = self._card(element)
                found += [solid] if solid else []
            elif isinstance(element, Frame):
                found += self._frame(element)
            elif isinstance(element, Side):
                found += self._asides(element)
            elif isinstance(element, Net):
                card = net_card(element)
                found.append(solid_of(card, "block", card.title, Extent.of(card.output_shape)))
            else:
                found += self._fork(element, element.name.rpartition(".")[0] or element.name, opened)
        return found

    def _frame(self, frame: Frame) -> list[Part]:
        if not _is_block(frame) and not self._too_deep(frame.name):
            return self.parts(frame.body)
        if self._opens(frame.name, _like(frame), frame.output_shape):
            saved = set(self.drawn)
            inside = self.parts(frame.body, opened=True)
            if frame.name in self.detail.expand or _fits(inside):
                return self._named(inside, frame)
            self.drawn = saved
        return [closed(self.graph, frame)]

    def _fork(self, fork: Fork, name: str, opened: bool) -> list[Part]:
        whole = closed_fork(self.graph, fork, name)
        if not opened and not self._opens(name, (name,), fork.output_shape):
            return [whole]
        lanes = [tuple(self.parts(branch.body)) for branch in fork.branches]
        drawn = tuple(lane for lane in lanes if lane)
        if not drawn or len(drawn) > _MOST_LANES:
            return [whole]
        sign = _SIGNS.get(self.graph.nodes[fork.join.nodes[0]].op.type, "")
        longest = max(range(len(drawn)), key=lambda i: len(drawn[i]))
        straight = longest if sign or len(drawn) == 1 else None
        join = None if sign else whole
        return [Split(drawn, len(lanes) - len(drawn), join, sign, whole, straight)]

    def _card(self, card: Card) -> Solid | None:
        if card.kind == "io":
            return None
        if card.kind == "block":
            return solid_of(card, "block", card.parts[0], Extent.of(card.output_shape))
        node = self.graph.nodes[card.nodes[0]]
        op: Any = node.op
        same = card.input_shape == card.output_shape
        if same and (card.kind in _KEEPS_SHAPE or card.kind == "shape"):
            return None
        if op.type in ("flatten", "permute", "identity", "tokens", "select_token", "mean_tokens"):
            return None
        active = any(self.graph.nodes[i].op.category == "activation" for i in card.nodes[1:])
        kernel = getattr(op, "kernel_size", None)
        channels_last = op.type == "linear"
        extent = Extent.of(card.output_shape, channels_last=channels_last)
        size = f"{card.output_shape[1]} tokens" if len(card.output_shape) == 3 else ""
        return Solid(
            card,
            card.kind,
            card.title.replace(", stride ", ", /"),
            _short(card.title, short_name(node)),
            extent,
            active and not extent.flat,
            kernel if card.kind in ("convolution", "pooling") else None,
            size=size,
        )

    def _asides(self, side: Side) -> list[Part]:
        found: list[Part] = []
        for branch in side.branches:
            if not branch.body:
                continue
            nodes = tuple(i for element in branch.body for i in element.nodes)
            figures = sum((element.figures for element in branch.body), start=Figures())
            end = branch.body[-1].output_shape
            card = Card(branch.name, "block", branch.name, (), nodes, figures, side.input_shape, end)
            found.append(Aside(solid_of(card, "output", branch.name, Extent.of(end))))
        return found

    def _opens(self, name: str, block: tuple[Any, ...], shape: Shape) -> bool:
        """Whether a block is drawn in full; the first of those like it counts."""
        like = (*block, shape[2:] if self.detail.blocks == "first" else ())
        if any(path == name or path.startswith(name + ".") for path in self.detail.expand):
            return True
        if self.detail.blocks == "none" or self._too_deep(name):
            return False
        first = like not in self.drawn
        self.drawn.add(like)
        return first or self.detail.blocks == "all"

    def _named(self, parts: list[Part], frame: Frame) -> list[Part]:
        """The parts of a block with branches; captions name the block once, with its last part."""
        if not any(isinstance(part, Split) for part in parts):
            return parts
        whole = closed(self.graph, frame)
        *rest, last = parts
        named = replace(last, result=whole) if isinstance(last, Split) else last
        if isinstance(named, Split) and named.join and named.join.bands:
            named = replace(named, join=whole)
        elif isinstance(named, Solid):
            named = replace(named, words=whole.words)
        return [*map(_unnamed, rest), named]

    def _too_deep(self, name: str) -> bool:
        depth = self.detail.depth
        return depth is not None and name.count(".") + 1 >= depth and name not in self.detail.expand


def _is_block(frame: Frame) -> bool:
    """Whether a scope is a unit to draw as one; otherwise its contents are drawn in its place."""
    if any(isinstance(element, Fork) for element in frame.body):
        return True
    scopes = [element for element in frame.body if isinstance(element, Frame)]
    layers = sum(len(scope.body) for scope in scopes) + len(frame.body) - len(scopes)
    inner = sum(map(_is_block, scopes))  # a gate within a block is part of it; blocks in a row make a stage
    return bool(frame.block) and layers > 1 and (not inner or (inner == 1 and len(frame.body) > 1))


def _like(frame: Frame) -> tuple[Any, ...]:
    """Equal for scopes of one block, with and without branches apart."""
    return frame.block or frame.label, any(isinstance(element, Fork) for element in frame.body)


def _unnamed(part: Part) -> Part:
    """Without words for the caption."""
    if isinstance(part, Solid):
        return replace(part, words="")
    return replace(part, result=replace(part.result, words="")) if isinstance(part, Split) else part


def _fits(parts: list[Part]) -> bool:
    """Whether a block is small enough to be drawn in full."""
    return len(parts) <= _LONGEST_LANE and all(
        len(lane) <= _LONGEST_LANE and _fits(list(lane))
        for part in parts
        if isinstance(part, Split)
        for lane in part.lanes
    )


def _short(title: str, name: str) -> str:
    """`3×3 /2` for "Conv 3×3, stride 2", `pool 3×3` for "MaxPool 3×3, stride 1"."""
    text = title.replace(", stride ", " /")
    for long, brief in (
        ("Conv ", ""), ("Depthwise conv ", "dw "), ("Transposed conv ", "up "), ("MaxPool ", "pool "),
        ("AvgPool ", "pool "), ("Global AvgPool", "avg"), ("Global MaxPool", "max"), ("Linear", "fc"),
    ):  # fmt: skip
        if text.startswith(long):
            return (brief + text[len(long) :]).strip()
    return name if len(text) > 16 else text


def main_path(parts: list[Part]) -> list[Solid]:
    """The tensors that the parts leave on the main path, in order."""
    return [solid for solid in map(result, parts) if solid is not None]


def every_extent(parts: list[Part]) -> list[Extent]:
    """Extents of all that is drawn."""
    return [solid.extent for solid in solids(parts)]
