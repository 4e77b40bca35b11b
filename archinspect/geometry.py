"""The arithmetic of windows: output sizes of convolutions and pools, as PyTorch computes them.

A window is described per spatial axis; all sizes are in elements.  Source of the formulas: the PyTorch
documentation of `Conv2d`, `ConvTranspose2d` and `MaxPool2d`; Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .errors import OpError


class Reach(NamedTuple):
    """How far outputs see along one axis, as exact arithmetic.

    n outputs side by side read at most `⌊(step·(n − 1) + span)/divisor⌋ + 1` inputs side by side, borders aside.
    Where every divisor is 1, two layers compose into one: steps multiply, and `span = span₁ + step₁·span₂`.
    """

    step: int
    span: int
    divisor: int = 1

    def inputs(self, outputs: int) -> int:
        """The largest number of inputs that `outputs` neighbouring outputs read."""
        return (self.step * (outputs - 1) + self.span) // self.divisor + 1


class Axis(Protocol):
    """One axis of a spatial op: whatever it is, it knows its reach."""

    @property
    def reach(self) -> Reach: ...


class Window(NamedTuple):
    """One axis of a sliding window: kernel, stride, padding before and after, dilation."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Elements that the dilated kernel spans."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def reach(self) -> Reach:
        return Reach(self.stride, self.extent - 1)

    def output(self, size: int, *, ceil_mode: bool = False) -> int:
        """Number of positions of the window on `size` elements.

        With `ceil_mode` the last window may start inside the input or the padding before it, and never in the
        padding after it (PyTorch's and Caffe's rule); a single window may then hang over by less than a stride.
        """
        room = size + self.before + self.after - self.extent
        if room < 0 and not (ceil_mode and -room < self.stride):
            raise OpError(
                "A302",
                f"window of {self.extent} does not fit into the padded input of {size + self.before + self.after}",
                notes=[f"{self._padded(size)} < {self._spanned()}"],
                help="use a smaller kernel, more padding, or a larger input",
            )
        if not ceil_mode:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        if (count - 1) * self.stride >= size + self.before:
            count -= 1
        return count

    def formula(self, size: int, *, ceil_mode: bool = False) -> str:
        """The output size as arithmetic with its figures in it, e.g. `⌊(227 − 11)/4⌋ + 1`."""
        padding = self.before + self.after
        pad = "" if not padding else f" + 2×{self.before}" if self.before == self.after else f" + {padding}"
        span = f"{self.kernel}" if self.dilation == 1 else f"({self.dilation}×({self.kernel} − 1) + 1)"
        left, right = ("⌈", "⌉") if ceil_mode else ("⌊", "⌋")
        text = f"{left}({size}{pad} − {span})/{self.stride}{right} + 1"
        if (
            ceil_mode
            and self.output(size, ceil_mode=True) != -(-(size + padding - self.extent) // self.stride) + 1
        ):
            text += " − 1"  # the last window would start in the padding after the input
        return text

    def _padded(self, size: int) -> str:
        if not (self.before or self.after):
            return f"input {size}"
        return f"input {size} + padding {self.before} + {self.after} = {size + self.before + self.after}"

    def _spanned(self) -> str:
        if self.dilation == 1:
            return f"kernel {self.kernel}"
        return f"dilation {self.dilation} × (kernel {self.kernel} − 1) + 1 = {self.extent}"


@dataclass(frozen=True, slots=True)
class TransposedWindow:
    """One axis of a transposed convolution: each input writes a window, `padding` crops, `extra` rows are added."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    extra: int = 0

    @property
    def extent(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    @property
    def reach(self) -> Reach:
        # Inputs i with stride·i ≤ position < stride·i + extent; the stride is 1/stride of an input.
        return Reach(1, self.extent - 1, self.stride)

    def output(self, size: int) -> int:
        result = (size - 1) * self.stride - 2 * self.padding + self.extent + self.extra
        if result < 1:
            raise OpError(
                "A302",
                "padding crops the whole output away",
                notes=[f"{self.formula(size)} = {result}"],
                help="use less padding, or a larger kernel or input",
                attribute="padding",
            )
        return result

    def formula(self, size: int) -> str:
        """The output size as arithmetic, e.g. `(14 − 1)×2 − 2×1 + 4`."""
        crop = f" − 2×{self.padding}" if self.padding else ""
        span = f"{self.kernel}" if self.dilation == 1 else f"{self.dilation}×({self.kernel} − 1) + 1"
        return f"({size} − 1)×{self.stride}{crop} + {span}" + (f" + {self.extra}" if self.extra else "")


@dataclass(frozen=True, slots=True)
class AdaptiveWindow:
    """One axis of adaptive pooling: output o covers inputs ⌊o·size/outputs⌋ up to ⌈(o + 1)·size/outputs⌉."""

    size: int
    outputs: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """The window length of each output."""
        size, outputs = self.size, self.outputs
        return tuple(-(-(o + 1) * size // outputs) - o * size // outputs for o in range(outputs))

    @property
    def total(self) -> int:
        """The sum of the window lengths; more than `size` where windows overlap."""
        common = math.gcd(self.size, self.outputs)
        # Neighbouring windows share one input wherever their border falls inside it.
        return self.size + self.outputs - common

    @property
    def reach(self) -> Reach:
        common = math.gcd(self.size, self.outputs)
        step, divisor = self.size // common, self.outputs // common
        return Reach(step, step + divisor - 2, divisor)


@dataclass(frozen=True, slots=True)
class Resampling:
    """One axis of an upsampling: each output reads `taps` neighbouring inputs around its place in the input."""

    size: int
    outputs: int
    taps: int

    @property
    def reach(self) -> Reach:
        common = math.gcd(self.size, self.outputs)
        step, divisor = self.size // common, self.outputs // common
        return Reach(step, divisor * self.taps - 1, divisor)


def regrouped(shape: tuple[int, ...], output: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Which dimensions of a reshaped tensor hold the elements of which: groups of equal size, in order.

    (2, 8, 4, 4) as (2, 8, 16) is [([0], [0]), ([1], [1]), ([2, 3], [2])].  Dimensions of size 1 join a neighbour.
    """
    groups: list[tuple[list[int], list[int]]] = []
    left, right = list(range(len(shape))), list(range(len(output)))
    while left or right:
        mine, theirs = left[:1], right[:1]
        del left[:1], right[:1]
        sizes = [math.prod([shape[d] for d in mine]), math.prod([output[d] for d in theirs])]
        while sizes[0] != sizes[1] and (left or right):
            if (sizes[0] < sizes[1] and left) or not right:
                sizes[0] *= shape[left[0]]
                mine.append(left.pop(0))
            else:
                sizes[1] *= output[right[0]]
                theirs.append(right.pop(0))
        groups.append((mine, theirs))
    return groups
