"""Batch normalisation, in one to three spatial dimensions."""

from __future__ import annotations

from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, number, optional
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_map, numel, register
from .derivation import product, times
from .statistics import EPS, derive_statistics, need_several, statistics_cost


class BatchNorm(Op):
    """Batch normalisation over {layout}: each channel to mean 0 and variance 1, then learnt scale and shift.

    The running statistics are buffers, not parameters.  Cost in evaluation: two operations per element, since scale,
    shift and running statistics fold into one of each; without running statistics they are computed.
    Sources: PyTorch `nn.BatchNorm{n}d`; Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    eps: float = attr(number(0), EPS, 1e-5)
    momentum: float | None = attr(
        optional(number(0, 1)), "weight of a batch in the running statistics; None averages them all", 0.1
    )
    affine: bool = attr(FLAG, "learn a scale and a shift per channel", True)
    track_running_stats: bool = attr(FLAG, "keep the running mean and variance", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        self._need_layout(x)
        if not self.track_running_stats:
            need_several(self, numel(x) // x[1], "channel")
        return x

    def _need_layout(self, x: Shape) -> None:
        need_map(self, x)

    def _learnt(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.affine else ()

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return dict.fromkeys(self._learnt(), (inputs[0][1],))

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
        return times(len(self._learnt()), str(inputs[0][1]))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        if self.track_running_stats:
            return f"2×{product(output)}"
        return derive_statistics(output, output[1], 2 * self.affine)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.BatchNorm{self.spatial}d", inputs[0][1])


@register(
    "batch_norm1d",
    category="normalisation",
    samples=[
        ({}, ((1, 128, 8000),)),
        ({"eps": 0.001, "momentum": None}, ((2, 6),)),
        ({"affine": False, "track_running_stats": False}, ((2, 6, 5),)),
    ],
)
class BatchNorm1d(BatchNorm):
    """Batch normalisation over (N, C) or (N, C, L): each channel to mean 0 and variance 1, then learnt scale and shift.

    The running statistics are buffers, not parameters.  Costs are those of `batch_norm2d`.
    Sources: PyTorch `nn.BatchNorm1d`; Ioffe & Szegedy 2015, arXiv:1502.03167.
    """

    spatial: ClassVar[int] = 1

    def _need_layout(self, x: Shape) -> None:
        if len(x) != 2:
            need_map(self, x)


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
class BatchNorm2d(BatchNorm):
    spatial: ClassVar[int] = 2
    scale: bool = attr(FLAG, "False learns the shift only, as Keras' scale=False does; not in PyTorch", True)

    def __post_init__(self) -> None:
        if not self.scale and not (self.affine and self.track_running_stats):
            raise OpError(
                "A207",
                "scale=False needs affine=True and track_running_stats=True",
                help="affine=False leaves out both scale and shift",
                attribute="scale",
            )

    def _learnt(self) -> tuple[str, ...]:
        return super()._learnt() if self.scale else ("bias",)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        if self.scale:
            return super().torch_call(inputs)
        kept = [a for a in self.attributes if a.name in ("eps", "momentum")]
        changed = {a.name: getattr(self, a.name) for a in kept if getattr(self, a.name) != a.default}
        return TorchCall("archinspect.ShiftBatchNorm2d", (inputs[0][1],), changed)


@register(
    "batch_norm3d",
    category="normalisation",
    samples=[
        ({}, ((1, 64, 16, 112, 112),)),
        ({"track_running_stats": False, "affine": False}, ((2, 6, 3, 2, 4),)),
    ],
)
class BatchNorm3d(BatchNorm):
    spatial: ClassVar[int] = 3


@register(
    "sync_batch_norm",
    category="normalisation",
    samples=[({}, ((1, 64, 56, 56),)), ({"eps": 0.001}, ((2, 6),))],
)
class SyncBatchNorm(BatchNorm):
    """Batch normalisation over (N, C, ...) whose statistics in training are those of all devices together.

    Costs are those of `batch_norm2d`.  Source: PyTorch `nn.SyncBatchNorm`.
    """

    predicted: ClassVar[bool] = False

    def _need_layout(self, x: Shape) -> None:
        if len(x) < 2:
            raise OpError("A301", f"sync_batch_norm needs (N, C, ...), and gets {len(x)}-D")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.SyncBatchNorm", inputs[0][1])
