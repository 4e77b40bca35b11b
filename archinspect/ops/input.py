"""The network's input: node 0 of every graph.  It is no layer, so a spec cannot name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import NO_COST, Cost, Op, Shape, Shapes


@dataclass(frozen=True, repr=False)
class Input(Op):
    """Where the network's tensor comes in; `sizes` is its shape, batch first."""

    type: ClassVar[str] = "input"
    category: ClassVar[str] = "shape"
    arity: ClassVar[int | None] = 0

    sizes: Shape

    def shape(self, inputs: Shapes) -> Shape:
        return self.sizes

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def __str__(self) -> str:
        return "x".join(map(str, self.sizes))
