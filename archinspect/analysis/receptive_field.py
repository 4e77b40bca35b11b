"""Receptive fields: how many input pixels an output element depends on, also across branches.

Theoretical fields, as in Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks",
Distill: the input is taken to go on beyond its borders, so a field may be larger than the image and then reads padding.
A join sees what the farthest-seeing of its branches sees.

For each value two things are known: along which of its dimensions the positions of the image lie, and for each spatial
axis a function, the largest number of neighbouring inputs that n neighbouring outputs read.  The function is the
maximum over a few paths back to the input (`_MOST_PATHS`), each a chain of a few reaches (`_MOST_REACHES`).  Where a
network would need more of them an upper bound takes their place, so the time is linear in the number of layers and a
field is never too small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..geometry import Reach
from ..graph import Graph, Node
from ..ops.base import Positions, Shape

#: input pixels per side, (height, width) where the sides differ, None without positions or where a way is unknown
Field = int | tuple[int, ...] | None

#: reaches to apply in turn, the layer's own first: how far outputs see along one way back to the input
_Path = tuple[Reach, ...]
_Paths = tuple[_Path, ...]

_MOST_PATHS = 8
_MOST_REACHES = 8
_LONGEST_PERIOD = 64  # outputs that are compared one by one
_LARGEST_DIVISOR = 1 << 40

_SAME = Reach(0, 0)  # any number of outputs read one input
_HERE: _Paths = ((Reach(1, 0),),)
_NOWHERE = frozenset[int]()


class _Seen(NamedTuple):
    """What is known of a value: where positions of the image lie in it, and its paths for each spatial axis.

    A value that does not depend on the image has no paths: `paths` is empty.
    """

    positions: Positions
    paths: tuple[_Paths, ...]


def receptive_fields(graph: Graph) -> tuple[Field, ...]:
    """The receptive field of one output element of each node, in the first input that has positions.

    That is the first with spatial axes, else the first sequence.  None for what does not depend on it, and for what
    depends on an operation that nobody knows the way through.
    """
    chosen = _image(graph)
    if chosen is None:
        return (None,) * len(graph.nodes)
    image, dims = chosen
    sizes = [graph.nodes[image].output_shape[dim] for dim in dims]
    seen: list[_Seen | None] = []
    for index, node in enumerate(graph.nodes):
        if index == image:
            along = {dim: frozenset((axis,)) for axis, dim in enumerate(dims)}
            positions = tuple([along.get(dim, _NOWHERE) for dim in range(len(node.output_shape))])
            seen.append(_Seen(positions, (_HERE,) * len(dims)))
        else:
            seen.append(_of(node, [seen[source] for source in node.inputs], sizes))
    fields: dict[int, Field] = {}  # many layers see what the one before them sees
    return tuple([None if each is None else _field(each.paths, fields) for each in seen])


def _image(graph: Graph) -> tuple[int, list[int]] | None:
    """The input that fields are measured in, and the dimensions along which its positions lie."""
    for meaning in ("space", "sequence"):
        for index in range(graph.inputs):
            dims = [dim for dim, axis in enumerate(graph.axes[index]) if axis == meaning]
            if dims:
                return index, dims
    return None


def _of(node: Node, before: Sequence[_Seen | None], sizes: Sequence[int]) -> _Seen | None:
    """What a layer's output sees; None where that is unknown."""
    op, inputs = node.op, node.input_shapes
    sources: list[_Seen] = []
    blind = True
    for source, shape in zip(before, inputs, strict=True):
        if source is None:
            return None
        if not source.paths:
            source = _Seen((_NOWHERE,) * len(shape), ())
        elif len(source.positions) != len(shape):
            return None  # another output than the first of its call
        else:
            blind = False
        sources.append(source)
    if blind:
        return _Seen((), ())
    places = [source.positions for source in sources]
    positions = op.positions(places, inputs, node.output_shape)
    if positions is None:
        return None
    windows, reaches, whole = op.windows(inputs), op.reaches(places, inputs), op.reads_whole(places, inputs)
    alone = len(sources) == 1
    if windows is None and alone and not whole and not reaches:
        return _Seen(positions, sources[0].paths)
    paths: list[_Paths] = []
    for axis, size in enumerate(sizes):
        found = sources[0].paths[axis] if alone else _joined(node, sources, axis)
        if axis in reaches:
            found = _through(found, reaches[axis])
        if axis in whole:
            found = _everything(size, found)
        elif windows is not None:
            for window, along in zip(windows, places[0][-len(windows) :], strict=True):
                if axis in along:
                    found = _through(found, window.reach)
        paths.append(found)
    return _Seen(positions, tuple(paths))


def _joined(node: Node, sources: Sequence[_Seen], axis: int) -> _Paths:
    """What a join sees along an axis: the union of its branches."""
    found: list[_Path] = []
    for source, shape in zip(sources, node.input_shapes, strict=True):
        if not source.paths:
            continue
        spread = _is_spread(source.positions, shape, node.output_shape, axis)
        found += _through(source.paths[axis], _SAME) if spread else source.paths[axis]
    return _farthest(found)


def _is_spread(positions: Positions, shape: Shape, output: Shape, axis: int) -> bool:
    """Whether all outputs along an axis read the same element of an input, as they do of a 1×1 map."""
    if 1 not in shape:
        return False
    offset = len(output) - len(shape)
    for dim, (along, size) in enumerate(zip(positions, shape, strict=True)):
        if axis in along and size == 1 and dim + offset >= 0 and output[dim + offset] > 1:
            return True
    return False


def _through(paths: _Paths, reach: Reach) -> _Paths:
    """The paths of a layer that reads these with that reach."""
    return tuple([_behind(path, reach) for path in paths])


def _behind(path: _Path, own: Reach) -> _Path:
    first, rest = own, path
    while rest and (first.divisor == 1 or rest[0].step <= 1):
        first, rest = _composed(first, rest[0]), rest[1:]
    if not rest:
        return (first,)
    made = (first, *rest)
    return made if len(made) <= _MOST_REACHES else (*made[:-2], _composed(made[-2], made[-1]))


def _composed(first: Reach, second: Reach) -> Reach:
    """Both in turn as one reach.

    Exact where the first divides by 1 or the second steps by at most 1, since nested floors are one; else what is seen
    at most.
    """
    step, divisor = first.step * second.step, first.divisor * second.divisor
    span = second.step * first.span + second.span * first.divisor
    if divisor == 1:
        return Reach(step, span)
    common = math.gcd(step, divisor)
    return _short(Reach(step // common, span // common, divisor // common))


def _short(reach: Reach) -> Reach:
    """Not less than the reach, and of a size that does not grow with the number of layers."""
    if reach.divisor <= _LARGEST_DIVISOR:
        return reach
    shift = reach.divisor.bit_length() - _LARGEST_DIVISOR.bit_length() + 1
    return Reach(-(-reach.step >> shift), -(-reach.span >> shift), reach.divisor >> shift)


def _inputs(path: _Path, outputs: int) -> int:
    """The largest number of neighbouring inputs that so many neighbouring outputs read."""
    for reach in path:
        outputs = reach.inputs(outputs)
    return outputs


def _everything(size: int, seen: _Paths) -> _Paths:
    """The whole image, and the padding that is seen already."""
    field = max([size, *[_inputs(path, 1) for path in seen]])
    return ((Reach(0, field - 1),),)


def _farthest(paths: Iterable[_Path]) -> _Paths:
    """The paths that matter: without those that never see farther than another."""
    distinct = dict.fromkeys(paths)
    if len(distinct) == 1:
        return tuple(distinct)
    kept: list[_Path] = []
    for path in distinct:
        if not any(_sees_as_far(other, path) for other in kept):
            kept = [other for other in kept if not _sees_as_far(path, other)]
            kept.append(path)
    return tuple(kept) if len(kept) <= _MOST_PATHS else ((_bound(kept),),)


def _sees_as_far(path: _Path, other: _Path) -> bool:
    """Whether a path never reads fewer inputs than another, for any number of outputs; False also where it is hard."""
    mine, theirs = _at_most(path), _at_most(other)
    if mine.step * theirs.divisor < theirs.step * mine.divisor:
        return False
    if len(path) == 1 and mine.span * theirs.divisor >= theirs.span * mine.divisor:
        return True
    periods = [math.prod([reach.divisor for reach in each]) for each in (path, other)]
    both = math.lcm(*periods)  # each grows by a fixed amount over one common period
    return both <= _LONGEST_PERIOD and all(_inputs(path, n) >= _inputs(other, n) for n in range(1, both + 1))


def _at_most(path: _Path) -> Reach:
    """One reach that is not less than the path's."""
    found = path[0]
    for reach in path[1:]:
        found = _composed(found, reach)
    return found


def _bound(paths: Sequence[_Path]) -> Reach:
    """One reach that is not less than any of the paths'."""
    reaches = [_at_most(path) for path in paths]
    steepest = reaches[0]
    for reach in reaches:
        if reach.step * steepest.divisor > steepest.step * reach.divisor:
            steepest = reach
    divisor = steepest.divisor
    return Reach(
        steepest.step, max([-(-reach.span * divisor // reach.divisor) for reach in reaches]), divisor
    )


def _field(paths: tuple[_Paths, ...], known: dict[int, Field]) -> Field:
    if not paths:
        return None
    key = id(paths)
    if key not in known:
        sides = tuple([max([_inputs(path, 1) for path in along]) for along in paths])
        known[key] = sides[0] if len(set(sides)) == 1 else sides
    return known[key]
