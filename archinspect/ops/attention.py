"""Attention among tokens (N, L, width)."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OpError
from .attributes import FLAG, integer, number
from .base import Cost, Op, Positions, Shape, Shapes, TorchCall, attr, module_call, need_rank, numel, register
from .derivation import times


@register(
    "multihead_attention",
    category="attention",
    samples=[
        ({"num_heads": 12}, ((1, 197, 768),)),
        ({"num_heads": 2, "bias": False, "dropout": 0.1}, ((2, 5, 8),)),
    ],
)
class MultiheadAttention(Op):
    """Self-attention: every token of (N, L, E) becomes a weighted mean of all tokens' values, per head.

    MACs: the projections 3·L·E² and L·E², the scores q·kᵀ and the weighted values, L²·E each.  The softmax over L and
    the division of q by √(E/heads) are elementwise.  Weights have the names of `nn.MultiheadAttention`.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    num_heads: int = attr(integer(1), "heads that the width is divided into")
    dropout: float = attr(number(0, 1), "probability of an attention weight to be zeroed in training", 0.0)
    bias: bool = attr(FLAG, "add learnable biases in the projections", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, "(N, L, width)")
        if x[2] % self.num_heads:
            raise OpError(
                "A303",
                f"a width of {x[2]} cannot be divided into {self.num_heads} heads",
                notes=[f"{x[2]} = {x[2] // self.num_heads}×{self.num_heads} + {x[2] % self.num_heads}"],
                help=f"num_heads must divide {x[2]}",
                attribute="num_heads",
            )
        return x

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return 1, 2  # tokens by the weights, features by the projections

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:2], frozenset()

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        width = inputs[0][2]
        projection: dict[str, Shape] = {"in_proj_weight": (3 * width, width)}
        output: dict[str, Shape] = {"out_proj.weight": (width, width)}
        if self.bias:
            projection["in_proj_bias"] = (3 * width,)
            output["out_proj.bias"] = (width,)
        return projection | output

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        batch, length, width = inputs[0]
        scores = batch * self.num_heads * length * length
        softmax = batch * self.num_heads * length
        return Cost(
            macs=4 * batch * length * width**2 + 2 * batch * length**2 * width,
            bias_adds=4 * numel(output) if self.bias else 0,
            elementwise=numel(output) + 4 * scores - softmax,
            comparisons=scores - softmax,
        )

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.SelfAttention", inputs[0][2])

    def derive_params(self, inputs: Shapes) -> str:
        width = inputs[0][2]
        return f"4×({width}×{width}" + (f" + {width})" if self.bias else ")")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        batch, length, width = inputs[0]
        return times(batch, f"(4×{length}×{width}² + 2×{length}²×{width})")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        batch, length, width = inputs[0]
        cost = self.cost(inputs, output)
        scale = times(batch, f"{length}×{width}")
        biases = f" + 4×{scale}" if self.bias else ""
        softmax = times(batch, f"{self.num_heads}×{length}×(5×{length} − 2)")
        return f"2×{cost.macs:,}{biases} + {scale} + {softmax}"
