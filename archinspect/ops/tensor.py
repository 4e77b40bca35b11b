"""Operations on tensors of known shapes, as captured modules and files hold them beside layers.

A `TensorOp` is no part of the spec language: a frontend that met it knows what went in and what came out, so it says
what the op costs and which way positions go, and infers nothing.  The functions here make one per family; a frontend
maps its own names to them.  Costs follow `docs/counting.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from ..geometry import Reach, regrouped
from .base import (
    NO_COST,
    Axes,
    Cost,
    Op,
    Positions,
    Shape,
    Shapes,
    joined_axes,
    joined_reaches,
    unknown_axes,
)

__all__ = [
    "Motion",
    "TensorOp",
    "attention",
    "einsum_macs",
    "matmul",
    "moving",
    "normalisation",
    "opaque",
    "pointwise",
    "product",
    "products",
    "recurrent",
    "reduction",
    "softmax",
]


class Motion(NamedTuple):
    """Which way positions go from the inputs to the first output, for receptive fields and for what dimensions mean.

    `kind` is one of

    - `pointwise`: dimension by dimension, aligned from the last; sizes of 1 are repeated, parts stand side by side;
    - `permute`: output dimension i is input dimension `dims[i]`;
    - `reshape`: elements in order, other sizes;
    - `drop`: `dims` are gone, of which one element is taken;
    - `reduce`: each output reads all along `dims`, which are gone;
    - `mix`: each output reads all along `dims`, which stay;
    - `append`: each element by itself becomes a vector, in new dimensions at the end (an embedding);
    - `stride`: every `dims[1]`-th element of dimension `dims[0]`;
    - `matmul`: a product of matrices, which mixes the last dimension of the first and the last but one of the second;
    - `unknown`.
    """

    kind: str
    dims: tuple[int, ...] = ()


_UNKNOWN = Motion("unknown")
_NOWHERE = frozenset[int]()


@dataclass(frozen=True, repr=False, eq=False)
class TensorOp(Op):
    """An operation whose inputs and outputs are known.

    `type` is PyTorch's name of the function, where it has one; `operands` are the shapes of all tensors that it reads,
    parameters and constants among them, `results` of all that it makes.  `details` are its other arguments, for
    reading.  `work` is None where nobody knows what it costs.  `formulas` are derivations of `macs` and `flops`.
    """

    # What the class of a layer says once, each of these says for itself; `field()`: without the class's value.
    type: str = field()  # type: ignore[misc]
    category: str = field()  # type: ignore[misc]
    operands: Shapes = field()
    results: Shapes = field()
    details: Mapping[str, Any] = field(default_factory=dict)
    work: Cost | None = NO_COST
    formulas: Mapping[str, str] = field(default_factory=dict)
    motion: Motion = _UNKNOWN
    aliases: bool = False  # type: ignore[misc]
    #: of a product of matrices: elements of each operand that is copied first, since its layout does not suit
    copied: tuple[int, ...] = ()

    def shape(self, inputs: Shapes) -> Shape:
        return self.results[0] if self.results else ()

    def cost(self, inputs: Shapes, output: Shape) -> Cost | None:
        return self.work

    @property
    def stack_of_experts(self) -> Shape:
        """The largest operand that has a part for each expert of a mixture (`details["experts"]`); () without one."""
        count = self.details.get("experts")
        return max((shape for shape in self.operands if shape[:1] == (count,)), key=prod, default=())

    def active(self, inputs: Shapes) -> int | None:
        """Of the weights of a mixture of experts, those that one token uses: `top_k` of `experts`."""
        if "top_k" not in self.details or not self.stack_of_experts:
            return None
        used: int = prod(self.stack_of_experts) * self.details["top_k"] // self.details["experts"]
        return used

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        kind, dims = self.motion
        if kind == "pointwise":
            return _aligned(before, len(output))
        if kind == "matmul":
            return self._product(before, inputs, output)
        if kind == "unknown" or inputs[0] != self.operands[0]:
            return None
        x = before[0]
        made: Positions | None
        if kind == "permute":
            made = tuple([x[dim] for dim in dims])
        elif kind == "reshape":
            return _reshaped(x, inputs[0], output)
        elif kind in ("drop", "reduce"):
            made = tuple([along for dim, along in enumerate(x) if dim not in dims])
        elif kind == "append":
            made = (*x, *[_NOWHERE] * (len(output) - len(x)))
        else:
            made = _aligned([place for place in before if len(place) == len(x)], len(x))
        return made if made is not None and len(made) == len(output) else None

    def _product(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        """Rows lie where they lay in the first matrix, columns where they lay in the second one."""
        made = [_NOWHERE] * len(output)
        for place, first, second in self._factors(before, inputs):
            offset = len(output) - len(place)
            if offset < 0 or self.type == "tensordot":  # which numbers its dimensions freely
                return None
            for dim, along in enumerate(place[:-1] if first else place[:-2]):
                made[dim + offset] |= along
            if second:
                made[-1] |= place[-1]
        return tuple(made)

    def _factors(self, before: Sequence[Positions], inputs: Shapes) -> Iterator[tuple[Positions, bool, bool]]:
        """Each input with whether it may be the first factor of a product, and the second; both where nobody knows."""
        a, b = [*self.operands[:2], (), ()][:2]
        plain = len(self.operands) == 2 and a[-1:] == (b[-2:-1] or b)
        for number, (place, shape) in enumerate(zip(before, inputs, strict=True)):
            if self.type == "linear":
                roles = {0}
            elif plain and len(inputs) == 2:
                roles = {number}
            elif plain:
                roles = {role for role, operand in enumerate((a, b)) if operand == shape}
            else:
                roles = {0, 1}
            yield place, 0 in roles, 1 in roles and len(place) > 1

    def reaches(self, before: Sequence[Positions], inputs: Shapes) -> Mapping[int, Reach]:
        kind, dims = self.motion
        found: dict[int, Reach] = {}
        if kind == "reshape":
            for mine, _ in regrouped(inputs[0], self.results[0]):
                found.update(
                    joined_reaches([before[0][d] for d in mine], tuple([inputs[0][d] for d in mine]))
                )
        elif kind == "stride":
            found = dict.fromkeys(before[0][dims[0]], Reach(dims[1], 0))
        return found

    def reads_whole(self, before: Sequence[Positions], inputs: Shapes) -> frozenset[int]:
        kind, dims = self.motion
        whole: set[int] = set()
        if kind == "matmul":
            for place, first, second in self._factors(before, inputs):
                whole |= place[-1] if first else _NOWHERE
                whole |= place[-2] if second else _NOWHERE
        elif kind in ("mix", "reduce"):
            rank = len(self.operands[0])
            for place in before:
                # What another input is to the operation nobody says: all of it may be read.
                read = [place[dim] for dim in dims] if len(place) == rank else place
                whole |= _NOWHERE.union(*read)
        return frozenset(whole)

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        kind, dims = self.motion
        if not before:
            return ("",) * len(output)
        x = before[0]
        made = unknown_axes(x, output)
        if kind == "pointwise":
            made = _aligned_axes(before, inputs, output)
        elif kind == "matmul":
            last = before[1][-1:] if len(before) > 1 else ("feature",)
            made = (*x[:-1], *last) if len(x) == len(output) else made
        elif kind == "unknown" or inputs[0] != self.operands[0]:
            pass
        elif kind == "permute":
            made = tuple([x[dim] for dim in dims])
        elif kind == "reshape":
            made = _reshaped_axes(x, inputs[0], output)
        elif kind in ("drop", "reduce"):
            made = tuple([meaning for dim, meaning in enumerate(x) if dim not in dims])
        elif kind == "append":
            made = (*x, *["feature"] * (len(output) - len(x)))
        elif kind in ("mix", "stride"):
            made = x
        return made if len(made) == len(output) else unknown_axes(x, output)

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        return self.formulas.get("macs") or super().derive_macs(inputs, output)

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return self.formulas.get("flops") or super().derive_flops(inputs, output)

    def derive_params(self, inputs: Shapes) -> str:
        return self.formulas.get("params", "0")

    def _key(self) -> tuple[Any, ...]:
        return self.type, self.operands, self.results, tuple(self.details.items()), self.work, self.copied

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TensorOp) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.type, self.operands, self.results))

    def __str__(self) -> str:
        return f"{self.type}({', '.join(f'{name}={value}' for name, value in self.details.items())})"


def _aligned(before: Sequence[Positions], rank: int) -> Positions | None:
    """Positions of several inputs, dimension by dimension from the last."""
    made = [_NOWHERE] * rank
    for place in before:
        offset = rank - len(place)
        if offset < 0:
            return None
        for dim, along in enumerate(place):
            made[dim + offset] |= along
    return tuple(made)


def _reshaped(x: Positions, shape: Shape, output: Shape) -> Positions | None:
    """Joined dimensions hold the positions of all of them; None where a dimension with positions is split."""
    made = [_NOWHERE] * len(output)
    for mine, theirs in regrouped(shape, output):
        along = _NOWHERE.union(*[x[dim] for dim in mine])
        large = [dim for dim in theirs if output[dim] > 1] or theirs[:1]
        if along and len(large) != 1:
            return None
        if along:
            made[large[0]] |= along
    return tuple(made)


def _aligned_axes(before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
    """Meanings of several inputs, aligned from the last dimension; a size of 1 that is repeated has none to say."""
    made = [""] * len(output)
    for axes, shape in zip(before, inputs, strict=True):
        offset = len(output) - len(axes)
        for dim, meaning in enumerate(axes):
            at = dim + offset
            if at >= 0 and not made[at] and (shape[dim] > 1 or output[at] == 1):
                made[at] = meaning
    return tuple(made)


def _reshaped_axes(x: Axes, shape: Shape, output: Shape) -> Axes:
    """Joined dimensions mean what they have in common; a part of a split one means what the whole did."""
    made = [""] * len(output)
    for mine, theirs in regrouped(shape, output):
        parts = [x[dim] for dim in mine if shape[dim] > 1] or [x[dim] for dim in mine[:1]]
        meaning = joined_axes(parts)
        for dim in theirs:
            made[dim] = meaning if output[dim] > 1 or len(theirs) == 1 else ""
    if output and x[:1] == ("batch",) and output[0] == shape[0]:
        made[0] = "batch"
    return tuple(made)


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
        {"macs": f"{product(results[0])}×{inner}"},
        Motion("matmul"),
    )


def products(
    type: str,
    operands: Shapes,
    results: Shapes,
    macs: int,
    formula: str,
    *,
    category: str = "linear",
    bias: bool = False,
    elementwise: int = 0,
    motion: Motion = _UNKNOWN,
    **details: Any,
) -> TensorOp:
    """Sums of products, as many as `formula` says; `bias` is added to each element of the first result."""
    cost = Cost(macs=macs, bias_adds=prod(results[0]) if bias else 0, elementwise=elementwise)
    return TensorOp(type, category, operands, results, details, cost, {"macs": formula}, motion)


def attention(
    type: str,
    operands: Shapes,
    results: Shapes,
    query: Shape,
    key: Shape,
    value: Shape,
    *,
    mask: bool = False,
    causal: bool = False,
) -> TensorOp:
    """softmax(q·kᵀ·scale + mask)·v over (..., L, E), (..., S, E) and (..., S, V).

    Each of L·S scores takes E products, each of L results V·S.  A causal mask is counted as if all were computed.
    Elementwise are the scale (one product for each element of q), a mask of numbers, and the softmax over S.
    """
    length, width = query[-2:]
    keys, values = key[-2], value[-1]
    batch = prod(results[0][:-2])
    groups = batch * length
    scores = groups * keys
    return TensorOp(
        type,
        "attention",
        operands,
        results,
        {"is_causal": True} if causal else {},
        Cost(
            macs=scores * (width + values),
            elementwise=prod(query) + 4 * scores - groups + (scores if mask else 0),
            comparisons=scores - groups,
        ),
        {"macs": f"{product(results[0][:-2])}×{length}×{keys}×({width} + {values})"},
        Motion("mix", (len(query) - 2,)),
    )


#: per unit of a cell and step: elementwise operations and comparisons.  A sigmoid is three, a tanh five.
_CELLS = {
    "lstm": (27, 0),  # x + h for 4 gates, 3 sigmoids, a tanh; f·c + i·g; o·tanh(c)
    "gru": (19, 0),  # x + h for 3 gates, 2 sigmoids, r·h, a tanh; (1 − z)·n + z·h
    "rnn_tanh": (6, 0),
    "rnn_relu": (1, 1),
}


def recurrent(
    type: str,
    operands: Shapes,
    results: Shapes,
    steps: int,
    weights: Sequence[Shape],
    **details: Any,
) -> TensorOp:
    """Recurrent layers or one cell (`lstm`, `gru`, `rnn_tanh`, `rnn_relu`, `..._cell`) over `steps` vectors in all.

    Every step multiplies by every matrix of `weights` once, and adds every vector of them.
    """
    matrices = [shape for shape in weights if len(shape) == 2]
    operations, comparisons = _CELLS[type.removesuffix("_cell")]
    gates = {"lstm": 4, "gru": 3}.get(type.removesuffix("_cell"), 1)
    # The matrix that multiplies the input has a row for each unit and gate; a projection has none of its own.
    units = sum(shape[0] // gates for shape in matrices[:: _matrices_per_layer(matrices, gates)])
    return TensorOp(
        type,
        "recurrent",
        operands,
        results,
        details,
        Cost(
            macs=steps * sum(map(prod, matrices)),
            bias_adds=steps * sum(shape[0] for shape in weights if len(shape) == 1),
            elementwise=steps * units * operations,
            comparisons=steps * units * comparisons,
        ),
        {"macs": f"{steps}×({' + '.join(map(product, matrices))})"},
        Motion("mix", tuple(range(max(0, len(operands[0]) - 1)))),
    )


def _matrices_per_layer(matrices: Sequence[Shape], gates: int) -> int:
    """2, or 3 where an LSTM projects its output: the third matrix is (projection, units)."""
    projected = len(matrices) > 2 and gates == 4 and matrices[2][1] * 4 == matrices[0][0] == matrices[1][0]
    return 3 if projected and matrices[2][0] == matrices[1][1] else 2


def normalisation(
    type: str,
    operands: Shapes,
    results: Shapes,
    groups: int,
    per_element: int,
    per_group: int,
    **details: Any,
) -> TensorOp:
    """Normalising groups of elements by their own statistics, and scaling."""
    cost = Cost(elementwise=per_element * prod(results[0]) + per_group * groups)
    formula = f"{per_element}×{product(results[0])} + {per_group}×{groups}"
    return TensorOp(
        type, "normalisation", operands, results, details, cost, {"flops": formula}, Motion("pointwise")
    )


def einsum_macs(equation: str, shapes: Shapes) -> tuple[int, str]:
    """MACs of an einsum whose operands are contracted in pairs from left to right, and the formula.

    Two operands that share no summed letter are multiplied element by element: no MACs.  A letter that only one of
    them has, and that nobody reads later, is summed before.
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    unnamed = max(
        [
            len(shape) - len(term.replace("...", ""))
            for term, shape in zip(terms, shapes, strict=True)
            if "..." in term
        ],
        default=0,
    )
    dots = [chr(0x3B1 + i) for i in range(unnamed)]  # a letter for each dimension that "..." stands for
    sizes: dict[str, int] = {}
    named = []
    for term, shape in zip(terms, shapes, strict=True):
        if "..." in term:
            count = len(shape) - len(term.replace("...", ""))
            term = term.replace("...", "".join(dots[unnamed - count :]))
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(sizes.get(letter, 1), size)
        named.append(term)
    output = output.replace("...", "".join(dots))
    macs, parts, current = 0, [], set(named[0])
    for at, term in enumerate(named[1:], 1):
        kept = set(output).union(*named[at + 1 :])
        both = current | set(term)
        if any(sizes[letter] > 1 for letter in (current & set(term)) - kept):
            alone = {letter for letter in both - kept if (letter in current) != (letter in term)}
            factors = [sizes[letter] for letter in sorted(both - alone)]
            macs += prod(factors)
            parts.append(product(tuple(factors)))
        current = both & kept
    return macs, " + ".join(parts) or "0"


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


def product(shape: Shape) -> str:
    """Sizes as a formula: `2×3×4`."""
    return "×".join(map(str, shape)) or "1"


def _times(count: int, shape: Shape) -> str:
    return f"{count}×{product(shape)}" if count > 1 else product(shape) if count else "0"
