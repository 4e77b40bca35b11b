"""Activations and normalisations as their papers write them, on counted numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .counted import Number, largest, total


def sigmoid(x: Number) -> Number:
    return 1 / ((-x).function("exp") + 1)


def tanh(x: Number) -> Number:
    e = (x * 2).function("exp")
    return (e - 1) / (e + 1)


def relu6(x: Number) -> Number:
    return x.larger(0).smaller(6)


def gelu(x: Number, op: Any) -> Number:
    if op.approximate == "tanh":
        inner = (x * x * x * 0.044715 + x) * math.sqrt(2 / math.pi)
        return x * (tanh(inner) + 1) * 0.5
    return x * ((x / math.sqrt(2)).function("erf") + 1) * 0.5


def elu(x: Number, op: Any) -> Number:
    # Both sides are worked out for every element, as hardware does it.
    grown = (x.function("exp") - 1) * op.alpha
    return x if x.positive() else grown


def slope(x: Number, factor: float) -> Number:
    grown = x * factor
    return x if x.positive() else grown


def softplus(x: Number) -> Number:
    return (x.function("exp") + 1).function("log")


POINTWISE: dict[str, Callable[[Number, Any], Number]] = {
    "relu": lambda x, op: x.larger(0),
    "relu6": lambda x, op: relu6(x),
    "leaky_relu": lambda x, op: slope(x, op.negative_slope),
    "prelu": lambda x, op: slope(x, op.init),
    "elu": elu,
    "sigmoid": lambda x, op: sigmoid(x),
    "tanh": lambda x, op: tanh(x),
    "gelu": gelu,
    "silu": lambda x, op: x * sigmoid(x),
    "mish": lambda x, op: x * tanh(softplus(x)),
    "hardsigmoid": lambda x, op: relu6(x + 3) / 6,
    "hardswish": lambda x, op: x * relu6(x + 3) / 6,
    "scale": lambda x, op: x * op.factor,
    "layer_scale": lambda x, op: x * op.init,
}


def softmax(group: Sequence[Number]) -> list[Number]:
    peak = largest(group)
    grown = [(x - peak).function("exp") for x in group]
    whole = total(grown)
    return [x / whole for x in grown]


def normalised(group: Sequence[Number], eps: float, scale: bool, shift: bool) -> list[Number]:
    """By the group's own mean and variance; a scale of one and a shift of zero are worked out all the same."""
    mean = total(group) / len(group)
    differences = [x - mean for x in group]
    variance = total([d * d for d in differences]) / len(group)
    deviation = (variance + eps).function("sqrt")
    made = [d / deviation for d in differences]
    made = [x * 1.0 for x in made] if scale else made
    return [x + 0.0 for x in made] if shift else made


def local_response(squares: Sequence[Number], x: Number, op: Any) -> Number:
    """`squares` are those of the n neighbouring channels, zeros beyond the first and last."""
    return x / (total(squares) * (op.alpha / op.size) + op.k) ** op.beta
