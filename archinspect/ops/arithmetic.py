"""Arithmetic, matrix products and reductions between layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..errors import OpError
from .attributes import FLAG, Kind, integer, number
from .base import (
    Axes,
    Cost,
    Op,
    Positions,
    Shape,
    Shapes,
    TorchCall,
    attr,
    need_rank,
    numel,
    register,
    show_shape,
)
from .derivation import product
from .dimensions import DIMENSIONS, numbered
from .merge import Elementwise
from .pointwise import Pointwise

_TOKENS: Shapes = ((2, 5, 8),)
_MAPS: Shapes = ((1, 64, 56, 56),)


# Element by element


class _Literal(Pointwise):
    predicted: ClassVar[bool] = False
    per_element = (1, 0)


@register("offset", category="merge", samples=[({"value": 1}, _MAPS), ({"value": -0.5}, _TOKENS)])
class Offset(_Literal):
    """x + value.  Cost: one addition per element.  In PyTorch: `torch.add`."""

    value: float = attr(number(), "what is added to every element")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.add", (self.value,))


@register("absolute", category="activation", samples=[({}, _MAPS), ({}, _TOKENS)])
class Absolute(_Literal):
    """|x|.  Cost: none, a change of sign is free.  In PyTorch: `torch.abs`."""

    per_element = (0, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.abs")


@register("exp", category="activation", samples=[({}, _MAPS), ({}, _TOKENS)])
class Exp(_Literal):
    """exp(x), as of a logarithm of a variance.  Cost: one operation per element.  In PyTorch: `torch.exp`."""

    per_element = (1, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.exp")


@register("power", category="merge", samples=[({"exponent": 2}, _MAPS), ({"exponent": 0.5}, _TOKENS)])
class Power(_Literal):
    """x to a power.  Cost: one operation per element.  In PyTorch: `torch.pow`."""

    exponent: float = attr(number(), "the power")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.pow", (self.exponent,))


@register("subtract", category="merge", samples=[({}, _MAPS * 2), ({}, ((2, 6, 1, 1), (2, 6, 5, 4)))])
class Subtract(Elementwise):
    """The first value less the second, element by element; a size of one is repeated.  In PyTorch: `torch.sub`.

    Cost: one operation per element.
    """

    predicted: ClassVar[bool] = False
    arity: ClassVar[int | None] = 2

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.sub")


@register("divide", category="merge", samples=[({}, _MAPS * 2), ({}, ((2, 6, 5, 4), (2, 1, 5, 4)))])
class Divide(Elementwise):
    """The first value divided by the second, element by element; a size of one is repeated.  In PyTorch: `torch.div`.

    Cost: one operation per element.
    """

    predicted: ClassVar[bool] = False
    arity: ClassVar[int | None] = 2

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.div")


@register("maximum", category="merge", samples=[({}, _MAPS * 2), ({}, ((2, 6, 5, 4), (2, 1, 5, 4)))])
class Maximum(Elementwise):
    """The larger of two values, element by element; a size of one is repeated.  In PyTorch: `torch.maximum`.

    Cost: one comparison per element.
    """

    predicted: ClassVar[bool] = False
    arity: ClassVar[int | None] = 2

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.maximum")


# Products


class _Product(Op):
    predicted: ClassVar[bool] = False

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None


@register(
    "matmul",
    category="linear",
    samples=[({}, ((1, 128, 64), (1, 64, 128))), ({}, ((2, 3, 5, 4), (2, 3, 4, 6)))],
)
class Matmul(_Product):
    """The product of two values' last two dimensions, for each element of those before, which must agree.

    MACs: rows·columns·inner, for each pair of matrices.  In PyTorch: `torch.matmul`.
    """

    arity: ClassVar[int | None] = 2

    def shape(self, inputs: Shapes) -> Shape:
        a, b = inputs
        if len(a) < 3 or len(a) != len(b) or a[:-2] != b[:-2]:
            raise OpError(
                "A304",
                f"matmul of {show_shape(a)} and {show_shape(b)}",
                notes=["both need a batch and two more dimensions, and agree in all but the last two"],
                help="a layer with weights of its own is linear",
            )
        if a[-1] != b[-2]:
            raise OpError(
                "A304",
                "matmul needs as many columns of the first value as rows of the second",
                notes=[f"{a[-1]} ≠ {b[-2]}"],
                help="turn one of them: transpose(-2, -1)",
            )
        return *a[:-1], b[-1]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(macs=numel(output) * inputs[0][-1])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return *before[0][:-1], before[1][-1]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.matmul")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        return f"{product(output)}×{inputs[0][-1]}"


def _equation(value: Any) -> str:
    if not isinstance(value, str):
        raise OpError("A206", f"expected an equation such as 'bij,bjk->bik', got {value!r}")
    text = value.replace(" ", "")
    terms, arrow, output = text.partition("->")
    letters = set(terms.replace(",", ""))
    if not arrow or not letters or not all(c.isascii() and c.isalpha() for c in letters):
        raise OpError("A207", f"{value!r} is no equation", help="e.g. 'bij,bjk->bik'")
    if not set(output) <= letters or len(set(output)) < len(output):
        raise OpError("A207", f"{value!r} makes a dimension that no value has, or one twice")
    return text


@register(
    "einsum",
    category="linear",
    samples=[
        ({"equation": "bld,bmd->blm"}, ((2, 5, 8), (2, 6, 8))),
        ({"equation": "bhld,bhdm->bhlm"}, ((1, 8, 16, 4), (1, 8, 4, 16))),
    ],
)
class Einsum(_Product):
    """Sums of products by an equation of letters.  In PyTorch: `torch.einsum`.

    MACs: the product of the sizes of all letters of a pair, where one that both have is summed; pairs from left to
    right.  A product without a sum has no MACs, and one multiplication per element.
    """

    arity: ClassVar[int | None] = None
    equation: str = attr(Kind("str", _equation), "letters of each value's dimensions, and of the result's")

    def _sizes(self, inputs: Shapes) -> dict[str, int]:
        terms = self.equation.partition("->")[0].split(",")
        if len(terms) != len(inputs):
            raise OpError("A305", f"{self.equation} is of {len(terms)} values, and {len(inputs)} are given")
        found: dict[str, int] = {}
        for term, shape in zip(terms, inputs, strict=True):
            if len(term) != len(shape):
                raise OpError(
                    "A305", f"{term} has {len(term)} letters, and {show_shape(shape)} {len(shape)} sizes"
                )
            for letter, size in zip(term, shape, strict=True):
                if found.setdefault(letter, size) != size:
                    raise OpError("A304", f"{letter} is {found[letter]} and {size}", attribute="equation")
        return found

    def shape(self, inputs: Shapes) -> Shape:
        sizes = self._sizes(inputs)
        return tuple([sizes[letter] for letter in self.equation.partition("->")[2]])

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        from .tensor import einsum_macs

        macs, _ = einsum_macs(self.equation, inputs)
        return Cost(macs=macs, elementwise=0 if macs else numel(output))

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        terms, _, made = self.equation.partition("->")
        known: dict[str, str] = {}
        for term, axes in zip(terms.split(","), before, strict=True):
            for letter, meaning in zip(term, axes, strict=True):
                known.setdefault(letter, meaning)
        return tuple([known[letter] for letter in made])

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.Einsum", (self.equation,))


@register(
    "bilinear",
    category="linear",
    samples=[({"out_features": 4}, ((2, 5), (2, 3))), ({"out_features": 4, "bias": False}, ((1, 5), (1, 3)))],
)
class Bilinear(_Product):
    """a·W·b for each output, of two values (N, features).  MACs: features of a · of b · outputs, and those of ·b.

    Source: PyTorch `nn.Bilinear`.
    """

    seen_by_torch: ClassVar[bool] = False

    arity: ClassVar[int | None] = 2
    out_features: int = attr(integer(1), "width of the output")
    bias: bool = attr(FLAG, "add a learnable bias per output", True)

    def shape(self, inputs: Shapes) -> Shape:
        a, b = inputs
        for x in inputs:
            need_rank(self, x, 2, "(N, features)")
        if a[0] != b[0]:
            raise OpError("A304", f"bilinear of batches of {a[0]} and {b[0]}")
        return a[0], self.out_features

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (self.out_features, inputs[0][1], inputs[1][1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        a, b = inputs
        return Cost(macs=numel(output) * b[1] * (a[1] + 1), bias_adds=numel(output) if self.bias else 0)

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("nn.Bilinear", (inputs[0][1], inputs[1][1], self.out_features, self.bias))


# Reductions


class _Reduction(Op):
    predicted: ClassVar[bool] = False
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    dim: tuple[int, ...] = attr(DIMENSIONS, "dimensions that are reduced")
    keepdim: bool = attr(FLAG, "keep them with a size of one", False)

    def _dims(self, x: Shape) -> tuple[int, ...]:
        dims = tuple([numbered(dim, x) for dim in self.dim])
        if len(set(dims)) < len(dims):
            raise OpError("A207", f"dimension {dims[0]} is there twice", attribute="dim")
        if 0 in dims:
            raise OpError("A207", "the batch, dimension 0, stays", help="reduce others", attribute="dim")
        return dims

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dims = self._dims(x)
        if self.keepdim:
            return tuple([1 if d in dims else size for d, size in enumerate(x)])
        return tuple([size for d, size in enumerate(x) if d not in dims])

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return self._dims(inputs[0])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        dims = self._dims(inputs[0])
        if self.keepdim:
            return tuple([frozenset() if d in dims else along for d, along in enumerate(before[0])])
        return tuple([along for d, along in enumerate(before[0]) if d not in dims])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        dims = self._dims(inputs[0])
        return before[0] if self.keepdim else tuple([m for d, m in enumerate(before[0]) if d not in dims])

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(inputs[0]) - numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        name = {"mean": "mean", "sum": "sum", "amax": "amax"}[self.type]
        return TorchCall(f"torch.{name}", (self._dims(inputs[0]),), {"keepdim": True} if self.keepdim else {})


@register(
    "mean", category="pooling", samples=[({"dim": 1}, _TOKENS), ({"dim": (2, 3), "keepdim": True}, _MAPS)]
)
class Mean(_Reduction):
    """The mean over one or several dimensions.  Cost: n − 1 additions and a division for n elements.

    In PyTorch: `torch.mean`.
    """

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(inputs[0]))


@register("sum", category="pooling", samples=[({"dim": 1}, _TOKENS), ({"dim": (2, 3)}, _MAPS)])
class Sum(_Reduction):
    """The sum over one or several dimensions.  Cost: n − 1 additions for n elements.  In PyTorch: `torch.sum`."""


@register(
    "amax", category="pooling", samples=[({"dim": 1}, _TOKENS), ({"dim": (2, 3), "keepdim": True}, _MAPS)]
)
class Amax(_Reduction):
    """The largest element over one or several dimensions.  Cost: n − 1 comparisons for n elements.

    In PyTorch: `torch.amax`.
    """

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=numel(inputs[0]) - numel(output))
