"""Activations beyond the usual ones, gates that halve their input, and relatives of softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..errors import OpError
from .activation import Softmax
from .attributes import number
from .base import Axes, Cost, Op, Positions, Shape, Shapes, TorchCall, attr, module_call, numel, register
from .derivation import product, times
from .dimensions import DIMENSION, numbered
from .pointwise import Pointwise

_PLAIN: list[tuple[dict[str, Any], Shapes]] = [({}, ((1, 64, 56, 56),)), ({}, ((2, 5, 8),))]


class _Plain(Pointwise):
    predicted: ClassVar[bool] = False

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.{type(self).__name__}")


@register("selu", category="activation", samples=_PLAIN)
class SELU(_Plain):
    """λ·x for x > 0, else λ·α·(exp(x) − 1), with constants that keep mean and variance.

    Cost: one comparison, four operations.  Sources: PyTorch `nn.SELU`; Klambauer et al. 2017, arXiv:1706.02515.
    """

    per_element = (4, 1)


@register("celu", category="activation", samples=[*_PLAIN, ({"alpha": 0.5}, ((2, 5, 8),))])
class CELU(_Plain):
    """x for x > 0, else α·(exp(x/α) − 1).  Cost: one comparison, four operations.  Source: PyTorch `nn.CELU`."""

    per_element = (4, 1)
    alpha: float = attr(number(), "limit for very negative elements, with its sign changed", 1.0)


@register("softplus", category="activation", samples=_PLAIN)
class Softplus(_Plain):
    """log(1 + exp(x)), and x itself where that is the same.  Cost: three operations, one comparison.

    Source: PyTorch `nn.Softplus`.
    """

    per_element = (3, 1)
    beta: float = attr(number(), "how sharp the bend is", 1.0)
    threshold: float = attr(number(), "where the result is x itself", 20.0)


@register("softsign", category="activation", samples=_PLAIN)
class Softsign(_Plain):
    """x/(1 + |x|).  Cost: two operations; a change of sign is free.  Source: PyTorch `nn.Softsign`."""

    per_element = (2, 0)


@register("log_sigmoid", category="activation", samples=_PLAIN)
class LogSigmoid(_Plain):
    """log(1/(1 + exp(−x))).  Cost: four operations.  Source: PyTorch `nn.LogSigmoid`."""

    per_element = (4, 0)


@register("hardtanh", category="activation", samples=[*_PLAIN, ({"min_val": 0, "max_val": 20}, ((2, 5, 8),))])
class Hardtanh(_Plain):
    """x between two bounds, else the bound.  Cost: two comparisons per element.  Source: PyTorch `nn.Hardtanh`."""

    per_element = (0, 2)
    min_val: float = attr(number(), "lower bound", -1.0)
    max_val: float = attr(number(), "upper bound", 1.0)

    def __post_init__(self) -> None:
        if self.min_val >= self.max_val:
            raise OpError(
                "A207", f"min_val {self.min_val} is not below max_val {self.max_val}", attribute="max_val"
            )


class _Gate(Op):
    """One half of a dimension multiplied by what is made of the other."""

    predicted: ClassVar[bool] = False
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    #: operations on an element of the output
    operations: ClassVar[int]
    dim: int = attr(DIMENSION, "dimension that is halved", -1)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim = numbered(self.dim, x)
        if x[dim] % 2:
            raise OpError(
                "A305",
                f"{self.type} halves a dimension of {x[dim]}",
                notes=[f"{x[dim]} = 2×{x[dim] // 2} + 1"],
                help="make it even",
                attribute="dim",
            )
        return *x[:dim], x[dim] // 2, *x[dim + 1 :]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=self.operations * numel(output))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return times(self.operations, product(output))


@register("glu", category="activation", samples=[({}, ((2, 5, 8),)), ({"dim": 1}, ((1, 64, 5, 5),))])
class GLU(_Gate):
    """a·sigmoid(b) of the two halves a and b of a dimension.  Cost: four operations per output.

    Sources: PyTorch `nn.GLU`; Dauphin et al. 2016, arXiv:1612.08083.
    """

    operations = 4

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.GLU")


@register("swiglu", category="activation", samples=[({}, ((2, 5, 8),)), ({"dim": 1}, ((1, 64, 5, 5),))])
class SwiGLU(_Gate):
    """silu(a)·b of the two halves a and b of a dimension.  Cost: five operations per output.

    Source: Shazeer 2020, arXiv:2002.05202.  In PyTorch: `chunk`, `silu` and a product.
    """

    operations = 5

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.SwiGLU")


@register("log_softmax", category="activation", samples=[({}, ((1, 1000),)), ({"dim": -1}, ((2, 5, 8),))])
class LogSoftmax(Softmax):
    """The logarithm of softmax, one dimension at a time: the channels unless told otherwise.

    Cost: that of softmax, with a logarithm for each group.  Source: PyTorch `nn.LogSoftmax`.
    """

    predicted: ClassVar[bool] = False

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return super().cost(inputs, output) + Cost(elementwise=numel(output) // output[self._dim(output)])

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"{super().derive_flops(inputs, output)} + {numel(output) // output[self._dim(output)]}"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("nn.LogSoftmax", (), {"dim": 1 if self.dim is None else self.dim})


@register("softmin", category="activation", samples=[({}, ((1, 1000),)), ({"dim": -1}, ((2, 5, 8),))])
class Softmin(Softmax):
    """Softmax of −x, one dimension at a time: the channels unless told otherwise.  Cost: that of softmax.

    Source: PyTorch `nn.Softmin`.
    """

    predicted: ClassVar[bool] = False

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("nn.Softmin", (), {"dim": 1 if self.dim is None else self.dim})
