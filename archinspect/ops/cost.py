"""The work of a forward pass, by kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one forward pass, by kind; `docs/counting.md` prints the rules.

    `macs` are multiply-accumulates; the other three count single operations.  There is deliberately no field called
    FLOPs: `flops` is derived, so that nobody can mistake one for the other.
    """

    macs: int = 0
    bias_adds: int = 0
    elementwise: int = 0  # additions, multiplications, divisions, roots, exponentials, each as one
    comparisons: int = 0

    @property
    def flops(self) -> int:
        return 2 * self.macs + self.bias_adds + self.elementwise + self.comparisons

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs,
            self.bias_adds + other.bias_adds,
            self.elementwise + other.elementwise,
            self.comparisons + other.comparisons,
        )


NO_COST = Cost()
