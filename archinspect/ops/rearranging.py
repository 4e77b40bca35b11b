"""Elements put in another order or place: reshape, transpose, split, slice, roll, crop."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from ..errors import OpError
from .attributes import Kind, integer, optional, several
from .base import (
    Axes,
    Positions,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_rank,
    numel,
    register,
    show_shape,
    unknown_axes,
)
from .derivation import product
from .dimensions import DIMENSION, DIMENSIONS, numbered
from .shaping import Moving

_TOKENS: Shapes = ((2, 5, 8),)
_MAPS: Shapes = ((1, 64, 56, 56),)


class _Reshaping(Moving):
    predicted: ClassVar[bool] = False

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return unknown_axes(before[0], output)


_SIZES = several(-1)


def _parse_sizes(value: Any) -> tuple[int, ...]:
    sizes: tuple[int, ...] = _SIZES.parse(value)
    if 0 in sizes or sizes.count(-1) > 1:
        raise OpError("A207", f"{sizes} has a size of 0, or −1 more than once")
    return sizes


@register(
    "reshape",
    category="shape",
    samples=[({"sizes": (8, 16)}, ((2, 128),)), ({"sizes": (-1, 4)}, _TOKENS), ({"sizes": 40}, _TOKENS)],
)
class Reshape(_Reshaping):
    """The same elements in other sizes; the batch stays.  −1 is what is left over.  In PyTorch: `torch.reshape`."""

    aliases: ClassVar[bool] = True
    sizes: tuple[int, ...] = attr(
        Kind("int or (int, ...), −1 once", _parse_sizes, _SIZES.show), "sizes without the batch"
    )

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        count = numel(x[1:])
        known = prod([size for size in self.sizes if size > 0])
        if count % known or (known != count and -1 not in self.sizes):
            raise OpError(
                "A305",
                f"{count} elements of {show_shape(x)} do not fill {show_shape(self.sizes)}",
                notes=[f"{product(self.sizes)} = {known} ≠ {count}"] if -1 not in self.sizes else [],
                help="one size may be −1",
                attribute="sizes",
            )
        return x[0], *[count // known if size == -1 else size for size in self.sizes]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        if len(output) == len(inputs[0]) and output == inputs[0]:
            return before[0]
        return {2: ("batch", "feature"), 3: ("batch", "sequence", "feature")}.get(
            len(output), ("batch", "channel", *("space",) * (len(output) - 2))
        )

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.Reshape", (self.sizes,))


@register(
    "transpose",
    category="shape",
    samples=[({"dim0": 1, "dim1": 2}, _TOKENS), ({"dim0": -2, "dim1": -1}, _MAPS)],
)
class Transpose(Moving):
    """Two dimensions exchanged.  In PyTorch: `torch.transpose`."""

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim0", "dim1")
    dim0: int = attr(DIMENSION, "one of them")
    dim1: int = attr(DIMENSION, "the other")

    def _order(self, x: Shape) -> list[int]:
        a, b = numbered(self.dim0, x, "dim0"), numbered(self.dim1, x, "dim1")
        if a != b and 0 in (a, b):
            raise OpError(
                "A207", "the batch, dimension 0, stays first", attribute="dim0" if a == 0 else "dim1"
            )
        order = list(range(len(x)))
        order[a], order[b] = b, a
        return order

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        return tuple([x[d] for d in self._order(x)])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return tuple([before[0][d] for d in self._order(inputs[0])])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return tuple([before[0][d] for d in self._order(inputs[0])])

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.transpose", (self.dim0, self.dim1))


class _Parts(Moving):
    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)

    def _sizes(self, x: Shape) -> list[int]:
        raise NotImplementedError

    def _dim(self, x: Shape) -> int:
        dim: Any = self.dim  # type: ignore[attr-defined]
        return numbered(1 if dim is None else dim, x)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim = self._dim(x)
        return *x[:dim], self._sizes(x)[0], *x[dim + 1 :]

    def outputs(self, inputs: Shapes) -> Shapes:
        (x,) = inputs
        dim = self._dim(x)
        return tuple([(*x[:dim], size, *x[dim + 1 :]) for size in self._sizes(x)[1:]])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0]


@register(
    "split",
    category="shape",
    samples=[({"split_size": 32}, ((1, 64, 5, 5),)), ({"split_size": (3, 5), "dim": -1}, _TOKENS)],
)
class Split(_Parts):
    """Parts of a dimension, each an output: `parts[0]`, `parts[1]`.  In PyTorch: `torch.split`.

    One size for all parts, of which the last may be smaller, or the size of each.
    """

    split_size: tuple[int, ...] = attr(several(1), "size of the parts, or the size of each")
    dim: int | None = attr(optional(DIMENSION), "dimension that is split; None is the channels'", None)

    def _sizes(self, x: Shape) -> list[int]:
        size = x[self._dim(x)]
        if len(self.split_size) == 1:
            part = self.split_size[0]
            return [min(part, size - start) for start in range(0, size, part)]
        if sum(self.split_size) != size:
            raise OpError(
                "A305",
                f"parts of {show_shape(self.split_size)} are not the {size} of {show_shape(x)}",
                notes=[f"{' + '.join(map(str, self.split_size))} = {sum(self.split_size)} ≠ {size}"],
                help="the parts add up to the whole",
                attribute="split_size",
            )
        return list(self.split_size)

    def torch_call(self, inputs: Shapes) -> TorchCall:
        (x,) = inputs
        count = len(self._sizes(x))
        size = self.split_size[0] if len(self.split_size) == 1 else self.split_size
        return TorchCall("torch.split", (size, self._dim(x)), outputs=tuple([(i,) for i in range(count)]))


@register(
    "chunk",
    category="shape",
    samples=[({"chunks": 3, "dim": -1}, ((1, 5, 12),)), ({"chunks": 2}, ((2, 6, 5, 4),))],
)
class Chunk(_Parts):
    """So many equal parts of a dimension, each an output: `qkv[0]`, `qkv[1]`.  In PyTorch: `torch.chunk`."""

    chunks: int = attr(integer(1), "parts")
    dim: int | None = attr(optional(DIMENSION), "dimension that is split; None is the channels'", None)

    def _sizes(self, x: Shape) -> list[int]:
        size = x[self._dim(x)]
        if size % self.chunks:
            raise OpError(
                "A305",
                f"{size} cannot be divided into {self.chunks} equal parts",
                notes=[f"{size} = {self.chunks}×{size // self.chunks} + {size % self.chunks}"],
                help="split gives parts of sizes that differ",
                attribute="chunks",
            )
        return [size // self.chunks] * self.chunks

    def torch_call(self, inputs: Shapes) -> TorchCall:
        (x,) = inputs
        places = tuple([(i,) for i in range(self.chunks)])
        return TorchCall("torch.chunk", (self.chunks, self._dim(x)), outputs=places)


@register(
    "slice",
    category="shape",
    samples=[({"start": 0, "stop": 3, "dim": 1}, _TOKENS), ({"start": 2, "stop": -1, "dim": -1}, _TOKENS)],
)
class Slice(Moving):
    """What lies from `start` up to, without, `stop` along a dimension; both may count from the end.

    In PyTorch: `torch.narrow`.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    start: int = attr(integer(-(2**31)), "first element")
    stop: int = attr(integer(-(2**31)), "element after the last")
    dim: int = attr(DIMENSION, "dimension that is cut")

    def _bounds(self, x: Shape) -> tuple[int, int, int]:
        dim = numbered(self.dim, x)
        if dim == 0:
            raise OpError("A207", "the batch, dimension 0, stays whole", attribute="dim")
        size = x[dim]
        start = self.start + size if self.start < 0 else self.start
        stop = self.stop + size if self.stop < 0 else self.stop
        if not 0 <= start < stop <= size:
            raise OpError(
                "A305",
                f"elements {self.start} to {self.stop} are not part of the {size} of {show_shape(x)}",
                notes=[f"0 ≤ {start} < {stop} ≤ {size} does not hold"],
                help="`stop` is the first element that is left out",
                attribute="stop",
            )
        return dim, start, stop - start

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim, _, length = self._bounds(x)
        return *x[:dim], length, *x[dim + 1 :]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.narrow", self._bounds(inputs[0]))


@register(
    "select",
    category="shape",
    samples=[({"index": -1, "dim": 1}, _TOKENS), ({"index": 0, "dim": 0}, ((2, 1, 8),))],
)
class Select(Moving):
    """One element along a dimension, which is gone.  In PyTorch: `torch.select`.

    Dimension 0 is for what has no batch there: the layers and directions of an LSTM's `h_n`.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    named_dimensions: ClassVar[tuple[str, ...]] = ("dim",)
    index: int = attr(integer(-(2**31)), "which element; −1 is the last")
    dim: int = attr(DIMENSION, "dimension that goes")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        dim = numbered(self.dim, x)
        if not -x[dim] <= self.index < x[dim]:
            raise OpError(
                "A305",
                f"element {self.index} does not exist among {x[dim]}",
                help="the first is 0, the last −1",
                attribute="index",
            )
        if len(x) < 2:
            raise OpError("A301", f"nothing but a number would be left of {show_shape(x)}")
        return *x[:dim], *x[dim + 1 :]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        dim = numbered(self.dim, inputs[0])
        return *before[0][:dim], *before[0][dim + 1 :]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        dim = numbered(self.dim, inputs[0])
        left = (*before[0][:dim], *before[0][dim + 1 :])
        return ("batch", *left[1:]) if left else left

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.select", (numbered(self.dim, inputs[0]), self.index))


@register(
    "roll",
    category="shape",
    samples=[({"shifts": -3, "dims": 1}, _TOKENS), ({"shifts": (1, -1), "dims": (2, 3)}, _MAPS)],
)
class Roll(Moving):
    """Elements moved along dimensions; what leaves at one end comes in at the other.  In PyTorch: `torch.roll`."""

    predicted: ClassVar[bool] = False
    named_dimensions: ClassVar[tuple[str, ...]] = ("dims",)
    shifts: tuple[int, ...] = attr(several(-(2**31)), "by how much, for each dimension")
    dims: tuple[int, ...] = attr(DIMENSIONS, "which dimensions")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        for dim in self.dims:
            numbered(dim, x, "dims")
        if len(self.shifts) != len(self.dims):
            raise OpError(
                "A207", f"{len(self.shifts)} shifts for {len(self.dims)} dimensions", attribute="dims"
            )
        return x

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None  # what was last stands beside what was first

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.roll", (self.shifts, self.dims))


@register(
    "center_crop",
    category="shape",
    samples=[
        ({"size": 56}, ((1, 64, 64, 64),)),
        ({"size": (3, 2)}, ((2, 3, 5, 4),)),
        ({}, ((1, 2, 9, 8), (1, 5, 4, 4))),
    ],
)
class CenterCrop(Moving):
    """The middle of a map (N, C, H, W): of a size, or as large as another map (`like=up`).

    Cost: none.  Source: Ronneberger et al. 2015, arXiv:1505.04597, figure 1.  In PyTorch: a slice.
    """

    predicted: ClassVar[bool] = False
    aliases: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("like",)
    size: tuple[int, ...] | None = attr(
        optional(several(1)), "height and width, or one number for both; None is that of `like`", None
    )

    def shape(self, inputs: Shapes) -> Shape:
        x, *like = inputs
        for each in inputs:
            need_rank(self, each, 4, "(N, C, H, W)")
        if (self.size is None) != bool(like) or (self.size is not None and len(self.size) > 2):
            raise OpError(
                "A204", "center_crop needs a size, or a map to be as large as", help="center_crop(56)"
            )
        sizes = like[0][2:] if like else self.size or ()
        sizes = sizes * 2 if len(sizes) == 1 else sizes
        if any(wanted > side for wanted, side in zip(sizes, x[2:], strict=True)):
            raise OpError(
                "A302",
                f"a map of {x[2]}×{x[3]} has no middle of {sizes[0]}×{sizes[1]}",
                help="crop the larger map",
                attribute="size",
            )
        return *x[:2], *sizes

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.CenterCrop", (self.shape(inputs)[2:],))


@register(
    "pixel_unshuffle",
    category="shape",
    samples=[({"downscale_factor": 2}, ((1, 16, 28, 28),)), ({"downscale_factor": 3}, ((2, 2, 6, 3),))],
)
class PixelUnshuffle(_Reshaping):
    """r×r neighbours of a map as channels: (N, C, H, W) becomes (N, C·r², H/r, W/r).  Cost: none.

    Source: PyTorch `nn.PixelUnshuffle`.
    """

    downscale_factor: int = attr(integer(1), "r: by how much height and width shrink")

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        r = self.downscale_factor
        for side in x[2:]:
            if side % r:
                raise OpError(
                    "A305",
                    f"a side of {side} is no multiple of {r}",
                    notes=[f"{side} = {r}×{side // r} + {side % r}"],
                    help="pad the map first",
                    attribute="downscale_factor",
                )
        return x[0], x[1] * r * r, x[2] // r, x[3] // r

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.PixelUnshuffle")
