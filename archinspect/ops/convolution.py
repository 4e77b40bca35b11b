"""Convolutions and transposed convolutions, in one to three spatial dimensions."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from ..errors import OpError
from ..geometry import TransposedWindow, Window
from .attributes import FLAG, either, integer, one_of, sizes
from .base import Cost, Op, Shape, Shapes, TorchCall, attr, module_call, need_map, numel, register
from .derivation import shape_of, times


class Convolution(Op):
    """{Number}-dimensional convolution (cross-correlation) over {layout}.

    `groups` splits the channels into independent convolutions; `groups=in_channels` is a depthwise convolution.
    Sources: PyTorch `nn.Conv{n}d`; Krizhevsky et al. 2012 (grouped); Howard et al. 2017, arXiv:1704.04861 (depthwise).
    """

    out_channels: int = attr(integer(1), "channels of the output")
    kernel_size: tuple[int, ...] = attr(lambda n: sizes(n, 1), "{sides} of the kernel")
    stride: tuple[int, ...] = attr(lambda n: sizes(n, 1), "step of the window", 1)
    padding: tuple[int, ...] | str = attr(
        lambda n: either(one_of("same", "valid"), sizes(n, 0)),
        "zeros added on each side; 'same' keeps the size (stride 1)",
        0,
    )
    dilation: tuple[int, ...] = attr(lambda n: sizes(n, 1), "distance between kernel elements", 1)
    groups: int = attr(integer(1), "independent groups of channels", 1)
    bias: bool = attr(FLAG, "add a learnable bias per output channel", True)
    padding_mode: str = attr(
        one_of("zeros", "reflect", "replicate", "circular"), "what the padding is filled with", "zeros"
    )

    @property
    def predicted(self) -> bool:  # type: ignore[override]
        return self.padding_mode == "zeros"  # another one pads a copy first, which tools see

    def windows(self, inputs: Shapes) -> tuple[Window, ...]:
        kernel, stride, dilation = self.kernel_size, self.stride, self.dilation
        return tuple(
            [
                Window(kernel[axis], stride[axis], *self._padding(axis), dilation[axis])
                for axis in range(self.spatial)
            ]
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
        need_map(self, x)
        if self.padding == "same" and max(self.stride) > 1:
            sides = tuple(self._padding(axis)[0] for axis in range(self.spatial))
            raise OpError(
                "A207",
                "padding='same' needs stride 1",
                notes=[f"stride = {self.stride}"],
                help=f"give it in numbers: padding={sides if len(sides) > 1 else sides[0]}",
                attribute="padding",
            )
        divide_groups(self.groups, x[1], "in_channels")
        divide_groups(self.groups, self.out_channels, "out_channels")
        windows = self.windows(inputs)
        if self.padding_mode in ("reflect", "circular"):
            self._need_border(x, windows)
        return x[0], self.out_channels, *[w.output(size) for w, size in zip(windows, x[2:], strict=True)]

    def _need_border(self, x: Shape, windows: tuple[Window, ...]) -> None:
        """Refuse an input that is too small to fill the padding from."""
        shorter = self.padding_mode == "reflect"
        for window, size in zip(windows, x[2:], strict=True):
            if max(window.before, window.after) > size - shorter:
                raise OpError(
                    "A302",
                    f"a side of {size} has no {max(window.before, window.after)} elements to repeat",
                    notes=[f"{max(window.before, window.after)} > {size}" + (" − 1" if shorter else "")],
                    help=f"use a padding of at most {size - shorter}",
                    attribute="padding",
                )

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (self.out_channels, inputs[0][1] // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        positions = numel(output)
        per_position = inputs[0][1] // self.groups * prod(self.kernel_size)
        return Cost(macs=positions * per_position, bias_adds=positions if self.bias else 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.Conv{self.spatial}d", inputs[0][1])

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        sizes = [w.formula(size) for w, size in zip(self.windows(inputs), inputs[0][2:], strict=True)]
        return f"({output[0]}, {self.out_channels}, {', '.join(sizes)})"

    def derive_params(self, inputs: Shapes) -> str:
        return self._weight(inputs) + (f" + {self.out_channels}" if self.bias else "")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        return times(output[0], "×".join([self._weight(inputs), *map(str, output[2:])]))

    def _weight(self, inputs: Shapes) -> str:
        channels = str(inputs[0][1]) if self.groups == 1 else f"({inputs[0][1]}/{self.groups})"
        return f"({'×'.join(map(str, self.kernel_size))}×{channels}×{self.out_channels})"


@register(
    "conv1d",
    category="convolution",
    samples=[
        ({"out_channels": 128, "kernel_size": 80, "stride": 4}, ((1, 1, 32000),)),
        ({"out_channels": 8, "kernel_size": 4, "padding": "same", "bias": False}, ((2, 6, 11),)),
        ({"out_channels": 12, "kernel_size": 3, "groups": 6, "dilation": 2, "padding": 1}, ((3, 6, 9),)),
    ],
)
class Conv1d(Convolution):
    spatial: ClassVar[int] = 1


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
class Conv2d(Convolution):
    spatial: ClassVar[int] = 2


@register(
    "conv3d",
    category="convolution",
    samples=[
        (
            {"out_channels": 64, "kernel_size": 7, "stride": (1, 2, 2), "padding": 3},
            ((1, 3, 16, 112, 112),),
        ),
        ({"out_channels": 4, "kernel_size": (1, 2, 3), "padding": "same", "bias": False}, ((2, 6, 3, 5, 4),)),
        ({"out_channels": 4, "kernel_size": 2, "groups": 2, "dilation": (2, 1, 1)}, ((2, 4, 5, 4, 3),)),
    ],
)
class Conv3d(Convolution):
    spatial: ClassVar[int] = 3


class TransposedConvolution(Op):
    """Transposed convolution over {layout}: each input element writes a kernel, stride apart, and these add up.

    `padding` crops the output, `output_padding` adds {lines} after it.  Products that the crop throws away
    are counted, as padding positions of a convolution are.  Source: PyTorch `nn.ConvTranspose{n}d`.
    """

    out_channels: int = attr(integer(1), "channels of the output")
    kernel_size: tuple[int, ...] = attr(lambda n: sizes(n, 1), "{sides} of the kernel")
    stride: tuple[int, ...] = attr(
        lambda n: sizes(n, 1), "distance in the output between neighbouring inputs", 1
    )
    padding: tuple[int, ...] = attr(lambda n: sizes(n, 0), "{lines} cropped from each side of the output", 0)
    output_padding: tuple[int, ...] = attr(lambda n: sizes(n, 0), "{lines} added after the output", 0)
    groups: int = attr(integer(1), "independent groups of channels", 1)
    bias: bool = attr(FLAG, "add a learnable bias per output channel", True)
    dilation: tuple[int, ...] = attr(lambda n: sizes(n, 1), "distance between kernel elements", 1)

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

    def windows(self, inputs: Shapes) -> tuple[TransposedWindow, ...]:
        return tuple(
            [
                TransposedWindow(
                    self.kernel_size[axis],
                    self.stride[axis],
                    self.padding[axis],
                    self.dilation[axis],
                    self.output_padding[axis],
                )
                for axis in range(self.spatial)
            ]
        )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return () if self.groups == inputs[0][1] else (1,)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_map(self, x)
        divide_groups(self.groups, x[1], "in_channels")
        divide_groups(self.groups, self.out_channels, "out_channels")
        windows = self.windows(inputs)
        return x[0], self.out_channels, *[w.output(size) for w, size in zip(windows, x[2:], strict=True)]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        weight = (inputs[0][1], self.out_channels // self.groups, *self.kernel_size)
        return {"weight": weight, "bias": (self.out_channels,)} if self.bias else {"weight": weight}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        per_element = self.out_channels // self.groups * prod(self.kernel_size)
        return Cost(macs=numel(inputs[0]) * per_element, bias_adds=numel(output) if self.bias else 0)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.ConvTranspose{self.spatial}d", inputs[0][1])

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        sizes = inputs[0][2:]
        formulas = [w.formula(size) for w, size in zip(self.windows(inputs), sizes, strict=True)]
        return shape_of(output, **{f"d{axis}": formula for axis, formula in enumerate(formulas, 2)})

    def derive_params(self, inputs: Shapes) -> str:
        return self._weight(inputs) + (f" + {self.out_channels}" if self.bias else "")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        batch, _, *sizes = inputs[0]
        return times(batch, "×".join([self._weight(inputs), *map(str, sizes)]))

    def _weight(self, inputs: Shapes) -> str:
        channels = str(self.out_channels) if self.groups == 1 else f"({self.out_channels}/{self.groups})"
        return f"({'×'.join(map(str, self.kernel_size))}×{inputs[0][1]}×{channels})"


@register(
    "conv_transpose1d",
    category="convolution",
    samples=[
        ({"out_channels": 64, "kernel_size": 4, "stride": 2, "padding": 1}, ((1, 128, 100),)),
        ({"out_channels": 6, "kernel_size": 5, "stride": 3, "output_padding": 2}, ((2, 4, 5),)),
        ({"out_channels": 6, "kernel_size": 3, "groups": 2, "dilation": 2, "bias": False}, ((1, 4, 5),)),
    ],
)
class ConvTranspose1d(TransposedConvolution):
    spatial: ClassVar[int] = 1


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
class ConvTranspose2d(TransposedConvolution):
    spatial: ClassVar[int] = 2


@register(
    "conv_transpose3d",
    category="convolution",
    samples=[
        ({"out_channels": 64, "kernel_size": 2, "stride": 2}, ((1, 128, 8, 14, 14),)),
        (
            {"out_channels": 6, "kernel_size": (1, 3, 2), "stride": (1, 2, 3), "padding": (0, 1, 0)},
            ((2, 4, 3, 2, 4),),
        ),
        ({"out_channels": 6, "kernel_size": 2, "groups": 2, "bias": False}, ((1, 4, 2, 3, 4),)),
    ],
)
class ConvTranspose3d(TransposedConvolution):
    spatial: ClassVar[int] = 3


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
