"""Tables that integers look up, and what tells the places of a sequence apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, integer, number, one_of, optional, several
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
)
from .pointwise import Pointwise


class _Table(Op):
    """A table with a row for each integer."""

    predicted: ClassVar[bool] = False
    reads_integers: ClassVar[bool] = True
    tied: ClassVar[tuple[str, ...]] = ("weight",)
    num_embeddings: int = attr(integer(1), "rows of the table: words, or other things with a number")
    embedding_dim: int = attr(integer(1), "width of a row")
    padding_idx: int | None = attr(
        optional(integer(-(2**31))), "row that is not learnt, for padding; it counts as a parameter", None
    )

    def __post_init__(self) -> None:
        index = self.padding_idx
        if index is not None and not -self.num_embeddings <= index < self.num_embeddings:
            raise OpError(
                "A207",
                f"padding_idx {index} is no row of a table of {self.num_embeddings}",
                help="rows are counted from 0",
                attribute="padding_idx",
            )

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}


@register(
    "embedding",
    category="sequence",
    samples=[
        ({"num_embeddings": 30522, "embedding_dim": 768, "padding_idx": 0}, ((1, 128),)),
        ({"num_embeddings": 10, "embedding_dim": 3}, ((2, 5),)),
    ],
)
class Embedding(_Table):
    """The table's row for each integer: (N, L) becomes (N, L, embedding_dim).  Cost: none, data only moves.

    The table may be another layer's: `weight=other`, and a linear layer may have an embedding's.
    Source: PyTorch `nn.Embedding`.
    """

    def shape(self, inputs: Shapes) -> Shape:
        return *inputs[0], self.embedding_dim

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return *before[0], "feature"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "nn.Embedding")


@register(
    "embedding_bag",
    category="sequence",
    samples=[
        ({"num_embeddings": 1000, "embedding_dim": 64}, ((1, 30),)),
        ({"num_embeddings": 10, "embedding_dim": 3, "mode": "sum"}, ((2, 5),)),
        ({"num_embeddings": 10, "embedding_dim": 3, "mode": "max"}, ((2, 5),)),
    ],
)
class EmbeddingBag(_Table):
    """The mean, sum or maximum of the rows of each of N bags of L integers: (N, L) becomes (N, embedding_dim).

    Cost per bag and column: L − 1 additions, and a division for the mean; L − 1 comparisons for the maximum.
    Source: PyTorch `nn.EmbeddingBag`.
    """

    mode: str = attr(one_of("mean", "sum", "max"), "what is made of the rows of a bag", "mean")

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 2, "(N, L)")
        return inputs[0][0], self.embedding_dim

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (1,)

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return before[0][0], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return before[0][0], "feature"

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        most = numel(output) * (inputs[0][1] - 1)
        if self.mode == "max":
            return Cost(comparisons=most)
        return Cost(elementwise=most + (numel(output) if self.mode == "mean" else 0))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, "nn.EmbeddingBag")
        return TorchCall(call.target, call.args, call.kwargs)


@register(
    "sinusoidal_position_encoding",
    category="sequence",
    samples=[({}, ((1, 128, 512),)), ({}, ((2, 5, 8),))],
)
class SinusoidalPositionEncoding(Pointwise):
    """Sines and cosines of the place, of falling frequencies, added to each token.  Cost: one addition per element.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.  In PyTorch: a constant that is added.
    """

    predicted: ClassVar[bool] = False
    per_element = (1, 0)

    def shape(self, inputs: Shapes) -> Shape:
        need_rank(self, inputs[0], 3, "(N, L, width)")
        if inputs[0][2] % 2:
            raise OpError("A305", f"a sine and a cosine need an even width, not {inputs[0][2]}")
        return inputs[0]

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.SinusoidalPositionEncoding")


@register(
    "rotary_embedding",
    category="sequence",
    samples=[({"num_heads": 32}, ((1, 128, 2048),)), ({"num_heads": 2, "base": 500000}, ((2, 5, 8),))],
)
class RotaryEmbedding(Pointwise):
    """Queries or keys (N, L, heads·dim), turned by an angle that grows with the place: x·cos + rotated(x)·sin.

    Cost: two multiplications and one addition per element; sines and cosines are constants.
    Source: Su et al. 2021, arXiv:2104.09864, equation 34.  In PyTorch: arithmetic on halves of each head.
    """

    predicted: ClassVar[bool] = False
    per_element = (3, 0)
    num_heads: int = attr(integer(1), "heads that the width is divided into")
    base: float = attr(number(1), "what the frequencies fall from", 10000.0)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, "(N, L, width)")
        if x[2] % (2 * self.num_heads):
            raise OpError(
                "A303",
                f"a width of {x[2]} cannot be divided into {self.num_heads} heads of pairs",
                help=f"2·num_heads must divide {x[2]}",
                attribute="num_heads",
            )
        return x

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.RotaryEmbedding")


@register(
    "relative_position_bias",
    category="sequence",
    samples=[
        ({"num_heads": 8}, ((1, 128, 512),)),
        ({"num_heads": 2, "num_buckets": 8, "max_distance": 16, "bidirectional": False}, ((2, 5, 8),)),
    ],
)
class RelativePositionBias(Op):
    """A learnt number for each head and distance of two tokens of (N, L, width): (1, heads, L, L), for attention.

    Distances are put into buckets, which grow wider with the distance; a decoder's look back only.  Cost: none, it is
    looked up.  Source: Raffel et al. 2019, arXiv:1910.10683, section 2.1.  In PyTorch: `nn.Embedding` of the buckets.
    """

    predicted: ClassVar[bool] = False
    num_heads: int = attr(integer(1), "heads of the attention")
    num_buckets: int = attr(integer(2), "distances that are told apart", 32)
    max_distance: int = attr(integer(2), "from this distance on all are one", 128)
    bidirectional: bool = attr(FLAG, "tell what comes before from what comes after", True)

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, "(N, L, width)")
        return 1, self.num_heads, x[1], x[1]

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"weight": (self.num_buckets, self.num_heads)}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return (frozenset(),) * 4  # it depends on no token, on their number alone

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return "batch", "", "sequence", "sequence"

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return module_call(self, "archinspect.RelativePositionBias")


@register(
    "parameter",
    category="sequence",
    samples=[({"sizes": (100, 256)}, ((1, 50, 256),)), ({"sizes": 1, "init": 1.0}, ((2, 3),))],
)
class FreeParameter(Op):
    """A learnt tensor that stands for itself: (N, *sizes), the same for each of the N images.  Cost: none.

    What comes in says the batch and nothing else.  In PyTorch: `nn.Parameter`.
    """

    predicted: ClassVar[bool] = False
    sizes: tuple[int, ...] = attr(several(1), "sizes of the tensor, without the batch")
    init: float = attr(number(), "where its elements start", 0.0)
    trainable: bool = attr(FLAG, "learnt; False is a buffer, which is saved and stays", True)

    def shape(self, inputs: Shapes) -> Shape:
        return inputs[0][0], *self.sizes

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        return {"value": self.sizes} if self.trainable else {}

    def buffers(self, inputs: Shapes) -> dict[str, Shape]:
        return {} if self.trainable else {"value": self.sizes}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        return NO_COST

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return (frozenset(),) * len(output)

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        known = {1: ("feature",), 2: ("sequence", "feature"), 3: ("channel", "space", "space")}
        return "batch", *known.get(len(output) - 1, ("",) * (len(output) - 1))

    def torch_call(self, inputs: Shapes) -> TorchCall:
        return TorchCall("archinspect.FreeParameter", (self.sizes, self.init, self.trainable))

    def derive_params(self, inputs: Shapes) -> str:
        return "×".join(map(str, self.sizes)) if self.trainable else "0"
