"""Pooling in one to three spatial dimensions: windows that keep their largest element or their mean."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from ..errors import OpError
from ..geometry import AdaptiveWindow, Window
from .attributes import FLAG, kept_sizes, optional, sizes
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_map, numel, register
from .derivation import product, shape_of


class _Pool(Op):
    """What the two pools with a fixed window share."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] | None
    padding: tuple[int, ...]
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

    def windows(self, inputs: Shapes) -> tuple[Window, ...]:
        strides = self.stride or self.kernel_size
        axes = zip(self.kernel_size, strides, self.padding, self._dilation(), strict=True)
        return tuple([Window(kernel, stride, pad, pad, dilation) for kernel, stride, pad, dilation in axes])

    def _dilation(self) -> tuple[int, ...]:
        return (1,) * self.spatial

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_map(self, x)
        axes = zip(self.windows(inputs), x[2:], strict=True)
        return x[0], x[1], *[window.output(size, ceil_mode=self.ceil_mode) for window, size in axes]

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        axes = zip(self.windows(inputs), inputs[0][2:], strict=True)
        formulas = [window.formula(size, ceil_mode=self.ceil_mode) for window, size in axes]
        return shape_of(output, **{f"d{axis}": formula for axis, formula in enumerate(formulas, 2)})

    def _window(self) -> str:
        return "×".join(map(str, self.kernel_size))


class MaxPool(_Pool):
    """{Number}-dimensional max pooling over {layout}: the largest element of each window.

    The stride is the kernel size unless given.  With ceil_mode a last window may hang over the edge (Caffe's way).
    Cost: {window} − 1 comparisons per output.  Source: PyTorch `nn.MaxPool{n}d`.
    """

    kernel_size: tuple[int, ...] = attr(lambda n: sizes(n, 1), "{sides} of the window")
    stride: tuple[int, ...] | None = attr(
        lambda n: optional(sizes(n, 1)), "step of the window; None is the kernel size", None
    )
    padding: tuple[int, ...] = attr(
        lambda n: sizes(n, 0), "empty border on each side, at most half of the kernel", 0
    )
    dilation: tuple[int, ...] = attr(lambda n: sizes(n, 1), "distance between window elements", 1)
    ceil_mode: bool = attr(FLAG, "round the output size up instead of down", False)

    def _dilation(self) -> tuple[int, ...]:
        return self.dilation

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=numel(output) * (prod(self.kernel_size) - 1))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.MaxPool{self.spatial}d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"({self._window()} − 1)×{product(output)}"


@register(
    "max_pool1d",
    category="pooling",
    samples=[
        ({"kernel_size": 4}, ((1, 128, 8000),)),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}, ((2, 3, 10),)),
    ],
)
class MaxPool1d(MaxPool):
    spatial: ClassVar[int] = 1


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
class MaxPool2d(MaxPool):
    spatial: ClassVar[int] = 2


@register(
    "max_pool3d",
    category="pooling",
    samples=[
        ({"kernel_size": (1, 2, 2)}, ((1, 64, 16, 112, 112),)),
        ({"kernel_size": 3, "stride": 2, "padding": (1, 0, 1), "ceil_mode": True}, ((2, 3, 4, 6, 5),)),
    ],
)
class MaxPool3d(MaxPool):
    spatial: ClassVar[int] = 3


class AvgPool(_Pool):
    """{Number}-dimensional average pooling over {layout}: the mean of each window.

    The stride is the kernel size unless given.  Cost: {window} − 1 additions and one division per output.
    Source: PyTorch `nn.AvgPool{n}d`.
    """

    kernel_size: tuple[int, ...] = attr(lambda n: sizes(n, 1), "{sides} of the window")
    stride: tuple[int, ...] | None = attr(
        lambda n: optional(sizes(n, 1)), "step of the window; None is the kernel size", None
    )
    padding: tuple[int, ...] = attr(
        lambda n: sizes(n, 0), "zeros added on each side, at most half of the kernel", 0
    )
    ceil_mode: bool = attr(FLAG, "round the output size up instead of down", False)
    count_include_pad: bool = attr(FLAG, "count the padding's zeros in the mean", True)

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(output) * prod(self.kernel_size))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.AvgPool{self.spatial}d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"({self._window()})×{product(output)}"


@register(
    "avg_pool1d",
    category="pooling",
    samples=[
        ({"kernel_size": 4}, ((1, 512, 100),)),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, ((2, 3, 9),)),
    ],
)
class AvgPool1d(AvgPool):
    spatial: ClassVar[int] = 1


@register(
    "avg_pool2d",
    category="pooling",
    samples=[
        ({"kernel_size": 7, "stride": 1}, ((1, 1024, 7, 7),)),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}, ((2, 3, 8, 9),)),
        ({"kernel_size": (2, 3), "padding": (1, 0), "count_include_pad": False}, ((1, 4, 11, 9),)),
    ],
)
class AvgPool2d(AvgPool):
    spatial: ClassVar[int] = 2


@register(
    "avg_pool3d",
    category="pooling",
    samples=[
        ({"kernel_size": (2, 7, 7), "stride": 1}, ((1, 1024, 2, 7, 7),)),
        ({"kernel_size": 2, "padding": (1, 0, 1), "ceil_mode": True}, ((2, 3, 4, 5, 3),)),
    ],
)
class AvgPool3d(AvgPool):
    spatial: ClassVar[int] = 3

    def shape(self, inputs: Shapes) -> Shape:
        output = super().shape(inputs)
        for size, kernel in zip(inputs[0][2:], self.kernel_size, strict=True):
            if size < kernel:  # of all pools only this one of PyTorch's refuses it, whatever the padding
                raise OpError(
                    "A302",
                    f"window of {kernel} does not fit into the input of {size}",
                    notes=[f"input {size} < kernel {kernel}: PyTorch counts no padding here"],
                    help="use a smaller kernel or a larger input",
                )
        return output


class _AdaptivePool(Op):
    """What the two pools share whose window follows from the output size."""

    output_size: tuple[int | None, ...] = attr(kept_sizes, "{sides} of the output")

    def _sizes(self, inputs: Shapes) -> Shape:
        """The output's sizes: None is the input's."""
        sides = zip(self.output_size, inputs[0][2:], strict=True)
        return tuple([side if wanted is None else wanted for wanted, side in sides])

    def windows(self, inputs: Shapes) -> tuple[AdaptiveWindow, ...]:
        return tuple(map(AdaptiveWindow, inputs[0][2:], self._sizes(inputs)))

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_map(self, x)
        return x[0], x[1], *self._sizes(inputs)

    def _torch_call(self, name: str) -> TorchCall:
        if None in self.output_size:  # PyTorch takes None in a list only
            return TorchCall(name, (self.output_size,))
        return module_call(self, name)

    def _window_elements(self, inputs: Shapes) -> int:
        """Elements of all windows together, for all channels and images."""
        return numel(inputs[0][:2]) * prod([window.total for window in self.windows(inputs)])

    def _derive_elements(self, inputs: Shapes) -> str:
        return product((*inputs[0][:2], *[window.total for window in self.windows(inputs)]))


_ADAPTIVE_SAMPLES: dict[int, list[tuple[dict[str, Any], Shapes]]] = {
    1: [
        ({"output_size": 1}, ((1, 512, 100),)),
        ({"output_size": 5}, ((2, 3, 13),)),
    ],
    2: [
        ({"output_size": 1}, ((1, 512, 7, 7),)),
        ({"output_size": (6, 5)}, ((2, 3, 13, 7),)),
        ({"output_size": 7}, ((1, 4, 3, 14),)),
        ({"output_size": (None, 3)}, ((2, 4, 5, 7),)),
    ],
    3: [
        ({"output_size": 1}, ((1, 512, 2, 7, 7),)),
        ({"output_size": (1, 6, 5)}, ((2, 3, 4, 13, 7),)),
    ],
}


class AdaptiveAvgPool(_AdaptivePool):
    """Average pooling to a given size over {layout}; `adaptive_avg_pool{n}d(1)` is global average pooling.

    Output o covers the inputs from ⌊o·{side}/out⌋ up to ⌈(o + 1)·{side}/out⌉.  Cost: for each window its elements − 1
    additions and one division.  Source: PyTorch `nn.AdaptiveAvgPool{n}d`.
    """

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=self._window_elements(inputs))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return self._torch_call(f"nn.AdaptiveAvgPool{self.spatial}d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return self._derive_elements(inputs)


@register("adaptive_avg_pool1d", category="pooling", samples=_ADAPTIVE_SAMPLES[1])
class AdaptiveAvgPool1d(AdaptiveAvgPool):
    spatial: ClassVar[int] = 1


@register("adaptive_avg_pool2d", category="pooling", samples=_ADAPTIVE_SAMPLES[2])
class AdaptiveAvgPool2d(AdaptiveAvgPool):
    spatial: ClassVar[int] = 2


@register("adaptive_avg_pool3d", category="pooling", samples=_ADAPTIVE_SAMPLES[3])
class AdaptiveAvgPool3d(AdaptiveAvgPool):
    spatial: ClassVar[int] = 3


class AdaptiveMaxPool(_AdaptivePool):
    """Max pooling to a given size over {layout}; `adaptive_max_pool{n}d(1)` is global max pooling.

    Windows as in `adaptive_avg_pool{n}d`.  Cost: for each window its elements − 1 comparisons.
    Source: PyTorch `nn.AdaptiveMaxPool{n}d`.
    """

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(comparisons=self._window_elements(inputs) - numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return self._torch_call(f"nn.AdaptiveMaxPool{self.spatial}d")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return f"{self._derive_elements(inputs)} − {product(output)}"


@register("adaptive_max_pool1d", category="pooling", samples=_ADAPTIVE_SAMPLES[1])
class AdaptiveMaxPool1d(AdaptiveMaxPool):
    spatial: ClassVar[int] = 1


@register("adaptive_max_pool2d", category="pooling", samples=_ADAPTIVE_SAMPLES[2])
class AdaptiveMaxPool2d(AdaptiveMaxPool):
    spatial: ClassVar[int] = 2


@register("adaptive_max_pool3d", category="pooling", samples=_ADAPTIVE_SAMPLES[3])
class AdaptiveMaxPool3d(AdaptiveMaxPool):
    spatial: ClassVar[int] = 3
