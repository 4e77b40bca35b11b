"""Joins of two or more branches."""

from __future__ import annotations

from typing import ClassVar

from ..errors import OpError
from .attributes import optional
from .base import NO_COST, Cost, Op, Shape, Shapes, TorchCall, attr, numel, register, show_shape
from .derivation import product, shape_of
from .dimensions import DIMENSION, numbered

_AXES = ("batch", "channels", "height", "width")


def _axis(axis: int, rank: int) -> str:
    """A dimension by name where it has one."""
    return _AXES[axis] if rank == 4 else f"dimension {axis}"


def _need_equal_ranks(op: Op, inputs: Shapes) -> None:
    ranks = [len(shape) for shape in inputs]
    if len(set(ranks)) > 1:
        counted = ", ".join(
            f"{rank}-D {show_shape(shape)}" for rank, shape in zip(ranks, inputs, strict=True)
        )
        raise OpError(
            "A304",
            f"{op.type} cannot join branches of {' and '.join(f'{r}-D' for r in sorted(set(ranks)))} shapes",
            notes=[counted],
            help="is flatten in one branch only?",
        )


@register(
    "concat",
    category="merge",
    samples=[
        ({}, ((1, 64, 28, 28), (1, 128, 28, 28), (1, 32, 28, 28), (1, 32, 28, 28))),
        ({}, ((2, 5), (2, 3))),
        ({"dim": -1}, ((2, 5, 8), (2, 5, 3))),
    ],
)
class Concat(Op):
    """Branches one after another along the channels, or another dimension; all others must agree.

    Cost: none, data only moves.  Source: PyTorch `torch.cat`.
    """

    arity: ClassVar[int | None] = None
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    dim: int | None = attr(
        optional(DIMENSION), "dimension that they are joined along; None is the channels'", None
    )

    def _dim(self, x: Shape) -> int:
        return 1 if self.dim is None else numbered(self.dim, x)

    def shape(self, inputs: Shapes) -> Shape:
        _need_equal_ranks(self, inputs)
        first = inputs[0]
        dim = self._dim(first)
        for axis in range(len(first)):
            sizes = [shape[axis] for shape in inputs]
            if axis != dim and len(set(sizes)) > 1:
                name = _axis(axis, len(first))
                raise OpError(
                    "A304",
                    f"concat needs branches of equal {name}",
                    notes=[f"{name}: {_unequal(sizes)}"],
                    help="give the branches the same stride and padding"
                    if len(first) == 4 and axis > 1
                    else f"only dimension {dim} may differ"
                    if self.dim is not None
                    else "only the channels, dimension 1, may differ",
                )
        return *first[:dim], sum(shape[dim] for shape in inputs), *first[dim + 1 :]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.cat", (self._dim(inputs[0]),), as_list=True)

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        dim = self._dim(inputs[0])
        return shape_of(output, **{f"d{dim}": " + ".join(str(shape[dim]) for shape in inputs)})


class Elementwise(Op):
    """Joins that work element by element, from left to right; a dimension of one is repeated."""

    arity: ClassVar[int | None] = None

    def shape(self, inputs: Shapes) -> Shape:
        if all(shape == inputs[0] for shape in inputs):
            return inputs[0]
        _need_equal_ranks(self, inputs)
        rank = len(inputs[0])
        result: list[int] = []
        for axis in range(rank):
            sizes = [shape[axis] for shape in inputs]
            wide = {size for size in sizes if size != 1} or {1}
            name = _axis(axis, rank)
            if len(wide) > 1 or (axis == 0 and len(set(sizes)) > 1):
                raise OpError(
                    "A304",
                    f"{self.type} needs branches of equal {name}",
                    notes=[f"{name}: {_unequal(sizes)}"],
                    help=self._advice(name, sizes),
                )
            result += wide
        return tuple(result)

    def _advice(self, dimension: str, sizes: list[int]) -> str:
        if self.type == "add" and dimension == "channels":
            return "give the shortcut a 1×1 convolution with as many channels as the other branch"
        if self.type == "add" and dimension in ("height", "width"):
            # A stride divides sizes; what a kernel takes off at the borders is a little.
            if min(sizes) * 3 > max(sizes) * 2:
                return "pad the convolutions of the smaller one: padding=1 keeps the size under a kernel of 3"
            return "give the shortcut the stride of the other branch"
        return "sizes must be equal, or 1, which is repeated"

    def _steps(self, inputs: Shapes) -> list[Shape]:
        """The shape after each of the operations of two tensors."""
        return [self.shape(inputs[: count + 1]) for count in range(1, len(inputs))]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=sum(map(numel, self._steps(inputs))))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        steps = self._steps(inputs)
        if len(set(steps)) == 1:
            return (f"{len(steps)}×" if len(steps) > 1 else "") + product(output)
        return " + ".join(map(product, steps))


@register(
    "add",
    category="merge",
    samples=[
        ({}, ((1, 256, 56, 56), (1, 256, 56, 56))),
        ({}, ((2, 5, 8), (2, 5, 8), (2, 5, 8))),
        ({}, ((2, 6, 1, 1), (2, 6, 1, 1), (2, 6, 5, 4))),
    ],
)
class Add(Elementwise):
    """The sum of the branches, element by element (a residual connection); a 1×1 map is repeated.

    Cost: one addition per element and branch after the first.  Source: PyTorch `torch.add`.
    """

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.add", fold=True)


@register(
    "multiply",
    category="merge",
    samples=[
        ({}, ((1, 256, 56, 56), (1, 256, 1, 1))),
        ({}, ((2, 6, 5, 4), (2, 1, 5, 4), (2, 6, 5, 4))),
    ],
)
class Multiply(Elementwise):
    """The product of the branches, element by element: gates such as squeeze-and-excitation's (N, C, 1, 1).

    Cost: one multiplication per element and branch after the first.  Source: PyTorch `torch.mul`.
    """

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.mul", fold=True)


def _unequal(sizes: list[int]) -> str:
    """`28, 28, 14` with what differs spelt out: `28 ≠ 14`."""
    distinct = list(dict.fromkeys(sizes))
    return " ≠ ".join(map(str, distinct))
