"""What a card says of an op: a title such as "Conv 3×3, stride 2" and a detail such as "64 → 128"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Node
from ..ops.base import Shape

_NAMES = {
    "adaptive_avg_pool2d": "AvgPool",
    "adaptive_max_pool2d": "MaxPool",
    "add": "Add",
    "avg_pool2d": "AvgPool",
    "batch_norm2d": "BN",
    "channel_shuffle": "Channel shuffle",
    "class_token": "Class token",
    "concat": "Concat",
    "drop_path": "Drop path",
    "dropout": "Dropout",
    "dropout2d": "Dropout",
    "elu": "ELU",
    "flatten": "Flatten",
    "gelu": "GELU",
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
    "max_pool2d": "MaxPool",
    "mean_tokens": "Mean of tokens",
    "mish": "Mish",
    "multihead_attention": "Self-attention",
    "multiply": "Multiply",
    "pixel_shuffle": "Pixel shuffle",
    "position_embedding": "Position embedding",
    "prelu": "PReLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "select_token": "Select token",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "softmax": "Softmax",
    "tanh": "Tanh",
    "zero_pad2d": "Zero pad",
}
_WINDOWED = {"avg_pool2d", "conv2d", "conv_transpose2d", "max_pool2d"}


def short_name(node: Node) -> str:
    """The op in one or two words: "BN", "ReLU", "MaxPool"."""
    return _NAMES.get(node.op.type, node.op.type.replace("_", " ").capitalize())


def title(node: Node) -> str:
    """The op with what distinguishes it: kernel, stride, groups."""
    op: Any = node.op
    if op.type in _WINDOWED:
        return _windowed(node)
    if op.type.startswith("adaptive_"):
        size = _square(op.output_size)
        return f"Global {short_name(node)}" if size == "1×1" else f"{short_name(node)} to {size}"
    if op.type == "multihead_attention":
        return f"Self-attention, {op.num_heads} heads"
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
            f"{a.show(getattr(op, a.name))}" for a in op.attributes if a.required or a.default == 0
        )
        return f"{short_name(node)} {values}"
    if op.type in ("dropout", "dropout2d") and op.p:
        return f"{short_name(node)} {op.p:g}"
    if op.type == "permute":
        return f"Permute {', '.join(map(str, op.dims))}"
    return short_name(node)


def detail(node: Node) -> str:
    """Widths in and out for the ops that change them; for joins how the widths add up."""
    op: Any = node.op
    if op.type in ("conv2d", "conv_transpose2d"):
        return f"{node.input_shapes[0][1]} → {op.out_channels}"
    if op.type == "linear":
        return f"{node.input_shapes[0][-1]} → {op.out_features}"
    if op.type == "concat":
        return widths([shape[1] for shape in node.input_shapes], node.output_shape[1])
    return ""


def widths(parts: Sequence[int], total: int) -> str:
    """`64 + 128 + 32 + 32 = 256`; many branches are counted instead."""
    if len(parts) > 5:
        return f"{len(parts)} inputs, {total} channels"
    return f"{' + '.join(map(str, parts))} = {total}"


def shape_label(shape: Shape) -> str:
    """Shape without a batch of one: `64×56×56`; a larger batch stays in front."""
    return "×".join(map(str, shape[1:] if shape[0] == 1 and len(shape) > 1 else shape))


def size_text(shape: Shape) -> str:
    """The map's size, `56×56`, or the features' number."""
    return "×".join(map(str, shape[2:] or shape[1:]))


def _windowed(node: Node) -> str:
    op: Any = node.op
    text = f"{_kind(node)} {_square(op.kernel_size)}"
    stride = op.kernel_size if getattr(op, "stride", None) is None else op.stride
    if stride != (1, 1):
        text += f", stride {stride[0] if stride[0] == stride[1] else _square(stride)}"
    if getattr(op, "dilation", (1, 1)) != (1, 1):
        text += f", dilation {op.dilation[0] if op.dilation[0] == op.dilation[1] else _square(op.dilation)}"
    groups = getattr(op, "groups", 1)
    if groups > 1 and groups != node.input_shapes[0][1]:
        text += f", {groups} groups"
    return text


def _kind(node: Node) -> str:
    op: Any = node.op
    if op.type not in ("conv2d", "conv_transpose2d"):
        return short_name(node)
    name = "Conv" if op.type == "conv2d" else "Transposed conv"
    return f"Depthwise {name.lower()}" if 1 < op.groups == node.input_shapes[0][1] else name


def _square(pair: tuple[int, int]) -> str:
    return f"{pair[0]}×{pair[1]}"
