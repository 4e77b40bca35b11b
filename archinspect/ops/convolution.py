"""Convolutions."""

from __future__ import annotations

from ..errors import OpError
from ..geometry import TransposedWindow, Window
from .attributes import FLAG, either, integer, one_of, pair
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_rank, numel, register
from .derivation import shape_of, times


@register(
    "conv2d",
    category="convolution",
    samples=[
        ({"out_channels": 96, "kernel_size": 11, "stride": 4}, ((1, 3, 227, 227),)),
        ({"out_channels": 8, "kernel_size": (1, 7), "padding": "same", "bias": False}, ((2, 6, 9, 11),)),
        (
            {"out_channels": 12, "kernel_size": 3, "groups": 6, "dilation": 2, "padding": (2, 1)},
            ((3, 6, 9, 11),),
        ),
    ],
)
class Conv2d(Op):
    """Two-dimensional convolution (cross-correlation) over (N, C, H, W).

    `groups` splits the channels into independent convolutions; `groups=in_channels` is a depthwise convolution.
    Sources: PyTorch `nn.Conv2d`; Krizhevsky et al. 2012 (grouped); Howard et al. 2017, arXiv:1704.04861 (depthwise).
    """

    out_channels: int = attr(integer(1), "channels of the output")
    kernel_size: tuple[int, int] = attr(pair(1), "height and width of the kernel")
    stride: tuple[int, int] = attr(pair(1), "step of the window", 1)
    padding: tuple[int, int] | str = attr(
        either(one_of("same", "valid"), pair(0)),
        "zeros added on each side; 'same' keeps the size (stride 1)",
        0,
    )
    dilation: tuple[int, int] = attr(pair(1), "distance between kernel elements", 1)
    groups: int = attr(integer(1), "independent groups of channels", 1)
    bias: bool = attr(FLAG, "add a learnable bias per output channel", True)

    def windows(self, inputs: Shapes) -> tuple[Window, Window]:
        kernel, stride, dilation = self.kernel_size, self.stride, self.dilation
        return (
            Window(kernel[0], stride[0], *self._padding(0), dilation[0]),
            Window(kernel[1], stride[1], *self._padding(1), dilation[1]),
        )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return () if self.groups == inputs[0][1] else (1,)

    def _padding(self, axis: int) -> tuple[int, int]:
        if isinstance(self.padding, tuple):
            return self.padding[axis], self.padding[axis]
        if self.padding == "valid":
            return 0, 0
        total = self.dilation[axis] * (self.kernel_size[axis] - 1)
        return total // 2, total - total // 2  # PyTorch puts the odd zero after

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        if self.padding == "same" and self.stride != (1, 1):
            raise OpError(
                "A207",
                "padding='same' needs stride 1",
                notes=[f"stride = {self.stride}"],
                help=f"give it in numbers: padding={self._padding(0)[0], self._padding(1)[0]}",
                attribute="padding",
            )
        divide_groups(self.groups, x[1], "in_channels")
        divide_groups(self.groups, self.out_channels, "out_channels")
        vertical, horizontal = self.windows(inputs)
        return x[0], self.out_channels, vertical.output(x[2]), horizontal.output(x[3])

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (self.out_channels, inputs[0][1] // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        positions = numel(output)
        per_position = inputs[0][1] // self.groups * self.kernel_size[0] * self.kernel_size[1]
        return Cost(macs=positions * per_position, bias_adds=positions if self.bias else 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Conv2d", inputs[0][1])

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        vertical, horizontal = self.windows(inputs)
        rows, columns = vertical.formula(inputs[0][2]), horizontal.formula(inputs[0][3])
        return f"({output[0]}, {self.out_channels}, {rows}, {columns})"

    def derive_params(self, inputs: Shapes) -> str:
        return self._weight(inputs) + (f" + {self.out_channels}" if self.bias else "")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        batch = f"{output[0]}×" if output[0] > 1 else ""
        return f"{batch}{self._weight(inputs)}×{output[2]}×{output[3]}"

    def _weight(self, inputs: Shapes) -> str:
        channels = str(inputs[0][1]) if self.groups == 1 else f"({inputs[0][1]}/{self.groups})"
        return f"({self.kernel_size[0]}×{self.kernel_size[1]}×{channels}×{self.out_channels})"


@register(
    "conv_transpose2d",
    category="convolution",
    samples=[
        ({"out_channels": 64, "kernel_size": 2, "stride": 2}, ((1, 128, 28, 28),)),
        (
            {
                "out_channels": 6,
                "kernel_size": (3, 5),
                "stride": (2, 3),
                "padding": (1, 2),
                "output_padding": 1,
            },
            ((2, 4, 5, 4),),
        ),
        ({"out_channels": 6, "kernel_size": 3, "groups": 2, "dilation": 2, "bias": False}, ((1, 4, 5, 4),)),
    ],
)
class ConvTranspose2d(Op):
    """Transposed convolution over (N, C, H, W): each input element writes a kernel, stride apart, and these add up.

    `padding` crops the output, `output_padding` adds rows and columns after it.  Products that the crop throws away
    are counted, as padding positions of a convolution are.  Source: PyTorch `nn.ConvTranspose2d`.
    """

    out_channels: int = attr(integer(1), "channels of the output")
    kernel_size: tuple[int, int] = attr(pair(1), "height and width of the kernel")
    stride: tuple[int, int] = attr(pair(1), "distance in the output between neighbouring inputs", 1)
    padding: tuple[int, int] = attr(pair(0), "rows and columns cropped from each side of the output", 0)
    output_padding: tuple[int, int] = attr(pair(0), "rows and columns added after the output", 0)
    groups: int = attr(integer(1), "independent groups of channels", 1)
    bias: bool = attr(FLAG, "add a learnable bias per output channel", True)
    dilation: tuple[int, int] = attr(pair(1), "distance between kernel elements", 1)

    def __post_init__(self) -> None:
        for extra, stride, dilation in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(stride, dilation):
                raise OpError(
                    "A207",
                    f"output_padding {extra} is not smaller than stride or dilation",
                    notes=[f"{extra} ≥ max({stride}, {dilation})"],
                    help=f"use at most {max(stride, dilation) - 1}",
                    attribute="output_padding",
                )

    def windows(self, inputs: Shapes) -> tuple[TransposedWindow, TransposedWindow]:
        vertical, horizontal = (
            TransposedWindow(
                self.kernel_size[axis],
                self.stride[axis],
                self.padding[axis],
                self.dilation[axis],
                self.output_padding[axis],
            )
            for axis in (0, 1)
        )
        return vertical, horizontal

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return () if self.groups == inputs[0][1] else (1,)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        divide_groups(self.groups, x[1], "in_channels")
        divide_groups(self.groups, self.out_channels, "out_channels")
        vertical, horizontal = self.windows(inputs)
        return x[0], self.out_channels, vertical.output(x[2]), horizontal.output(x[3])

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (inputs[0][1], self.out_channels // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        per_element = self.out_channels // self.groups * self.kernel_size[0] * self.kernel_size[1]
        return Cost(macs=numel(inputs[0]) * per_element, bias_adds=numel(output) if self.bias else 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.ConvTranspose2d", inputs[0][1])

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        vertical, horizontal = self.windows(inputs)
        return shape_of(output, d2=vertical.formula(inputs[0][2]), d3=horizontal.formula(inputs[0][3]))

    def derive_params(self, inputs: Shapes) -> str:
        return self._weight(inputs) + (f" + {self.out_channels}" if self.bias else "")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        batch, _, rows, columns = inputs[0]
        return times(batch, f"{self._weight(inputs)}×{rows}×{columns}")

    def _weight(self, inputs: Shapes) -> str:
        channels = str(self.out_channels) if self.groups == 1 else f"({self.out_channels}/{self.groups})"
        return f"({self.kernel_size[0]}×{self.kernel_size[1]}×{inputs[0][1]}×{channels})"


def divide_groups(groups: int, channels: int, name: str) -> None:
    """Refuse channels that cannot be split into equal groups."""
    if channels % groups:
        raise OpError(
            "A303",
            f"{channels} {name} cannot be divided into {groups} groups",
            notes=[f"{channels} = {channels // groups}×{groups} + {channels % groups}"],
            help=f"groups must divide {channels}",
            attribute="groups",
        )
