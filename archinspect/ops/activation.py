"""Activations.  PyTorch's `inplace` is no attribute here: it changes memory traffic, never a figure of the network.

`per_element` holds operations and comparisons of the formula in the class's docstring; a change of sign is free, and
an exponential, logarithm or error function counts as one operation.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import OpError
from .attributes import integer, number, one_of, optional
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, numel, register
from .dimensions import DIMENSION, numbered
from .pointwise import Pointwise

_MAPS: Shapes = ((1, 64, 112, 112),)
_TOKENS: Shapes = ((2, 5, 8),)
_PLAIN: list[tuple[dict[str, Any], Shapes]] = [({}, _MAPS), ({}, _TOKENS)]


@register("relu", category="activation", samples=_PLAIN)
class ReLU(Pointwise):
    """max(0, x).  Cost: one comparison per element.  Source: PyTorch `nn.ReLU`."""

    per_element = (0, 1)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.ReLU")


@register("relu6", category="activation", samples=_PLAIN)
class ReLU6(Pointwise):
    """min(max(0, x), 6).  Cost: two comparisons per element.  Source: PyTorch `nn.ReLU6`."""

    per_element = (0, 2)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.ReLU6")


@register("leaky_relu", category="activation", samples=[*_PLAIN, ({"negative_slope": 0.2}, _MAPS)])
class LeakyReLU(Pointwise):
    """x for x ≥ 0, else slope·x.  Cost: one comparison, one multiplication.  Source: PyTorch `nn.LeakyReLU`."""

    per_element = (1, 1)
    negative_slope: float = attr(number(), "factor for negative elements", 0.01)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.LeakyReLU")


@register("prelu", category="activation", samples=[*_PLAIN, ({"num_parameters": 64, "init": 0.1}, _MAPS)])
class PReLU(Pointwise):
    """x for x ≥ 0, else a·x with a learnt slope a, one for all channels or one for each.

    Cost: one comparison, one multiplication.  Sources: PyTorch `nn.PReLU`; He et al. 2015, arXiv:1502.01852.
    """

    per_element = (1, 1)
    num_parameters: int = attr(integer(1), "1, or the number of channels", 1)
    init: float = attr(number(), "where the slopes start", 0.25)

    def shape(self, inputs: Shapes) -> Shape:
        channels = inputs[0][1]
        if self.num_parameters not in (1, channels):
            raise OpError(
                "A305",
                f"prelu has {self.num_parameters} slopes, and its input {channels} channels",
                notes=[f"{self.num_parameters} ≠ {channels}"],
                help=f"use num_parameters={channels}, or 1",
                attribute="num_parameters",
            )
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.PReLU")


@register("elu", category="activation", samples=[*_PLAIN, ({"alpha": 0.5}, _MAPS)])
class ELU(Pointwise):
    """x for x > 0, else α·(exp(x) − 1).  Cost: one comparison, three operations.  Source: PyTorch `nn.ELU`."""

    per_element = (3, 1)
    alpha: float = attr(number(), "limit for very negative elements, with its sign changed", 1.0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.ELU")


@register("sigmoid", category="activation", samples=_PLAIN)
class Sigmoid(Pointwise):
    """1/(1 + exp(−x)).  Cost: three operations (exp, +, /).  Source: PyTorch `nn.Sigmoid`."""

    per_element = (3, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Sigmoid")


@register("tanh", category="activation", samples=_PLAIN)
class Tanh(Pointwise):
    """(e − 1)/(e + 1) with e = exp(2·x).  Cost: five operations (·, exp, −, +, /).  Source: PyTorch `nn.Tanh`."""

    per_element = (5, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Tanh")


@register("gelu", category="activation", samples=[*_PLAIN, ({"approximate": "tanh"}, _TOKENS)])
class GELU(Pointwise):
    """½·x·(1 + erf(x/√2)), or ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

    Cost: five operations (·, erf, +, ·, ·); thirteen for the tanh form, tanh counted as five.
    Sources: PyTorch `nn.GELU`; Hendrycks & Gimpel 2016, arXiv:1606.08415.
    """

    approximate: str = attr(one_of("none", "tanh"), "'tanh' for the approximation", "none")

    @property
    def per_element(self) -> tuple[int, int]:  # type: ignore[override]
        return (13, 0) if self.approximate == "tanh" else (5, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.GELU")


@register("silu", category="activation", samples=_PLAIN)
class SiLU(Pointwise):
    """x·sigmoid(x), also called swish.  Cost: four operations (sigmoid's three, ·).  Source: PyTorch `nn.SiLU`."""

    per_element = (4, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.SiLU")


@register("mish", category="activation", samples=_PLAIN)
class Mish(Pointwise):
    """x·tanh(log(1 + exp(x))).  Cost: nine operations (exp, +, log, tanh's five, ·).  Source: PyTorch `nn.Mish`."""

    per_element = (9, 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Mish")


@register("hardsigmoid", category="activation", samples=_PLAIN)
class Hardsigmoid(Pointwise):
    """relu6(x + 3)/6.  Cost: two operations, two comparisons.  Source: PyTorch `nn.Hardsigmoid`."""

    per_element = (2, 2)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Hardsigmoid")


@register("hardswish", category="activation", samples=_PLAIN)
class Hardswish(Pointwise):
    """x·relu6(x + 3)/6.  Cost: three operations, two comparisons.

    Sources: PyTorch `nn.Hardswish`; Howard et al. 2019, arXiv:1905.02244.
    """

    per_element = (3, 2)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Hardswish")


@register(
    "softmax",
    category="activation",
    samples=[({}, ((1, 1000),)), ({"dim": -1}, _TOKENS), ({}, ((2, 21, 5, 5),))],
)
class Softmax(Op):
    """exp(x − max)/Σ exp(x − max) along one dimension, the channels unless told otherwise.

    Cost per group of n: n − 1 comparisons, n subtractions, n exponentials, n − 1 additions, n divisions.
    Source: PyTorch `nn.Softmax`.
    """

    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    dim: int | None = attr(
        optional(DIMENSION),
        "dimension that sums to one; PyTorch asks for it, here None is the channels'",
        None,
    )

    def _dim(self, x: Shape) -> int:
        return 1 if self.dim is None else numbered(self.dim, x)

    def shape(self, inputs: Shapes) -> Shape:
        self._dim(inputs[0])
        return inputs[0]

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (self._dim(inputs[0]),)

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        count = numel(output)
        groups = count // output[self._dim(output)]
        return Cost(elementwise=4 * count - groups, comparisons=count - groups)

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        size = output[self._dim(output)]
        return f"{numel(output) // size}×(5×{size} − 2)" if numel(output) != size else f"5×{size} − 2"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("nn.Softmax", (), {"dim": 1 if self.dim is None else self.dim})
