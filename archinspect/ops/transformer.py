"""Attention without projections of its own, windows of tokens, and mixtures of experts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, integer, number, one_of, optional
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
    module_call,
    need_rank,
    numel,
    register,
    show_shape,
)
from .derivation import times

_LAYOUT = "(N, L, width)"
_TOKENS: Axes = ("batch", "sequence", "feature")


@register(
    "dot_product_attention",
    category="attention",
    samples=[
        ({"num_heads": 12, "is_causal": True}, ((1, 128, 768),) * 3),
        ({"num_heads": 4, "kv_heads": 2, "window": 3}, ((2, 5, 16), (2, 5, 8), (2, 5, 8))),
        ({"num_heads": 2, "scale": 1.0}, ((2, 5, 8), (2, 7, 8), (2, 7, 4), (1, 2, 5, 7))),
    ],
)
class DotProductAttention(Op):
    """Attention of queries, keys and values (N, L, heads·dim) that layers before it have projected.

    Fewer `kv_heads` than heads share keys and values in groups.  `bias` is added to the scores, as relative positions
    are.  MACs are the full products, L·S·(dim of q + dim of v) per head, also of what a causal mask or a window hides;
    the softmax over S, and the division of q by √dim unless `scale` is 1, are elementwise.
    Sources: PyTorch `scaled_dot_product_attention`; Ainslie et al. 2023, arXiv:2305.13245 (grouped).
    """

    predicted: ClassVar[bool] = False
    layout: ClassVar[int] = 1
    arity: ClassVar[int | None] = 3
    reads: ClassVar[tuple[str, ...]] = ("bias",)
    num_heads: int = attr(integer(1), "heads that the width of the queries is divided into")
    kv_heads: int | None = attr(optional(integer(1)), "heads of keys and values; None is as many", None)
    is_causal: bool = attr(FLAG, "no token sees those after it", False)
    window: int | None = attr(
        optional(integer(1)), "how many tokens back, itself included, a token sees", None
    )
    scale: float | None = attr(optional(number()), "what scores are multiplied by; None is 1/√dim", None)
    dropout: float = attr(number(0, 1), "probability of an attention weight to be zeroed in training", 0.0)

    @property
    def _kv(self) -> int:
        return self.kv_heads or self.num_heads

    def __post_init__(self) -> None:
        if self.num_heads % self._kv:
            raise OpError(
                "A303",
                f"{self.num_heads} heads cannot share {self._kv} heads of keys and values evenly",
                help=f"kv_heads must divide {self.num_heads}",
                attribute="kv_heads",
            )

    def shape(self, inputs: Shapes) -> Shape:
        query, key, value, *bias = inputs
        for x in (query, key, value):
            need_rank(self, x, 3, _LAYOUT)
        for name, x, heads in (
            ("queries", query, self.num_heads), ("keys", key, self._kv), ("values", value, self._kv),
        ):  # fmt: skip
            if x[2] % heads:
                raise OpError("A303", f"{name} of width {x[2]} cannot be divided into {heads} heads")
        if query[2] // self.num_heads != key[2] // self._kv:
            raise OpError(
                "A304",
                "a query and a key of one head differ in width",
                notes=[f"{query[2]}/{self.num_heads} ≠ {key[2]}/{self._kv}"],
                help=f"give the keys {query[2] // self.num_heads * self._kv} features",
            )
        if query[0] != key[0] or key[:2] != value[:2]:
            raise OpError("A304", "queries, keys and values are not of the same batch and length")
        if bias and bias[0] != (1, self.num_heads, query[1], key[1]):
            wanted = (1, self.num_heads, query[1], key[1])
            raise OpError(
                "A304", f"the bias of the scores is {show_shape(bias[0])}, not {show_shape(wanted)}"
            )
        return query[0], query[1], value[2] // self._kv * self.num_heads

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (1,)

    def reads_whole(self, before: Sequence[Positions], inputs: Shapes) -> frozenset[int]:
        return frozenset[int]().union(*[place[1] for place in before])

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:2], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return _TOKENS

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        query, key, value, *bias = inputs
        groups = query[0] * self.num_heads * query[1]
        scores = groups * key[1]
        scaled = numel(query) if self.scale != 1 else 0
        return Cost(
            macs=scores * (key[2] + value[2]) // self._kv,
            elementwise=scaled + 4 * scores - groups + (scores if bias else 0),
            comparisons=scores - groups,
        )

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.DotProductAttention")

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        query, key, value, *_ = inputs
        per_head = f"{self.num_heads}×{query[1]}×{key[1]}×({key[2] // self._kv} + {value[2] // self._kv})"
        return times(query[0], per_head)


def _sides(op: Op, x: Shape, height: int | None) -> tuple[int, int]:
    """Rows and columns of the map that tokens were; a square unless the height is given."""
    need_rank(op, x, 3, _LAYOUT)
    rows = height or isqrt(x[1])
    if x[1] % rows or (height is None and rows * rows != x[1]):
        raise OpError(
            "A305",
            f"{x[1]} tokens are no map" + (f" of {height} rows" if height else " with equal sides"),
            help="give the rows: height=...",
            attribute="height" if height else None,
        )
    return rows, x[1] // rows


_HEIGHT = "rows of the map that the tokens were; None for a square"


@register(
    "shifted_window_attention",
    category="attention",
    samples=[
        ({"num_heads": 3}, ((1, 3136, 96),)),
        ({"num_heads": 2, "window_size": 2, "shift_size": 1, "height": 3}, ((2, 15, 8),)),
    ],
)
class ShiftedWindowAttention(Op):
    """Self-attention inside square windows of a map's tokens (N, H·W, C), with a bias for each relative place.

    A shift moves the map by so many rows and columns before it is cut, so that windows meet; where one window covers a
    side, nothing is shifted.  Padded tokens count.  MACs: per window of w² tokens, 4·w²·C² and 2·w⁴·C.  Elementwise:
    scaling q, adding the bias (and the mask of a shift) to the scores, and the softmax.  The names of weights are
    torchvision's.  Source: Liu et al. 2021, arXiv:2103.14030, section 3.2.
    """

    predicted: ClassVar[bool] = False
    num_heads: int = attr(integer(1), "heads that the width is divided into")
    window_size: int = attr(integer(1), "rows and columns of a window", 7)
    shift_size: int = attr(integer(0), "rows and columns that the map is moved by", 0)
    height: int | None = attr(optional(integer(1)), _HEIGHT, None)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        _sides(self, x, self.height)
        if x[2] % self.num_heads:
            raise OpError(
                "A303",
                f"a width of {x[2]} cannot be divided into {self.num_heads} heads",
                help=f"num_heads must divide {x[2]}",
                attribute="num_heads",
            )
        return x

    def _windows(self, x: Shape) -> int:
        w = self.window_size
        rows, columns = _sides(self, x, self.height)
        return -(-rows // w) * -(-columns // w)

    def _shifted(self, x: Shape) -> bool:
        w = self.window_size
        return self.shift_size > 0 and any(w < -(-side // w) * w for side in _sides(self, x, self.height))

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        width = inputs[0][2]
        return {
            "relative_position_bias_table": ((2 * self.window_size - 1) ** 2, self.num_heads),
            "qkv.weight": (3 * width, width),
            "qkv.bias": (3 * width,),
            "proj.weight": (width, width),
            "proj.bias": (width,),
        }

    def buffers(self, inputs: Shapes) -> dict[str, Shape]:
        return {"relative_position_index": (self.window_size**4,)}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        (x,) = inputs
        area, width = self.window_size**2, x[2]
        windows = x[0] * self._windows(x)
        tokens = windows * area
        groups = tokens * self.num_heads
        scores = groups * area
        return Cost(
            macs=4 * tokens * width**2 + 2 * tokens * area * width,
            bias_adds=4 * tokens * width,
            elementwise=tokens * width + (1 + self._shifted(x)) * scores + 4 * scores - groups,
            comparisons=scores - groups,
        )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return 1, 2

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None  # a window of rows and columns, which tokens do not tell

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.ShiftedWindowAttention", inputs[0][2])

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        (x,) = inputs
        area = self.window_size**2
        per_window = f"(4×{area}×{x[2]}² + 2×{area}²×{x[2]})"
        return times(x[0], times(self._windows(x), per_window))


@register(
    "merge_patches",
    category="attention",
    samples=[({}, ((1, 3136, 96),)), ({"height": 3}, ((2, 15, 8),))],
)
class MergePatches(Op):
    """Two by two neighbours of a map's tokens as one: (N, H·W, C) becomes (N, H/2·W/2, 4·C).  Cost: none.

    An odd side is padded.  Source: Liu et al. 2021, arXiv:2103.14030, section 3.1.  In PyTorch: slices and `torch.cat`.
    """

    predicted: ClassVar[bool] = False
    height: int | None = attr(optional(integer(1)), _HEIGHT, None)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        rows, columns = _sides(self, x, self.height)
        return x[0], -(-rows // 2) * -(-columns // 2), 4 * x[2]

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions | None:
        return None

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.MergePatches")


#: operations and comparisons of an activation between an expert's layers
_ACTIVATIONS = {"relu": (0, 1), "gelu": (5, 0), "silu": (4, 0)}


@register(
    "mixture_of_experts",
    category="attention",
    samples=[
        ({"num_experts": 8, "top_k": 2, "hidden_features": 256}, ((1, 16, 64),)),
        (
            {"num_experts": 4, "top_k": 2, "hidden_features": 6, "gated": True, "activation": "silu",
             "bias": False},
            ((2, 5, 8),),
        ),
        ({"num_experts": 3, "top_k": 1, "hidden_features": 6, "activation": "relu"}, ((2, 5, 8), (2, 5, 3))),
    ],
)  # fmt: skip
class MixtureOfExperts(Op):
    """Two linear layers for each expert, of which every token of (N, L, width) uses the `top_k` that a router chooses.

    The router is a linear layer of its own without bias, unless its `logits` (N, L, experts) are given.  A `gated`
    expert multiplies the activation by a third layer's output.  Parameters are those of all experts, `active` of those
    that a token uses, and MACs are what is computed for the chosen ones: per token top_k·(2 or 3)·width·hidden, and
    the router's.  Elementwise: the activation, the gate, a softmax over the chosen, and their weighted sum; the
    comparisons that find the largest.  Sources: Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024,
    arXiv:2401.04088.
    """

    predicted: ClassVar[bool] = False
    layout: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("logits",)
    num_experts: int = attr(integer(1), "experts in all")
    top_k: int = attr(integer(1), "experts that each token uses")
    hidden_features: int = attr(integer(1), "width between an expert's layers")
    activation: str = attr(one_of(*_ACTIVATIONS), "what is between an expert's layers", "gelu")
    gated: bool = attr(FLAG, "multiply by a third layer's output, as SwiGLU does", False)
    bias: bool = attr(FLAG, "learnable biases in the experts", True)

    def __post_init__(self) -> None:
        if self.top_k > self.num_experts:
            raise OpError(
                "A207",
                f"no token can use {self.top_k} of {self.num_experts} experts",
                help=f"use top_k of at most {self.num_experts}",
                attribute="top_k",
            )

    def shape(self, inputs: Shapes) -> Shape:
        x, *logits = inputs
        need_rank(self, x, 3, _LAYOUT)
        if logits and logits[0] != (*x[:2], self.num_experts):
            wanted = show_shape((*x[:2], self.num_experts))
            raise OpError("A304", f"the router's logits are {show_shape(logits[0])}, not {wanted}")
        return x

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        width, hidden, count = inputs[0][2], self.hidden_features, self.num_experts
        found: dict[str, Shape] = {} if len(inputs) > 1 else {"router": (count, width)}
        found["w1"] = (count, hidden, width)
        if self.gated:
            found["w3"] = (count, hidden, width)
        found["w2"] = (count, width, hidden)
        if self.bias:
            found["b1"] = (count, hidden)
            if self.gated:
                found["b3"] = (count, hidden)
            found["b2"] = (count, width)
        return found

    def active(self, inputs: Shapes) -> int:
        found = self.weights(inputs)
        router = numel(found.pop("router", (0,)))
        return router + sum(map(numel, found.values())) * self.top_k // self.num_experts

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        x = inputs[0]
        tokens, width, hidden, count, k = (
            numel(x[:2]),
            x[2],
            self.hidden_features,
            self.num_experts,
            self.top_k,
        )
        operations, comparisons = _ACTIVATIONS[self.activation]
        layers = 3 if self.gated else 2
        inner = tokens * k * hidden
        biases = inner * (layers - 1) + tokens * k * width
        found = sum(range(count - k, count))  # comparisons that find the k largest
        return Cost(
            macs=layers * inner * width + (0 if len(inputs) > 1 else tokens * count * width),
            bias_adds=biases if self.bias else 0,
            elementwise=inner * (operations + self.gated)
            + tokens * (4 * k - 1)
            + tokens * (2 * k - 1) * width,
            comparisons=inner * comparisons + tokens * (k - 1 + found),
        )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (2,)

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:2], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return _TOKENS

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "archinspect.MixtureOfExperts", inputs[0][2])
        return TorchCall(
            call.target, call.args, {**call.kwargs, **({"router": False} if len(inputs) > 1 else {})}
        )

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        tokens, layers = numel(inputs[0][:2]), 3 if self.gated else 2
        experts = f"{self.top_k}×{layers}×{inputs[0][2]}×{self.hidden_features}"
        router = "" if len(inputs) > 1 else f" + {self.num_experts}×{inputs[0][2]}"
        return times(tokens, f"({experts}{router})")
