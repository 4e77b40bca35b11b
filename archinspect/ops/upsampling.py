"""Larger maps: interpolation and rearranged channels."""

from __future__ import annotations

import math

from ..errors import OpError
from ..geometry import Resampling
from .attributes import FLAG, integer, number, one_of, optional, pair
from .base import NO_COST, Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_rank, numel, register
from .derivation import product, shape_of


@register(
    "upsample",
    category="shape",
    samples=[
        ({"scale_factor": 2}, ((1, 64, 28, 28),)),
        ({"scale_factor": 1.5, "mode": "bilinear"}, ((2, 3, 5, 4),)),
        ({"size": (9, 7), "mode": "bilinear", "align_corners": True}, ((2, 3, 5, 4),)),
    ],
)
class Upsample(Op):
    """A larger map by repeating the nearest element, or by weighting the four nearest ones.

    Give `size` or `scale_factor`.  Cost: none for 'nearest'; for 'bilinear' four multiplications and three additions
    per output.  Source: PyTorch `nn.Upsample`.
    """

    size: tuple[int, int] | None = attr(optional(pair(1)), "height and width of the output", None)
    scale_factor: float | None = attr(optional(number(0)), "factor for height and width", None)
    mode: str = attr(one_of("nearest", "bilinear"), "how elements in between are found", "nearest")
    align_corners: bool | None = attr(optional(FLAG), "whether corners fall on corners (bilinear)", None)

    def __post_init__(self) -> None:
        if (self.size is None) == (self.scale_factor is None):
            given = "neither" if self.size is None else "both"
            raise OpError(
                "A207",
                f"upsample needs size or scale_factor, and has {given}",
                help="e.g. upsample(scale_factor=2)",
                attribute="scale_factor",
            )
        if self.align_corners is not None and self.mode == "nearest":
            raise OpError(
                "A207",
                "align_corners belongs to mode='bilinear'",
                help="leave it out, or add mode='bilinear'",
                attribute="align_corners",
            )

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        rows, columns = (self._output(x[2 + axis], axis) for axis in (0, 1))
        if not rows or not columns:
            raise OpError(
                "A302",
                f"the output would be {rows}×{columns}",
                notes=[
                    f"⌊{x[2]}×{self.scale_factor:g}⌋ = {rows}, ⌊{x[3]}×{self.scale_factor:g}⌋ = {columns}"
                ],
                help=f"use a scale_factor of at least 1/{min(x[2:])}",
                attribute="scale_factor",
            )
        return x[0], x[1], rows, columns

    def _output(self, size: int, axis: int) -> int:
        if self.size is not None:
            return self.size[axis]
        assert self.scale_factor is not None
        return math.floor(size * self.scale_factor)

    def windows(self, inputs: Shapes) -> tuple[Resampling, Resampling]:
        taps = 1 if self.mode == "nearest" else 2
        vertical, horizontal = (
            Resampling(inputs[0][2 + axis], self._output(inputs[0][2 + axis], axis), taps) for axis in (0, 1)
        )
        return vertical, horizontal

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST if self.mode == "nearest" else Cost(elementwise=7 * numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "nn.Upsample")
        factor = call.kwargs.get("scale_factor")
        whole = {"scale_factor": int(factor)} if factor is not None and factor == int(factor) else {}
        return TorchCall(call.target, call.args, {**call.kwargs, **whole})

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        if self.scale_factor is None:
            return shape_of(output)
        numerator, denominator = self.scale_factor.as_integer_ratio()
        if denominator == 1:
            return shape_of(output, d2=f"{numerator}×{inputs[0][2]}", d3=f"{numerator}×{inputs[0][3]}")
        if denominator > 1000:  # a factor such as 0.1 is no short fraction in binary
            return shape_of(output)
        scale = f"×{numerator}/{denominator}"
        return shape_of(output, d2=f"⌊{inputs[0][2]}{scale}⌋", d3=f"⌊{inputs[0][3]}{scale}⌋")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return "0" if self.mode == "nearest" else f"7×{product(output)}"


@register(
    "pixel_shuffle",
    category="shape",
    samples=[({"upscale_factor": 2}, ((1, 64, 28, 28),)), ({"upscale_factor": 3}, ((2, 18, 5, 4),))],
)
class PixelShuffle(Op):
    """r² channels become one channel with r times the height and width.  Cost: none, data only moves.

    Sources: PyTorch `nn.PixelShuffle`; Shi et al. 2016, arXiv:1609.05158.
    """

    upscale_factor: int = attr(integer(1), "factor for height and width (r)")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        factor = self.upscale_factor
        if x[1] % factor**2:
            raise OpError(
                "A303",
                f"{x[1]} channels are not divisible by {factor}²",
                notes=[f"{x[1]} = {x[1] // factor**2}×{factor**2} + {x[1] % factor**2}"],
                help=f"give it a multiple of {factor**2} channels",
                attribute="upscale_factor",
            )
        return x[0], x[1] // factor**2, x[2] * factor, x[3] * factor

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (1,)  # channels become positions: where positions lie along them already, all may be seen

    def windows(self, inputs: Shapes) -> tuple[Resampling, Resampling]:
        rows, columns = inputs[0][2:]
        return (
            Resampling(rows, rows * self.upscale_factor, 1),
            Resampling(columns, columns * self.upscale_factor, 1),
        )

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.PixelShuffle")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        (x,) = inputs
        factor = self.upscale_factor
        return shape_of(output, d1=f"{x[1]}/{factor}²", d2=f"{factor}×{x[2]}", d3=f"{factor}×{x[3]}")
