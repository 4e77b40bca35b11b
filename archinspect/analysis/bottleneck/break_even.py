"""The widest reduction that still saves, in closed form.

With w = k_h·k_w·C_out/groups weights per input channel, p = H_out·W_out positions after and q = H·W before the
convolution, b = 1 with biases and 0 without, a reduction to r channels has

    r·(C + b) + r·w    weights, against C·w       (the convolution's own biases stand on both sides)
    r·C·q + r·w·p      MACs,    against C·w·p

so that it saves as long as r < C·w/(C + b + w), and r < C·w·p/(C·q + w·p).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ops import Shape
from ...ops.convolution import Conv2d


@dataclass(frozen=True)
class Bound:
    """A reduction saves below `numerator/denominator`; `width` is the widest that does, 0 if none."""

    numerator: int
    denominator: int
    formula: str
    width: int


@dataclass(frozen=True)
class BreakEven:
    """The bounds by parameters and by multiply-accumulates; `width` is the widest reduction that saves both."""

    params: Bound
    macs: Bound

    @property
    def width(self) -> int:
        return min(self.params.width, self.macs.width)

    def to_dict(self) -> dict[str, object]:
        return {
            "break_even": self.width,
            "break_even_by": {"params": self.params.width, "macs": self.macs.width},
        }


def break_even(input_shape: Shape, op: Conv2d, output_shape: Shape) -> BreakEven:
    """The bounds for a convolution; a width is a multiple of its groups, which must divide it."""
    channels, rows, columns = input_shape[1:]
    kernel = f"{op.kernel_size[0]}×{op.kernel_size[1]}"
    outputs = str(op.out_channels) if op.groups == 1 else f"({op.out_channels}/{op.groups})"
    each = op.kernel_size[0] * op.kernel_size[1] * (op.out_channels // op.groups)
    bias = " + 1" if op.bias else ""
    weights = _bound(
        channels * each,
        channels + op.bias + each,
        f"({kernel}×{channels}×{outputs})/({channels}{bias} + {kernel}×{outputs})",
        op.groups,
    )
    before, after = rows * columns, output_shape[2] * output_shape[3]
    at, of = f"{output_shape[2]}×{output_shape[3]}", f"{rows}×{columns}"
    work = _bound(
        channels * each * after,
        channels * before + each * after,
        f"({kernel}×{channels}×{outputs}×{at})/({channels}×{of} + {kernel}×{outputs}×{at})",
        op.groups,
    )
    return BreakEven(weights, work)


def _bound(numerator: int, denominator: int, formula: str, groups: int) -> Bound:
    widest = (numerator - 1) // denominator  # the largest integer strictly below the quotient
    return Bound(numerator, denominator, formula, widest // groups * groups)
