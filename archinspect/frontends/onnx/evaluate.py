"""Results of operators whose inputs are small and known: the constants that shapes are made of.

Plain numpy, in the forms that operators have had since version 9; nothing here is a network's own computation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, isfinite
from typing import Any

import numpy as np

__all__ = ["GROWING", "LARGEST", "evaluate", "is_known"]

Array = np.ndarray[Any, Any]
_Rule = Callable[["_Given"], Sequence[Any]]

#: elements of a result; more is no shape
LARGEST = 1 << 16
#: operators whose result can be much larger than what they read
GROWING = frozenset(["ConstantOfShape", "EyeLike", "Expand", "OneHot", "Range", "Tile"])


class _Given:
    """The inputs of an operator (None where one is left out) and its attributes."""

    def __init__(self, inputs: Sequence[Array | None], attributes: Mapping[str, Any], outputs: int) -> None:
        self.inputs = inputs
        self.attributes = attributes
        self.outputs = outputs

    def __getitem__(self, index: int) -> Array:
        value = self.inputs[index]
        if value is None:
            raise ValueError
        return value

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def get(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def ints(self, name: str, index: int) -> list[int] | None:
        """Whole numbers that older versions have as an attribute and newer ones as an input."""
        if name in self.attributes:
            return [int(value) for value in self.attributes[name]]
        return [int(value) for value in np.ravel(self[index])] if self.has(index) else None


def is_known(op: str) -> bool:
    return op in _RULES


def evaluate(
    op: str, inputs: Sequence[Array | None], attributes: Mapping[str, Any], outputs: int
) -> list[Array] | None:
    """The results, None where they cannot be worked out: other forms of the operator, types that numpy lacks."""
    try:
        with np.errstate(all="ignore"):
            results = _RULES[op](_Given(inputs, attributes, outputs))
            return [np.asarray(result) for result in results]
    except (IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError, ZeroDivisionError):
        return None


def _reduced(function: Callable[..., Any]) -> _Rule:
    def rule(given: _Given) -> Sequence[Any]:
        axes = given.ints("axes", 1)
        if not axes and given.get("noop_with_empty_axes", 0):
            return (given[0],)
        x = given[0]
        along = tuple(axes) if axes else tuple(range(x.ndim))
        return (function(x, axis=along, keepdims=bool(given.get("keepdims", 1))).astype(x.dtype),)

    return rule


def _one(function: Callable[[Array], Any]) -> _Rule:
    return lambda given: (np.asarray(function(given[0])).astype(given[0].dtype),)


def _two(function: Callable[[Array, Array], Any]) -> _Rule:
    return lambda given: (function(given[0], given[1]),)


def _many(function: Callable[[Array, Array], Any]) -> _Rule:
    def rule(given: _Given) -> Sequence[Any]:
        result = given[0]
        for index in range(1, len(given.inputs)):
            result = function(result, given[index])
        return (result,)

    return rule


def _divided(a: Array, b: Array) -> Any:
    """Whole numbers are rounded towards zero, as in C."""
    if a.dtype.kind in "iu":
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)
    return a / b


def _cast(given: _Given) -> Sequence[Any]:
    from .values import NUMPY_TYPES

    return (given[0].astype(NUMPY_TYPES[given.get("to")]),)


def _gathered(given: _Given) -> Sequence[Any]:
    return (np.take(given[0], given[1].astype(np.int64), axis=given.get("axis", 0)),)


def _sliced(given: _Given) -> Sequence[Any]:
    x = given[0]
    starts, ends = given.ints("starts", 1), given.ints("ends", 2)
    if starts is None or ends is None:
        raise ValueError
    axes = given.ints("axes", 3) or list(range(len(starts)))
    steps = given.ints("steps", 4) or [1] * len(starts)
    places = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # An end far below zero with a step back means: up to the first.
        last = None if step < 0 and end < -x.shape[axis] else end
        places[axis] = slice(start, last, step)
    return (x[tuple(places)],)


def _reshaped(given: _Given) -> Sequence[Any]:
    x = given[0]
    sizes = given.ints("shape", 1) or []
    if not given.get("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return (x.reshape(sizes),)


def _unsqueezed(given: _Given) -> Sequence[Any]:
    return (np.expand_dims(given[0], tuple(given.ints("axes", 1) or ())),)


def _squeezed(given: _Given) -> Sequence[Any]:
    axes = given.ints("axes", 1)
    return (np.squeeze(given[0], axis=None if axes is None else tuple(axes)),)


def _split(given: _Given) -> Sequence[Any]:
    x, axis = given[0], given.get("axis", 0)
    sizes = given.ints("split", 1)
    if sizes is None:
        part = ceil(x.shape[axis] / given.outputs)
        return np.split(x, range(part, x.shape[axis], part), axis)
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def _filled(given: _Given) -> Sequence[Any]:
    value = given.get("value")
    filling = np.zeros(1, np.float32) if value is None else _from_proto(value)
    return (np.full([int(size) for size in given[0]], filling.ravel()[0], filling.dtype),)


def _from_proto(value: Any) -> Array:
    from onnx import numpy_helper

    return numpy_helper.to_array(value)


def _range(given: _Given) -> Sequence[Any]:
    start, limit, step = (given[index].ravel()[0].item() for index in range(3))
    if not all(map(isfinite, (start, limit, step))) or (limit - start) / step > LARGEST:
        raise ValueError
    count = max(0, ceil((limit - start) / step))
    return ((start + step * np.arange(count)).astype(given[0].dtype),)


def _clipped(given: _Given) -> Sequence[Any]:
    low = given[1] if given.has(1) else given.get("min")
    high = given[2] if given.has(2) else given.get("max")
    x = given[0]
    x = x if low is None else np.maximum(x, low).astype(x.dtype)
    return (x if high is None else np.minimum(x, high).astype(x.dtype),)


def _cumulated(given: _Given) -> Sequence[Any]:
    if given.get("exclusive", 0) or given.get("reverse", 0):
        raise ValueError
    return (np.cumsum(given[0], axis=int(given[1].ravel()[0])).astype(given[0].dtype),)


def _scattered(given: _Given) -> Sequence[Any]:
    if given.get("reduction", b"none") not in (b"none", "none"):
        raise ValueError
    result = given[0].copy()
    indices = given[1].astype(np.int64)
    result[tuple(np.moveaxis(indices, -1, 0))] = given[2]
    return (result,)


def _triangle(given: _Given) -> Sequence[Any]:
    offset = int(given[1].ravel()[0]) if given.has(1) else 0
    return (np.triu(given[0], offset) if given.get("upper", 1) else np.tril(given[0], offset),)


def _compared(function: Callable[[Array, Array], Any]) -> _Rule:
    return lambda given: (function(given[0], given[1]).astype(bool),)


def _modulo(given: _Given) -> Sequence[Any]:
    function = np.fmod if given.get("fmod", 0) else np.mod
    return (function(given[0], given[1]),)


_RULES: dict[str, _Rule] = {
    "Abs": _one(np.abs),
    "Ceil": _one(np.ceil),
    "Floor": _one(np.floor),
    "Neg": _one(np.negative),
    "Not": _one(np.logical_not),
    "Reciprocal": _one(np.reciprocal),
    "Round": _one(np.round),
    "Sign": _one(np.sign),
    "Sqrt": _one(np.sqrt),
    "Add": _two(np.add),
    "Sub": _two(np.subtract),
    "Mul": _two(np.multiply),
    "Div": _two(_divided),
    "Pow": lambda given: (np.power(given[0], given[1]).astype(given[0].dtype),),
    "Mod": _modulo,
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Sum": _many(np.add),
    "And": _compared(np.logical_and),
    "Or": _compared(np.logical_or),
    "Xor": _compared(np.logical_xor),
    "Equal": _compared(np.equal),
    "Greater": _compared(np.greater),
    "GreaterOrEqual": _compared(np.greater_equal),
    "Less": _compared(np.less),
    "LessOrEqual": _compared(np.less_equal),
    "Where": lambda given: (np.where(given[0], given[1], given[2]),),
    "Cast": _cast,
    "Clip": _clipped,
    "Concat": lambda given: (
        np.concatenate([given[i] for i in range(len(given.inputs))], given.get("axis", 1)),
    ),
    "ConstantOfShape": _filled,
    "CumSum": _cumulated,
    "Expand": lambda given: (given[0] * np.ones([int(n) for n in given[1]], given[0].dtype),),
    "Flatten": lambda given: (
        given[0].reshape(int(np.prod(given[0].shape[: given.get("axis", 1)], dtype=np.int64)), -1),
    ),
    "Gather": _gathered,
    "NonZero": lambda given: (np.asarray(np.nonzero(given[0]), np.int64),),
    "Range": _range,
    "ReduceMax": _reduced(np.max),
    "ReduceMean": _reduced(np.mean),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Reshape": _reshaped,
    "ScatterND": _scattered,
    "Slice": _sliced,
    "Split": _split,
    "Squeeze": _squeezed,
    "Tile": lambda given: (np.tile(given[0], [int(n) for n in given[1]]),),
    "Transpose": lambda given: (np.transpose(given[0], given.get("perm")),),
    "Trilu": _triangle,
    "Unsqueeze": _unsqueezed,
}
