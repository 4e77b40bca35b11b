"""How derivations are written: products of dimensions, the way a lecture writes them."""

from __future__ import annotations

from collections.abc import Iterable

from .base import Shape


def product(shape: Iterable[int]) -> str:
    """`64×112×112` for (1, 64, 112, 112): the factors, without a batch of one."""
    first, *rest = shape
    factors = [first, *rest] if first != 1 or not rest else rest
    return "×".join(map(str, factors))


def times(factor: int, text: str) -> str:
    """`2×text`, or the text alone for a factor of one; `0` for none."""
    return text if factor == 1 else f"{factor}×{text}" if factor else "0"


def shape_of(shape: Shape, **formulas: str) -> str:
    """A shape as text, with the dimensions `d1`, `d2` ... replaced by formulas."""
    parts = [formulas.get(f"d{axis}", str(size)) for axis, size in enumerate(shape)]
    return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"


def sum_of_products(shapes: Iterable[Shape]) -> str:
    """Elements of several tensors: `(64×3×7×7) + 64`; `0` for none."""
    terms = ["×".join(map(str, shape)) or "1" for shape in shapes]
    if len(terms) > 1:
        terms = [f"({term})" if "×" in term else term for term in terms]
    return " + ".join(terms) or "0"
