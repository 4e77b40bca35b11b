"""Ops that rearrange, select or pad elements.  None of them costs anything: data only moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ..errors import OpError
from ..geometry import Reach, Window
from .attributes import LARGEST, Kind, borders, integer
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
    joined_axes,
    joined_reaches,
    module_call,
    need_map,
    need_rank,
    register,
    show_shape,
)
from .convolution import divide_groups
from .derivation import shape_of
from .dimensions import no_such_dimension


class Moving(Op):
    """An op that computes nothing."""

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST


@register(
    "flatten",
    category="shape",
    samples=[
        ({}, ((1, 256, 6, 6),)),
        ({"start_dim": 2}, ((2, 8, 3, 3),)),
        ({"start_dim": 1, "end_dim": 2}, ((2, 8, 3, 3),)),
    ],
)
class Flatten(Moving):
    """Several dimensions as one: (N, C, H, W) becomes (N, C·H·W).  Source: PyTorch `nn.Flatten`."""

    aliases: ClassVar[bool] = True
    start_dim: int = attr(integer(-4), "first dimension to join", 1)
    end_dim: int = attr(integer(-4), "last dimension to join", -1)

    def _bounds(self, x: Shape) -> tuple[int, int]:
        bounds = []
        for name in ("start_dim", "end_dim"):
            value: int = getattr(self, name)
            if not -len(x) <= value < len(x):
                raise no_such_dimension(f"{name} {value}", x, name)
            bounds.append(value % len(x))
        if bounds[0] > bounds[1]:
            raise OpError(
                "A305",
                f"start_dim {self.start_dim} comes after end_dim {self.end_dim}",
                notes=[f"in {show_shape(x)} these are {bounds[0]} and {bounds[1]}"],
                help="exchange the two",
                attribute="end_dim",
            )
        return bounds[0], bounds[1]

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        first, last = self._bounds(x)
        joined = 1
        for size in x[first : last + 1]:
            joined *= size
        return *x[:first], joined, *x[last + 1 :]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        (x,) = before
        first, last = self._bounds(inputs[0])
        return *x[:first], frozenset().union(*x[first : last + 1]), *x[last + 1 :]

    def reaches(self, before: Sequence[Positions], inputs: Shapes) -> Mapping[int, Reach]:
        first, last = self._bounds(inputs[0])
        return joined_reaches(before[0][first : last + 1], inputs[0][first : last + 1])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        (x,) = before
        first, last = self._bounds(inputs[0])
        return *x[:first], joined_axes(x[first : last + 1]), *x[last + 1 :]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Flatten")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        first, last = self._bounds(inputs[0])
        factors = "×".join(map(str, inputs[0][first : last + 1]))
        return shape_of(output, **{f"d{first}": factors})


@register("identity", category="shape", samples=[({}, ((1, 64, 56, 56),)), ({}, ((2, 5),))])
class Identity(Moving):
    """The input, unchanged.  As a whole branch it adds no layer.  Source: PyTorch `nn.Identity`."""

    aliases: ClassVar[bool] = True

    def shape(self, inputs: Shapes) -> Shape:
        return inputs[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Identity")


class _Pad(Moving):
    """What the paddings share, whatever they fill the border with."""

    padding: tuple[int, ...]

    def windows(self, inputs: Shapes) -> tuple[Window, ...]:
        return tuple([Window(1, 1, before, after) for before, after in self._sides()])

    def _sides(self) -> list[tuple[int, int]]:
        """Before and after each spatial dimension, the first one first."""
        last = 2 * self.spatial - 2
        return [(self.padding[i], self.padding[i + 1]) for i in range(last, -1, -2)]

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_map(self, x)
        sides = zip(x[2:], self._sides(), strict=True)
        sizes = [size + before + after for size, (before, after) in sides]
        if min(sizes) < 1:
            raise OpError(
                "A302",
                f"{self.type} crops more than there is of {show_shape(x)}",
                notes=[f"a side of {min(sizes)} would be left"],
                help="crop less",
                attribute="padding",
            )
        return x[0], x[1], *sizes

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, f"nn.{type(self).__name__}")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        sides = enumerate(zip(inputs[0][2:], self._sides(), strict=True), 2)
        return shape_of(
            output, **{f"d{axis}": f"{size} + {before} + {after}" for axis, (size, (before, after)) in sides}
        )


class ZeroPad(_Pad):
    """Zeros around {layout}; a negative width crops.  Source: PyTorch `nn.ZeroPad{n}d`."""

    padding: tuple[int, ...] = attr(
        lambda n: borders(n, -LARGEST), "one width for all sides, or {border}; below 0 it crops"
    )


@register(
    "zero_pad1d",
    category="shape",
    samples=[({"padding": 3}, ((1, 64, 400),)), ({"padding": (0, 1)}, ((2, 3, 5),))],
)
class ZeroPad1d(ZeroPad):
    spatial: ClassVar[int] = 1


@register(
    "zero_pad2d",
    category="shape",
    samples=[({"padding": 3}, ((1, 3, 224, 224),)), ({"padding": (0, -1, 2, 3)}, ((2, 3, 5, 4),))],
)
class ZeroPad2d(ZeroPad):
    spatial: ClassVar[int] = 2


@register(
    "zero_pad3d",
    category="shape",
    samples=[
        ({"padding": 1}, ((1, 3, 16, 112, 112),)),
        ({"padding": (0, 1, 2, 3, 1, 0)}, ((2, 3, 2, 5, 4),)),
    ],
)
class ZeroPad3d(ZeroPad):
    spatial: ClassVar[int] = 3


class _MirrorPad(_Pad):
    """Paddings that read the border from inside the input, which has to be large enough for it."""

    #: by how much a border has to be shorter than the side
    _shorter: ClassVar[int]
    padding: tuple[int, ...] = attr(lambda n: borders(n, 0), "one width for all sides, or {border}")

    def shape(self, inputs: Shapes) -> Shape:
        output = super().shape(inputs)
        for size, sides in zip(inputs[0][2:], self._sides(), strict=True):
            if max(sides) > size - self._shorter:
                raise OpError(
                    "A302",
                    f"{self.type} has no {max(sides)} elements to repeat on a side of {size}",
                    notes=[f"{max(sides)} > {size}" + (f" − {self._shorter}" if self._shorter else "")],
                    help=f"use a padding of at most {size - self._shorter}",
                    attribute="padding",
                )
        return output


class ReflectionPad(_MirrorPad):
    """{layout} mirrored at its borders, without the outermost elements.  Source: PyTorch `nn.ReflectionPad{n}d`."""

    _shorter: ClassVar[int] = 1


@register(
    "reflection_pad1d",
    category="shape",
    samples=[({"padding": 3}, ((1, 64, 400),)), ({"padding": (0, 4)}, ((2, 3, 5),))],
)
class ReflectionPad1d(ReflectionPad):
    spatial: ClassVar[int] = 1


@register(
    "reflection_pad2d",
    category="shape",
    samples=[({"padding": 3}, ((1, 3, 256, 256),)), ({"padding": (0, 1, 2, 3)}, ((2, 3, 5, 4),))],
)
class ReflectionPad2d(ReflectionPad):
    spatial: ClassVar[int] = 2


@register(
    "reflection_pad3d",
    category="shape",
    samples=[({"padding": 1}, ((1, 3, 16, 56, 56),)), ({"padding": (0, 1, 2, 3, 1, 0)}, ((2, 3, 2, 5, 4),))],
)
class ReflectionPad3d(ReflectionPad):
    spatial: ClassVar[int] = 3


class ReplicationPad(_Pad):
    """{layout} with its outermost elements repeated.  Source: PyTorch `nn.ReplicationPad{n}d`."""

    padding: tuple[int, ...] = attr(lambda n: borders(n, 0), "one width for all sides, or {border}")


@register(
    "replication_pad1d",
    category="shape",
    samples=[({"padding": 3}, ((1, 64, 400),)), ({"padding": (0, 7)}, ((2, 3, 5),))],
)
class ReplicationPad1d(ReplicationPad):
    spatial: ClassVar[int] = 1


@register(
    "replication_pad2d",
    category="shape",
    samples=[({"padding": 3}, ((1, 3, 256, 256),)), ({"padding": (0, 1, 2, 7)}, ((2, 3, 5, 4),))],
)
class ReplicationPad2d(ReplicationPad):
    spatial: ClassVar[int] = 2


@register(
    "replication_pad3d",
    category="shape",
    samples=[({"padding": 1}, ((1, 3, 16, 56, 56),)), ({"padding": (0, 1, 2, 3, 1, 0)}, ((2, 3, 2, 5, 4),))],
)
class ReplicationPad3d(ReplicationPad):
    spatial: ClassVar[int] = 3


class CircularPad(_MirrorPad):
    """{layout} continued at each border by what stands at the opposite one.  Source: PyTorch `nn.CircularPad{n}d`."""

    _shorter: ClassVar[int] = 0


@register(
    "circular_pad1d",
    category="shape",
    samples=[({"padding": 3}, ((1, 64, 400),)), ({"padding": (0, 5)}, ((2, 3, 5),))],
)
class CircularPad1d(CircularPad):
    spatial: ClassVar[int] = 1


@register(
    "circular_pad2d",
    category="shape",
    samples=[({"padding": 3}, ((1, 3, 256, 256),)), ({"padding": (0, 1, 2, 3)}, ((2, 3, 5, 4),))],
)
class CircularPad2d(CircularPad):
    spatial: ClassVar[int] = 2


@register(
    "circular_pad3d",
    category="shape",
    samples=[({"padding": 1}, ((1, 3, 16, 56, 56),)), ({"padding": (0, 1, 2, 3, 1, 0)}, ((2, 3, 2, 5, 4),))],
)
class CircularPad3d(CircularPad):
    spatial: ClassVar[int] = 3


@register(
    "pad_channels",
    category="shape",
    samples=[({"after": 64}, ((1, 64, 28, 28),)), ({"before": 2, "after": 3}, ((2, 3, 5, 4),))],
)
class PadChannels(Moving):
    """Channels of zeros before and after those of (N, C, H, W): the shortcut of ResNet's option A.

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.  In PyTorch: `nn.ZeroPad3d`.
    """

    before: int = attr(integer(0), "channels of zeros before the others", 0)
    after: int = attr(integer(0), "channels of zeros after the others", 0)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        return x[0], self.before + x[1] + self.after, x[2], x[3]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("nn.ZeroPad3d", ((0, 0, 0, 0, self.before, self.after),))

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        parts = [self.before, inputs[0][1], self.after]
        return shape_of(output, d1=" + ".join(str(part) for part in parts if part))


@register(
    "slice_channels",
    category="shape",
    samples=[({"start": 0, "stop": 58}, ((1, 116, 28, 28),)), ({"start": 2, "stop": 3}, ((2, 6),))],
)
class SliceChannels(Moving):
    """The channels from `start` up to, without, `stop`: one part of a split.  In PyTorch: `torch.narrow`."""

    aliases: ClassVar[bool] = True
    start: int = attr(integer(0), "first channel")
    stop: int = attr(integer(1), "channel after the last")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        if not self.start < self.stop <= x[1]:
            raise OpError(
                "A305",
                f"channels {self.start} to {self.stop} are not part of the {x[1]} of {show_shape(x)}",
                notes=[f"0 ≤ start < stop ≤ {x[1]} does not hold for {self.start}, {self.stop}"],
                help="`stop` is the first channel that is left out; in_channels is their number",
                attribute="stop",
            )
        return x[0], self.stop - self.start, *x[2:]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.narrow", (1, self.start, self.stop - self.start))

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        return shape_of(output, d1=f"{self.stop} − {self.start}")


@register(
    "channel_shuffle",
    category="shape",
    samples=[({"groups": 2}, ((1, 116, 28, 28),)), ({"groups": 3}, ((2, 6, 5, 4),))],
)
class ChannelShuffle(Moving):
    """Channels of (N, C, H, W) dealt out anew, so that the next groups mix the last ones.

    Sources: PyTorch `nn.ChannelShuffle`; Zhang et al. 2017, arXiv:1707.01083.
    """

    groups: int = attr(integer(1), "groups that the channels are dealt out from")

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 4, "(N, C, H, W)")
        divide_groups(self.groups, inputs[0][1], "channels")
        return inputs[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.ChannelShuffle")


def _parse_order(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        raise OpError("A206", f"expected a tuple such as (0, 2, 3, 1), got {value!r}")
    if any(type(dim) is not int for dim in value):
        raise OpError("A206", f"expected whole numbers as in (0, 2, 3, 1), got {value!r}")
    if sorted(value) != list(range(len(value))) or value[:1] != (0,):
        raise OpError("A207", f"{value} does not name every dimension once, with the batch (0) first")
    return tuple(value)


@register(
    "permute",
    category="shape",
    samples=[({"dims": (0, 2, 3, 1)}, ((1, 96, 56, 40),)), ({"dims": (0, 2, 1)}, ((2, 5, 8),))],
)
class Permute(Moving):
    """The dimensions in another order; the batch stays first.  Source: PyTorch `torch.permute`."""

    aliases: ClassVar[bool] = True
    dims: tuple[int, ...] = attr(
        Kind("tuple of all dimensions", _parse_order, str), "old dimensions in their new order"
    )

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        if len(self.dims) != len(x):
            raise OpError(
                "A301",
                f"permute of {len(self.dims)} dimensions gets {len(x)}-D {show_shape(x)}",
                help=f"name {len(x)} dimensions: 0 … {len(x) - 1} in their new order",
                attribute="dims",
            )
        return tuple(x[d] for d in self.dims)

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        (x,) = before
        return tuple(x[d] for d in self.dims)

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        (x,) = before
        return tuple(x[d] for d in self.dims)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.permute", (self.dims,))
