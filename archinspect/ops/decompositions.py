"""Layers of several operations, operation by operation: the memory that follows from PyTorch's own steps.

Each function at the end repeats the forward of a module of `archinspect.pytorch.modules` on sketches: tensors of which
only shape, strides and storage are known.  A storage lives as long as a variable, a sketch or the tape refers to it, as
in PyTorch, so the peak of a pass, what autograd keeps and the peak of the backward pass follow without a formula.
`tests/pytorch/test_memory.py` holds each against the module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import isqrt, prod
from typing import Any

from .base import Shape
from .memory import Call, Footprint

__all__ = ["DECOMPOSED", "decomposed"]

#: bytes of an element of an index, of a mask, and of what is in fp32 whatever the precision
_INDEX, _MASK, _FP32 = 8, 1, 4

Strides = tuple[int, ...]


class _Storage:
    """Memory that is alive as long as something refers to it; `owner` is set where it is not the layer's own."""

    __slots__ = ("bytes", "owner", "tape")

    def __init__(self, tape: _Tape, size: int, owner: int | None = None) -> None:
        self.tape, self.owner = tape, owner
        self.bytes = size if owner is None else 0
        tape.allocate(self.bytes)

    def __del__(self) -> None:
        self.tape.alive -= self.bytes


#: the owner of a parameter's memory; that of an input is its number
_PARAMETER = -1


class _Tape:
    """What is alive, the most that was, and with `gradients` the operations that the backward pass goes through."""

    def __init__(self, call: Call, gradients: bool) -> None:
        self.call, self.gradients = call, gradients
        self.alive = self.peak = self.peak_at_start = 0
        self.records: list[_Record] = []
        self.starting: Callable[[], bool] = lambda: False

    def allocate(self, size: int) -> None:
        self.alive += size
        self.peak = max(self.peak, self.alive)
        if self.starting():
            self.peak_at_start = max(self.peak_at_start, self.alive)

    def new(self, shape: Shape, size: int | None = None, strides: Strides | None = None) -> _Sketch:
        """A tensor in memory of its own."""
        size = self.call.size if size is None else size
        return _Sketch(shape, strides or _dense(shape), _Storage(self, prod(shape) * size), size)

    def given(self, shape: Shape, owner: int, needs: bool) -> _Sketch:
        """A tensor in somebody else's memory."""
        made = _Sketch(shape, _dense(shape), _Storage(self, 0, owner), self.call.size)
        if needs and self.gradients:
            _Record([made], [], lambda gradients: [], [])
        return made

    def parameter(self, *shape: int) -> _Sketch:
        return self.given(shape, _PARAMETER, self.call.learns)

    def go_back(self, output: _Sketch) -> None:
        """The backward pass, from a gradient of the output that nobody else holds."""
        record, place = output.record, output.place
        assert record is not None
        self.gradients = False
        start = self.new(output.shape, output.size)
        self.peak = self.peak_at_start = 0
        alive = [True]
        start.storage = _Watched(self, start.storage, alive)
        self.starting = lambda: alive[0]
        self.allocate(0)
        record.gradients[place] = start
        del start, output
        while self.records:
            record = self.records.pop()
            if record.leaf or all(each is None for each in record.gradients):
                record.saved.clear()
                continue
            record.run()


class _Watched(_Storage):
    """The memory of the gradient that the backward pass begins with, which says when it is gone."""

    __slots__ = ("flag",)

    def __init__(self, tape: _Tape, before: _Storage, flag: list[bool]) -> None:
        self.tape, self.owner, self.bytes, self.flag = tape, None, before.bytes, flag
        before.bytes = 0

    def __del__(self) -> None:
        self.flag[0] = False
        super().__del__()


#: gradients of an operation's results to gradients of what it read; None where there is none
Backward = Callable[[list["_Sketch | None"]], Sequence["_Sketch | None"]]


class _Record:
    """An operation that the backward pass goes back through; what it saved is let go of when it has run."""

    __slots__ = ("backward", "gradients", "leaf", "saved", "sources")

    def __init__(
        self,
        made: Sequence[_Sketch],
        sources: Sequence[_Sketch],
        backward: Backward,
        saved: Sequence[_Sketch],
    ) -> None:
        self.backward, self.leaf = backward, not sources
        self.saved = [each.storage for each in saved]
        self.sources = [(each.record, each.place) for each in sources]
        self.gradients: list[_Sketch | None] = [None] * len(made)
        tape = made[0].tape
        tape.records.append(self)
        for place, each in enumerate(made):
            each.record, each.place = self, place

    def run(self) -> None:
        gradients, self.gradients = self.gradients, []
        made = list(self.backward(gradients))
        gradients.clear()
        self.saved.clear()
        self.backward = lambda gradients: []
        for source, place in self.sources:
            gradient = made.pop(0)
            if source is not None and gradient is not None:
                source.receive(place, gradient)
            del gradient

    def receive(self, place: int, gradient: _Sketch) -> None:
        """Add to the gradient that is there: in place where nobody else holds its memory, and nobody watches."""
        before = self.gradients[place]
        if before is None:
            self.gradients[place] = gradient
        elif before.tape.call.watched or sys.getrefcount(before) > 3 or sys.getrefcount(before.storage) > 2:
            self.gradients[place] = before.like()


class _Sketch:
    """A tensor by shape, strides, storage and the bytes of an element."""

    __slots__ = ("place", "record", "shape", "size", "storage", "strides")

    def __init__(self, shape: Shape, strides: Strides, storage: _Storage, size: int) -> None:
        self.shape, self.strides, self.storage, self.size = shape, strides, storage, size
        self.record: _Record | None = None
        self.place = 0

    @property
    def tape(self) -> _Tape:
        return self.storage.tape

    def like(self, size: int | None = None) -> _Sketch:
        """New memory for the same shape, in the order of dimensions that it has in memory."""
        return self.tape.new(self.shape, size or self.size, _ordered(self.shape, self.strides))

    def noted(self, sources: Sequence[_Sketch], backward: Backward, saved: Sequence[_Sketch] = ()) -> _Sketch:
        """Itself, as the result of an operation with one gradient."""
        if self.tape.gradients and any(source.record for source in sources):
            _Record([self], sources, backward, saved)
        return self

    def _seen_as(self, shape: Shape, strides: Strides) -> _Sketch:
        return _Sketch(shape, strides, self.storage, self.size)

    # Views, whose gradients are views as well, and copies.

    def permute(self, *order: int) -> _Sketch:
        shape, strides = ([each[at] for at in order] for each in (self.shape, self.strides))
        back = [order.index(at) for at in range(len(order))]
        return self._seen_as(tuple(shape), tuple(strides)).noted([self], lambda g: [_one(g).permute(*back)])

    def transpose(self, one: int, other: int) -> _Sketch:
        order = list(range(len(self.shape)))
        order[one], order[other] = order[other], order[one]
        return self.permute(*order)

    def reshape(self, *shape: int) -> _Sketch:
        """A view where the strides allow one, else a copy."""
        strides, whole = _viewed(self.shape, self.strides, shape), self.shape
        made = self.tape.new(shape, self.size) if strides is None else self._seen_as(shape, strides)
        return made.noted([self], lambda g: [_one(g).reshape(*whole)])

    def expand(self, *shape: int) -> _Sketch:
        more, own = len(shape) - len(self.shape), self.shape
        steps = zip((1,) * more + own, (0,) * more + self.strides, shape, strict=True)
        strides = tuple([step if size == wanted else 0 for size, step, wanted in steps])
        return self._seen_as(shape, strides).noted([self], lambda g: [_one(g).summed_to(own)])

    def copied(self) -> _Sketch:
        return self.tape.new(self.shape, self.size).noted([self], lambda g: [_one(g)])

    def part(self, dim: int, length: int, step: int = 1) -> _Sketch:
        """A slice; its gradient is a tensor of the whole, with zeros around it."""
        whole, size = self.shape, self.size
        if length == whole[dim] and step == 1:
            return self
        shape = (*whole[:dim], length, *whole[dim + 1 :])
        strides = (*self.strides[:dim], self.strides[dim] * step, *self.strides[dim + 1 :])
        return self._seen_as(shape, strides).noted([self], lambda g: [_one(g).tape.new(whole, size)])

    def split(self, sizes: Sequence[int], dim: int) -> list[_Sketch]:
        """Parts, whose gradients are joined."""
        whole, size = self.shape, self.size
        parts = [self._seen_as((*whole[:dim], each, *whole[dim + 1 :]), self.strides) for each in sizes]
        if self.tape.gradients and self.record:
            _Record(parts, [self], lambda gs: [_any(gs).tape.new(whole, size)], [])
        return parts

    def unbind(self) -> list[_Sketch]:
        """The parts along the first dimension, without it."""
        whole, size = self.shape, self.size
        parts = [self._seen_as(whole[1:], self.strides[1:]) for _ in range(whole[0])]
        if self.tape.gradients and self.record:
            _Record(parts, [self], lambda gs: [_any(gs).tape.new(whole, size)], [])
        return parts

    def summed_to(self, shape: Shape) -> _Sketch:
        return self if prod(shape) == prod(self.shape) else self.tape.new(shape, self.size)

    # Operations with one operand.

    def elementwise(self, *, keeps: str = "", size: int | None = None) -> _Sketch:
        """A function of single elements; autograd keeps its `input`, its `output`, or neither."""
        made = self.like(size)
        saved = {"input": [self], "output": [made]}.get(keeps, [])
        return made.noted([self], lambda g: [_one(g).like()], saved)

    def softmax(self) -> _Sketch:
        return self.elementwise(keeps="output")

    def masked_fill(self, mask: _Sketch) -> _Sketch:
        return self.like().noted([self], lambda g: [_one(g).like()], [mask])

    def dropout(self) -> _Sketch:
        call = self.tape.call
        if not call.training or not getattr(call.op, "dropout", 0):
            return self
        return self.times(self.like())

    def repeated(self, count: int, dim: int) -> _Sketch:
        """Every element along a dimension so many times (`repeat_interleave`)."""
        before, own, after = self.shape[:dim], self.shape[dim], self.shape[dim + 1 :]
        wide = self.reshape(*before, own, 1, *after).expand(*before, own, count, *after)
        return wide.copied().reshape(*before, own * count, *after)

    def padded(self, shape: Shape) -> _Sketch:
        """With a border; where it has none a copy all the same."""
        own = self.shape
        return self.tape.new(shape, self.size).noted([self], lambda g: [_one(g).tape.new(own, _one(g).size)])

    def summed(self, dim: int) -> _Sketch:
        shape, own = (*self.shape[:dim], *self.shape[dim + 1 :]), self.shape

        def backward(gradients: list[_Sketch | None]) -> list[_Sketch | None]:
            g = _one(gradients)
            return [g.reshape(*g.shape[:dim], 1, *g.shape[dim:]).expand(*own)]

        return self.tape.new(shape, self.size).noted([self], backward)

    def chosen(self, indices: _Sketch) -> _Sketch:
        """Rows by indices (`self[indices]`), which are kept; the gradient is a tensor of all rows."""
        whole = self.shape
        return self.tape.new((*indices.shape, *whole[1:]), self.size).noted(
            [self], lambda g: [_written(_one(g), whole)], [indices]
        )

    # Operations with two operands.

    def plus(self, other: _Sketch) -> _Sketch:
        shapes = self.shape, other.shape
        made = (
            self.like()
            if _broadcast(*shapes) == self.shape
            else self.tape.new(_broadcast(*shapes), self.size)
        )
        needs = self.record, other.record

        def backward(gradients: list[_Sketch | None]) -> list[_Sketch | None]:
            g = _one(gradients)
            return [g.summed_to(shape) if need else None for need, shape in zip(needs, shapes, strict=True)]

        return made.noted([self, other], backward)

    def times(self, other: _Sketch) -> _Sketch:
        shapes = self.shape, other.shape
        made = (
            self.like()
            if _broadcast(*shapes) == self.shape
            else self.tape.new(_broadcast(*shapes), self.size)
        )
        return self._product(made, other, lambda g, shape: g.like().summed_to(shape))

    def bmm(self, other: _Sketch) -> _Sketch:
        made = self.tape.new((*self.shape[:-1], other.shape[-1]), self.size)
        return self._product(made, other, lambda g, shape: g.tape.new(shape, g.size))

    def _product(
        self, made: _Sketch, other: _Sketch, gradient: Callable[[_Sketch, Shape], _Sketch]
    ) -> _Sketch:
        """Each factor's gradient needs the other factor."""
        needs = [(each.record is not None, each.shape) for each in (self, other)]
        saved = [*([self] if other.record else []), *([other] if self.record else [])]

        def backward(gradients: list[_Sketch | None]) -> list[_Sketch | None]:
            g = _one(gradients)
            return [gradient(g, shape) if need else None for need, shape in needs]

        return made.noted([self, other], backward, saved)

    def matmul(self, other: _Sketch) -> _Sketch:
        """Products of matrices: their other dimensions are made one, by a copy where they cannot be seen as one."""
        batch = _broadcast(self.shape[:-2], other.shape[:-2])
        one, two = self._matrices(batch), other._matrices(batch)
        return one.bmm(two).reshape(*batch, self.shape[-2], other.shape[-1])

    def _matrices(self, batch: Shape) -> _Sketch:
        matrix = self.shape[-2:]
        return self.expand(*batch, *matrix).reshape(prod(batch), *matrix)

    def linear(self, weight: _Sketch, bias: _Sketch | None = None) -> _Sketch:
        """x·Wᵀ + b over the last dimension."""
        rows = self.reshape(prod(self.shape[:-1]), self.shape[-1])
        sources = [rows, weight, *([bias] if bias is not None else [])]
        needs = [(each.record is not None, each.shape) for each in sources]

        def backward(gradients: list[_Sketch | None]) -> list[_Sketch | None]:
            g = _one(gradients)
            return [g.tape.new(shape, g.size) if need else None for need, shape in needs]

        saved = [*([rows] if weight.record else []), *([weight] if rows.record else [])]
        made = self.tape.new((rows.shape[0], weight.shape[0]), self.size).noted(sources, backward, saved)
        return made.reshape(*self.shape[:-1], weight.shape[0])


def _one(gradients: Sequence[_Sketch | None]) -> _Sketch:
    (gradient,) = gradients
    assert gradient is not None
    return gradient


def _any(gradients: Sequence[_Sketch | None]) -> _Sketch:
    return next(gradient for gradient in gradients if gradient is not None)


def _written(gradient: _Sketch, whole: Shape) -> _Sketch:
    """A gradient written into zeros; while a dispatch mode watches, into a copy of them."""
    made = gradient.tape.new(whole, gradient.size)
    return made.like() if gradient.tape.call.watched else made


def _joined(parts: Sequence[_Sketch], dim: int) -> _Sketch:
    """`torch.cat`; the gradients are parts of one."""
    shape = parts[0].shape
    whole = (*shape[:dim], sum([part.shape[dim] for part in parts]), *shape[dim + 1 :])
    made = parts[0].tape.new(whole, parts[0].size)
    shapes = [part.shape for part in parts]
    needs = [part.record is not None for part in parts]
    return made.noted(
        parts,
        lambda g: [
            _Sketch(shape, _one(g).strides, _one(g).storage, _one(g).size) if need else None
            for need, shape in zip(needs, shapes, strict=True)
        ],
    )


# Strides, as PyTorch works them out.


def _dense(shape: Shape) -> Strides:
    return tuple([prod(shape[at + 1 :]) for at in range(len(shape))])


def _ordered(shape: Shape, strides: Strides) -> Strides:
    """Dense strides, the dimensions in the order that they have in memory."""
    order = sorted(range(len(shape)), key=lambda at: -strides[at])
    found, step = [0] * len(shape), 1
    for at in reversed(order):
        found[at], step = step, step * shape[at]
    return tuple(found)


def _viewed(shape: Shape, strides: Strides, wanted: Shape) -> Strides | None:
    """Strides of the same memory in another shape; None where it has to be copied (`at::detail::computeStride`)."""
    if prod(shape) == 0 or not wanted:
        return _dense(wanted)
    found = [0] * len(wanted)
    at = len(wanted) - 1
    base = strides[-1] if strides else 1
    count = covered = 1
    for dim in range(len(shape) - 1, -1, -1):
        count *= shape[dim]
        last = dim == 0
        if last or (shape[dim - 1] != 1 and strides[dim - 1] != count * base):
            while at >= 0 and (covered < count or wanted[at] == 1):
                found[at] = covered * base
                covered *= wanted[at]
                at -= 1
            if covered != count:
                return None
            if not last:
                base, count, covered = strides[dim - 1], 1, 1
    return tuple(found) if at == -1 else None


def _broadcast(one: Shape, other: Shape) -> Shape:
    rank = max(len(one), len(other))
    pairs = zip((1,) * (rank - len(one)) + one, (1,) * (rank - len(other)) + other, strict=True)
    return tuple([max(pair) for pair in pairs])


# The footprint of a layer from its passes.


def decomposed(call: Call) -> Footprint | None:
    """The footprint of a layer that is written out here; None for one that is not."""
    forward = DECOMPOSED.get(call.op.type)
    if forward is None:
        return None
    plain = _Tape(call, gradients=False)
    output = forward(plain, *_inputs(plain))
    temporary = plain.peak - output.storage.bytes
    del output
    tape = _Tape(call, gradients=True)
    inputs = _inputs(tape)
    output = forward(tape, *inputs)
    if output.record is None:
        return Footprint(temporary, forward=tape.peak - output.storage.bytes)
    leaves = [record for record in tape.records if record.leaf]
    saved = {id(storage): storage for record in tape.records for storage in record.saved}
    own = output.storage.bytes
    keeps_output = saved.pop(id(output.storage), None) is not None and output.storage.owner is None
    kept = sum([storage.bytes for storage in saved.values()])
    owners = {storage.owner for storage in saved.values()}
    at_most = tape.peak - own - kept
    del saved, inputs
    output.storage.bytes = 0  # it is the caller's
    tape.alive -= own
    gradient = prod(output.shape) * output.size
    tape.go_back(output)
    ends = sum(
        [prod(each.shape) * each.size for leaf in leaves for each in leaf.gradients if each is not None]
    )
    base = kept + gradient + ends
    before = tape.peak_at_start - base
    return Footprint(
        temporary,
        tuple([at for at in range(len(call.inputs)) if at in owners]),
        keeps_output,
        kept,
        at_most,
        max(before, tape.peak + gradient - base),
        before,
    )


def _inputs(tape: _Tape) -> list[_Sketch]:
    shapes = tape.call.inputs
    return [tape.given(shape, at, tape.call.gradient(at)) for at, shape in enumerate(shapes)]


# The layers.


def _self_attention(tape: _Tape, x: _Sketch) -> _Sketch:
    op: Any = tape.call.op
    batch, length, width = x.shape
    heads = (batch, length, op.num_heads, width // op.num_heads)
    projected = x.linear(tape.parameter(3 * width, width), _bias(tape, 3 * width))
    query, key, value = projected.split([width] * 3, 2)
    query, key = query.reshape(*heads).transpose(1, 2), key.reshape(*heads).transpose(1, 2)
    value = value.reshape(*heads).transpose(1, 2)
    if tape.call.attention == "fused":
        mixed = _fused(query, key, value).transpose(1, 2).reshape(batch, length, width)
    else:
        scores = query.elementwise().matmul(key.transpose(2, 3))
        attention = scores.softmax().dropout()
        mixed = attention.matmul(value).transpose(1, 2).reshape(batch, length, width)
    return mixed.linear(tape.parameter(width, width), _bias(tape, width))


def _bias(tape: _Tape, width: int) -> _Sketch | None:
    return tape.parameter(width) if getattr(tape.call.op, "bias", True) else None


def _attention(tape: _Tape, x: _Sketch, *others: _Sketch) -> _Sketch:
    op: Any = tape.call.op
    if op.predicted and not others:
        return _self_attention(tape, x)
    key = others[0] if others else x
    value = others[-1] if others else x
    width, dim = x.shape[2], x.shape[2] // op.num_heads
    shared = dim * (op.kv_heads or op.num_heads)
    sizes = (width, shared, shared)
    biases: list[Any] = [None] * 3
    if op.bias:
        biases = tape.parameter(sum(sizes)).split(sizes, 0)
    if sizes == (width,) * 3 == (width, key.shape[2], value.shape[2]):
        weights = tape.parameter(3 * width, width).split([width] * 3, 0)
    else:
        widths = zip(sizes, (x, key, value), strict=True)
        weights = [tape.parameter(rows, each.shape[2]) for rows, each in widths]
    q, k, v = (each.linear(weights[at], biases[at]) for at, each in enumerate((x, key, value)))
    if op.add_bias_kv:
        more = [tape.parameter(1, 1, shared) for _ in range(2)]
        k = _joined([k, more[0].expand(k.shape[0], 1, shared)], 1)
        v = _joined([v, more[1].expand(v.shape[0], 1, shared)], 1)
    return _mix(tape, q, k, v).linear(tape.parameter(width, width), _bias(tape, width))


def _mix(tape: _Tape, q: _Sketch, k: _Sketch, v: _Sketch, bias: _Sketch | None = None) -> _Sketch:
    """Weighted values of heads: the end of `Attention` and all of `DotProductAttention`."""
    op: Any = tape.call.op
    kv_heads = op.kv_heads or op.num_heads
    q, k, v = (
        part.reshape(*part.shape[:2], heads, part.shape[2] // heads).transpose(1, 2)
        for part, heads in ((q, op.num_heads), (k, kv_heads), (v, kv_heads))
    )
    if op.num_heads > kv_heads:
        group = op.num_heads // kv_heads
        k, v = k.repeated(group, 1), v.repeated(group, 1)
    if tape.call.attention == "fused":
        mixed = _fused(q, k, v)
    else:
        if op.type != "dot_product_attention":
            scores = q.elementwise().matmul(k.transpose(2, 3))
        else:
            if op.scale != 1:
                q = q.elementwise()
            scores = q.matmul(k.transpose(2, 3))
            if bias is not None:
                scores = scores.plus(bias)
        if op.is_causal or op.window is not None:
            ago = tape.new((scores.shape[2], 1), _INDEX).plus(tape.new((scores.shape[3],), _INDEX))
            hidden = ago.elementwise(size=_MASK)
            if op.window is not None:
                hidden = hidden.plus(ago.elementwise(size=_MASK))
            scores = scores.masked_fill(hidden)
        mixed = scores.softmax().dropout().matmul(v)
    return mixed.transpose(1, 2).reshape(mixed.shape[0], mixed.shape[2], op.num_heads * mixed.shape[3])


def _fused(q: _Sketch, k: _Sketch, v: _Sketch) -> _Sketch:
    """Attention whose scores are never written to memory: the result, and a number for each row of scores."""
    made = q.tape.new((*q.shape[:-1], v.shape[-1]), q.size)
    rows = q.tape.new(q.shape[:-1], _FP32)
    shapes = q.shape, k.shape, v.shape
    return made.noted(
        [q, k, v],
        lambda g: [_one(g).tape.new(shape, _one(g).size) for shape in shapes],
        [q, k, v, made, rows],
    )


def _dot_product_attention(tape: _Tape, q: _Sketch, k: _Sketch, v: _Sketch, *bias: _Sketch) -> _Sketch:
    return _mix(tape, q, k, v, *bias)


def _shifted_window_attention(tape: _Tape, x: _Sketch) -> _Sketch:
    op: Any = tape.call.op
    w, heads = op.window_size, op.num_heads
    batch, length, width = x.shape
    rows = op.height or isqrt(length)
    columns = length // rows
    high, wide = rows + -rows % w, columns + -columns % w
    x = x.reshape(batch, rows, columns, width).padded((batch, high, wide, width))
    shifted = op.shift_size and any(w < side for side in (high, wide))
    if shifted:
        x = x.elementwise()
    windows = high // w * (wide // w)
    x = x.reshape(batch, high // w, w, wide // w, w, width).transpose(2, 3)
    x = x.reshape(batch * windows, w * w, width)
    projected = x.linear(tape.parameter(3 * width, width), tape.parameter(3 * width))
    q, k, v = (
        projected.reshape(batch * windows, w * w, 3, heads, width // heads).permute(2, 0, 3, 1, 4).unbind()
    )
    del projected
    scores = q.elementwise().matmul(k.transpose(2, 3))
    index = tape.given((w**4,), _PARAMETER, False)
    bias = tape.parameter((2 * w - 1) ** 2, heads).chosen(index)
    scores = scores.plus(bias.reshape(w * w, w * w, heads).permute(2, 0, 1))
    if shifted:
        mask = _window_mask(tape, high, wide, w)
        mask = tape.new((batch * mask.shape[0], *mask.shape[1:]))
        scores = scores.plus(mask.reshape(batch * windows, 1, w * w, w * w))
        del mask
    x = (
        scores.softmax()
        .matmul(v)
        .transpose(1, 2)
        .reshape(batch * windows, w * w, width)
        .linear(tape.parameter(width, width), tape.parameter(width))
    )
    x = x.reshape(batch, high // w, wide // w, w, w, width).transpose(2, 3)
    x = x.reshape(batch, high, wide, width)
    if shifted:
        x = x.elementwise()
    return x.part(1, rows).part(2, columns).reshape(batch, length, width)


def _window_mask(tape: _Tape, high: int, wide: int, w: int) -> _Sketch:
    parts = tape.new((high, wide))
    parts = parts.reshape(high // w, w, wide // w, w).transpose(1, 2).reshape(high * wide // w**2, w * w)
    apart = tape.new((parts.shape[0], w * w, w * w))
    first = apart.masked_fill(apart.elementwise(size=_MASK))
    return first.masked_fill(apart.elementwise(size=_MASK))


def _merge_patches(tape: _Tape, x: _Sketch) -> _Sketch:
    op: Any = tape.call.op
    batch, length, width = x.shape
    rows = op.height or isqrt(length)
    columns = length // rows
    high, wide = rows + rows % 2, columns + columns % 2
    x = x.reshape(batch, rows, columns, width).padded((batch, high, wide, width))
    parts = [x.part(1, high // 2, 2).part(2, wide // 2, 2) for _ in range(4)]
    return _joined(parts, 3).reshape(batch, high * wide // 4, 4 * width)


def _mixture_of_experts(tape: _Tape, x: _Sketch, logits: _Sketch | None = None) -> _Sketch:
    op: Any = tape.call.op
    width, hidden_features, count = x.shape[2], op.hidden_features, op.num_experts
    tokens, used = x.shape[:2], op.top_k

    def layer(values: _Sketch, rows: int) -> _Sketch:
        weight = tape.parameter(count, rows, values.shape[-1])
        made = weight.chosen(chosen).matmul(values.reshape(*values.shape, 1)).reshape(*tokens, used, rows)
        return made.plus(tape.parameter(count, rows).chosen(chosen)) if op.bias else made

    if logits is None:
        logits = x.linear(tape.parameter(count, width))
    best, chosen = tape.new((*tokens, used)), tape.new((*tokens, used), _INDEX)
    whole = logits.shape
    best = best.noted([logits], lambda g: [_written(_one(g), whole)], [chosen])
    inner = x.reshape(*tokens, 1, width).expand(*tokens, used, width)
    hidden = layer(inner, hidden_features)
    hidden = hidden.elementwise(keeps="output" if op.activation == "relu" else "input")
    if op.gated:
        hidden = hidden.times(layer(inner, hidden_features))
    weighted = layer(hidden, width).times(best.softmax().reshape(*tokens, used, 1))
    return weighted.summed(2)


def _relative_position_bias(tape: _Tape, x: _Sketch) -> _Sketch:
    op: Any = tape.call.op
    length = x.shape[1]
    place = tape.new((length,), _INDEX)
    distance = place.plus(place.reshape(length, 1))
    bucket = distance.like()
    if op.bidirectional:
        bucket = bucket.plus(distance.elementwise(size=_MASK).elementwise(size=_INDEX))
        distance = distance.elementwise()
    else:
        distance = distance.elementwise().elementwise()
    # clamped, divided, its logarithm, divided and multiplied
    far = distance.elementwise().elementwise(size=_FP32).elementwise().elementwise().elementwise()
    far = far.elementwise(size=_INDEX).elementwise().elementwise()
    bucket = bucket.plus(distance.elementwise(size=_MASK).elementwise(size=_INDEX))
    table = tape.parameter(op.num_buckets, op.num_heads)
    whole = table.shape
    made = tape.new((length, length, op.num_heads)).noted(
        [table], lambda g: [_one(g).tape.new(whole, _one(g).size)], [bucket]
    )
    return made.permute(2, 0, 1).reshape(1, op.num_heads, length, length)


#: a layer of the language, and its forward
DECOMPOSED: dict[str, Callable[..., _Sketch]] = {
    "multihead_attention": _attention,
    "dot_product_attention": _dot_product_attention,
    "shifted_window_attention": _shifted_window_attention,
    "merge_patches": _merge_patches,
    "mixture_of_experts": _mixture_of_experts,
    "relative_position_bias": _relative_position_bias,
}
