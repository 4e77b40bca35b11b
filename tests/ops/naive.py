"""Ops written as plain loops over counted numbers, from their definitions and nothing of archinspect's arithmetic.

Every function returns its output elements by index.  Positions in the padding take part, as zeros (or −∞ in a max
pool): that is the rule of docs/counting.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

from archinspect.ops import Op, Shape

from .counted import Number, largest, total

Elements = dict[Shape, Number]


def convolution(op: Any, x: Elements, shape: Shape, weights: dict[str, Elements], output: Shape) -> Elements:
    """Every output reads its whole window; what lies outside the input is zero."""
    zero = _number(x, 0.0)
    before = op.padding if isinstance(op.padding, tuple) else _before(op)
    per_group_in, per_group_out = shape[1] // op.groups, output[1] // op.groups
    made = {}
    for n, o, *position in product(*map(range, output)):
        products = []
        for c, *tap in product(range(per_group_in), *map(range, op.kernel_size)):
            place = [
                at * stride - pad + i * dilation
                for at, i, stride, pad, dilation in zip(
                    position, tap, op.stride, before, op.dilation, strict=True
                )
            ]
            read = x.get((n, o // per_group_out * per_group_in + c, *place), zero)
            products.append(read * weights["weight"][o, c, *tap])
        made[n, o, *position] = _sum_and_bias(products, weights, o)
    return made


def transposed_convolution(
    op: Any, x: Elements, shape: Shape, weights: dict[str, Elements], output: Shape
) -> Elements:
    """Every input writes its whole window; what falls outside the output is thrown away afterwards."""
    per_group_in, per_group_out = shape[1] // op.groups, output[1] // op.groups
    written: dict[Shape, list[Number]] = {}
    for n, c, *position in product(*map(range, shape)):
        for o, *tap in product(range(per_group_out), *map(range, op.kernel_size)):
            place = [
                at * stride - pad + i * dilation
                for at, i, stride, pad, dilation in zip(
                    position, tap, op.stride, op.padding, op.dilation, strict=True
                )
            ]
            to = (n, c // per_group_in * per_group_out + o, *place)
            written.setdefault(to, []).append(x[n, c, *position] * weights["weight"][c, o, *tap])
    made = {}
    for to in product(*map(range, output)):
        products = written.get(to) or [_number(x, 0.0)]
        made[to] = _sum_and_bias(products, weights, to[1])
    return made


def pool(op: Any, x: Elements, shape: Shape, output: Shape) -> Elements:
    """Max and average pooling: the whole window takes part, also where it hangs over the edge."""
    average = op.type.startswith("avg")
    outside = _number(x, 0.0 if average else float("-inf"))
    strides = op.stride or op.kernel_size
    dilations = (1,) * len(strides) if average else op.dilation
    made = {}
    for n, c, *position in product(*map(range, output)):
        start = [at * stride - pad for at, stride, pad in zip(position, strides, op.padding, strict=True)]
        window = [
            x.get((n, c, *[s + i * d for s, i, d in zip(start, tap, dilations, strict=True)]), outside)
            for tap in product(*map(range, op.kernel_size))
        ]
        if average:
            made[n, c, *position] = total(window) / _divisor(op, start, shape)
        else:
            made[n, c, *position] = largest(window)
    return made


def _divisor(op: Any, start: Sequence[int], shape: Shape) -> int:
    """How many elements PyTorch takes the mean of: those of the input, or of the padded input."""
    count = 1
    for axis, first in enumerate(start):
        border = op.padding[axis] if op.count_include_pad else 0
        last = min(first + op.kernel_size[axis], shape[2 + axis] + border)
        count *= last - max(first, -border)
    return count


def adaptive_pool(op: Op, x: Elements, shape: Shape, output: Shape) -> Elements:
    """Window borders by PyTorch's rule: from ⌊o·size/outputs⌋ up to ⌈(o + 1)·size/outputs⌉."""
    made = {}
    for n, c, *position in product(*map(range, output)):
        spans = [
            range(o * size // outputs, -((-(o + 1) * size) // outputs))
            for o, size, outputs in zip(position, shape[2:], output[2:], strict=True)
        ]
        window = [x[n, c, *place] for place in product(*spans)]
        average = op.type.startswith("adaptive_avg")
        made[n, c, *position] = total(window) / len(window) if average else largest(window)
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


def _before(op: Any) -> list[int]:
    """Zeros before the input that keep its size: half of what the kernel spans beyond one, rounded down."""
    if op.padding == "valid":
        return [0] * len(op.kernel_size)
    return [d * (k - 1) // 2 for d, k in zip(op.dilation, op.kernel_size, strict=True)]
