"""Normalisation.  Costs are those of evaluation; `docs/counting.md` derives the two rules.

- Fixed statistics (batch norm): scale and shift are folded, one multiplication and one addition per element.
- Statistics of the input itself, over groups of n elements: n for the mean, 3·n for the variance (difference,
  square, sum and division), two for 1/√(σ² + ε), one multiplication per element; then the learnt scale and shift.
"""

from __future__ import annotations

from typing import Any

from ..errors import OpError
from .attributes import FLAG, Kind, integer, number, optional
from .base import (
    Cost,
    Op,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_rank,
    numel,
    register,
    show_shape,
)
from .convolution import divide_groups
from .derivation import product, times
from .pointwise import Pointwise

_EPS = "added to the variance"


def _parse_sizes(value: Any) -> tuple[int, ...]:
    sizes = value if isinstance(value, tuple) else (value,)
    if not sizes:
        raise OpError("A207", "expected one or more trailing dimensions, got none")
    return tuple(integer(1).parse(size) for size in sizes)


def _show_sizes(value: tuple[int, ...]) -> str:
    return str(value[0]) if len(value) == 1 else str(value)


_SIZES = Kind("int or (int, ...) ≥ 1", _parse_sizes, _show_sizes)


def _statistics(elements: int, groups: int, affine_terms: int) -> Cost:
    """Normalising `elements` by their own mean and variance in `groups` groups."""
    return Cost(elementwise=(5 + affine_terms) * elements + 2 * groups)


def _derive_statistics(shape: Shape, groups: int, affine_terms: int) -> str:
    return f"{5 + affine_terms}×{product(shape)} + {times(2, str(groups))}"


def _need_several(op: Op, count: int, what: str) -> None:
    """Refuse to compute a variance of a single value, as PyTorch does."""
    if count == 1:
        raise OpError("A305", f"{op.type} has a single value per {what}, and no variance to normalise by")


@register(
    "batch_norm2d",
    category="normalisation",
    samples=[
        ({}, ((1, 64, 112, 112),)),
        ({"eps": 0.001, "momentum": None, "affine": False}, ((2, 6, 5, 4),)),
        ({"track_running_stats": False}, ((2, 6, 5, 4),)),
        ({"scale": False, "eps": 0.001}, ((1, 32, 149, 149),)),
    ],
)
class BatchNorm2d(Op):
    """Batch normalisation over (N, C, H, W): each channel to mean 0 and variance 1, then learnt scale and shift.

    The running statistics are buffers, not parameters.  Cost in evaluation: two operations per element, since scale,
    shift and running statistics fold into one of each; without running statistics they are computed.
    Sources: PyTorch `nn.BatchNorm2d`; Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    eps: float = attr(number(0), _EPS, 1e-5)
    momentum: float | None = attr(
        optional(number(0, 1)), "weight of a batch in the running statistics; None averages them all", 0.1
    )
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", True)
    track_running_stats: bool = attr(FLAG, "keep the running mean and variance", True)
    scale: bool = attr(FLAG, "False learns the shift only, as Keras' scale=False does; not in PyTorch", True)

    def __post_init__(self) -> None:
        if not self.scale and not (self.affine and self.track_running_stats):
            raise OpError(
                "A207",
                "scale=False needs affine=True and track_running_stats=True",
                help="affine=False leaves out both scale and shift",
                attribute="scale",
            )

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        if not self.track_running_stats:
            _need_several(self, numel(x) // x[1], "channel")
        return x

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        if not self.affine:
            return {}
        return {"weight": channels, "bias": channels} if self.scale else {"bias": channels}

    def buffers(self, inputs: Shapes) -> dict[str, Shape]:
        if not self.track_running_stats:
            return {}
        channels = (inputs[0][1],)
        return {"running_mean": channels, "running_var": channels, "num_batches_tracked": ()}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        if self.track_running_stats:
            return Cost(elementwise=2 * numel(output))
        return _statistics(numel(output), output[1], 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        learnt = len(self.weights(inputs))
        return times(learnt, str(inputs[0][1]))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        if self.track_running_stats:
            return f"2×{product(output)}"
        return _derive_statistics(output, output[1], 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        channels = inputs[0][1]
        if self.scale:
            return module_call(self, "nn.BatchNorm2d", channels)
        kwargs = {a.name: getattr(self, a.name) for a in self.attributes if a.name in ("eps", "momentum")}
        defaults = {a.name: a.default for a in self.attributes}
        changed = {name: value for name, value in kwargs.items() if value != defaults[name]}
        return TorchCall("archinspect.ShiftBatchNorm2d", (channels,), changed)


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
    eps: float = attr(number(0), _EPS, 1e-5)
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
                f"normalized_shape {_show_sizes(sizes)} is not how the input {show_shape(x)} ends",
                notes=[f"{show_shape(x[-len(sizes) :])} ≠ {show_shape(sizes)}"],
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
        return _statistics(count, count // numel(self._sizes(inputs)), len(self.weights(inputs)))

    def derive_params(self, inputs: Shapes) -> str:
        return times(len(self.weights(inputs)), "×".join(map(str, self._sizes(inputs))))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        groups = numel(output) // numel(self._sizes(inputs))
        return _derive_statistics(output, groups, len(self.weights(inputs)))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        sizes = self._sizes(inputs)
        call = module_call(self, "nn.LayerNorm", sizes[0] if len(sizes) == 1 else sizes)
        return TorchCall(
            call.target, call.args, {k: v for k, v in call.kwargs.items() if k != "normalized_shape"}
        )


@register(
    "layer_norm2d",
    category="normalisation",
    samples=[({}, ((1, 96, 56, 56),)), ({"eps": 1e-6}, ((2, 6, 5, 4),))],
)
class LayerNorm2d(Op):
    """Layer normalisation of the channels at every position of (N, C, H, W), as ConvNeXt has it.

    Source: Liu et al. 2022, arXiv:2201.03545 (its `channels_first` layer norm).
    """

    eps: float = attr(number(0), _EPS, 1e-5)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return _statistics(numel(output), numel(output) // output[1], 2)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return _derive_statistics(output, numel(output) // output[1], 2)

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
    eps: float = attr(number(0), _EPS, 1e-5)
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", True)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        try:
            divide_groups(self.num_groups, inputs[0][1], "channels")
        except OpError as error:
            error.attribute = "num_groups"
            raise
        _need_several(self, numel(inputs[0]) // self.num_groups, "group")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels} if self.affine else {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return _statistics(numel(output), output[0] * self.num_groups, 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}" if self.affine else "0"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return _derive_statistics(output, output[0] * self.num_groups, 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "nn.GroupNorm")
        return TorchCall(call.target, (self.num_groups, inputs[0][1]), call.kwargs)


@register(
    "instance_norm2d",
    category="normalisation",
    samples=[({}, ((1, 64, 56, 56),)), ({"affine": True, "eps": 1e-6}, ((2, 6, 5, 4),))],
)
class InstanceNorm2d(Op):
    """Instance normalisation over (N, C, H, W): each channel of each image by its own mean and variance.

    Sources: PyTorch `nn.InstanceNorm2d`; Ulyanov et al. 2016, arXiv:1607.08022.
    """

    eps: float = attr(number(0), _EPS, 1e-5)
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", False)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        _need_several(self, numel(inputs[0][2:]), "channel and image")
        return inputs[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        channels = (inputs[0][1],)
        return {"weight": channels, "bias": channels} if self.affine else {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return _statistics(numel(output), numel(output[:2]), 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        return f"2×{inputs[0][1]}" if self.affine else "0"

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return _derive_statistics(output, numel(output[:2]), 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.InstanceNorm2d", inputs[0][1])


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
