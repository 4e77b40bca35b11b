"""Operations on tensors of known shapes, as captured modules and files hold them beside layers.

A `TensorOp` is no part of the spec language: a frontend that met it knows what went in and what came out, so it says
what the op costs and which way positions go, and infers nothing.  The functions here make one per family; a frontend
maps its own names to them.  Costs follow `docs/counting.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from .base import NO_COST, Cost, Op, Shape, Shapes

__all__ = ["Motion", "TensorOp", "matmul", "moving", "opaque", "pointwise", "reduction", "softmax"]


class Motion(NamedTuple):
    """Which way positions go from the inputs to the first output, for receptive fields.

    `kind` is one of: `pointwise` (dimension by dimension, aligned from the last; sizes of 1 are repeated), `permute`
    (output dimension i is input dimension `dims[i]`), `reshape` (elements in order, other sizes), `reduce` (each output
    reads all along `dims`, which are gone), `mix` (each output reads all along `dims`, which stay), `unknown`.
    """

    kind: str
    dims: tuple[int, ...] = ()


_UNKNOWN = Motion("unknown")


@dataclass(frozen=True, repr=False, eq=False)
class TensorOp(Op):
    """An operation whose inputs and outputs are known.

    `type` is PyTorch's name of the function, where it has one; `operands` are the shapes of all tensors that it reads,
    parameters and constants among them, `results` of all that it makes.  `details` are its other arguments, for
    reading.  `work` is None where nobody knows what it costs.  `formulas` are derivations of `macs` and `flops`.
    """

    # What the class of a layer says once, each of these says for itself.
    type: str  # type: ignore[misc]
    category: str  # type: ignore[misc]
    operands: Shapes
    results: Shapes
    details: Mapping[str, Any] = field(default_factory=dict)
    work: Cost | None = NO_COST
    formulas: Mapping[str, str] = field(default_factory=dict)
    motion: Motion = _UNKNOWN
    aliases: bool = False  # type: ignore[misc]

    def shape(self, inputs: Shapes) -> Shape:
        return self.results[0] if self.results else ()

    def cost(self, inputs: Shapes, output: Shape) -> Cost | None:
        return self.work

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        return self.formulas.get("macs") or super().derive_macs(inputs, output)

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return self.formulas.get("flops") or super().derive_flops(inputs, output)

    def derive_params(self, inputs: Shapes) -> str:
        return self.formulas.get("params", "0")

    def _key(self) -> tuple[Any, ...]:
        return self.type, self.operands, self.results, tuple(self.details.items()), self.work

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TensorOp) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.type, self.operands, self.results))

    def __str__(self) -> str:
        return f"{self.type}({', '.join(f'{name}={value}' for name, value in self.details.items())})"


def pointwise(
    type: str,
    operands: Shapes,
    results: Shapes,
    per_element: tuple[int, int] = (1, 0),
    *,
    category: str = "elementwise",
    **details: Any,
) -> TensorOp:
    """The same few operations and comparisons (`per_element`) for each element of the first result."""
    count = prod(results[0])
    operations, comparisons = per_element
    return TensorOp(
        type,
        category,
        operands,
        results,
        details,
        Cost(elementwise=operations * count, comparisons=comparisons * count),
        {"flops": _times(sum(per_element), results[0])},
        Motion("pointwise"),
    )


def moving(
    type: str, operands: Shapes, results: Shapes, motion: Motion, *, aliases: bool = False, **details: Any
) -> TensorOp:
    """Data moves, nothing is computed: views, copies, gathers, factories."""
    return TensorOp(type, "shape", operands, results, details, NO_COST, {}, motion, aliases)


def matmul(
    type: str, operands: Shapes, results: Shapes, inner: int, *, bias: bool = False, **details: Any
) -> TensorOp:
    """Products of matrices: each element of the result sums `inner` products; `bias` is added to each."""
    count = prod(results[0])
    return TensorOp(
        type,
        "linear",
        operands,
        results,
        details,
        Cost(macs=count * inner, bias_adds=count if bias else 0),
        {"macs": f"{_product(results[0])}×{inner}"},
        Motion("mix", (len(operands[0]) - 1,)),
    )


def reduction(
    type: str,
    operands: Shapes,
    results: Shapes,
    dims: tuple[int, ...],
    *,
    per_input: tuple[int, int] = (1, 0),
    per_result: int = 0,
    keepdim: bool = False,
    **details: Any,
) -> TensorOp:
    """Sums, means, maxima over `dims`.

    Costs `per_input` operations and comparisons for each element but the first of a group, and `per_result` for each
    group.
    """
    count, groups = prod(operands[0]), prod(results[0])
    operations, comparisons = per_input
    rest = count - groups
    return TensorOp(
        type,
        "reduction",
        operands,
        results,
        details,
        Cost(elementwise=operations * rest + per_result * groups, comparisons=comparisons * rest),
        {},
        Motion("mix" if keepdim else "reduce", dims),
    )


def softmax(type: str, operands: Shapes, results: Shapes, dim: int, *, extra: int = 0) -> TensorOp:
    """Softmax along one dimension: n − 1 comparisons and 4·n − 1 operations for each group of n, and `extra`."""
    shape = results[0]
    groups = prod(shape) // max(1, shape[dim]) if shape else 1
    count = prod(shape)
    return TensorOp(
        type,
        "activation",
        operands,
        results,
        {"dim": dim},
        Cost(elementwise=4 * count - groups + extra * groups, comparisons=count - groups),
        {},
        Motion("mix", (dim % len(shape),) if shape else ()),
    )


def opaque(type: str, operands: Shapes, results: Shapes, **details: Any) -> TensorOp:
    """An operation that nobody here has a rule for: its shapes are known, its cost is not."""
    return TensorOp(type, "opaque", operands, results, details, None)


def _product(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "1"


def _times(count: int, shape: Shape) -> str:
    return f"{count}×{_product(shape)}" if count > 1 else _product(shape) if count else "0"
