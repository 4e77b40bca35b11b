"""The arithmetic of windows: output sizes of convolutions and pools, as PyTorch computes them.

A window is described per spatial axis; all sizes are in elements.  Source of the formulas: the PyTorch
documentation of `Conv2d`, `ConvTranspose2d` and `MaxPool2d`; Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import OpError


@dataclass(frozen=True, slots=True)
class Window:
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

    def output(self, size: int, *, ceil_mode: bool = False) -> int:
        """Number of positions of the window on `size` elements.

        With `ceil_mode` the last window may start inside the input or the padding before it, and never in the
        padding after it (PyTorch's and Caffe's rule).
        """
        room = size + self.before + self.after - self.extent
        if room < 0:
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
        if ceil_mode and self.output(size, ceil_mode=True) != -(-(size + padding - self.extent) // self.stride) + 1:
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
