"""The base of ops that treat every element alike."""

from __future__ import annotations

from typing import ClassVar

from .base import Cost, Op, Shape, Shapes, numel
from .derivation import product, times


class Pointwise(Op):
    """An op that keeps the shape and does the same few operations on each element."""

    #: operations on one element, and comparisons on one element
    per_element: ClassVar[tuple[int, int]] = (0, 0)

    def shape(self, inputs: Shapes) -> Shape:
        return inputs[0]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        elementwise, comparisons = self.per_element
        count = numel(output)
        return Cost(elementwise=elementwise * count, comparisons=comparisons * count)

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return times(sum(self.per_element), product(output))
