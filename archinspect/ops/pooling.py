"""Pooling: windows that keep their largest element or their mean."""

from __future__ import annotations

from typing import Any

from ..errors import OpError
from ..geometry import AdaptiveWindow, Window
from .attributes import FLAG, optional, pair
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_rank, numel, register
from .derivation import product, shape_of


class _Pool(Op):
    """What the two pools with a fixed window share."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None
    padding: tuple[int, int]
    ceil_mode: bool

    def __post_init__(self) -> None:
        for kernel, padding in zip(self.kernel_size, self.padding, strict=True):
            if 2 * padding > kernel:
                raise OpError(
                    "A207",
                    f"padding {padding} is more than half of the kernel {kernel}",
                    notes=[f"2×{padding} = {2 * padding} > {kernel}: some windows would see padding only"],
                    help=f"use a padding of at most {kernel // 2}",
                    attribute="padding",
                )

    def windows(self, inputs: Shapes) -> tuple[Window, Window]:
        strides, dilations = self.stride or self.kernel_size, self._dilation()
        vertical, horizontal = (
            Window(
                self.kernel_size[axis], strides[axis], self.padding[axis], self.padding[axis], dilations[axis]
            )
            for axis in (0, 1)
        )
        return vertical, horizontal

    def _dilation(self) -> tuple[int, int]:
        return 1, 1

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        vertical, horizontal = self.windows(inputs)
        rows = vertical.output(x[2], ceil_mode=self.ceil_mode)
        return x[0], x[1], rows, horizontal.output(x[3], ceil_mode=self.ceil_mode)

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        vertical, horizontal = self.windows(inputs)
        return shape_of(
            output,
            d2=vertical.formula(inputs[0][2], ceil_mode=self.ceil_mode),
            d3=horizontal.formula(inputs[0][3], ceil_mode=self.ceil_mode),
        )


@register(
    "max_pool2d",
    category="pooling",
    samples=[
        ({"kernel_size": 3, "stride": 2, "ceil_mode": True}, ((1, 64, 112, 112),)),
        ({"kernel_size": 2}, ((2, 3, 9, 8),)),
        ({"kernel_size": (3, 2), "stride": (1, 3), "padding": 1, "dilation": (2, 1)}, ((1, 4, 11, 9),)),
        ({"kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": True}, ((1, 4, 5, 7),)),
    ],
)
class MaxPool2d(_Pool):
    """Two-dimensional max pooling over (N, C, H, W): the largest element of each window.

    The stride is the kernel size unless given.  With ceil_mode a last window may hang over the edge (Caffe's way).
    Cost: k_h·k_w − 1 comparisons per output.  Source: PyTorch `nn.MaxPool2d`.
    """

    kernel_size: tuple[int, int] = attr(pair(1), "height and width of the window")
    stride: tuple[int, int] | None = attr(
        optional(pair(1)), "step of the window; None is the kernel size", None
    )
    padding: tuple[int, int] = attr(pair(0), "empty border on each side, at most half of the kernel", 0)
    dilation: tuple[int, int] = attr(pair(1), "distance between window elements", 1)
    ceil_mode: bool = attr(FLAG, "round the output size up instead of down", False)

    def _dilation(self) -> tuple[int, int]:
        return self.dilation

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=numel(output) * (self.kernel_size[0] * self.kernel_size[1] - 1))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.MaxPool2d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"({self.kernel_size[0]}×{self.kernel_size[1]} − 1)×{product(output)}"


@register(
    "avg_pool2d",
    category="pooling",
    samples=[
        ({"kernel_size": 7, "stride": 1}, ((1, 1024, 7, 7),)),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, ((2, 3, 8, 9),)),
        ({"kernel_size": (2, 3), "padding": (1, 0), "count_include_pad": False}, ((1, 4, 11, 9),)),
    ],
)
class AvgPool2d(_Pool):
    """Two-dimensional average pooling over (N, C, H, W): the mean of each window.

    The stride is the kernel size unless given.  Cost: k_h·k_w − 1 additions and one division per output.
    Source: PyTorch `nn.AvgPool2d`.
    """

    kernel_size: tuple[int, int] = attr(pair(1), "height and width of the window")
    stride: tuple[int, int] | None = attr(
        optional(pair(1)), "step of the window; None is the kernel size", None
    )
    padding: tuple[int, int] = attr(pair(0), "zeros added on each side, at most half of the kernel", 0)
    ceil_mode: bool = attr(FLAG, "round the output size up instead of down", False)
    count_include_pad: bool = attr(FLAG, "count the padding's zeros in the mean", True)

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(output) * self.kernel_size[0] * self.kernel_size[1])

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.AvgPool2d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"({self.kernel_size[0]}×{self.kernel_size[1]})×{product(output)}"


class _AdaptivePool(Op):
    """What the two pools share whose window follows from the output size."""

    output_size: tuple[int, int]

    def windows(self, inputs: Shapes) -> tuple[AdaptiveWindow, AdaptiveWindow]:
        rows, columns = inputs[0][2:]
        return AdaptiveWindow(rows, self.output_size[0]), AdaptiveWindow(columns, self.output_size[1])

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        return x[0], x[1], *self.output_size

    def _window_elements(self, inputs: Shapes) -> int:
        """Elements of all windows together, for all channels and images."""
        vertical, horizontal = self.windows(inputs)
        return numel(inputs[0][:2]) * vertical.total * horizontal.total

    def _derive_elements(self, inputs: Shapes) -> str:
        vertical, horizontal = self.windows(inputs)
        return product((*inputs[0][:2], vertical.total, horizontal.total))


_ADAPTIVE_SAMPLES: list[tuple[dict[str, Any], Shapes]] = [
    ({"output_size": 1}, ((1, 512, 7, 7),)),
    ({"output_size": (6, 5)}, ((2, 3, 13, 7),)),
    ({"output_size": 7}, ((1, 4, 3, 14),)),
]


@register("adaptive_avg_pool2d", category="pooling", samples=_ADAPTIVE_SAMPLES)
class AdaptiveAvgPool2d(_AdaptivePool):
    """Average pooling to a given size over (N, C, H, W); `adaptive_avg_pool2d(1)` is global average pooling.

    Output o covers the inputs from ⌊o·H/out⌋ up to ⌈(o + 1)·H/out⌉.  Cost: for each window its elements − 1
    additions and one division.  Source: PyTorch `nn.AdaptiveAvgPool2d`.
    """

    output_size: tuple[int, int] = attr(pair(1), "height and width of the output")

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=self._window_elements(inputs))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.AdaptiveAvgPool2d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return self._derive_elements(inputs)


@register("adaptive_max_pool2d", category="pooling", samples=_ADAPTIVE_SAMPLES)
class AdaptiveMaxPool2d(_AdaptivePool):
    """Max pooling to a given size over (N, C, H, W); `adaptive_max_pool2d(1)` is global max pooling.

    Windows as in `adaptive_avg_pool2d`.  Cost: for each window its elements − 1 comparisons.
    Source: PyTorch `nn.AdaptiveMaxPool2d`.
    """

    output_size: tuple[int, int] = attr(pair(1), "height and width of the output")

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=self._window_elements(inputs) - numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.AdaptiveMaxPool2d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"{self._derive_elements(inputs)} − {product(output)}"
