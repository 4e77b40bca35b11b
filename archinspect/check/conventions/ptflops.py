"""ptflops 0.7.5 with its default backend: `get_model_complexity_info(..., backend="pytorch")`.

Source: ptflops/pytorch_ops.py and pytorch_engine.py.  Two mechanisms add up.  Hooks on known modules give a sum that
is divided by the batch; patched functions (`F.relu`, `F.max_pool2d`, `torch.add`, ...) give a sum that is not.  A
module that calls a patched function is seen by both, so ReLU and pooling count twice.  The bias of a convolution or
linear layer counts; the fraction of the total is cut off.
"""

from __future__ import annotations

from fractions import Fraction

from ...graph import Node
from ...ops import numel
from ...ops.merge import Add, Multiply
from ...ops.normalisation import LocalResponseNorm
from ...ops.upsampling import Upsample
from .rules import (
    AGAIN,
    BIAS,
    OWN_BATCH_NORM,
    UNKNOWN,
    Convention,
    Count,
    Note,
    Pieces,
    Rule,
    Zero,
    joins,
    of_type,
    own_class,
    params_of,
)


def _batch(node: Node) -> int:
    return node.input_shapes[0][0]


def _macs(node: Node) -> Count:
    return Fraction(node.cost.macs, _batch(node)) if node.cost else 0


def _biases(node: Node) -> Count:
    return Fraction(node.cost.bias_adds, _batch(node)) if node.cost else 0


def _hooked(node: Node) -> Count:
    return Fraction(numel(node.input_shapes[0]), _batch(node))


def _called(node: Node) -> int:
    return numel(node.input_shapes[0])


def _affine(node: Node) -> Count:
    """Modules with an attribute `affine` that is true count double; a layer norm has none."""
    if node.op.type == "batch_norm2d" and own_class(node):
        return 0
    return _hooked(node) * (2 if getattr(node.op, "affine", False) else 1)


def _first_image(node: Node) -> Count:
    # The hook takes output[0] for the output, which is its first image, and is divided by the batch all the same.
    return Fraction(numel(node.output_shape[1:]), node.output_shape[0])


def _interpolation(node: Node) -> Count:
    assert isinstance(node.op, Upsample)
    if node.op.size is not None:
        return numel(node.output_shape)
    assert node.op.scale_factor is not None
    # In floating point as there; the output's size would be cut to whole rows and columns.
    return Fraction(_called(node) * node.op.scale_factor ** (len(node.output_shape) - 2))


def _elementwise(node: Node) -> int:
    """Elements of all the tensors that a join makes on its way."""
    assert isinstance(node.op, (Add, Multiply))
    return sum(numel(node.op.shape(node.input_shapes[: count + 1])) for count in range(1, joins(node) + 1))


def _response_norm(node: Node) -> int:
    """Three patched Tensor methods (mul, mul, add) and avg_pool3d of the padded squares."""
    assert isinstance(node.op, LocalResponseNorm)
    batch, channels, rows, columns = node.input_shapes[0]
    return 3 * _called(node) + batch * (channels + node.op.size - 1) * rows * columns


def _output_projection(node: Node) -> Count:
    return Fraction(numel(node.weights["out_proj.weight"]) * node.output_shape[1])


def _output_bias(node: Node) -> Count:
    shape = node.weights.get("out_proj.bias")
    return 0 if shape is None else Fraction(numel(shape) * node.output_shape[1])


def _matrix_products(node: Node) -> int:
    batch, length, width = node.input_shapes[0]
    return 2 * batch * length**2 * width


_WEIGHTS: Pieces = (Rule("MACs per image", _macs), Rule("1 per output and image", _biases, BIAS))
_HOOK = Rule("1 per input and image", _hooked)
_CALL = Rule("1 per input", _called)
_TWICE: Pieces = (_HOOK, Rule("1 per input", _called, AGAIN))
_NORM: Pieces = (Rule("2 per input and image; 1 unless affine", _affine),)
_JOIN: Pieces = (Rule("1 per output of each torch.add, torch.mul", _elementwise),)

_SEEN_TWICE = (
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "elu",
    "gelu",
    "max_pool",
    "prelu",
    "relu",
)

PTFLOPS = Convention(
    name="ptflops",
    tool="ptflops 0.7.5",
    figure="get_model_complexity_info()[0]",
    unit="MACs",
    rules={
        "conv": _WEIGHTS,
        "conv_transpose": _WEIGHTS,
        "linear": _WEIGHTS,
        "multihead_attention": (
            Rule("output projection's MACs per image", _output_projection),
            Rule("1 per output and image", _output_bias, BIAS),
            Rule("matrix products", _matrix_products),
            Zero(known=False, names=("input projection, softmax",)),
        ),
        "batch_norm": (*_NORM, OWN_BATCH_NORM),
        "instance_norm": _NORM,
        "group_norm": _NORM,
        "layer_norm": (_HOOK,),
        "local_response_norm": (Rule("3 per input, 1 per input padded with n − 1 channels", _response_norm),),
        "leaky_relu": (_HOOK,),
        "relu6": (_HOOK,),
        "silu": (_CALL,),
        "softmax": (_CALL,),
        "scale": (_CALL,),
        "add": _JOIN,
        "multiply": _JOIN,
        "upsample": (
            Rule("1 per output of the first image, over the batch", _first_image),
            Rule("1 per output; by factor: inputs × factor per side", _interpolation, AGAIN),
        ),
        **dict.fromkeys(_SEEN_TWICE, _TWICE),
        **dict.fromkeys(
            (
                "channel_shuffle",
                "circular_pad",
                "class_token",
                "concat",
                "drop_path",
                "dropout",
                "dropout1d",
                "dropout2d",
                "dropout3d",
                "flatten",
                "hardsigmoid",
                "hardswish",
                "identity",
                "layer_norm2d",
                "layer_scale",
                "mean_tokens",
                "mish",
                "pad_channels",
                "permute",
                "pixel_shuffle",
                "position_embedding",
                "reflection_pad",
                "replication_pad",
                "select_token",
                "sigmoid",
                "slice_channels",
                "tanh",
                "tokens",
                "zero_pad",
            ),
            UNKNOWN,
        ),
    },
    params=params_of,
    params_text="all that are trainable",
    source="ptflops/pytorch_ops.py, pytorch_engine.py",
    notes=(
        Note(
            "In a batch, what its hooks see is counted per image, what its patched functions see for all images.",
            lambda node: _batch(node) > 1,
        ),
        Note(
            "ReLU, pooling and some activations count twice: a hook sees the module, a patch the function it calls.",
            of_type(*_SEEN_TWICE),
        ),
    ),
)
