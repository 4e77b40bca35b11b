"""Receptive fields: how many input pixels an output element depends on, also across branches.

Theoretical fields, as in Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks",
Distill: the input is taken to go on beyond its borders, so a field may be larger than the image and then reads padding.
It is the distance from the first pixel to the last that an output element depends on, of the element that sees
farthest.

For each value two things are known: along which of its dimensions the positions of the image lie, and for each spatial
axis which pixels each position reads (`Along`).  That is exact (`_Table`) where windows repeat after a few positions:
every window of each position is looked at.  Where the period grows too long, or a slice of unknown place was taken, two
straight lines take the table's place (`_Lines`), between which all that is read lies.  So the time is linear in the
number of layers, a field is never too small, and each says whether it is exact (`Proof`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from ..geometry import AdaptiveWindow, Axis, Resampling, TransposedWindow, Window, regrouped
from ..graph import Graph, Node
from ..ops.base import Positions, Shape
from ..ops.tensor import TensorOp

#: input pixels per side, (height, width) where the sides differ, None without positions or where a way is unknown
Field = int | tuple[int, ...] | None

#: how a field is known: it is that; at most that; the layer reads the whole input (as attention does); not at all
Proof = Literal["exact", "upper bound", "whole input", "unknown"]

_LONGEST_PERIOD = 2048  # positions of one table
_MOST_READS = 1 << 14  # windows of all positions of a table, element by element
_LARGEST_DIVISOR = 1 << 40

_NOWHERE = frozenset[int]()


class _Table(NamedTuple):
    """The first and last input pixel of each position, which repeat: `shift` pixels farther after each period.

    None for a position that reads no pixel, as between the inputs of a transposed convolution.  `slack`: all pixels may
    lie so many farther on, behind a slice whose beginning is not known.  Not `exact`: less may be read.
    """

    shift: int
    first: tuple[int | None, ...]
    last: tuple[int | None, ...]
    slack: int = 0
    exact: bool = True

    def at(self, position: int) -> tuple[int, int] | None:
        periods, rest = divmod(position, len(self.first))
        first, last = self.first[rest], self.last[rest]
        if first is None or last is None:
            return None
        return first + periods * self.shift, last + periods * self.shift


class _Lines(NamedTuple):
    """Position p reads no pixel before `slope`·p + `first`, and none after `slope`·p + `last`."""

    slope: Fraction
    first: Fraction
    last: Fraction


class _All(NamedTuple):
    """Every position may read anything: so many pixels, with the padding seen before.

    `local` is what it reads beside that by a way through windows alone, which may lead farther beyond the border.
    """

    pixels: int
    local: _Table | _Lines | None = None


Along = _Table | _Lines | _All

_HERE = _Table(1, (0,), (0,))


class _Seen(NamedTuple):
    """What is known of a value: where positions of the image lie in it, and what they read along each spatial axis.

    A value that does not depend on the image has no axes: `along` is empty.
    """

    positions: Positions
    along: tuple[Along, ...]


class Sight(NamedTuple):
    """A receptive field, and how it is known."""

    field: Field
    proof: Proof


_UNKNOWN = Sight(None, "unknown")


def receptive_fields(graph: Graph) -> tuple[Field, ...]:
    """The receptive field of one output element of each node, in the first input that has positions.

    That is the first with spatial axes, else the first sequence.  None for what does not depend on it, and for what
    depends on an operation that nobody knows the way through.
    """
    return tuple([sight.field for sight in sights(graph)])


def sights(graph: Graph) -> tuple[Sight, ...]:
    """The receptive field of each node as `receptive_fields` has it, and how it is known."""
    chosen = _image(graph)
    if chosen is None:
        return (_UNKNOWN,) * len(graph.nodes)
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
    return tuple([_sight(node, each, sizes) for node, each in zip(graph.nodes, seen, strict=True)])


def _image(graph: Graph) -> tuple[int, list[int]] | None:
    """The input that fields are measured in, and the dimensions along which its positions lie."""
    for meaning in ("space", "sequence"):
        for index in range(graph.inputs):
            dims = [dim for dim, axis in enumerate(graph.axes[index]) if axis == meaning]
            if dims:
                return index, dims
    return None


def _sight(node: Node, seen: _Seen | None, sizes: Sequence[int]) -> Sight:
    if seen is None or not seen.along:
        return _UNKNOWN
    sides, proofs = [], set[Proof]()
    for axis, along in enumerate(seen.along):
        dims = _dims(seen.positions, axis)
        count = node.output_shape[dims[0]] if len(dims) == 1 and len(node.output_shape) > dims[0] else None
        sides.append(_widest(along, count, sizes[axis]))
        surely = not isinstance(along, _Table) or _is_attained(along, count or 1, sides[-1], sizes[axis])
        proofs.add(_PROOFS[type(along)] if surely else "upper bound")
    field = sides[0] if len(set(sides)) == 1 else tuple(sides)
    return Sight(field, next(proof for proof in ("upper bound", "whole input", "exact") if proof in proofs))


_PROOFS: dict[type, Proof] = {_Table: "exact", _Lines: "upper bound", _All: "whole input"}


def _widest(along: Along, count: int | None, size: int | None = None) -> int:
    """The pixels of the position that sees farthest, of so many positions (None: of any).

    Where windows differ, those that read padding count for the pixels of the image (`size`) alone, if others do not.
    """
    if isinstance(along, _All):
        return along.pixels if along.local is None else max(along.pixels, _widest(along.local, count, size))
    if isinstance(along, _Lines):
        return math.floor(along.last - along.first) + 1
    if size is not None and count is not None and len(along.first) > 1:
        return _widest_inside(along, min(count, 2 * _LONGEST_PERIOD), size)
    known = zip(along.first[:count], along.last[:count], strict=True)
    return max(
        [last - first + 1 for first, last in known if first is not None and last is not None], default=0
    )


@lru_cache(maxsize=4096)
def _is_attained(table: _Table, count: int, field: int, size: int) -> bool:
    """Whether some position reads as many pixels, or would if the image went on.

    Where all windows are alike that is so.  Where they differ, the widest may be one that always reads padding.
    """
    pairs = map(table.at, range(len(table.first)))
    widths = {pair[1] - pair[0] for pair in pairs if pair is not None}
    if not table.exact or field > size or table.slack or len(widths) == 1:
        return table.exact
    for position in range(min(count, 2 * _LONGEST_PERIOD)):
        first, last = table.at(position) or (0, -1)
        if min(last, size - 1) - max(first, 0) + 1 >= field:
            return True
    return False


@lru_cache(maxsize=4096)
def _widest_inside(table: _Table, count: int, size: int) -> int:
    whole = inside = clipped = 0
    for position in range(count):
        pair = table.at(position)
        if pair is None:
            continue
        first, last = pair
        whole = max(whole, last - first + 1)
        if first >= 0 and last < size:
            inside = max(inside, last - first + 1)
        else:
            clipped = max(clipped, min(last, size - 1) - max(first, 0) + 1)
    return max(inside, clipped) if inside else whole


def _dims(positions: Positions, axis: int) -> list[int]:
    """The dimensions that positions along an axis of the image lie along."""
    return [dim for dim, axes in enumerate(positions) if axis in axes]


def _of(node: Node, before: Sequence[_Seen | None], sizes: Sequence[int]) -> _Seen | None:
    """What a layer's output sees; None where that is unknown."""
    op, inputs, output = node.op, node.input_shapes, node.output_shape
    sources: list[_Seen] = []
    blind = True
    for source, shape in zip(before, inputs, strict=True):
        if source is None:
            return None
        if not source.along:
            source = _Seen((_NOWHERE,) * len(shape), ())
        elif len(source.positions) != len(shape):
            return None  # another output than the first of its call
        else:
            blind = False
        sources.append(source)
    if blind:
        return _Seen((), ())
    places = [source.positions for source in sources]
    positions = op.positions(places, inputs, output)
    if positions is None:
        return None
    windows, reaches, whole = op.windows(inputs), op.reaches(places, inputs), op.reads_whole(places, inputs)
    found: list[Along] = []
    for axis, size in enumerate(sizes):
        seeing = [
            (source.along[axis], source.positions, shape)
            for source, shape in zip(sources, inputs, strict=True)
            if source.along
        ]
        if axis in whole or op.type.startswith("circular_pad"):
            found.append(_everything(size, [_widest(along, None) for along, _, _ in seeing]))
            continue
        parts: list[Along] = []
        for along, place, shape in seeing:
            dims = _dims(place, axis)
            windowed = windows is not None and any(dim >= len(shape) - len(windows) for dim in dims)
            if windows is not None and windowed:
                for window, dim in zip(windows, range(len(shape) - len(windows), len(shape)), strict=True):
                    if dim in dims:
                        along = _through(along, window, op, (shape[dim], output[dim]), size)
                parts.append(along)
            elif axis in reaches:
                parts.append(_merged(along, node, shape, dims, size))
            else:
                parts.append(_moved(along, node, (place, shape), (positions, output), axis, size))
        found.append(_union(parts, node, positions, axis, size))
    return _Seen(positions, tuple(found))


def _everything(size: int, seen: Iterable[int]) -> _All:
    """The whole image, and the padding that is seen already."""
    return _All(max([size, *seen]))


def _beside(pixels: int, local: Along | None) -> _All:
    """What reads so many pixels, and beside them what `local` reads."""
    if isinstance(local, _All):
        return _All(max(pixels, local.pixels), local.local)
    return _All(pixels, local)


# Ways from a layer's output to its input along one axis.


def _through(along: Along, window: Axis, op: object, counts: tuple[int, int], size: int) -> Along:
    """What the positions of a window's output read; `counts` are positions of its input and output."""
    if isinstance(along, _All):
        local = along.local
        return _beside(along.pixels, local and _through(local, window, op, counts, size))
    if isinstance(along, _Table):
        corners = bool(getattr(op, "align_corners", None))
        table = _table_through(along, window, corners)  # type: ignore[arg-type]
        if table is not None:
            return table
        along = _lines(along)
    return _lines_through(along, window, counts, size)


@lru_cache(maxsize=4096)  # layers of a network repeat
def _table_through(table: _Table, window: Hashable, corners: bool) -> _Table | None:
    """Exactly what a window's positions read; None where it takes too long to say, or is not known."""
    period = len(table.first)
    if isinstance(window, Window):
        outputs, inputs = 1, window.stride
    elif isinstance(window, TransposedWindow):
        outputs, inputs = window.stride, 1
    elif isinstance(window, (AdaptiveWindow, Resampling)):
        if isinstance(window, Resampling) and (window.taps > 2 or (window.taps > 1 and corners)):
            return None
        common = math.gcd(window.size, window.outputs)
        outputs, inputs = window.outputs // common, window.size // common
    else:
        return None
    times = period // math.gcd(period, inputs)
    count = outputs * times
    taps = len(_taps(window, 0))
    if count > _LONGEST_PERIOD or taps * count > _MOST_READS:
        ends = _is_ordered(table)
        if not ends or count > _LONGEST_PERIOD:
            return None
    else:
        ends = taps > 2 and _is_ordered(table)
    first: list[int | None] = []
    last: list[int | None] = []
    for position in range(count):
        read = _taps(window, position)
        places = (read[0], read[-1]) if ends and read else read
        pixels = [pair for pair in map(table.at, places) if pair is not None]
        first.append(min([pair[0] for pair in pixels], default=None))
        last.append(max([pair[1] for pair in pixels], default=None))
    return _shortest(
        table._replace(shift=table.shift * (inputs * times // period), first=tuple(first), last=tuple(last))
    )


def _is_ordered(table: _Table) -> bool:
    """Whether a later position reads no earlier pixel, so that a window's ends say what all of it reads."""
    for ends in (table.first, table.last):
        if None in ends:
            return False
        around: list[int] = [*ends, ends[0] + table.shift]  # type: ignore[list-item,operator]
        if any(a > b for a, b in pairwise(around)):
            return False
    return True


def _taps(window: Axis, position: int) -> range | list[int]:
    """The input positions that an output position reads."""
    if isinstance(window, Window):
        start = position * window.stride - window.before
        return range(start, start + window.extent, window.dilation)
    if isinstance(window, TransposedWindow):
        reached = position + window.padding
        found = [reached - tap * window.dilation for tap in reversed(range(window.kernel))]
        return [at // window.stride for at in found if at % window.stride == 0]
    if isinstance(window, AdaptiveWindow):
        size, outputs = window.size, window.outputs
        return range(position * size // outputs, -(-(position + 1) * size // outputs))
    assert isinstance(window, Resampling)
    if window.taps == 1:
        at = position * window.size // window.outputs
        return range(at, at + 1)
    # Centres lie on centres: (o + 1/2)·size/outputs − 1/2; on an input exactly, the neighbour's weight is 0.
    at, rest = divmod((2 * position + 1) * window.size - window.outputs, 2 * window.outputs)
    return range(at, at + 2 if rest else at + 1)


def _shortest(table: _Table) -> _Table:
    """The same with the shortest of its periods, of those that are a prime number of times shorter."""
    divisor = 2
    while divisor <= len(table.first):
        part = len(table.first) // divisor
        if len(table.first) % divisor == 0 and table.shift % divisor == 0:
            short = table._replace(
                shift=table.shift // divisor, first=table.first[:part], last=table.last[:part]
            )
            if all(short.at(i) == table.at(i) for i in range(len(table.first))):
                table = short
                continue
        divisor += 1 if divisor == 2 else 2
        if divisor > 64:
            break
    return table


def _lines(table: _Table) -> _Lines:
    """Lines that all pixels of a table lie between."""
    slope = Fraction(table.shift, len(table.first))
    first = [pixel - slope * at for at, pixel in enumerate(table.first) if pixel is not None]
    last = [pixel - slope * at for at, pixel in enumerate(table.last) if pixel is not None]
    return _Lines(slope, min(first, default=Fraction(0)), max(last, default=Fraction(0)) + table.slack)


def _lines_through(lines: _Lines, window: Axis, counts: tuple[int, int], size: int) -> Along:
    slope, first, last = lines
    if isinstance(window, Window):
        begin = -window.before
        step, low, high = Fraction(window.stride), Fraction(begin), Fraction(begin + window.extent - 1)
    elif isinstance(window, TransposedWindow):
        step = Fraction(1, window.stride)
        low, high = (window.padding - window.extent + 1) * step, window.padding * step
    elif isinstance(window, AdaptiveWindow):
        step = Fraction(window.size, window.outputs)
        low, high = Fraction(1 - step.denominator, step.denominator), step - Fraction(1, step.denominator)
    else:
        inputs, outputs = counts
        taps = window.taps if isinstance(window, Resampling) else 1
        step = Fraction(inputs, outputs)
        # Corners on corners are another line, at most |step − 1| away from it.
        apart = abs(step - 1) + Fraction(taps, 2) if taps > 1 else Fraction(0)
        low, high = -1 - apart if taps > 1 else Fraction(1, step.denominator) - 1, apart + (taps > 1)
    return _short(_Lines(slope * step, first + slope * low, last + slope * high))


def _short(lines: _Lines) -> _Lines:
    """Not narrower, and of numbers that do not grow with the number of layers."""
    slope, first, last = lines
    if max(part.denominator for part in lines) <= _LARGEST_DIVISOR:
        return lines
    down = Fraction(math.floor(first * _LARGEST_DIVISOR), _LARGEST_DIVISOR)
    up = Fraction(math.ceil(last * _LARGEST_DIVISOR), _LARGEST_DIVISOR)
    near = slope.limit_denominator(1 << 20)
    # The slopes' difference times the farthest position that any network has.
    room = abs(near - slope) * (1 << 31)
    return _Lines(near, down - room, up + room)


def _merged(along: Along, node: Node, shape: Shape, dims: list[int], size: int) -> Along:
    """What positions read where dimensions are joined to one: (H, W) to H·W tokens."""
    if isinstance(along, _All) or len(dims) != 1:
        return _everything(size, [_widest(along, None)])
    dim = dims[0]
    if isinstance(node.op, TensorOp) and node.op.motion.kind == "stride":
        step = node.op.motion.dims[1]
        return _sliced(along, step, shape[dim] - step * (node.output_shape[dim] - 1) - 1)
    group = _group(node, shape, dim)
    inner = math.prod([shape[other] for other in group if other > dim])
    wraps = any(shape[other] > 1 for other in group if other < dim)
    period = inner * (shape[dim] if wraps else len(along.first) if isinstance(along, _Table) else 1)
    if isinstance(along, _Table) and period <= _LONGEST_PERIOD:
        pixels = [along.at(position // inner) for position in range(period)]
        first = tuple([None if pair is None else pair[0] for pair in pixels])
        last = tuple([None if pair is None else pair[1] for pair in pixels])
        return along._replace(shift=0 if wraps else along.shift, first=first, last=last)
    lines = _lines(along) if isinstance(along, _Table) else along
    if wraps:
        return _anywhere(lines, shape[dim])
    return _Lines(lines.slope / inner, lines.first - lines.slope * Fraction(inner - 1, inner), lines.last)


def _group(node: Node, shape: Shape, dim: int) -> list[int]:
    """The dimensions of the input that are joined with one of them."""
    if node.op.type == "tokens":
        return [2, 3]
    return next((mine for mine, _ in regrouped(shape, node.output_shape) if dim in mine), [dim])


def _anywhere(lines: _Lines, count: int) -> _Lines:
    """The lines of what reads any of `count` positions."""
    ends = (Fraction(0), lines.slope * (count - 1))
    return _Lines(Fraction(0), lines.first + min(ends), lines.last + max(ends))


def _sliced(along: _Table | _Lines, step: int, room: int) -> Along:
    """Every `step`-th position from one of the first `room` + 1 on (from before the first where it is negative)."""
    if isinstance(along, _Table) and len(along.first) == 1 and along.first[0] is not None:
        begin, end = along.at(min(0, room)) or (0, 0)
        return along._replace(
            shift=along.shift * step,
            first=(begin,),
            last=(end,),
            slack=along.slack + along.shift * abs(room),
        )
    slope, first, last = _lines(along) if isinstance(along, _Table) else along
    ends = (slope * min(0, room), slope * max(0, room))
    return _Lines(slope * step, first + min(ends), last + max(ends))


def _moved(
    along: Along,
    node: Node,
    source: tuple[Positions, Shape],
    target: tuple[Positions, Shape],
    axis: int,
    size: int,
) -> Along:
    """What positions read of a layer without windows: what they read before, perhaps a slice of it."""
    if isinstance(along, _All):
        local = along.local
        return _beside(along.pixels, local and _moved(local, node, source, target, axis, size))
    (place, shape), (positions, output) = source, target
    dims, theirs = _dims(place, axis), _dims(positions, axis)
    if not dims:  # one element was taken before: every reader sees what it sees
        return along
    if len(dims) != 1 or len(theirs) > 1:
        return _everything(size, [_widest(along, None)])
    count = shape[dims[0]]
    if not theirs:  # one position was taken, or the only one
        return _fixed(along, count, _selected(node, count))
    if node.op.type == "class_token":
        return _before(along, 1) if isinstance(along, _Table) else _sliced(along, 1, -1)
    if output[theirs[0]] == count:
        if isinstance(node.op, TensorOp) and node.op.type in ("roll", "flip", "fliplr", "flipud", "rot90"):
            return _anywhere(_lines(along) if isinstance(along, _Table) else along, count)
        return along
    if count == 1:  # the one element is repeated
        return _fixed(along, 1, 0)
    return _sliced(along, 1, count - output[theirs[0]])


def _selected(node: Node, count: int) -> int | None:
    if node.op.type != "select_token":
        return None
    index: int = node.op.index  # type: ignore[attr-defined]
    return index % count


def _before(table: _Table, places: int) -> _Table:
    """The table of a value that has so many positions more before the first."""
    pixels = [table.at(position - places) for position in range(len(table.first))]
    return table._replace(
        first=tuple([None if pair is None else pair[0] for pair in pixels]),
        last=tuple([None if pair is None else pair[1] for pair in pixels]),
    )


def _fixed(along: _Table | _Lines, count: int, position: int | None) -> Along:
    """What one of `count` positions reads, wherever the reader stands; None: nobody knows which."""
    if isinstance(along, _Table):
        if position is None and len(along.first) > 1:
            return _anywhere(_lines(along), count)
        slack = along.slack + (along.shift * (count - 1) if position is None else 0)
        first, last = along.at(position or 0) or (None, None)
        return along._replace(shift=0, first=(first,), last=(last,), slack=slack)
    if position is None:
        return _anywhere(along, count)
    at = along.slope * position
    return _Lines(Fraction(0), along.first + at, along.last + at)


# Joins.


def _union(parts: Sequence[Along], node: Node, positions: Positions, axis: int, size: int) -> Along:
    """What a join sees along an axis: what any of its branches sees."""
    if len(parts) > 1:  # slices of unknown places may be different ones
        parts = [_settled(part) if isinstance(part, _Table) else part for part in parts]
    distinct = list(dict.fromkeys(parts))
    if len(distinct) == 1:
        return distinct[0]
    far = [part for part in distinct if isinstance(part, _All) or _is_all(part, size)]
    if far:
        locals_ = [
            part.local if isinstance(part, _All) else part for part in distinct if not _is_all(part, size)
        ]
        ways: list[Along] = [way for way in locals_ if way is not None]
        pixels = max(part.pixels if isinstance(part, _All) else _widest(part, None) for part in far)
        return _beside(pixels, _union(ways, node, positions, axis, size) if ways else None)
    dims = _dims(positions, axis)
    if len(dims) > 1:
        return _everything(size, [_widest(part, None) for part in distinct])
    tables = [part for part in distinct if isinstance(part, _Table)]
    if len(tables) == len(distinct):
        table = _united(tuple(tables), node.output_shape[dims[0]] if dims else 1)
        if table is not None:
            return table
    lines = [
        _lines(part) if isinstance(part, _Table) else part for part in distinct if not isinstance(part, _All)
    ]
    return _between(lines, node.output_shape[dims[0]] if dims else 1)


def _settled(table: _Table) -> _Table:
    """The table of all that a slice of an unknown place may read."""
    if not table.slack:
        return table
    last = tuple([None if pixel is None else pixel + table.slack for pixel in table.last])
    return table._replace(last=last, slack=0, exact=False)


def _is_all(part: Along, size: int) -> bool:
    """Whether every position reads the whole image, as the output of a global pool does wherever it is repeated."""
    if not isinstance(part, _Table) or part.shift or part.first[1:] or part.first[0] is None:
        return False
    return part.first[0] <= 0 and (part.last[0] or 0) >= size - 1


@lru_cache(maxsize=4096)
def _united(tables: tuple[_Table, ...], count: int) -> _Table | None:
    """One table that reads what any of them reads; None where their pixels drift apart, or the period grows long."""
    slopes = {Fraction(table.shift, len(table.first)) for table in tables}
    period = math.lcm(*[len(table.first) for table in tables])
    if len(slopes) > 1 and count > 1:
        return None
    if len(slopes) > 1:
        period = 1
    if period > _LONGEST_PERIOD:
        return None
    first: list[int | None] = []
    last: list[int | None] = []
    for position in range(period):
        pixels = [pair for table in tables if (pair := table.at(position)) is not None]
        first.append(min([pair[0] for pair in pixels], default=None))
        last.append(max([pair[1] for pair in pixels], default=None))
    shift = 0 if len(slopes) > 1 else tables[0].shift * period // len(tables[0].first)
    return _shortest(_Table(shift, tuple(first), tuple(last), exact=all(table.exact for table in tables)))


def _between(parts: Sequence[_Lines], count: int) -> _Lines:
    """Lines that all of these lie between, for so many positions."""
    slope = max(part.slope for part in parts)
    ends = (0, count - 1)
    return _short(
        _Lines(
            slope,
            min(part.first + (part.slope - slope) * end for part in parts for end in ends),
            max(part.last + (part.slope - slope) * end for part in parts for end in ends),
        )
    )
