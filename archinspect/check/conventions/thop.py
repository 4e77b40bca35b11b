"""thop 0.1.1: `profile(model, inputs)`.

Source: thop/profile.py and vision/basic_hooks.py, calc_func.py.  Hooks on known modules; a module without a rule
counts neither operations nor parameters.
"""

from __future__ import annotations

from math import prod

from ...graph import Node
from ...ops import numel
from ...ops.batch_norm import BatchNorm
from ...ops.convolution import TransposedConvolution
from ...ops.normalisation import InstanceNorm, LayerNorm
from ...ops.upsampling import Upsample
from .rules import (
    IGNORED,
    MACS,
    OWN_BATCH_NORM,
    UNKNOWN,
    Convention,
    Note,
    Pieces,
    Rule,
    Zero,
    of_type,
    own_class,
    params_of,
    per_input,
    per_output,
)


def _affine(node: Node) -> bool:
    op = node.op
    if isinstance(op, LayerNorm):
        return op.elementwise_affine
    return isinstance(op, (BatchNorm, InstanceNorm)) and op.affine


def _normalisation(node: Node) -> int:
    if own_class(node):
        return 0
    return numel(node.input_shapes[0]) * (4 if _affine(node) else 2)


def _transposed(node: Node) -> int:
    """As if it were a convolution: output elements × (input channels / groups) × kernel."""
    assert isinstance(node.op, TransposedConvolution)
    channels = node.input_shapes[0][1] // node.op.groups
    return numel(node.output_shape) * channels * numel(node.op.kernel_size)


def _adaptive(node: Node) -> int:
    # In floating point, as there: mean window size plus one division, per output, the fraction cut off.
    sides = [i / o for i, o in zip(node.input_shapes[0][2:], node.output_shape[2:], strict=True)]
    return int((prod(sides) + 1) * numel(node.output_shape))


def _softmax(node: Node) -> int:
    (dim,) = node.op.mixes(node.input_shapes)
    features = node.input_shapes[0][dim]
    return numel(node.input_shapes[0]) // features * (3 * features - 1)


_UPSAMPLING = {"nearest": 1, "linear": 5, "bilinear": 11, "trilinear": 0}


def _upsampling(node: Node) -> int:
    assert isinstance(node.op, Upsample)
    return numel(node.output_shape) * _UPSAMPLING[node.op.mode]


def _params(node: Node) -> int:
    if node.op.type == "multihead_attention":  # the output projection is a module that thop knows
        return sum(numel(shape) for name, shape in node.weights.items() if name.startswith("out_proj."))
    if own_class(node) or THOP.pieces(node.op.type) == UNKNOWN:
        return 0
    return params_of(node)


_NORMALISATION: Pieces = (Rule("4 per input; 2 unless affine", _normalisation),)

THOP = Convention(
    name="thop",
    tool="thop 0.1.1",
    figure="profile()[0]",
    unit="MACs",
    rules={
        "conv": (MACS,),
        "conv_transpose": (Rule("outputs × in_channels/groups × kernel", _transposed),),
        "linear": (MACS,),
        "multihead_attention": (
            Rule(
                "MACs of the output projection",
                lambda node: numel(node.output_shape) * node.output_shape[-1],
            ),
            Zero(known=False, names=("input projection, matrix products, softmax",)),
        ),
        "batch_norm": (*_NORMALISATION, OWN_BATCH_NORM),
        "layer_norm": _NORMALISATION,
        "instance_norm": _NORMALISATION,
        "avg_pool": (per_output(),),
        "adaptive_avg_pool": (Rule("(mean window + 1) per output", _adaptive),),
        "prelu": (per_input(),),
        "softmax": (Rule("3·n − 1 per group of n", _softmax),),
        "upsample": (Rule("1 per output; linear 5, bilinear 11, trilinear 0", _upsampling),),
        **dict.fromkeys(
            (
                "adaptive_max_pool",
                "dropout",
                "leaky_relu",
                "max_pool",
                "pixel_shuffle",
                "relu",
                "relu6",
                "zero_pad2d",
            ),
            IGNORED,
        ),
        **dict.fromkeys(
            (
                "add",
                "channel_shuffle",
                "circular_pad",
                "class_token",
                "concat",
                "drop_path",
                "dropout1d",
                "dropout2d",
                "dropout3d",
                "elu",
                "flatten",
                "gelu",
                "group_norm",
                "hardsigmoid",
                "hardswish",
                "identity",
                "layer_norm2d",
                "layer_scale",
                "local_response_norm",
                "mean_tokens",
                "mish",
                "multiply",
                "pad_channels",
                "permute",
                "position_embedding",
                "reflection_pad",
                "replication_pad",
                "scale",
                "select_token",
                "sigmoid",
                "silu",
                "slice_channels",
                "tanh",
                "tokens",
                "zero_pad1d",
                "zero_pad3d",
            ),
            UNKNOWN,
        ),
    },
    params=_params,
    params_text="of modules that it has a rule for",
    source="thop/vision/basic_hooks.py, calc_func.py",
    notes=(
        Note(
            "A transposed convolution is counted as if it were a convolution to its output.",
            of_type("conv_transpose"),
        ),
    ),
)
