"""From elements to boxes."""

from __future__ import annotations

from ...ops.base import Shape
from ..elements import Branch, Card, Element, Fork, Frame, Net, Side
from .boxes import BlockBox, Stack
from .cards import CardBox
from .columns import Columns, wrap
from .forks import Parallel, Residual, SideWays
from .frames import FrameBox
from .net import NetBox


def sequence(elements: tuple[Element, ...], limit: float, *, framed: bool = False) -> Stack | Columns:
    """Elements below each other, wrapped into columns where they would be higher than `limit`."""
    boxes = [box_of(element, limit) for element in elements]
    around = max(
        (box.right for box, e in zip(boxes, elements, strict=True) if isinstance(e, (Card, Frame))), default=0
    )
    for i, element in enumerate(elements):
        if isinstance(element, Side):
            boxes[i] = SideWays([_lane(branch, limit) for branch in element.branches], around)
    shapes = [element.output_shape for element in elements]
    return wrap(boxes, shapes, limit, framed=framed)


def upright(elements: tuple[Element, ...], limit: float) -> Stack:
    """Elements in one column; only what is inside their frames is wrapped."""
    return Stack([box_of(element, limit) for element in elements], [e.output_shape for e in elements])


def box_of(element: Element, limit: float) -> BlockBox:
    """The box of one element."""
    if isinstance(element, Card):
        return CardBox(element)
    if isinstance(element, Frame):
        return FrameBox(element, sequence(element.body, limit, framed=True))
    if isinstance(element, Side):
        return SideWays([_lane(branch, limit) for branch in element.branches], 0.0)
    if isinstance(element, Net):
        ends = [branch.body[-1].output_shape for branch in element.branches]
        return NetBox(element, [_lane(branch, limit) for branch in element.branches], ends)
    return _fork(element, limit)


def _fork(fork: Fork, limit: float) -> BlockBox:
    """Lanes in parallel when several do comparable work; else the longest on the axis and the others beside it."""
    join = CardBox(fork.join)
    ways = sorted((b for b in fork.branches if b.body), key=_size, reverse=True)
    identities = len(fork.branches) - len(ways)
    if len(ways) > 1 and (fork.join.title == "Concat" or 2 * _size(ways[1]) > _size(ways[0])):
        lanes = [b for b in fork.branches if b.body]
        ends = [lane.body[-1].output_shape for lane in lanes]
        return Parallel([_lane(lane, limit) for lane in lanes], ends, identities, join)
    main = _lane(ways[0], limit) if ways else Stack([], [])
    others = [_lane(way, limit) for way in ways[1:]]
    empty = identities if ways else identities - 1
    return Residual(main, others + [Stack([], []) for _ in range(empty)], join)


def _lane(branch: Branch, limit: float) -> Stack:
    boxes = [box_of(element, limit) for element in branch.body]
    shapes: list[Shape] = [element.output_shape for element in branch.body]
    return Stack(boxes, shapes)


def _size(branch: Branch) -> int:
    """Cards that a branch shows."""
    return sum(_cards(element) for element in branch.body)


def _cards(element: Element) -> int:
    if isinstance(element, Card):
        return 1
    if isinstance(element, Frame):
        return sum(map(_cards, element.body))
    return sum(map(_size, element.branches)) + isinstance(element, Fork)
