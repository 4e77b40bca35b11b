"""Normalisation of each image by itself; `docs/counting.md` says what it costs."""

from __future__ import annotations

from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, SPACES, integer, number, optional, several
from .base import (
    Cost,
    Op,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_map,
    need_rank,
    numel,
    register,
    show_shape,
)
from .convolution import divide_groups
from .derivation import product, times
from .pointwise import Pointwise
from .statistics import EPS, derive_statistics, need_several, statistics_cost

_SIZES = several(1)


@register(
    "layer_norm",
    category="normalisation",
    samples=[
        ({}, ((1, 197, 768),)),
        ({"eps": 1e-6, "bias": False}, ((3, 10),)),
        ({"normalized_shape": (4, 6), "elementwise_affine": False}, ((2, 3, 4, 6),)),
    ],
)
class LayerNorm(Op):
    """Layer normalisation over trailing dimensions, by default the last one of (N, features) or (N, L, features).

    A map (N, C, H, W) needs `layer_norm2d`, which normalises its channels, or an explicit `normalized_shape`.
    Sources: PyTorch `nn.LayerNorm`; Ba et al. 2016, arXiv:1607.06450.
    """

    normalized_shape: tuple[int, ...] | None = attr(
        optional(_SIZES), "trailing dimensions that are normalised together; None is the last one", None
    )
    eps: float = attr(number(0), EPS, 1e-5)
    elementwise_affine: bool = attr(FLAG, "learn a scale and a shift per element", True)
    bias: bool = attr(FLAG, "learn the shift (where there is a scale)", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        sizes = self.normalized_shape
        if sizes is None:
            if len(x) not in (2, 3):
                raise OpError(
                    "A301",
                    f"layer_norm normalises the last dimension, which in {show_shape(x)} is no channel dimension",
                    help="use layer_norm2d for a map, or give normalized_shape",
                )
        elif x[-len(sizes) :] != sizes or len(sizes) >= len(x):
            raise OpError(
                "A305",
                f"normalized_shape {_SIZES.show(sizes)} is not how the input {show_shape(x)} ends",
                notes=[f"{show_shape(x[-len(sizes) :])} ≠ {show_shape(sizes)}"],
                help=f"give the last sizes of the input, such as {_SIZES.show(x[-min(len(sizes), len(x) - 1) :])}",
                attribute="normalized_shape",
            )
        return x

    def _sizes(self, inputs: Shapes) -> Shape:
        return self.normalized_shape or inputs[0][-1:]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        sizes = self._sizes(inputs)
        if not self.elementwise_affine:
            return {}
        return {"weight": sizes, "bias": sizes} if self.bias else {"weight": sizes}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        count = numel(output)
        return statistics_cost(count, count // numel(self._sizes(inputs)), len(self.weights(inputs)))

    def derive_params(self, inputs: Shapes) -> str:
        return times(len(self.weights(inputs)), "×".join(map(str, self._sizes(inputs))))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        groups = numel(output) // numel(self._sizes(inputs))
        return derive_statistics(output, groups, len(self.weights(inputs)))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        sizes = self._sizes(inputs)
        call = module_call(self, "nn.LayerNorm", sizes[0] if len(sizes) == 1 else sizes)
        return TorchCall(
            call.target, call.args, {k: v for k, v in call.kwargs.items() if k != "normalized_shape"}
        )


@register(
    "rms_norm",
    category="normalisation",
    samples=[({}, ((1, 128, 2048),)), ({"eps": 1e-5, "elementwise_affine": False}, ((2, 5, 8),))],
)
class RMSNorm(Op):
    """x/√(mean of x² + ε), over the last dimension, with a learnt scale.

    Cost per group of n: n squares, n − 1 additions and a division, one addition of ε, one root, n divisions; and one
    multiplication per element for the scale.
    Sources: PyTorch `nn.RMSNorm`; Zhang & Sennrich 2019, arXiv:1910.07467.
    """

    predicted: ClassVar[bool] = False
    eps: float | None = attr(optional(number(0)), "added to the mean square; None is the type's own", None)
    elementwise_affine: bool = attr(FLAG, "learn a scale per element", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        if len(x) not in (2, 3):
            raise OpError(
                "A301",
                f"rms_norm normalises the last dimension, which in {show_shape(x)} is no channel dimension",
                help="make tokens of the map first",
            )
        return x

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"weight": inputs[0][-1:]} if self.elementwise_affine else {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        count = numel(output)
        return Cost(elementwise=(3 + self.elementwise_affine) * count + 2 * (count // output[-1]))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        groups = numel(output) // output[-1]
        return f"{3 + self.elementwise_affine}×{product(output)} + {times(2, str(groups))}"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.RMSNorm", inputs[0][-1])


@register(
    "layer_norm2d",
    category="normalisation",
    samples=[({}, ((1, 96, 56, 56),)), ({"eps": 1e-6}, ((2, 6, 5, 4),))],
)
class LayerNorm2d(Op):
    """Layer normalisation of the channels at every position of (N, C, H, W), as ConvNeXt has it.

    Source: Liu et al. 2022, arXiv:2201.03545 (its `channels_first` layer norm).
    """

    eps: float = attr(number(0), EPS, 1e-5)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return statistics_cost(numel(output), numel(output) // output[1], 2)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return derive_statistics(output, numel(output) // output[1], 2)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.LayerNorm2d", inputs[0][1])


@register(
    "group_norm",
    category="normalisation",
    samples=[
        ({"num_groups": 32}, ((1, 64, 56, 56),)),
        ({"num_groups": 3, "affine": False, "eps": 1e-6}, ((2, 6, 5, 4),)),
    ],
)
class GroupNorm(Op):
    """Group normalisation over (N, C, H, W): each group of channels by its own mean and variance.

    Sources: PyTorch `nn.GroupNorm`; Wu & He 2018, arXiv:1803.08494.
    """

    num_groups: int = attr(integer(1), "groups that the channels are divided into")
    eps: float = attr(number(0), EPS, 1e-5)
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", True)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        try:
            divide_groups(self.num_groups, inputs[0][1], "channels")
        except OpError as error:
            error.attribute = "num_groups"
            raise
        need_several(self, numel(inputs[0]) // self.num_groups, "group")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels} if self.affine else {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return statistics_cost(numel(output), output[0] * self.num_groups, 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}" if self.affine else "0"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return derive_statistics(output, output[0] * self.num_groups, 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "nn.GroupNorm")
        return TorchCall(call.target, (self.num_groups, inputs[0][1]), call.kwargs)


class InstanceNorm(Op):
    """Instance normalisation over {layout}: each channel of each {map} by its own mean and variance.

    Sources: PyTorch `nn.InstanceNorm{n}d`; Ulyanov et al. 2016, arXiv:1607.08022.
    """

    eps: float = attr(number(0), EPS, 1e-5)
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", False)

    def shape(self, inputs: Shapes) -> Shape:
        need_map(self, inputs[0])
        need_several(self, numel(inputs[0][2:]), f"channel and {SPACES[self.spatial]['map']}")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels} if self.affine else {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return statistics_cost(numel(output), numel(output[:2]), 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}" if self.affine else "0"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return derive_statistics(output, numel(output[:2]), 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.InstanceNorm{self.spatial}d", inputs[0][1])


@register(
    "instance_norm1d",
    category="normalisation",
    samples=[({}, ((1, 64, 400),)), ({"affine": True, "eps": 1e-6}, ((2, 6, 5),))],
)
class InstanceNorm1d(InstanceNorm):
    spatial: ClassVar[int] = 1


@register(
    "instance_norm2d",
    category="normalisation",
    samples=[({}, ((1, 64, 56, 56),)), ({"affine": True, "eps": 1e-6}, ((2, 6, 5, 4),))],
)
class InstanceNorm2d(InstanceNorm):
    spatial: ClassVar[int] = 2


@register(
    "instance_norm3d",
    category="normalisation",
    samples=[({}, ((1, 64, 8, 28, 28),)), ({"affine": True, "eps": 1e-6}, ((2, 6, 3, 5, 4),))],
)
class InstanceNorm3d(InstanceNorm):
    spatial: ClassVar[int] = 3


@register(
    "local_response_norm",
    category="normalisation",
    samples=[
        ({"size": 5, "alpha": 5e-4, "k": 2}, ((1, 96, 55, 55),)),
        ({"size": 2, "beta": 0.5}, ((2, 6, 5, 4),)),
    ],
)
class LocalResponseNorm(Pointwise):
    """Local response normalisation: x/(k + α/n·Σ x²)^β, the sum over n neighbouring channels.

    PyTorch divides α by n, the papers do not: AlexNet's α = 1e-4 over five maps is written `alpha=5e-4`.
    Cost per element: one square, n − 1 additions, then ·, +, power and /: n + 4.
    Sources: PyTorch `nn.LocalResponseNorm`; Krizhevsky et al. 2012, section 3.3.
    """

    size: int = attr(integer(1), "neighbouring channels that are summed (n)")
    alpha: float = attr(number(), "factor of the sum (α)", 1e-4)
    beta: float = attr(number(), "exponent (β)", 0.75)
    k: float = attr(number(), "constant term", 1.0)

    @property
    def per_element(self) -> tuple[int, int]:  # type: ignore[override]
        return self.size + 4, 0

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        return inputs[0]

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"({self.size} + 4)×{product(output)}"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.LocalResponseNorm")
