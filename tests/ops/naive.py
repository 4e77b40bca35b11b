"""Ops written as plain loops over counted numbers, from their definitions and nothing of archinspect's arithmetic.

Every function returns its output elements by index.  Positions in the padding take part, as zeros (or −∞ in a max
pool): that is the rule of docs/counting.md.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

from archinspect.ops import Op, Shape

from .counted import Number, largest, total

Elements = dict[Shape, Number]


def conv2d(op: Any, x: Elements, shape: Shape, weights: dict[str, Elements], output: Shape) -> Elements:
    """Every output reads its whole window; what lies outside the input is zero."""
    zero = _number(x, 0.0)
    (top, left) = op.padding if isinstance(op.padding, tuple) else _before(op)
    per_group_in, per_group_out = shape[1] // op.groups, output[1] // op.groups
    made = {}
    for n, o, row, column in product(*map(range, output)):
        products = []
        for c, i, j in product(range(per_group_in), *map(range, op.kernel_size)):
            place = (
                n,
                o // per_group_out * per_group_in + c,
                row * op.stride[0] - top + i * op.dilation[0],
                column * op.stride[1] - left + j * op.dilation[1],
            )
            products.append(x.get(place, zero) * weights["weight"][o, c, i, j])
        made[n, o, row, column] = _sum_and_bias(products, weights, o)
    return made


def conv_transpose2d(
    op: Any, x: Elements, shape: Shape, weights: dict[str, Elements], output: Shape
) -> Elements:
    """Every input writes its whole window; what falls outside the output is thrown away afterwards."""
    per_group_in, per_group_out = shape[1] // op.groups, output[1] // op.groups
    written: dict[Shape, list[Number]] = {}
    for n, c, row, column in product(*map(range, shape)):
        for o, i, j in product(range(per_group_out), *map(range, op.kernel_size)):
            place = (
                n,
                c // per_group_in * per_group_out + o,
                row * op.stride[0] - op.padding[0] + i * op.dilation[0],
                column * op.stride[1] - op.padding[1] + j * op.dilation[1],
            )
            written.setdefault(place, []).append(x[n, c, row, column] * weights["weight"][c, o, i, j])
    made = {}
    for place in product(*map(range, output)):
        products = written.get(place) or [_number(x, 0.0)]
        made[place] = _sum_and_bias(products, weights, place[1])
    return made


def pool(op: Any, x: Elements, shape: Shape, output: Shape) -> Elements:
    """Max and average pooling: the whole window takes part, also where it hangs over the edge."""
    average = op.type == "avg_pool2d"
    outside = _number(x, 0.0 if average else float("-inf"))
    stride = op.stride or op.kernel_size
    dilation = (1, 1) if average else op.dilation
    made = {}
    for n, c, row, column in product(*map(range, output)):
        start = (row * stride[0] - op.padding[0], column * stride[1] - op.padding[1])
        window = [
            x.get((n, c, start[0] + i * dilation[0], start[1] + j * dilation[1]), outside)
            for i, j in product(*map(range, op.kernel_size))
        ]
        if average:
            made[n, c, row, column] = total(window) / _divisor(op, start, shape)
        else:
            made[n, c, row, column] = largest(window)
    return made


def _divisor(op: Any, start: tuple[int, int], shape: Shape) -> int:
    """How many elements PyTorch takes the mean of: those of the input, or of the padded input."""
    count = 1
    for axis in (0, 1):
        border = op.padding[axis] if op.count_include_pad else 0
        first = max(start[axis], -border)
        last = min(start[axis] + op.kernel_size[axis], shape[2 + axis] + border)
        count *= last - first
    return count


def adaptive_pool(op: Op, x: Elements, shape: Shape, output: Shape) -> Elements:
    """Window borders by PyTorch's rule: from ⌊o·size/outputs⌋ up to ⌈(o + 1)·size/outputs⌉."""
    made = {}
    for n, c, row, column in product(*map(range, output)):
        rows, columns = (
            range(o * size // outputs, -((-(o + 1) * size) // outputs))
            for o, size, outputs in ((row, shape[2], output[2]), (column, shape[3], output[3]))
        )
        window = [x[n, c, i, j] for i, j in product(rows, columns)]
        average = op.type == "adaptive_avg_pool2d"
        made[n, c, row, column] = total(window) / len(window) if average else largest(window)
    return made


def _sum_and_bias(products: list[Number], weights: dict[str, Elements], channel: int) -> Number:
    summed = total(products)
    if "bias" in weights:
        summed.tally["bias"] += 1
        summed = Number(summed.value + weights["bias"][(channel,)].value, summed.tally)
    return summed


def _number(x: Elements, value: float) -> Number:
    tally: Counter[str] = next(iter(x.values())).tally
    return Number(value, tally)


def _before(op: Any) -> tuple[int, int]:
    """Zeros before the input that keep its size: half of what the kernel spans beyond one, rounded down."""
    if op.padding == "valid":
        return 0, 0
    return op.dilation[0] * (op.kernel_size[0] - 1) // 2, op.dilation[1] * (op.kernel_size[1] - 1) // 2
