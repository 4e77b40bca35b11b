"""What a call holds beside its inputs and outputs: temporaries, what autograd keeps, and the memory of its backward.

One rule per family of ops, by PyTorch's name of the function, for layers of the language and captured operations
alike.  Rules say what PyTorch's eager mode allocates when it runs the function as its documentation and
`derivatives.yaml` decompose it: storages of whole tensors, not the workspaces inside a kernel.  `docs/memory.md` has
the method and the sources.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

from .base import REGISTRY, Op, Shape, Shapes

__all__ = ["Call", "Footprint", "footprint", "knows"]

#: bytes of an element of what is in fp32 whatever the precision, of indices, and of masks
_FP32, _INDEX, _MASK = 4, 8, 1


class Call(NamedTuple):
    """A call of an op, and how it runs.

    `size` is the bytes of an element; `training` says whether layers behave as in training (dropout, batch
    statistics); `attention` is `math`, or `fused` where the scores are never written to memory.
    `learns` says whether a parameter of the call is trained, `follows` for each input whether a gradient goes to it.
    """

    op: Op
    inputs: Shapes
    output: Shape
    size: int = 4
    training: bool = False
    attention: str = "math"
    learns: bool = True
    follows: tuple[bool, ...] = ()
    #: of a captured operation: the shapes of all tensors that it reads, parameters and constants among them
    operands: Shapes = ()
    #: a dispatch mode watches, so that autograd writes into new memory what it else adds up in place
    watched: bool = False

    def bytes(self, shape: Shape) -> int:
        return prod(shape) * self.size

    @property
    def x(self) -> int:
        """Bytes of the first input."""
        return prod(self.inputs[0]) * self.size if self.inputs else 0

    @property
    def y(self) -> int:
        """Bytes of the output."""
        return prod(self.output) * self.size

    def gradient(self, at: int) -> bool:
        """Whether a gradient goes to an input; unless told otherwise to all."""
        return self.follows[at] if at < len(self.follows) else not self.follows


class Footprint(NamedTuple):
    """Bytes that a call holds beside its inputs and outputs, and which of those the backward pass reads.

    - `temporary`: what is alive beside the output at the worst moment of the call, without gradients;
    - `inputs`, `output`: which inputs autograd keeps, and whether it keeps the output;
    - `kept`: bytes of further tensors that autograd keeps (statistics, indices, masks, intermediate results);
    - `forward`: what is alive beside output and `kept` at the worst moment of the call, with gradients;
    - `backward`: what is alive in the backward of the call beside the gradients that go in and come out;
    - `before`: of a layer of several operations that much while the gradient of its output is still needed, and
      `backward` after; None where it is needed to the end.
    """

    temporary: int = 0
    inputs: tuple[int, ...] = ()
    output: bool = False
    kept: int = 0
    forward: int = 0
    backward: int = 0
    before: int | None = None


#: None for a form of the op that the rule does not know
Rule = Callable[[Call], Footprint | None]

_NOTHING = Footprint()
_FIRST = Footprint(inputs=(0,))
_OUTPUT = Footprint(output=True)


def footprint(call: Call) -> Footprint | None:
    """The footprint of a call; None where nobody has a rule for it."""
    if call.op.type in _OF_LAYERS and REGISTRY.read.get(call.op.type) is not type(call.op):
        return None
    if getattr(call.op, "padding_mode", "zeros") != "zeros":
        return None  # which pads a copy first
    rule = _RULES.get(call.op.family or call.op.type) or _RULES.get(call.op.type)
    return rule(call) if rule is not None else None


#: rules that need what only a layer of the language says; a call of the same name may lack it
_OF_LAYERS = frozenset(
    {
        "group_norm",
        "local_response_norm",
        "rotary_embedding",
        "multihead_attention",
        "dot_product_attention",
        "shifted_window_attention",
        "merge_patches",
        "mixture_of_experts",
        "relative_position_bias",
    }
)


def knows(op: Op | type[Op]) -> bool:
    """Whether there is a rule for the op."""
    return op.family in _RULES or op.type in _RULES


def _always(footprint: Footprint) -> Rule:
    return lambda call: footprint


def _convolution(call: Call) -> Footprint:
    """Keeps its input, or where `padding='same'` needs more on one side, the input with that border."""
    op: Any = call.op
    if getattr(op, "padding", None) != "same":
        return _FIRST
    # PyTorch pads what one side has more of, by at most one element for each dimension.
    more = [d * (k - 1) % 2 for d, k in zip(op.dilation, op.kernel_size, strict=True)]
    if not any(more):
        return _FIRST
    n, channels, *space = call.inputs[0]
    border = prod([size + one for size, one in zip(space, more, strict=True)])
    padded = n * channels * border * call.size
    return Footprint(temporary=padded, kept=padded, backward=padded - call.x)


def _weighted(call: Call) -> Footprint:
    """A product with a weight: the weight's gradient needs the input."""
    return _FIRST if call.learns else _NOTHING


def _batch_norm(call: Call) -> Footprint:
    """Keeps its input in any mode, and in training the batch's mean and inverse deviation of each channel."""
    if not getattr(call.op, "track_running_stats", True) or call.training:
        statistics = 2 * _FP32 * call.inputs[0][1]
        temporary = 0 if getattr(call.op, "track_running_stats", True) else statistics
        return Footprint(temporary, (0,), kept=statistics)
    return _FIRST


def _grouped(groups: Callable[[Call], int], inputs: tuple[int, ...] = (0,)) -> Rule:
    """Normalisation by statistics of its own: a mean and an inverse deviation for each group."""

    def rule(call: Call) -> Footprint:
        statistics = 2 * _FP32 * groups(call)
        return Footprint(statistics, inputs, kept=statistics)

    return rule


def _layer_norm_groups(call: Call) -> int:
    sizes: Shape | None = getattr(call.op, "normalized_shape", None)
    return prod(call.inputs[0]) // max(1, prod(sizes or call.inputs[0][-1:]))


def _group_norm_groups(call: Call) -> int:
    groups: int = call.op.num_groups  # type: ignore[attr-defined]
    return call.inputs[0][0] * groups


def _instance_norm(call: Call) -> Footprint:
    """Batch normalisation of (1, N·C, H, W), whose scale and shift are repeated for each image."""
    count = prod(call.inputs[0][:2])
    repeated = 2 * count * call.size if getattr(call.op, "affine", False) else 0
    statistics = 2 * _FP32 * count
    once = repeated // max(1, call.inputs[0][0])
    return Footprint(
        statistics + repeated,
        (0,),
        kept=statistics + repeated // 2,
        forward=repeated // 2,
        backward=repeated - once,
    )


def _local_response_norm(call: Call) -> Footprint:
    """x / (k + α·mean of neighbours' squares)^β: squares, squares with borders, their mean, its power, one by one."""
    x = call.x
    n, channels, *space = call.inputs[0]
    size: int = call.op.size  # type: ignore[attr-defined]
    padded = n * (channels + size - 1) * prod(space) * call.size
    # Without gradients: squares, then squares with borders and their mean, then k + α·mean and its power.
    return Footprint(
        temporary=max(padded, 2 * x),
        inputs=(0,),
        kept=padded + 2 * x,
        backward=3 * x,
    )


def _max_pool(call: Call) -> Footprint:
    """Where the largest elements were comes with them, as 64-bit integers."""
    indices = _INDEX * prod(call.output)
    return Footprint(indices, (0,), kept=indices)


def _adaptive_avg_pool(call: Call) -> Footprint:
    """To one element it is a mean, which keeps nothing but sizes."""
    space = call.output[2:]
    return _NOTHING if all(size == 1 for size in space) else _FIRST


def _mirror_pad(call: Call) -> Footprint:
    return _FIRST


def _dropout(call: Call) -> Footprint:
    """In training the noise that the input is multiplied by: a number for each element, or for each channel."""
    if not call.training or not getattr(call.op, "p", 1):
        return _NOTHING
    noise = prod(call.inputs[0][:2]) * call.size if getattr(call.op, "spatial", 0) else call.x
    return Footprint(kept=noise, temporary=noise)


def _drop_path(call: Call) -> Footprint:
    """In training a number for each image, and the product before it is scaled."""
    if not call.training or not getattr(call.op, "p", 1):
        return _NOTHING
    noise = call.inputs[0][0] * call.size
    return Footprint(kept=noise, temporary=noise + call.x, forward=call.x, backward=call.x)


def _product(call: Call) -> Footprint:
    """Each factor's gradient needs the other one."""
    count = len(call.inputs)
    follows = [call.gradient(at) for at in range(count)]
    kept = tuple(at for at in range(count) if any(follows[:at] + follows[at + 1 :]))
    # of three and more the products on the way
    steps = sum(call.bytes(_broadcast(call.inputs[:upto])) for upto in range(2, count))
    last = call.bytes(_broadcast(call.inputs[:-1])) if count > 2 else 0
    # The gradient of a factor that was repeated is summed from one that is as large as the output.
    summed = any(prod(shape) < prod(call.output) for shape in call.inputs) or len(call.operands) > count
    return Footprint(temporary=last, inputs=kept, kept=steps, backward=call.y if summed else 0)


def _sum(call: Call) -> Footprint:
    count = len(call.inputs)
    last = call.bytes(_broadcast(call.inputs[:-1])) if count > 2 else 0
    before = call.bytes(_broadcast(call.inputs[:-2])) if count > 3 else 0
    return Footprint(temporary=max(last, last + before - call.y), forward=max(last, last + before - call.y))


def _broadcast(shapes: Shapes) -> Shape:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(map(max, zip(*padded, strict=True)))


def _layer_scale(call: Call) -> Footprint:
    """A product with a number for each channel, whose gradient is summed from one as large as the output."""
    return Footprint(inputs=(0,), backward=call.x) if call.learns else _NOTHING


def _prelu(call: Call) -> Footprint:
    return Footprint(inputs=(0,), backward=call.x if call.learns else 0)


def _circular_pad(call: Call) -> Footprint:
    """The border is written slice by slice, and so are the gradients."""
    return Footprint(backward=3 * call.y - call.x)


def _several_operations(call: Call) -> Footprint | None:
    """A layer of the language that is written out operation by operation; no captured call of the same name."""
    from .decompositions import decomposed  # most networks have no such layer

    return decomposed(call)


def _quotient(call: Call) -> Footprint:
    """The gradient of either needs the divisor, that of the divisor the dividend, too."""
    if len(call.inputs) < 2:
        return _FIRST if call.learns else _NOTHING
    return Footprint(inputs=(0, 1) if call.gradient(1) else (1,))


def _chosen(call: Call) -> Footprint:
    """What chooses (a mask, a condition, indices) is kept where it is computed, not what is chosen from."""
    return Footprint(inputs=tuple(at for at in range(len(call.inputs)) if not call.gradient(at)))


def _matmul(call: Call) -> Footprint:
    """Each factor's gradient needs the other one; factors that have to be copied first are kept as copies."""
    copied = [count * call.size for count in getattr(call.op, "copied", ())] or [0] * len(call.inputs)
    needed = _product(call).inputs
    if len(copied) != len(call.inputs):
        return Footprint(inputs=needed)
    kept = sum(copied[at] for at in needed)
    inputs = tuple(at for at in needed if not copied[at])
    return Footprint(sum(copied), inputs, kept=kept, forward=sum(copied) - kept)


def _scaled_dot_product(call: Call) -> Footprint:
    """Fused: the result and a number for each row of scores.  Math: q and k scaled, scores, and their softmax."""
    query, key = call.operands[:2]
    rows = prod(query[:-1])
    everything = tuple(range(len(call.inputs)))
    if call.attention != "math":
        logsumexp = _FP32 * rows
        return Footprint(logsumexp, everything, output=True, kept=logsumexp, backward=0)
    scores = rows * key[-2] * call.size
    scaled = call.bytes(query) + call.bytes(key)
    return Footprint(
        temporary=max(scaled + scores, 2 * scores),
        inputs=everything[2:],
        kept=scaled + scores,
        forward=scores,
        backward=2 * scores + call.bytes(query),
    )


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _swiglu(call: Call) -> Footprint:
    """silu(a)·b for the two halves of the input: SiLU's result is kept beside the input."""
    return Footprint(call.y, (0,), kept=call.y, backward=2 * call.y)


def _rms_norm(call: Call) -> Footprint:
    """x·(mean of x² + ε)^−½, and a product with the scale: squares, their mean, its root, one by one."""
    x, learnt = call.x, getattr(call.op, "elementwise_affine", True)
    roots = call.x // call.inputs[0][-1]
    kept = roots + (x if learnt and call.learns else 0)
    temporary = max(2 * roots, x + roots) if learnt else 2 * roots
    return Footprint(temporary, (0,), kept=kept, forward=max(0, temporary - kept), backward=2 * x)


def _rotary(call: Call) -> Footprint:
    """heads·cos + turned·sin: halves turned round, two products and their sum; the angles are tensors, too."""
    x, (_, length, width) = call.x, call.inputs[0]
    half = width // call.op.num_heads // 2  # type: ignore[attr-defined]
    angles, rates = length * half * call.size, half * call.size
    return Footprint(3 * x + angles + rates, kept=2 * angles, forward=3 * x + angles + rates, backward=2 * x)


def _center_crop(call: Call) -> Footprint:
    """A slice of rows, and one of columns: the gradient of the second has all columns, and not yet all rows."""
    *front, _, columns = call.inputs[0]
    rows = call.output[-2]
    if (rows, columns) == call.inputs[0][-2:] or columns == call.output[-1] or rows == call.inputs[0][-2]:
        return _NOTHING
    between = call.bytes((*front, rows, columns))
    return Footprint(backward=between, before=between - call.x)


def _with_copy(call: Call) -> Footprint:
    """An elementwise function that keeps its input and a tensor as large as that."""
    return Footprint(call.x, (0,), kept=call.x)


_RULES: dict[str, Rule] = {
    "conv": _convolution,
    "conv_transpose": _always(_FIRST),
    "linear": _weighted,
    "batch_norm": _batch_norm,
    "layer_norm": _grouped(_layer_norm_groups),
    "layer_norm2d": _grouped(lambda call: prod(call.inputs[0]) // call.inputs[0][1]),
    "group_norm": _grouped(_group_norm_groups),
    "instance_norm": _instance_norm,
    "local_response_norm": _local_response_norm,
    "max_pool": _max_pool,
    "adaptive_max_pool": _max_pool,
    "avg_pool": _always(_FIRST),
    "adaptive_avg_pool": _adaptive_avg_pool,
    **dict.fromkeys(("relu", "sigmoid", "tanh", "softmax"), _always(_OUTPUT)),
    **dict.fromkeys(
        ("relu6", "leaky_relu", "elu", "gelu", "silu", "mish", "hardsigmoid", "hardswish"),
        _always(_FIRST),
    ),
    **dict.fromkeys(("reflection_pad", "replication_pad"), _mirror_pad),
    **dict.fromkeys(
        _words(
            "concat flatten identity zero_pad pad_channels slice_channels channel_shuffle permute "
            "scale tokens class_token position_embedding select_token mean_tokens upsample pixel_shuffle"
        ),
        _always(_NOTHING),
    ),
    "prelu": _prelu,
    "swiglu": _swiglu,
    "rms_norm": _rms_norm,
    "rotary_embedding": _rotary,
    **dict.fromkeys(("log_sigmoid", "softsign"), _with_copy),
    "softmin": lambda call: Footprint(call.x, output=True, forward=call.x),
    **dict.fromkeys(_words("offset subtract transpose split chunk slice select"), _always(_NOTHING)),
    **dict.fromkeys(("power", "absolute"), _always(_FIRST)),
    "center_crop": _center_crop,
    "divide": _quotient,
    "circular_pad": _circular_pad,
    "add": _sum,
    "multiply": _product,
    "layer_scale": _layer_scale,
    "dropout": _dropout,
    **dict.fromkeys(
        _words(
            "multihead_attention dot_product_attention shifted_window_attention merge_patches mixture_of_experts "
            "relative_position_bias"
        ),
        _several_operations,
    ),
    "drop_path": _drop_path,
    # Operations of captured modules.
    "mul": _product,
    **dict.fromkeys(("matmul", "bmm", "mm", "mv", "dot", "einsum"), _matmul),
    "scaled_dot_product_attention": _scaled_dot_product,
    **dict.fromkeys(
        _words(
            "sub rsub neg clone contiguous to _to_copy mean sum cat stack pad constant_pad_nd repeat expand reshape "
            "repeat_interleave roll flip cumsum type_as eq ne lt le gt ge logical_not logical_and logical_or "
            "bitwise_and bitwise_or bitwise_not __and__ __or__ arange zeros ones full empty zeros_like ones_like "
            "full_like floor ceil round sign pixel_unshuffle upsample_nearest2d upsample_bilinear2d upsample_bicubic2d "
            "unfold im2col col2im argmax argmin parameters parameter constant input"
        ),
        _always(_NOTHING),
    ),
    **dict.fromkeys(
        _words(
            "pow square abs sin cos tan log log1p log2 erf softplus clamp clamp_min clamp_max hardtanh glu var std "
            "threshold selu celu"
        ),
        _always(_FIRST),
    ),
    **dict.fromkeys(_words("exp sqrt rsqrt reciprocal expm1 log_softmax"), _always(_OUTPUT)),
    "embedding": _always(_FIRST),
    "div": _quotient,
    **dict.fromkeys(("masked_fill", "where", "index_select", "gather", "index", "take"), _chosen),
}
