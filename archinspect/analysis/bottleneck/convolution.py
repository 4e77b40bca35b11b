"""One convolution, directly and behind a 1×1 convolution that narrows its input first.

Szegedy et al. 2014, arXiv:1409.4842, section 4: "1×1 convolutions are used to compute reductions before the expensive
3×3 and 5×5 convolutions".  Both sides are graphs, so that their figures are the analysers'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...errors import ArchinspectError, OpError, fail
from ...graph import Graph
from ...input_size import parse_input
from ...ops import Shape
from ...ops.convolution import Conv2d
from ...shown import Shown
from ..analyse import analyse
from ..results import Analysis
from ..rewrites.assemble import Part, chain
from .break_even import BreakEven, break_even


@dataclass(frozen=True)
class Figures:
    """What one side takes: learnable parameters, multiply-accumulates, bytes of all its outputs in fp32."""

    params: int
    macs: int
    activation_bytes: int

    def to_dict(self) -> dict[str, int]:
        return {"params": self.params, "macs": self.macs, "activation_bytes": self.activation_bytes}


@dataclass(frozen=True)
class Convolution:
    """A convolution on an input (N, C, H, W), and how it is reduced: by 1×1 to a width, with or without bias."""

    input_shape: Shape
    op: Conv2d

    @classmethod
    def of(
        cls,
        input: str | Shape,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> Convolution:
        """The convolution as a user says it; without `padding` the one that keeps the size at stride 1.

        Raises ArchinspectError for sizes that make no convolution.
        """
        shape = _shape(input)
        kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if padding is None:
            odd = all(size % 2 for size in kernel)
            padding = (kernel[0] // 2, kernel[1] // 2) if odd or stride not in (1, (1, 1)) else "same"
        try:
            op = Conv2d.of(out_channels, kernel, stride=stride, padding=padding, groups=groups, bias=bias)
        except OpError as error:
            raise ArchinspectError(error.diagnostic()) from None
        chain(shape, [Part("conv", op)])  # refuses what does not fit
        return cls(shape, op)

    @cached_property
    def graph(self) -> Graph:
        """The convolution alone."""
        return chain(self.input_shape, [Part("conv", self.op)], name="direct")

    @cached_property
    def direct(self) -> Analysis:
        return analyse(self.graph)

    @cached_property
    def break_even(self) -> BreakEven:
        """The widest reductions that still save parameters and multiply-accumulates."""
        return break_even(self.input_shape, self.op, self.direct.rows[0].output_shape)

    def reduced(self, width: int) -> Graph:
        """The graph of the two convolutions.  Raises ArchinspectError for a width that the groups do not divide."""
        reduce = Conv2d.of(width, 1, bias=self.op.bias)
        return chain(
            self.input_shape, [Part("reduce", reduce), Part("conv", self.op)], name=f"reduced_to_{width}"
        )

    def at(self, width: int) -> Reduction:
        """Both sides for one width of the reduction."""
        return Reduction(self, width, analyse(self.reduced(width)))


@dataclass(frozen=True)
class Reduction(Shown):
    """One convolution behind one reduction: both sides, and what the reduction saves and costs."""

    convolution: Convolution
    width: int
    after: Analysis

    @property
    def before(self) -> Analysis:
        return self.convolution.direct

    @property
    def direct(self) -> Figures:
        return figures(self.before)

    @property
    def reduced(self) -> Figures:
        return figures(self.after)

    @property
    def params_ratio(self) -> float:
        """How many times fewer parameters the reduced side has; below 1 it has more."""
        return self.direct.params / self.reduced.params

    @property
    def macs_ratio(self) -> float:
        return self.direct.macs / self.reduced.macs

    @property
    def extra_activation_bytes(self) -> int:
        """What the output of the 1×1 convolution takes."""
        return self.reduced.activation_bytes - self.direct.activation_bytes

    def __repr__(self) -> str:
        ratios = f"{self.params_ratio:.2f} times fewer parameters, {self.macs_ratio:.2f} times fewer MACs"
        return f"<Reduction of {self.convolution.op} to {self.width}: {ratios}>"

    def to_dict(self) -> dict[str, object]:
        op = self.convolution.op
        return {
            "input": list(self.convolution.input_shape),
            "convolution": str(op),
            "reduce": self.width,
            "direct": self.direct.to_dict(),
            "reduced": self.reduced.to_dict(),
            "saving": {
                "params": self.direct.params - self.reduced.params,
                "macs": self.direct.macs - self.reduced.macs,
                "activation_bytes": -self.extra_activation_bytes,
                "params_ratio": self.params_ratio,
                "macs_ratio": self.macs_ratio,
            },
            **self.convolution.break_even.to_dict(),
        }


def _shape(input: str | Shape) -> Shape:
    try:
        shape = parse_input(input if isinstance(input, str) else "x".join(map(str, input)))
    except ValueError as error:
        raise fail("A402", str(error), help="for example 256x32x32") from None
    if len(shape) != 4:
        raise fail(
            "A402", "a convolution needs an input of channels, height and width", help="for example 256x32x32"
        )
    return shape


def figures(analysis: Analysis) -> Figures:
    totals = analysis.totals
    return Figures(totals.params, totals.macs, totals.activation_bytes)
