"""Receptive fields: how many input pixels an output element depends on, also across branches.

Theoretical fields, as in Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks",
Distill: the input is taken to go on beyond its borders, so a field may be larger than the image and then reads padding.
A join sees what the farthest-seeing of its branches sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..geometry import Reach
from ..graph import Graph, Node
from ..ops.base import Positions

#: input pixels per side, (height, width) where the sides differ, None for an input without positions
Field = int | tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Path:
    """How far outputs see along one way back to the input: reaches to apply in turn, the layer's own first."""

    reaches: tuple[Reach, ...] = (Reach(1, 0),)

    def inputs(self, outputs: int) -> int:
        for reach in self.reaches:
            outputs = reach.inputs(outputs)
        return outputs

    def through(self, reach: Reach) -> _Path:
        """The path of a layer that reads this one."""
        first, *rest = self.reaches
        if reach.divisor == 1:  # two exact steps make one
            joined = Reach(first.step * reach.step, first.step * reach.span + first.span, first.divisor)
            return _Path((joined, *rest))
        return _Path((reach, *self.reaches))

    @property
    def growth(self) -> tuple[int, int]:
        """Inputs per output in the long run, as (inputs, outputs): after `outputs` more, `inputs` more are read."""
        steps = math.prod(reach.step for reach in self.reaches)
        return steps, math.prod(reach.divisor for reach in self.reaches)

    def sees_as_far_as(self, other: _Path) -> bool:
        """Whether this path never reads fewer inputs than the other, for any number of outputs."""
        (step, period), (other_step, other_period) = self.growth, other.growth
        if step * other_period < other_step * period:
            return False
        both = math.lcm(period, other_period)  # each grows by a fixed amount over one common period
        return all(self.inputs(n) >= other.inputs(n) for n in range(1, both + 1))


_Paths = tuple[_Path, ...]
_HERE: _Paths = (_Path(),)
_SAME = Reach(0, 0)
_NONE, _VERTICAL, _HORIZONTAL = frozenset[int](), frozenset((0,)), frozenset((1,))
_IMAGE: Positions = (_NONE, _NONE, _VERTICAL, _HORIZONTAL)
_TOKENS: Positions = (_NONE, _VERTICAL, _NONE)


def receptive_fields(graph: Graph) -> tuple[Field, ...]:
    """The receptive field of one output element of each node."""
    if len(graph.input_shape) < 3:
        return (None,) * len(graph.nodes)
    image = len(graph.input_shape) == 4
    sizes = graph.input_shape[2:] if image else (graph.input_shape[1], 1)
    positions: list[Positions] = [_IMAGE if image else _TOKENS]
    paths: list[tuple[_Paths, _Paths]] = [(_HERE, _HERE)]
    for node in graph.layers:
        before = [positions[source] for source in node.inputs]
        paths.append((_of(node, before, paths, sizes, 0), _of(node, before, paths, sizes, 1)))
        positions.append(node.op.positions(before))
    return tuple(_field(vertical, horizontal) for vertical, horizontal in paths)


def _of(
    node: Node,
    before: Sequence[Positions],
    paths: Sequence[tuple[_Paths, _Paths]],
    sizes: Sequence[int],
    axis: int,
) -> _Paths:
    """What a layer sees along one axis of the image."""
    seen = paths[node.inputs[0]][axis] if len(node.inputs) == 1 else _joined(node, paths, axis)
    if any(axis in place[dim] for place in before for dim in node.op.mixes(node.input_shapes)):
        return _everything(sizes[axis], seen)
    windows = node.op.windows(node.input_shapes)
    if windows is not None:
        for window, along in zip(windows, before[0][2:], strict=True):
            if axis in along:
                seen = _through(seen, window.reach)
    return seen


def _joined(node: Node, paths: Sequence[tuple[_Paths, _Paths]], axis: int) -> _Paths:
    """What a join sees along an axis: the union of its branches; all its outputs read the same cell of a 1×1 map."""
    found: list[_Path] = []
    for source, shape in zip(node.inputs, node.input_shapes, strict=True):
        spread = len(shape) == 4 and shape[2 + axis] == 1 < node.output_shape[2 + axis]
        found += _through(paths[source][axis], _SAME) if spread else paths[source][axis]
    return _farthest(found)


def _through(paths: _Paths, reach: Reach) -> _Paths:
    return tuple([path.through(reach) for path in paths])


def _everything(size: int, seen: _Paths) -> _Paths:
    """The whole image, and the padding that is seen already."""
    field = max(size, *(path.inputs(1) for path in seen))
    return (_Path((Reach(0, field - 1),)),)


def _farthest(paths: Iterable[_Path]) -> _Paths:
    """The paths that matter: without those that never see farther than another."""
    kept: list[_Path] = []
    for path in dict.fromkeys(paths):
        if not any(other.sees_as_far_as(path) for other in kept):
            kept = [other for other in kept if not path.sees_as_far_as(other)]
            kept.append(path)
    return tuple(kept)


def _field(vertical: _Paths, horizontal: _Paths) -> Field:
    height = max([path.inputs(1) for path in vertical])
    width = max([path.inputs(1) for path in horizontal])
    return height if height == width else (height, width)
