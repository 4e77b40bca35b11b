"""Batch normalisation."""

from __future__ import annotations

from ..errors import OpError
from .attributes import FLAG, number, optional
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_rank, numel, register
from .derivation import product, times
from .statistics import EPS, derive_statistics, need_several, statistics_cost


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

    eps: float = attr(number(0), EPS, 1e-5)
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
            need_several(self, numel(x) // x[1], "channel")
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
        return statistics_cost(numel(output), output[1], 2 * self.affine)

    def derive_params(self, inputs: Shapes) -> str:
        learnt = len(self.weights(inputs))
        return times(learnt, str(inputs[0][1]))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        if self.track_running_stats:
            return f"2×{product(output)}"
        return derive_statistics(output, output[1], 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        channels = inputs[0][1]
        if self.scale:
            return module_call(self, "nn.BatchNorm2d", channels)
        kwargs = {a.name: getattr(self, a.name) for a in self.attributes if a.name in ("eps", "momentum")}
        defaults = {a.name: a.default for a in self.attributes}
        changed = {name: value for name, value in kwargs.items() if value != defaults[name]}
        return TorchCall("archinspect.ShiftBatchNorm2d", (channels,), changed)
