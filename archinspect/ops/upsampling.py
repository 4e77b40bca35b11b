"""Larger maps: interpolation and rearranged channels."""

from __future__ import annotations

import math

from ..errors import OpError
from ..geometry import Resampling
from .attributes import FLAG, LARGEST, SPACES, integer, number, one_of, optional, several
from .base import (
    NO_COST,
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
from .derivation import product, shape_of, times

#: by the number of spatial dimensions the mode that weights the nearest elements
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_LAYOUTS = " or ".join(words["layout"] for words in SPACES.values())


@register(
    "upsample",
    category="shape",
    samples=[
        ({"scale_factor": 2}, ((1, 64, 28, 28),)),
        ({"scale_factor": 1.5, "mode": "bilinear"}, ((2, 3, 5, 4),)),
        ({"size": (9, 7), "mode": "bilinear", "align_corners": True}, ((2, 3, 5, 4),)),
        ({"scale_factor": 2.5, "mode": "linear"}, ((2, 3, 5),)),
        ({"size": (4, 9, 7), "mode": "trilinear", "align_corners": False}, ((2, 3, 3, 5, 4),)),
    ],
)
class Upsample(Op):
    """A larger map by repeating the nearest element, or by weighting the nearest ones.

    Give `size` or `scale_factor`; a signal (N, C, L) and a volume (N, C, D, H, W) do as well.  Cost: none for
    'nearest'; for 'linear' two multiplications and an addition per output, for 'bilinear' four and three, for
    'trilinear' eight and seven.  Source: PyTorch `nn.Upsample`.
    """

    size: tuple[int, ...] | None = attr(optional(several(1)), "height and width of the output", None)
    scale_factor: float | None = attr(optional(number(0)), "factor for height and width", None)
    mode: str = attr(one_of("nearest", *_LINEAR.values()), "how elements in between are found", "nearest")
    align_corners: bool | None = attr(
        optional(FLAG), "whether corners fall on corners (all but nearest)", None
    )

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
        self._need_layout(x)
        sides = self._sides(x)
        if max(sides) > LARGEST:
            raise OpError(
                "A207",
                f"the output would be {'×'.join(f'{side:.3g}' for side in sides)}",
                notes=[f"a side has at most {LARGEST}"],
                attribute="scale_factor",
            )
        if not min(sides):
            factor = f"{self.scale_factor:g}"
            raise OpError(
                "A302",
                f"the output would be {'×'.join(map(str, sides))}",
                notes=[", ".join(f"⌊{n}×{factor}⌋ = {out}" for n, out in zip(x[2:], sides, strict=True))],
                help=f"use a scale_factor of at least 1/{min(x[2:])}",
                attribute="scale_factor",
            )
        return x[0], x[1], *sides

    def _need_layout(self, x: Shape) -> None:
        """Refuse what is no signal, map or volume, and a mode or a size that is meant for another one."""
        space = len(x) - 2
        if space not in _LINEAR:
            raise OpError(
                "A301",
                f"upsample needs an input {_LAYOUTS}, and gets {len(x)}-D {show_shape(x)}",
                help="is it placed after flatten?" if space == 0 else "",
            )
        if self.mode not in ("nearest", _LINEAR[space]):
            raise OpError(
                "A301",
                f"mode='{self.mode}' does not work on {len(x)}-D {show_shape(x)}",
                help=f"use mode='{_LINEAR[space]}'",
                attribute="mode",
            )
        if self.size is not None and len(self.size) not in (1, space):
            raise OpError(
                "A301",
                f"size {show_shape(self.size)} does not suit {len(x)}-D {show_shape(x)}",
                notes=[f"{len(self.size)} sizes for {space} spatial dimensions"],
                help="give one integer, or one for each spatial dimension",
                attribute="size",
            )

    def _sides(self, x: Shape) -> Shape:
        if self.size is not None:
            return self.size if len(self.size) > 1 else self.size * (len(x) - 2)
        assert self.scale_factor is not None
        return tuple([math.floor(size * self.scale_factor) for size in x[2:]])

    def windows(self, inputs: Shapes) -> tuple[Resampling, ...]:
        taps = 1 if self.mode == "nearest" else 2
        axes = zip(inputs[0][2:], self._sides(inputs[0]), strict=True)
        return tuple([Resampling(size, output, taps) for size, output in axes])

    def _per_output(self, output: Shape) -> int:
        """Operations on each element: as many products as neighbours, and one sum fewer."""
        return 0 if self.mode == "nearest" else 2 ** (len(output) - 1) - 1

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=self._per_output(output) * numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "nn.Upsample")
        factor = call.kwargs.get("scale_factor")
        whole = {"scale_factor": int(factor)} if factor is not None and factor == int(factor) else {}
        return TorchCall(call.target, call.args, {**call.kwargs, **whole})

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        if self.scale_factor is None:
            return shape_of(output)
        numerator, denominator = self.scale_factor.as_integer_ratio()
        if denominator > 1000:  # a factor such as 0.1 is no short fraction in binary
            return shape_of(output)
        if denominator == 1:
            formulas = [f"{numerator}×{size}" for size in inputs[0][2:]]
        else:
            formulas = [f"⌊{size}×{numerator}/{denominator}⌋" for size in inputs[0][2:]]
        return shape_of(output, **{f"d{axis}": formula for axis, formula in enumerate(formulas, 2)})

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return times(self._per_output(output), product(output))


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
