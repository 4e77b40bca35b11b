"""What a part of a network adds to the totals, so that a part that recurs is counted once.

Counts add up.  The peak of activations does not, but follows from four numbers a part: the most it has alive, input
apart, while its input is still needed and after that, what its output holds, and whether that is its input's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar, NamedTuple

from ..analysis.memory import FP32_BYTES
from ..graph import Node
from ..ops import Cost, Op, Shape, Shapes
from ..ops.memory import Call, footprint


class Footprint(NamedTuple):
    """A part's figures: counts, elements of its outputs, and the four numbers of its memory, in elements."""

    params: int
    buffers: int
    macs: int
    flops: int
    complete: bool
    elements: int
    peak_early: int
    peak_late: int
    held: int
    aliases: bool


class Folded(Op):
    """A part as one layer: it knows its output and its footprint, and nothing of what it is made of."""

    type: ClassVar[str] = "folded"
    category: ClassVar[str] = "shape"

    def __init__(self, output: Shape, footprint: Footprint) -> None:
        self.__dict__.update(output=output, footprint=footprint)

    def shape(self, inputs: Shapes) -> Shape:
        output: Shape = self.__dict__["output"]
        return output

    def cost(self, inputs: Shapes, output: Shape) -> Cost | None:
        return None


class Footprints:
    """Footprints of layers, each computed once per op and input shapes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Op, bool, Shapes], Footprint] = {}

    def of(self, node: Node) -> Footprint:
        op = node.op
        if isinstance(op, Folded):
            folded: Footprint = op.__dict__["footprint"]
            return folded
        key = (
            op,
            op.aliases,
            node.input_shapes,
        )  # equal layers may be a view in one place and a copy in another
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _layer(node)
        return found


def _layer(node: Node) -> Footprint:
    cost = node.cost
    size = 0 if node.op.aliases else prod(node.output_shape)
    held = footprint(Call(node.op, node.input_shapes, node.output_shape)) if node.inputs else None
    temporary = held.temporary // FP32_BYTES if held is not None else 0
    return Footprint(
        params=sum([prod(shape) for shape in node.weights.values()]),
        buffers=sum([prod(shape) for shape in node.buffers.values()]),
        macs=cost.macs if cost else 0,
        flops=cost.flops if cost else 0,
        complete=cost is not None,
        elements=size,
        peak_early=size + temporary,
        peak_late=0,
        held=size,
        aliases=node.op.aliases and bool(node.inputs),
    )


def combine(nodes: Sequence[Node], first: int, ends: Sequence[int], footprints: Footprints) -> Footprint:
    """The footprint of `nodes`, whose indices in the network count from `first`; smaller ones are the part's input.

    `ends` are the indices of those whose outputs go on, the part's own output first.
    """
    parts = [footprints.of(node) for node in nodes]
    count = len(nodes)
    outside = -1  # stands for the memory that the part's input lies in
    owner: list[int] = []
    last: list[int] = []
    needed = -1  # the last step that reads the input's memory
    for index, (node, part) in enumerate(zip(nodes, parts, strict=True)):
        own = index
        for position, source in enumerate(node.inputs):
            holder = owner[source - first] if source >= first else outside
            if holder == outside:
                needed = index
            else:
                last[holder] = index
            if part.aliases and not position:
                own = holder
        last.append(index)
        owner.append(own)
    for end in ends:
        if owner[end - first] == outside:
            needed = count
        else:
            last[owner[end - first]] = count
    early, late = _peaks(nodes, parts, first, owner, last, needed)
    main = owner[ends[0] - first]
    return Footprint(
        params=sum([part.params for part in parts]),
        buffers=sum([part.buffers for part in parts]),
        macs=sum([part.macs for part in parts]),
        flops=sum([part.flops for part in parts]),
        complete=all(part.complete for part in parts),
        elements=sum([part.elements for part in parts]),
        peak_early=early,
        peak_late=late,
        held=0 if main == outside else parts[main].held,
        aliases=main == outside,
    )


def _peaks(
    nodes: Sequence[Node],
    parts: Sequence[Footprint],
    first: int,
    owner: Sequence[int],
    last: Sequence[int],
    needed: int,
) -> tuple[int, int]:
    """The most elements alive at once, the input's own apart: while the input is needed, and after."""
    freed = [0] * (len(nodes) + 1)
    alive = early = late = 0
    for index, (node, part) in enumerate(zip(nodes, parts, strict=True)):
        # What a part has alive after its input is of no more use to it: the input goes too, if nobody else needs it.
        holder = owner[node.inputs[0] - first] if node.inputs and node.inputs[0] >= first else -1
        released = parts[holder].held if holder >= 0 and last[holder] == index else 0
        here, then = alive + part.peak_early, alive + part.peak_late - released
        if index < needed:
            early = max(early, here, then)
        elif index == needed:
            early, late = max(early, here), max(late, then)
        else:
            late = max(late, here, then)
        if owner[index] == index:
            alive += part.held
            freed[last[index]] += part.held
        alive -= freed[index]
    return early, late
