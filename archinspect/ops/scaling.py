"""Multiplication by a number, or by a learnt number per channel."""

from __future__ import annotations

from .attributes import number
from .base import Shape, Shapes, TorchCall, attr, module_call, register
from .pointwise import Pointwise


@register(
    "scale",
    category="activation",
    samples=[({"factor": 0.17}, ((1, 320, 35, 35),)), ({"factor": 2}, ((2, 5),))],
)
class Scale(Pointwise):
    """factor·x, such as the scaled residuals of Inception-ResNet.  Cost: one multiplication per element.

    Source: Szegedy et al. 2016, arXiv:1602.07261, section 3.3.  In PyTorch: `torch.mul`.
    """

    per_element = (1, 0)
    factor: float = attr(number(), "what every element is multiplied by")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.mul", (self.factor,))


@register(
    "layer_scale",
    category="normalisation",
    samples=[({}, ((1, 96, 56, 56),)), ({"init": 1e-4}, ((2, 5, 8),))],
)
class LayerScale(Pointwise):
    """γ·x with a learnt γ per channel: dimension 1 of a map (N, C, H, W) or volume, the last one of tokens.

    Cost: one multiplication per element.  Source: Touvron et al. 2021, arXiv:2103.17239, section 2.
    """

    per_element = (1, 0)
    init: float = attr(number(), "where γ starts", 1e-6)

    def _gamma(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        return (x[1], *[1] * (len(x) - 2)) if len(x) > 3 else (x[-1],)

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"gamma": self._gamma(inputs)}

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.LayerScale", self._gamma(inputs))

    def derive_params(self, inputs: Shapes) -> str:
        return str(self._gamma(inputs)[0])
