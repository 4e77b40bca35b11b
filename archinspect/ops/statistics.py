"""What normalisations share that work out mean and variance of their input, over groups of n elements.

Per group: n for the mean, 3·n for the variance (difference, square, sum and division), two for √(σ² + ε), and n
divisions; per element one more each for a learnt scale and a learnt shift.  `docs/counting.md` has the rule.
"""

from __future__ import annotations

from ..errors import OpError
from .base import Cost, Op, Shape
from .derivation import product, times

EPS = "added to the variance"


def statistics_cost(elements: int, groups: int, affine_terms: int) -> Cost:
    """Normalising `elements` by their own mean and variance in `groups` groups."""
    return Cost(elementwise=(5 + affine_terms) * elements + 2 * groups)


def derive_statistics(shape: Shape, groups: int, affine_terms: int) -> str:
    return f"{5 + affine_terms}×{product(shape)} + {times(2, str(groups))}"


def need_several(op: Op, count: int, what: str) -> None:
    """Refuse to compute a variance of a single value, as PyTorch does."""
    if count == 1:
        raise OpError("A305", f"{op.type} has a single value per {what}, and no variance to normalise by")
