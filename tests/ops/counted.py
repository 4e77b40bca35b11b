"""Numbers that count what is done with them: an oracle for costs that knows none of our formulas.

A sign change is free; every other operation counts as one, as docs/counting.md says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from itertools import product
from typing import Any

import torch

from archinspect.ops import Shape


class Number:
    """A float whose operations are counted in `tally`: "+", "·" (with − and /, powers and functions) and "max"."""

    __slots__ = ("tally", "value")

    def __init__(self, value: float, tally: Counter[str]) -> None:
        self.value = value
        self.tally = tally

    def _did(self, kind: str, value: float) -> Number:
        self.tally[kind] += 1
        return Number(value, self.tally)

    def __add__(self, other: Any) -> Number:
        return self._did("+", self.value + value(other))

    def __sub__(self, other: Any) -> Number:
        return self._did("+", self.value - value(other))

    def __mul__(self, other: Any) -> Number:
        return self._did("·", self.value * value(other))

    def __truediv__(self, other: Any) -> Number:
        return self._did("/", self.value / value(other))

    def __rtruediv__(self, other: float) -> Number:
        return self._did("/", other / self.value)

    def __pow__(self, other: float) -> Number:
        return self._did("function", self.value**other)

    def __neg__(self) -> Number:
        return Number(-self.value, self.tally)

    def function(self, name: str) -> Number:
        """exp, log, erf or sqrt of the number."""
        return self._did("function", getattr(math, name)(self.value))

    def larger(self, other: Any) -> Number:
        return self._did("max", max(self.value, value(other)))

    def smaller(self, other: Any) -> Number:
        return self._did("max", min(self.value, value(other)))

    def positive(self) -> bool:
        self.tally["max"] += 1
        return self.value > 0


def value(number: Any) -> float:
    return number.value if isinstance(number, Number) else float(number)


def total(numbers: Iterable[Number]) -> Number:
    """The sum: one addition fewer than there are numbers."""
    return reduce(Number.__add__, numbers)


def largest(numbers: Iterable[Number]) -> Number:
    return reduce(Number.larger, numbers)


def counted(tensor: torch.Tensor, tally: Counter[str]) -> dict[Shape, Number]:
    """A tensor's elements by their index."""
    indices = product(*map(range, tensor.shape))
    return {index: Number(x, tally) for index, x in zip(indices, tensor.flatten().tolist(), strict=True)}


def tensor(elements: dict[Shape, Number], shape: Shape) -> torch.Tensor:
    """The elements as a tensor, to compare their values with torch's."""
    values = [value(elements[index]) for index in product(*map(range, shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)
