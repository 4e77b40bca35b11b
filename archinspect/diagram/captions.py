"""What a card says of an op: a title such as "Conv 3×3, stride 2" and a detail such as "64 → 128"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Node
from ..ops.base import Shape
from ..ops.tensor import TensorOp

_NAMES = {
    "adaptive_avg_pool1d": "AvgPool",
    "adaptive_avg_pool2d": "AvgPool",
    "adaptive_avg_pool3d": "AvgPool",
    "adaptive_max_pool1d": "MaxPool",
    "adaptive_max_pool2d": "MaxPool",
    "adaptive_max_pool3d": "MaxPool",
    "add": "Add",
    "avg_pool1d": "AvgPool",
    "avg_pool2d": "AvgPool",
    "avg_pool3d": "AvgPool",
    "batch_norm1d": "BN",
    "batch_norm2d": "BN",
    "batch_norm3d": "BN",
    "channel_shuffle": "Channel shuffle",
    "class_token": "Class token",
    "concat": "Concat",
    "drop_path": "Drop path",
    "dropout": "Dropout",
    "dropout2d": "Dropout",
    "dot_product_attention": "Attention",
    "elu": "ELU",
    "embedding_bag": "Embedding bag",
    "flatten": "Flatten",
    "gelu": "GELU",
    "glu": "GLU",
    "gru": "GRU",
    "group_norm": "GroupNorm",
    "hardsigmoid": "Hard sigmoid",
    "hardswish": "Hard swish",
    "instance_norm2d": "InstanceNorm",
    "layer_norm": "LayerNorm",
    "layer_norm2d": "LayerNorm",
    "layer_scale": "Layer scale",
    "leaky_relu": "Leaky ReLU",
    "linear": "Linear",
    "local_response_norm": "LRN",
    "log_sigmoid": "Log sigmoid",
    "lstm": "LSTM",
    "max_pool1d": "MaxPool",
    "max_pool2d": "MaxPool",
    "max_pool3d": "MaxPool",
    "mean_tokens": "Mean of tokens",
    "mish": "Mish",
    "mixture_of_experts": "Experts",
    "multihead_attention": "Self-attention",
    "multiply": "Multiply",
    "pixel_shuffle": "Pixel shuffle",
    "position_embedding": "Position embedding",
    "prelu": "PReLU",
    "relative_position_bias": "Relative positions",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "rms_norm": "RMSNorm",
    "rnn": "RNN",
    "rotary_embedding": "Rotary positions",
    "select_token": "Select token",
    "selu": "SELU",
    "shifted_window_attention": "Window attention",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "sinusoidal_position_encoding": "Sinusoidal positions",
    "softmax": "Softmax",
    "swiglu": "SwiGLU",
    "tanh": "Tanh",
    "zero_pad1d": "Zero pad",
    "zero_pad2d": "Zero pad",
    "zero_pad3d": "Zero pad",
}
_CONVOLUTIONS = {f"{name}{n}d" for name in ("conv", "conv_transpose") for n in (1, 2, 3)}
_WINDOWED = {f"{name}{n}d" for name in ("avg_pool", "conv", "conv_transpose", "max_pool") for n in (1, 2, 3)}
_PRODUCTS = {"addmm", "baddbmm", "bmm", "einsum", "matmul", "mm"}
#: PyTorch's functions on tensors that have a name of their own in the field
_FUNCTIONS = {
    "cat": "Concat",
    "div": "Divide",
    "embedding": "Embedding",
    "interpolate": "Upsample",
    "mul": "Multiply",
    "neg": "Negate",
    "rsqrt": "1/√x",
    "scaled_dot_product_attention": "Attention",
    "sub": "Subtract",
}


def short_name(node: Node) -> str:
    """The op in one or two words: "BN", "ReLU", "MaxPool"."""
    return _NAMES.get(node.op.type, node.op.type.replace("_", " ").capitalize())


def title(node: Node) -> str:
    """The op with what distinguishes it: kernel, stride, groups."""
    op: Any = node.op
    if op.type in _WINDOWED and not isinstance(op, TensorOp):
        return _windowed(node)
    if op.type.startswith("adaptive_"):
        sizes = node.output_shape[2:]
        size = _square(sizes)
        return f"Global {short_name(node)}" if set(sizes) == {1} else f"{short_name(node)} to {size}"
    if op.type == "multihead_attention" and len(node.inputs) == 1:
        return f"Self-attention, {op.num_heads} heads"
    if op.type in ("multihead_attention", "dot_product_attention"):
        return f"Attention, {op.num_heads} heads"
    if op.type == "shifted_window_attention":
        shift = f", shift {op.shift_size}" if op.shift_size else ""
        return f"Window attention {op.window_size}×{op.window_size}{shift}"
    if op.type == "mixture_of_experts":
        return f"{op.top_k} of {op.num_experts} experts"
    if op.type in ("rnn", "lstm", "gru"):
        many = f", {op.num_layers} layers" if op.num_layers > 1 else ""
        return f"{'Bidirectional ' if op.bidirectional else ''}{short_name(node)}{many}"
    if op.type == "upsample":
        return f"Upsample to {size_text(node.output_shape)}"
    if op.type in (
        "scale",
        "channel_shuffle",
        "group_norm",
        "pixel_shuffle",
        "slice_channels",
        "pad_channels",
    ):
        values = ", ".join(
            _short(getattr(op, a.name), a.show(getattr(op, a.name)))
            for a in op.attributes
            if a.required or a.default == 0
        )
        return f"{short_name(node)} {values}"
    if op.type in ("dropout", "dropout2d") and op.p:
        return f"{short_name(node)} {op.p:g}"
    if isinstance(op, TensorOp):
        return _of_tensors(op, node)
    if op.type == "permute":
        return f"Permute {', '.join(map(str, op.dims))}"
    return short_name(node)


def detail(node: Node) -> str:
    """Widths in and out for the ops that change them; for joins how the widths add up."""
    op: Any = node.op
    if isinstance(op, TensorOp):
        return _operands(op, node)
    if op.type in _CONVOLUTIONS:
        return f"{node.input_shapes[0][1]} → {op.out_channels}"
    if op.type == "linear":
        return f"{node.input_shapes[0][-1]} → {op.out_features}"
    if op.type in ("embedding", "embedding_bag"):
        return f"{op.num_embeddings} → {op.embedding_dim}"
    if op.type in ("rnn", "lstm", "gru"):
        return f"{node.input_shapes[0][-1]} → {node.output_shape[-1]}"
    if op.type == "concat":
        dim = 1 if op.dim is None else op.dim
        return widths([shape[dim] for shape in node.input_shapes], node.output_shape[dim])
    return ""


#: kinds of cards of what is counted under sequences
_KINDS = {
    "embedding": "linear",
    "embedding_bag": "linear",
    "parameter": "linear",
    "relative_position_bias": "attention",
    "rotary_embedding": "attention",
    "sinusoidal_position_encoding": "attention",
}


def kind(node: Node) -> str:
    """The kind of card: the op's category, or for an operation on tensors the one that it is most like."""
    op = node.op
    if not isinstance(op, TensorOp):
        return _KINDS.get(op.type, op.category)
    if op.type == "embedding":
        return "linear"
    if op.category == "elementwise":
        return "merge" if len(node.inputs) > 1 or node.parameters else "activation"
    return {"reduction": "pooling", "opaque": "shape", "recurrent": "sequence"}.get(op.category, op.category)


def _short(value: Any, text: str) -> str:
    """The text of a value, with no more digits than a card has room for."""
    return f"{value:.3g}" if isinstance(value, float) and len(text) > 10 else text


def _of_tensors(op: TensorOp, node: Node) -> str:
    """An operation on tensors in the words of the field, with its function's name where there are none."""
    if op.type in _PRODUCTS and len(op.operands) > 1:
        sides = [size_of_matrix(shape) for shape in op.operands[-2:]]
        return f"{op.type} {' · '.join(sides)}"
    if op.type == "scaled_dot_product_attention" and len(op.operands[0]) > 2:
        heads = op.operands[0][-3]
        return f"Attention, {heads} head{'s' * (heads > 1)}"
    return _FUNCTIONS.get(op.type) or short_name(node)


def _operands(op: TensorOp, node: Node) -> str:
    """Widths of an embedding, matrices of an attention, names of parameters that are added or multiplied."""
    weights = [p.shape for p in (node.parameters or {}).values() if len(p.shape) == 2]
    if op.category == "elementwise" and node.parameters:
        names = [p.name.split(".") for p in node.parameters.values() if not p.buffer]
        return ", ".join(name[-2] if name[-1] == "weight" and len(name) > 1 else name[-1] for name in names)
    if op.type == "embedding" and weights:
        return f"{weights[0][0]} → {weights[0][1]}"
    if op.type == "scaled_dot_product_attention":
        return f"{size_of_matrix(op.operands[0])} · {size_of_matrix(op.operands[1])}"
    return ""


def size_of_matrix(shape: Shape) -> str:
    """The last two sizes: `197×64`."""
    return "×".join(map(str, shape[-2:])) or "1"


def widths(parts: Sequence[int], total: int) -> str:
    """`64 + 128 + 32 + 32 = 256`; many branches are counted instead."""
    if len(parts) > 5:
        return f"{len(parts)} inputs, {total} channels"
    return f"{' + '.join(map(str, parts))} = {total}"


def shape_label(shape: Shape) -> str:
    """Shape without a batch of one: `64×56×56`; a larger batch stays in front.  `scalar` for a single number."""
    if not shape:
        return "scalar"
    return "×".join(map(str, shape[1:] if shape[0] == 1 and len(shape) > 1 else shape))


def ends_text(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> list[str]:
    """`input 3×224×224` and `output 1000`; of many the first, and how many there are beside it."""
    return [_end(word, shapes) for word, shapes in (("input", inputs), ("output", outputs)) if shapes]


def _end(word: str, shapes: Sequence[Shape]) -> str:
    texts = [shape_label(shape) for shape in shapes]
    if len(texts) == 1:
        return f"{word} {texts[0]}"
    if len(texts) < 4:
        return f"{word}s {', '.join(texts[:-1])} and {texts[-1]}"
    return f"{word}s {texts[0]} and {len(texts) - 1} more"


def size_text(shape: Shape) -> str:
    """The map's size, `56×56`, or the features' number."""
    return "×".join(map(str, shape[2:] or shape[1:]))


def _windowed(node: Node) -> str:
    op: Any = node.op
    text = f"{_kind(node)} {_square(op.kernel_size)}"
    stride = op.kernel_size if getattr(op, "stride", None) is None else op.stride
    if set(stride) != {1}:
        text += f", stride {_shared(stride)}"
    dilation = getattr(op, "dilation", (1,))
    if set(dilation) != {1}:
        text += f", dilation {_shared(dilation)}"
    groups = getattr(op, "groups", 1)
    if groups > 1 and groups != node.input_shapes[0][1]:
        text += f", {groups} groups"
    return text


def _kind(node: Node) -> str:
    op: Any = node.op
    if op.type not in _CONVOLUTIONS:
        return short_name(node)
    name = "Transposed conv" if "transpose" in op.type else "Conv"
    return f"Depthwise {name.lower()}" if 1 < op.groups == node.input_shapes[0][1] else name


def _shared(sizes: Sequence[int]) -> str:
    """One number where all are equal."""
    return str(sizes[0]) if len(set(sizes)) == 1 else _square(sizes)


def _square(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))
