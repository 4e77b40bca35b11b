"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, integer
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
    numel,
    register,
    show_shape,
)
from .derivation import product


@register(
    "linear",
    category="linear",
    samples=[
        ({"out_features": 4096}, ((1, 9216),)),
        ({"out_features": 10, "bias": False}, ((3, 84),)),
        ({"out_features": 12}, ((2, 5, 8),)),
        ({"out_features": 12}, ((2, 4, 3, 8),)),
    ],
)
class Linear(Op):
    """Fully connected layer on the last dimension of (N, features), of tokens (N, L, features), or of (N, H, W, C).

    Source: PyTorch `nn.Linear`.
    """

    tied: ClassVar[tuple[str, ...]] = ("weight",)
    out_features: int = attr(integer(1), "width of the output")
    bias: bool = attr(FLAG, "add a learnable bias per output", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        if len(x) < 2:
            raise OpError("A301", f"linear needs features, and gets {show_shape(x)}")
        return *x[:-1], self.out_features

    def need_features(self, x: Shape, axes: Axes) -> None:
        """Refuse a map whose last dimension is a side of it: PyTorch would multiply the width.

        Behind `permute((0, 2, 3, 1))`, as ConvNeXt has it, the last dimension is the channels.
        """
        if axes[-1] == "space":
            raise OpError(
                "A301",
                f"linear needs (N, features) or (N, L, features), and gets {len(x)}-D {show_shape(x)}",
                notes=[f"flattened, one image has {product(x[1:])} = {numel(x[1:]):,} features"],
                help="put flatten before it",
            )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (len(inputs[0]) - 1,)  # tokens stay apart

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:-1], frozenset()

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (self.out_features, inputs[0][-1])
        return {"weight": weight, "bias": (self.out_features,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(macs=numel(output) * inputs[0][-1], bias_adds=numel(output) if self.bias else 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Linear", inputs[0][-1])

    def derive_params(self, inputs: Shapes) -> str:
        weight = f"{inputs[0][-1]}×{self.out_features}"
        return f"({weight}) + {self.out_features}" if self.bias else weight

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        rows = numel(output[:-1])
        return product((rows, inputs[0][-1], self.out_features))
