"""Attention among tokens (N, L, width)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, integer, number, optional
from .base import (
    Axes,
    Cost,
    Op,
    Positions,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_rank,
    numel,
    register,
)
from .derivation import times


@register(
    "multihead_attention",
    category="attention",
    samples=[
        ({"num_heads": 12}, ((1, 197, 768),)),
        ({"num_heads": 2, "bias": False, "dropout": 0.1}, ((2, 5, 8),)),
        ({"num_heads": 8, "kdim": 32, "vdim": 48}, ((1, 10, 64), (1, 20, 32), (1, 20, 48))),
        ({"num_heads": 4, "kv_heads": 2, "add_bias_kv": True, "is_causal": True, "window": 3}, ((2, 5, 8),)),
    ],
)
class MultiheadAttention(Op):
    """Attention: every token of (N, L, E) becomes a weighted mean of all tokens' values, per head.

    The values are the tokens' own, or those of other tokens: `key=memory` and, where it is another one, `value=`.
    Fewer `kv_heads` than heads share keys and values in groups.  Masks hide what is counted all the same.

    MACs: the projections 3·L·E² and L·E², the scores q·kᵀ and the weighted values, L²·E each.  The softmax over L and
    the division of q by √(E/heads) are elementwise.  Weights have the names of `nn.MultiheadAttention`.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    reads: ClassVar[tuple[str, ...]] = ("key", "value")
    num_heads: int = attr(integer(1), "heads that the width is divided into")
    dropout: float = attr(number(0, 1), "probability of an attention weight to be zeroed in training", 0.0)
    bias: bool = attr(FLAG, "add learnable biases in the projections", True)
    add_bias_kv: bool = attr(FLAG, "a learnt key and a learnt value beside those of the tokens", False)
    kdim: int | None = attr(optional(integer(1)), "width of the keys, which follows from `key=`", None)
    vdim: int | None = attr(optional(integer(1)), "width of the values, which follows from `value=`", None)
    kv_heads: int | None = attr(optional(integer(1)), "heads of keys and values; None is as many", None)
    is_causal: bool = attr(FLAG, "no token sees those after it; the full products count", False)
    window: int | None = attr(
        optional(integer(1)), "how many tokens back, itself included, a token sees", None
    )

    @property
    def predicted(self) -> bool:  # type: ignore[override]
        return not (
            self.add_bias_kv or self.is_causal or self.kdim or self.vdim or self.kv_heads or self.window
        )

    def _widths(self, inputs: Shapes) -> tuple[int, int, int, int, int]:
        """Width of queries, keys and values as they come in; of keys as they are projected; and how many there are."""
        query, *others = inputs
        key = others[0] if others else query
        value = others[-1] if others else query
        shared = query[2] // self.num_heads * (self.kv_heads or self.num_heads)
        return query[2], key[2], value[2], shared, key[1] + self.add_bias_kv

    def shape(self, inputs: Shapes) -> Shape:
        x, *others = inputs
        for each in inputs:
            need_rank(self, each, 3, "(N, L, width)")
        if x[2] % self.num_heads:
            raise OpError(
                "A303",
                f"a width of {x[2]} cannot be divided into {self.num_heads} heads",
                notes=[f"{x[2]} = {x[2] // self.num_heads}×{self.num_heads} + {x[2] % self.num_heads}"],
                help=f"num_heads must divide {x[2]}",
                attribute="num_heads",
            )
        if self.num_heads % (self.kv_heads or 1):
            raise OpError(
                "A303",
                f"{self.num_heads} heads cannot share {self.kv_heads} heads of keys and values evenly",
                help=f"kv_heads must divide {self.num_heads}",
                attribute="kv_heads",
            )
        if any(other[0] != x[0] or other[1] != others[0][1] for other in others):
            raise OpError(
                "A304", "queries, keys and values are not of one batch, or keys and values not as many"
            )
        _, key, value, _, _ = self._widths(inputs)
        for name, wanted, width in (("kdim", self.kdim, key), ("vdim", self.vdim, value)):
            if wanted is not None and wanted != width:
                source = {"kdim": "key", "vdim": "value"}[name]
                raise OpError(
                    "A305",
                    f"{name} is {wanted}, and the {source}s have {width} features",
                    help=f"say where they come from: {source}=memory",
                    attribute=name,
                )
        return x

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return 1, 2  # tokens by the weights, features by the projections

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:2], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        width, key, value, shared, _ = self._widths(inputs)
        if (key, value, shared) == (width, width, width):
            found: dict[str, Shape] = {"in_proj_weight": (3 * width, width)}
        else:
            found = {
                "q_proj_weight": (width, width),
                "k_proj_weight": (shared, key),
                "v_proj_weight": (shared, value),
            }
        output: dict[str, Shape] = {"out_proj.weight": (width, width)}
        if self.bias:
            found["in_proj_bias"] = (width + 2 * shared,)
            output["out_proj.bias"] = (width,)
        if self.add_bias_kv:
            found["bias_k"] = found["bias_v"] = (1, 1, shared)
        return found | output

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        batch, length, _ = inputs[0]
        width, key, value, shared, keys = self._widths(inputs)
        read = keys - self.add_bias_kv
        groups = batch * self.num_heads * length
        scores = groups * keys
        projections = 2 * length * width**2 + read * (key + value) * shared
        return Cost(
            macs=batch * (projections + 2 * length * keys * width),
            bias_adds=batch * 2 * (length * width + read * shared) if self.bias else 0,
            elementwise=numel(output) + 4 * scores - groups,
            comparisons=scores - groups,
        )

    def torch_call(self, inputs: Shapes) -> TorchCall:
        if self.predicted and len(inputs) == 1:
            return module_call(self, "archinspect.SelfAttention", inputs[0][2])
        width, key, value, _, _ = self._widths(inputs)
        call = module_call(self, "archinspect.Attention", width)
        kwargs = {
            **call.kwargs,
            **({"kdim": key} if key != width else {}),
            **({"vdim": value} if value != width else {}),
        }
        return TorchCall(call.target, call.args, kwargs)

    def derive_params(self, inputs: Shapes) -> str:
        if not self.predicted or len(inputs) > 1:
            return super().derive_params(inputs)
        width = inputs[0][2]
        return f"4×({width}×{width}" + (f" + {width})" if self.bias else ")")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        batch, length, width = inputs[0]
        if self.predicted and len(inputs) == 1:
            return times(batch, f"(4×{length}×{width}² + 2×{length}²×{width})")
        _, key, value, shared, keys = self._widths(inputs)
        read = keys - self.add_bias_kv
        projections = f"2×{length}×{width}² + {read}×({key} + {value})×{shared}"
        return times(batch, f"({projections} + 2×{length}×{keys}×{width})")

    def derive_flops(self, inputs: Shapes, output: Shape) -> str:
        if not self.predicted or len(inputs) > 1:
            return super().derive_flops(inputs, output)
        batch, length, width = inputs[0]
        cost = self.cost(inputs, output)
        scale = times(batch, f"{length}×{width}")
        biases = f" + 4×{scale}" if self.bias else ""
        softmax = times(batch, f"{self.num_heads}×{length}×(5×{length} − 2)")
        return f"2×{cost.macs:,}{biases} + {scale} + {softmax}"
