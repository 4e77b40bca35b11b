"""From elements to boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from ...ops.base import Shape
from ..elements import Branch, Card, Element, Fork, Frame, Net, Side
from .boxes import BlockBox, Stack
from .cards import CardBox
from .columns import Columns, wrap
from .forks import Parallel, Residual, SideWays
from .frames import FrameBox
from .net import NetBox


@dataclass(frozen=True)
class Wrapping:
    """When a sequence is broken into columns: where it would be higher than `limit` px.

    `within` says which sequences may be: 0, only that of the whole picture; 1, those in frames that hold frames (a
    stage of blocks); 2, those in all frames.
    """

    limit: float = inf
    within: int = 2

    def inside(self, frame: Frame) -> Wrapping:
        """How the sequence in the frame is wrapped."""
        may = self.within == 2 or (self.within == 1 and any(isinstance(e, Frame) for e in frame.body))
        return self if may else replace(self, limit=inf)


class Builder:
    """Makes boxes of elements, again and again for other wrappings; what no wrapping changes is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, Wrapping], BlockBox] = {}
        self._highest: dict[int, float] = {}

    def sequence(
        self, elements: tuple[Element, ...], wrapping: Wrapping, *, framed: bool = False
    ) -> Stack | Columns:
        """Elements below each other, wrapped into columns where they would be too high."""
        return wrap(self.boxes(elements, wrapping), shapes_of(elements), wrapping.limit, framed=framed)

    def boxes(self, elements: tuple[Element, ...], wrapping: Wrapping) -> list[BlockBox]:
        """The boxes of a sequence; side outputs pass the widest card or frame."""
        boxes = [self.box(element, wrapping) for element in elements]
        sides = [i for i, element in enumerate(elements) if isinstance(element, Side)]
        if sides:
            whole = (isinstance(element, (Card, Frame)) for element in elements)
            around = max((box.right for box, one in zip(boxes, whole, strict=True) if one), default=0.0)
            for i in sides:
                boxes[i] = SideWays(self._lanes(elements[i], wrapping), around)
        return boxes

    def upright(self, elements: tuple[Element, ...], wrapping: Wrapping) -> Stack:
        """Elements in one column; only what is inside their frames is wrapped."""
        return Stack([self.box(element, wrapping) for element in elements], shapes_of(elements))

    def box(self, element: Element, wrapping: Wrapping) -> BlockBox:
        """The box of one element.  A card's is always made anew: its sequence sets its width."""
        if isinstance(element, Card):
            return CardBox(element)
        if wrapping.limit >= self._highest.get(id(element), inf):
            wrapping = replace(wrapping, limit=inf)
        key = (id(element), wrapping)
        if key not in self._made:
            self._made[key] = self._new(element, wrapping)
            if wrapping.limit == inf:
                self._highest[id(element)] = self._highest_in(element, wrapping)
        return self._made[key]

    def _new(self, element: Frame | Fork | Side | Net, wrapping: Wrapping) -> BlockBox:
        if isinstance(element, Frame):
            return FrameBox(element, self.sequence(element.body, wrapping.inside(element), framed=True))
        if isinstance(element, Side):
            return SideWays(self._lanes(element, wrapping), 0.0)
        if isinstance(element, Net):
            ends = [branch.body[-1].output_shape for branch in element.branches]
            return NetBox(element, self._lanes(element, wrapping), ends)
        return self._fork(element, wrapping)

    def _highest_in(self, element: Frame | Fork | Side | Net, wrapping: Wrapping) -> float:
        """The height of the highest sequence in a frame of the element, when none is wrapped."""
        bodies = (
            [element.body] if isinstance(element, Frame) else [branch.body for branch in element.branches]
        )
        highest = [self._highest.get(id(inner), 0.0) for body in bodies for inner in body]
        if isinstance(element, Frame):
            box = self._made[id(element), wrapping]
            assert isinstance(box, FrameBox)
            highest.append(box.inner.height)
        return max(highest, default=0.0)

    def _fork(self, fork: Fork, wrapping: Wrapping) -> BlockBox:
        """Lanes in parallel when several do comparable work; else the longest on the axis and the others beside it."""
        join = CardBox(fork.join)
        ways = sorted((b for b in fork.branches if b.body), key=_size, reverse=True)
        identities = len(fork.branches) - len(ways)
        if len(ways) > 1 and (fork.join.title == "Concat" or 2 * _size(ways[1]) > _size(ways[0])):
            lanes = [b for b in fork.branches if b.body]
            ends = [lane.body[-1].output_shape for lane in lanes]
            return Parallel([self.upright(b.body, wrapping) for b in lanes], ends, identities, join)
        main = self.upright(ways[0].body, wrapping) if ways else Stack([], [])
        others = [self.upright(way.body, wrapping) for way in ways[1:]]
        empty = identities if ways else identities - 1
        return Residual(main, others + [Stack([], []) for _ in range(empty)], join)

    def _lanes(self, element: Element, wrapping: Wrapping) -> list[Stack]:
        assert isinstance(element, (Side, Net))
        return [self.upright(branch.body, wrapping) for branch in element.branches]


def shapes_of(elements: tuple[Element, ...]) -> list[Shape]:
    """What flows on from each element."""
    return [element.output_shape for element in elements]


def _size(branch: Branch) -> int:
    """Cards that a branch shows."""
    return sum(_cards(element) for element in branch.body)


def _cards(element: Element) -> int:
    if isinstance(element, Card):
        return 1
    if isinstance(element, Frame):
        return sum(map(_cards, element.body))
    return sum(map(_size, element.branches)) + isinstance(element, Fork)
