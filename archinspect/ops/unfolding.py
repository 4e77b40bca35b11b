"""Windows of a map laid side by side, put back, or reduced by a power mean: unfold, fold, lp_pool."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from ..errors import OpError
from ..geometry import Window
from .attributes import FLAG, number, optional, sizes
from .base import (
    NO_COST,
    Axes,
    Cost,
    Op,
    Positions,
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
from .derivation import product, shape_of


class LPPool(Op):
    """{Number}-dimensional power-average pooling over {layout}: (Σ x^p)^(1/p) of each window.

    The stride is the kernel size unless given.  Cost per output: {window} powers, {window} − 1 additions and one root.
    Source: PyTorch `nn.LPPool{n}d`.
    """

    predicted: ClassVar[bool] = False
    norm_type: float = attr(number(), "p: 1 is a sum, and the largest element is the limit for large p")
    kernel_size: tuple[int, ...] = attr(lambda n: sizes(n, 1), "{sides} of the window")
    stride: tuple[int, ...] | None = attr(
        lambda n: optional(sizes(n, 1)), "step of the window; None is the kernel size", None
    )
    ceil_mode: bool = attr(FLAG, "round the output size up instead of down", False)

    def __post_init__(self) -> None:
        if not self.norm_type:
            raise OpError("A207", "p is 0, which has no root", help="p is 1 or more", attribute="norm_type")

    def windows(self, inputs: Shapes) -> tuple[Window, ...]:
        return tuple(map(Window, self.kernel_size, self.stride or self.kernel_size))

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_map(self, x)
        axes = zip(self.windows(inputs), x[2:], strict=True)
        return x[0], x[1], *[window.output(size, ceil_mode=self.ceil_mode) for window, size in axes]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=2 * prod(self.kernel_size) * numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.LPPool{self.spatial}d")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        axes = zip(self.windows(inputs), inputs[0][2:], strict=True)
        formulas = [window.formula(size, ceil_mode=self.ceil_mode) for window, size in axes]
        return shape_of(output, **{f"d{axis}": formula for axis, formula in enumerate(formulas, 2)})

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"2×({'×'.join(map(str, self.kernel_size))})×{product(output)}"


@register("lp_pool1d", category="pooling", samples=[({"norm_type": 2, "kernel_size": 4}, ((1, 64, 100),))])
class LPPool1d(LPPool):
    spatial: ClassVar[int] = 1


@register(
    "lp_pool2d",
    category="pooling",
    samples=[
        ({"norm_type": 2, "kernel_size": 3, "stride": 2}, ((1, 64, 56, 56),)),
        ({"norm_type": 1, "kernel_size": (2, 3), "ceil_mode": True}, ((2, 3, 5, 7),)),
    ],
)
class LPPool2d(LPPool):
    spatial: ClassVar[int] = 2


@register("lp_pool3d", category="pooling", samples=[({"norm_type": 2, "kernel_size": 2}, ((1, 4, 6, 5, 4),))])
class LPPool3d(LPPool):
    spatial: ClassVar[int] = 3

    def shape(self, inputs: Shapes) -> Shape:
        output = super().shape(inputs)
        for size, kernel in zip(inputs[0][2:], self.kernel_size, strict=True):
            if size < kernel:  # PyTorch takes the mean by avg_pool3d, which refuses it
                raise OpError(
                    "A302",
                    f"window of {kernel} does not fit into the input of {size}",
                    notes=[f"input {size} < kernel {kernel}"],
                    help="use a smaller kernel or a larger input",
                )
        return output


class _Windows(Op):
    """What unfold and fold share: square or oblong windows of a map in two dimensions."""

    predicted: ClassVar[bool] = False

    kernel_size: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    stride: tuple[int, ...]

    def _counts(self, sides: Sequence[int]) -> list[int]:
        """Windows along each side."""
        axes = zip(sides, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        return [Window(k, s, p, p, d).output(side) for side, k, s, p, d in axes]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None


@register(
    "unfold",
    category="shape",
    samples=[
        ({"kernel_size": 3, "padding": 1}, ((1, 16, 28, 28),)),
        ({"kernel_size": (2, 3), "stride": 2, "dilation": (2, 1)}, ((2, 3, 7, 9),)),
    ],
)
class Unfold(_Windows):
    """Every window of a map as a column: (N, C, H, W) becomes (N, C·k_h·k_w, windows).  Cost: none, data only moves.

    Source: PyTorch `nn.Unfold`.
    """

    kernel_size: tuple[int, ...] = attr(sizes(2, 1), "height and width of the window")
    dilation: tuple[int, ...] = attr(sizes(2, 1), "distance between elements of a window", 1)
    padding: tuple[int, ...] = attr(sizes(2, 0), "zeros added on each side", 0)
    stride: tuple[int, ...] = attr(sizes(2, 1), "step of the window", 1)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        return x[0], x[1] * prod(self.kernel_size), prod(self._counts(x[2:]))

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return "batch", "channel", "space"

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Unfold")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        columns = "×".join(map(str, self._counts(inputs[0][2:])))
        return shape_of(output, d1="×".join(map(str, (inputs[0][1], *self.kernel_size))), d2=columns)


@register(
    "fold",
    category="shape",
    samples=[
        ({"output_size": 28, "kernel_size": 3, "padding": 1}, ((1, 144, 784),)),
        ({"output_size": (4, 5), "kernel_size": (2, 3), "stride": 1}, ((2, 12, 9),)),
    ],
)
class Fold(_Windows):
    """Columns put back as windows of a map, and added where they overlap: (N, C·k_h·k_w, windows) to (N, C, H, W).

    Cost: one addition per element that is put back.  Source: PyTorch `nn.Fold`.
    """

    output_size: tuple[int, ...] = attr(sizes(2, 1), "height and width of the map")
    kernel_size: tuple[int, ...] = attr(sizes(2, 1), "height and width of the window")
    dilation: tuple[int, ...] = attr(sizes(2, 1), "distance between elements of a window", 1)
    padding: tuple[int, ...] = attr(sizes(2, 0), "border that is cut off on each side", 0)
    stride: tuple[int, ...] = attr(sizes(2, 1), "step of the window", 1)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, "(N, C·window, windows)")
        window, counts = prod(self.kernel_size), self._counts(self.output_size)
        if x[1] % window:
            raise OpError(
                "A305",
                f"{x[1]} rows are no windows of {'×'.join(map(str, self.kernel_size))}",
                notes=[f"{x[1]} = {window}×{x[1] // window} + {x[1] % window}"],
                help=f"as many rows as channels × {window}",
                attribute="kernel_size",
            )
        if x[2] != prod(counts):
            raise OpError(
                "A305",
                f"{x[2]} columns of {show_shape(x)} are not the windows of such a map",
                notes=[f"{'×'.join(map(str, counts))} = {prod(counts)} ≠ {x[2]}"],
                help="unfold of a map of output_size with the same arguments makes them",
                attribute="output_size",
            )
        return x[0], x[1] // window, *self.output_size

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return "batch", "channel", "space", "space"

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(inputs[0]))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Fold")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return product(inputs[0])
