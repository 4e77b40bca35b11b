"""From maps to tokens (N, L, width) and back to one vector, as vision transformers do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ..errors import OpError
from ..geometry import Reach
from .attributes import integer, optional
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
    joined_reaches,
    module_call,
    need_rank,
    numel,
    register,
)
from .derivation import product, shape_of
from .shaping import Moving

_LAYOUT = "(N, L, width)"
_TOKENS: Axes = ("batch", "sequence", "feature")


@register("tokens", category="attention", samples=[({}, ((1, 768, 14, 14),)), ({}, ((2, 3, 5, 4),))])
class Tokens(Moving):
    """Every position of (N, C, H, W) as a token: (N, H·W, C).  Cost: none.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1.
    """

    aliases: ClassVar[bool] = True
    layout: ClassVar[int] = 2

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 4, "(N, C, H, W)")
        return x[0], x[2] * x[3], x[1]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        (x,) = before
        return x[0], x[2] | x[3], x[1]

    def reaches(self, before: Sequence[Positions], inputs: Shapes) -> Mapping[int, Reach]:
        return joined_reaches(before[0][2:], inputs[0][2:])

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return _TOKENS

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.Tokens")

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        return shape_of(output, d1=f"{inputs[0][2]}×{inputs[0][3]}")


@register("class_token", category="attention", samples=[({}, ((1, 196, 768),)), ({}, ((2, 5, 8),))])
class ClassToken(Op):
    """A learnt token before the others: (N, L, width) becomes (N, L + 1, width).  Cost: none, data only moves.

    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, equation 1.
    """

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, _LAYOUT)
        return x[0], x[1] + 1, x[2]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"token": (1, 1, inputs[0][2])}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.ClassToken", inputs[0][2])

    def derive_shape(self, inputs: Shapes, output: Shape) -> str:
        return shape_of(output, d1=f"{inputs[0][1]} + 1")

    def derive_params(self, inputs: Shapes) -> str:
        return str(inputs[0][2])


@register(
    "position_embedding",
    category="attention",
    samples=[({}, ((1, 197, 768),)), ({}, ((2, 5, 8),)), ({"num_positions": 9}, ((2, 5, 8),))],
)
class PositionEmbedding(Op):
    """A learnt vector added to each token, one for each place.  Cost: one addition per element.

    `num_positions` are the places that vectors are learnt for, where they are more than the tokens.
    Source: Dosovitskiy et al. 2020, arXiv:2010.11929, equation 1.
    """

    num_positions: int | None = attr(optional(integer(1)), "places; None is as many as tokens", None)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, _LAYOUT)
        if self.num_positions is not None and x[1] > self.num_positions:
            raise OpError(
                "A305",
                f"{x[1]} tokens have no place among {self.num_positions}",
                notes=[f"{x[1]} > {self.num_positions}"],
                help=f"use an input of at most {self.num_positions} tokens",
                attribute="num_positions",
            )
        return x

    def _places(self, x: Shape) -> int:
        return self.num_positions or x[1]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"embedding": (1, self._places(inputs[0]), inputs[0][2])}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(output))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.PositionEmbedding", (self._places(inputs[0]), inputs[0][2]))

    def derive_params(self, inputs: Shapes) -> str:
        return product((1, self._places(inputs[0]), inputs[0][2]))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return product(output)


@register(
    "select_token", category="attention", samples=[({}, ((1, 197, 768),)), ({"index": -1}, ((2, 5, 8),))]
)
class SelectToken(Moving):
    """One token of (N, L, width) as (N, width), by default the first.  In PyTorch: `torch.select`."""

    aliases: ClassVar[bool] = True
    index: int = attr(integer(-(2**31)), "which token; −1 is the last", 0)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, _LAYOUT)
        if not -x[1] <= self.index < x[1]:
            raise OpError(
                "A305",
                f"token {self.index} does not exist among {x[1]}",
                notes=[f"−{x[1]} ≤ {self.index} < {x[1]} does not hold"],
                help="the first is 0, the last −1",
                attribute="index",
            )
        return x[0], x[2]

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        (x,) = before
        return x[0], x[2]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        (x,) = before
        return x[0], x[2]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.select", (1, self.index))


@register("mean_tokens", category="attention", samples=[({}, ((1, 196, 512),)), ({}, ((2, 5, 8),))])
class MeanTokens(Op):
    """The mean of all tokens: (N, L, width) becomes (N, width).  In PyTorch: `torch.mean`.

    Cost: L − 1 additions and one division per output.  Source: Tolstikhin et al. 2021, arXiv:2105.01601, figure 1
    (global average pooling).
    """

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, _LAYOUT)
        return x[0], x[2]

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (1,)

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        (x,) = before
        return x[0], x[2]

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        (x,) = before
        return x[0], x[2]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return Cost(elementwise=numel(inputs[0]))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("torch.mean", (1,))

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        return product(inputs[0])
