"""Arithmetic, products, reductions and changes of shape between layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from ..errors import OpError
from .attributes import FLAG, Kind, integer, number, optional, several
from .base import (
    Axes,
    Cost,
    Op,
    Positions,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_rank,
    numel,
    register,
    show_shape,
    unknown_axes,
)
from .derivation import product
from .dimensions import DIMENSION, DIMENSIONS, numbered
from .merge import Elementwise
from .pointwise import Pointwise
from .shaping import Moving

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


# Shapes


class _Reshaping(Moving):
    predicted: ClassVar[bool] = False

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return unknown_axes(before[0], output)


_SIZES = several(-1)


def _parse_sizes(value: Any) -> tuple[int, ...]:
    sizes: tuple[int, ...] = _SIZES.parse(value)
    if 0 in sizes or sizes.count(-1) > 1:
        raise OpError("A207", f"{sizes} has a size of 0, or −1 more than once")
    return sizes


@register(
    "reshape",
    category="shape",
    samples=[({"sizes": (8, 16)}, ((2, 128),)), ({"sizes": (-1, 4)}, _TOKENS), ({"sizes": 40}, _TOKENS)],
)
class Reshape(_Reshaping):
    """The same elements in other sizes; the batch stays.  −1 is what is left over.  In PyTorch: `torch.reshape`."""

    aliases: ClassVar[bool] = True
    sizes: tuple[int, ...] = attr(
        Kind("int or (int, ...), −1 once", _parse_sizes, _SIZES.show), "sizes without the batch"
    )

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        count = numel(x[1:])
        known = prod([size for size in self.sizes if size > 0])
        if count % known or (known != count and -1 not in self.sizes):
            raise OpError(
                "A305",
                f"{count} elements of {show_shape(x)} do not fill {show_shape(self.sizes)}",
                notes=[f"{product(self.sizes)} = {known} ≠ {count}"] if -1 not in self.sizes else [],
                help="one size may be −1",
                attribute="sizes",
            )
        return x[0], *[count // known if size == -1 else size for size in self.sizes]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        if len(output) == len(inputs[0]) and output == inputs[0]:
            return before[0]
        return {2: ("batch", "feature"), 3: ("batch", "sequence", "feature")}.get(
            len(output), ("batch", "channel", *("space",) * (len(output) - 2))
        )

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.Reshape", (self.sizes,))


@register(
    "transpose",
    category="shape",
    samples=[({"dim0": 1, "dim1": 2}, _TOKENS), ({"dim0": -2, "dim1": -1}, _MAPS)],
)
class Transpose(Moving):
    """Two dimensions exchanged.  In PyTorch: `torch.transpose`."""

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim0", "dim1")
    dim0: int = attr(DIMENSION, "one of them")
    dim1: int = attr(DIMENSION, "the other")

    def _order(self, x: Shape) -> list[int]:
        a, b = numbered(self.dim0, x, "dim0"), numbered(self.dim1, x, "dim1")
        if a != b and 0 in (a, b):
            raise OpError(
                "A207", "the batch, dimension 0, stays first", attribute="dim0" if a == 0 else "dim1"
            )
        order = list(range(len(x)))
        order[a], order[b] = b, a
        return order

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        return tuple([x[d] for d in self._order(x)])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return tuple([before[0][d] for d in self._order(inputs[0])])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return tuple([before[0][d] for d in self._order(inputs[0])])

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.transpose", (self.dim0, self.dim1))


class _Parts(Moving):
    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)

    def _sizes(self, x: Shape) -> list[int]:
        raise NotImplementedError

    def _dim(self, x: Shape) -> int:
        dim: Any = self.dim  # type: ignore[attr-defined]
        return numbered(1 if dim is None else dim, x)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim = self._dim(x)
        return *x[:dim], self._sizes(x)[0], *x[dim + 1 :]

    def outputs(self, inputs: Shapes) -> Shapes:
        (x,) = inputs
        dim = self._dim(x)
        return tuple([(*x[:dim], size, *x[dim + 1 :]) for size in self._sizes(x)[1:]])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0]


@register(
    "split",
    category="shape",
    samples=[({"split_size": 32}, ((1, 64, 5, 5),)), ({"split_size": (3, 5), "dim": -1}, _TOKENS)],
)
class Split(_Parts):
    """Parts of a dimension, each an output: `parts[0]`, `parts[1]`.  In PyTorch: `torch.split`.

    One size for all parts, of which the last may be smaller, or the size of each.
    """

    split_size: tuple[int, ...] = attr(several(1), "size of the parts, or the size of each")
    dim: int | None = attr(optional(DIMENSION), "dimension that is split; None is the channels'", None)

    def _sizes(self, x: Shape) -> list[int]:
        size = x[self._dim(x)]
        if len(self.split_size) == 1:
            part = self.split_size[0]
            return [min(part, size - start) for start in range(0, size, part)]
        if sum(self.split_size) != size:
            raise OpError(
                "A305",
                f"parts of {show_shape(self.split_size)} are not the {size} of {show_shape(x)}",
                notes=[f"{' + '.join(map(str, self.split_size))} = {sum(self.split_size)} ≠ {size}"],
                help="the parts add up to the whole",
                attribute="split_size",
            )
        return list(self.split_size)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        (x,) = inputs
        count = len(self._sizes(x))
        size = self.split_size[0] if len(self.split_size) == 1 else self.split_size
        return TorchCall("torch.split", (size, self._dim(x)), outputs=tuple([(i,) for i in range(count)]))


@register(
    "chunk",
    category="shape",
    samples=[({"chunks": 3, "dim": -1}, ((1, 5, 12),)), ({"chunks": 2}, ((2, 6, 5, 4),))],
)
class Chunk(_Parts):
    """So many equal parts of a dimension, each an output: `qkv[0]`, `qkv[1]`.  In PyTorch: `torch.chunk`."""

    chunks: int = attr(integer(1), "parts")
    dim: int | None = attr(optional(DIMENSION), "dimension that is split; None is the channels'", None)

    def _sizes(self, x: Shape) -> list[int]:
        size = x[self._dim(x)]
        if size % self.chunks:
            raise OpError(
                "A305",
                f"{size} cannot be divided into {self.chunks} equal parts",
                notes=[f"{size} = {self.chunks}×{size // self.chunks} + {size % self.chunks}"],
                help="split gives parts of sizes that differ",
                attribute="chunks",
            )
        return [size // self.chunks] * self.chunks

    def torch_call(self, inputs: Shapes) -> TorchCall:
        (x,) = inputs
        places = tuple([(i,) for i in range(self.chunks)])
        return TorchCall("torch.chunk", (self.chunks, self._dim(x)), outputs=places)


@register(
    "slice",
    category="shape",
    samples=[({"start": 0, "stop": 3, "dim": 1}, _TOKENS), ({"start": 2, "stop": -1, "dim": -1}, _TOKENS)],
)
class Slice(Moving):
    """What lies from `start` up to, without, `stop` along a dimension; both may count from the end.

    In PyTorch: `torch.narrow`.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    start: int = attr(integer(-(2**31)), "first element")
    stop: int = attr(integer(-(2**31)), "element after the last")
    dim: int = attr(DIMENSION, "dimension that is cut")

    def _bounds(self, x: Shape) -> tuple[int, int, int]:
        dim = numbered(self.dim, x)
        if dim == 0:
            raise OpError("A207", "the batch, dimension 0, stays whole", attribute="dim")
        size = x[dim]
        start = self.start + size if self.start < 0 else self.start
        stop = self.stop + size if self.stop < 0 else self.stop
        if not 0 <= start < stop <= size:
            raise OpError(
                "A305",
                f"elements {self.start} to {self.stop} are not part of the {size} of {show_shape(x)}",
                notes=[f"0 ≤ {start} < {stop} ≤ {size} does not hold"],
                help="`stop` is the first element that is left out",
                attribute="stop",
            )
        return dim, start, stop - start

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim, _, length = self._bounds(x)
        return *x[:dim], length, *x[dim + 1 :]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.narrow", self._bounds(inputs[0]))


@register(
    "select",
    category="shape",
    samples=[({"index": -1, "dim": 1}, _TOKENS), ({"index": 0, "dim": 0}, ((2, 1, 8),))],
)
class Select(Moving):
    """One element along a dimension, which is gone.  In PyTorch: `torch.select`.

    Dimension 0 is for what has no batch there: the layers and directions of an LSTM's `h_n`.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    index: int = attr(integer(-(2**31)), "which element; −1 is the last")
    dim: int = attr(DIMENSION, "dimension that goes")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim = numbered(self.dim, x)
        if not -x[dim] <= self.index < x[dim]:
            raise OpError(
                "A305",
                f"element {self.index} does not exist among {x[dim]}",
                help="the first is 0, the last −1",
                attribute="index",
            )
        if len(x) < 2:
            raise OpError("A301", f"nothing but a number would be left of {show_shape(x)}")
        return *x[:dim], *x[dim + 1 :]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        dim = numbered(self.dim, inputs[0])
        return *before[0][:dim], *before[0][dim + 1 :]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        dim = numbered(self.dim, inputs[0])
        left = (*before[0][:dim], *before[0][dim + 1 :])
        return ("batch", *left[1:]) if left else left

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.select", (numbered(self.dim, inputs[0]), self.index))


@register(
    "roll",
    category="shape",
    samples=[({"shifts": -3, "dims": 1}, _TOKENS), ({"shifts": (1, -1), "dims": (2, 3)}, _MAPS)],
)
class Roll(Moving):
    """Elements moved along dimensions; what leaves at one end comes in at the other.  In PyTorch: `torch.roll`."""

    predicted: ClassVar[bool] = False
    named_dimensions: ClassVar[tuple[str, ...]] = ("dims",)
    shifts: tuple[int, ...] = attr(several(-(2**31)), "by how much, for each dimension")
    dims: tuple[int, ...] = attr(DIMENSIONS, "which dimensions")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        for dim in self.dims:
            numbered(dim, x, "dims")
        if len(self.shifts) != len(self.dims):
            raise OpError(
                "A207", f"{len(self.shifts)} shifts for {len(self.dims)} dimensions", attribute="dims"
            )
        return x

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None  # what was last stands beside what was first

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.roll", (self.shifts, self.dims))


@register(
    "center_crop",
    category="shape",
    samples=[
        ({"size": 56}, ((1, 64, 64, 64),)),
        ({"size": (3, 2)}, ((2, 3, 5, 4),)),
        ({}, ((1, 2, 9, 8), (1, 5, 4, 4))),
    ],
)
class CenterCrop(Moving):
    """The middle of a map (N, C, H, W): of a size, or as large as another map (`like=up`).

    Cost: none.  Source: Ronneberger et al. 2015, arXiv:1505.04597, figure 1.  In PyTorch: a slice.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("like",)
    size: tuple[int, ...] | None = attr(
        optional(several(1)), "height and width, or one number for both; None is that of `like`", None
    )

    def shape(self, inputs: Shapes) -> Shape:
        x, *like = inputs
        for each in inputs:
            need_rank(self, each, 4, "(N, C, H, W)")
        if (self.size is None) != bool(like) or (self.size is not None and len(self.size) > 2):
            raise OpError(
                "A204", "center_crop needs a size, or a map to be as large as", help="center_crop(56)"
            )
        sizes = like[0][2:] if like else self.size or ()
        sizes = sizes * 2 if len(sizes) == 1 else sizes
        if any(wanted > side for wanted, side in zip(sizes, x[2:], strict=True)):
            raise OpError(
                "A302",
                f"a map of {x[2]}×{x[3]} has no middle of {sizes[0]}×{sizes[1]}",
                help="crop the larger map",
                attribute="size",
            )
        return *x[:2], *sizes

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.CenterCrop", (self.shape(inputs)[2:],))


@register(
    "pixel_unshuffle",
    category="shape",
    samples=[({"downscale_factor": 2}, ((1, 16, 28, 28),)), ({"downscale_factor": 3}, ((2, 2, 6, 3),))],
)
class PixelUnshuffle(_Reshaping):
    """r×r neighbours of a map as channels: (N, C, H, W) becomes (N, C·r², H/r, W/r).  Cost: none.

    Source: PyTorch `nn.PixelUnshuffle`.
    """

    downscale_factor: int = attr(integer(1), "r: by how much height and width shrink")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        r = self.downscale_factor
        for side in x[2:]:
            if side % r:
                raise OpError(
                    "A305",
                    f"a side of {side} is no multiple of {r}",
                    notes=[f"{side} = {r}×{side // r} + {side % r}"],
                    help="pad the map first",
                    attribute="downscale_factor",
                )
        return x[0], x[1] * r * r, x[2] // r, x[3] // r

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.PixelUnshuffle")
