"""fvcore 0.1.5: `FlopCountAnalysis(model, inputs).total()`, and `parameter_count`.

Source: fvcore/nn/flop_count.py and jit_handles.py.  A trace of the network is read operator by operator.  Operators
without a handle are reported ("Unsupported operator aten::add encountered 16 time(s)") unless they are on the list
of ignored ones (jit_analysis.py), where some stand that do compute, such as ReLU.
"""

from __future__ import annotations

from itertools import product

from ...graph import Node
from ...ops import numel
from ...ops.batch_norm import BatchNorm
from ...ops.convolution import Convolution
from ...ops.upsampling import Upsample
from .rules import IGNORED, MACS, Convention, Note, Pieces, Rule, Zero, joins, of_type, params_of


def _unsupported(*names: str) -> Pieces:
    """Operators that fvcore reports as unsupported, by its own names."""
    return (Zero(known=False, names=tuple(f"aten::{name}" for name in names)),)


def _affine(node: Node) -> bool:
    """Whether a normalisation has a weight; a bias alone does not count."""
    return "weight" in node.weights


def _normalisation(node: Node) -> int:
    return numel(node.input_shapes[0]) * (5 if _affine(node) else 4)


def _batch_norm(node: Node) -> int:
    assert isinstance(node.op, BatchNorm)
    if not node.op.track_running_stats:  # torch then calls it in training mode
        return _normalisation(node)
    return numel(node.input_shapes[0]) * (2 if _affine(node) else 1)


def _by_name(node: Node) -> bool:
    """Whether padding is 'same' or 'valid': torch then calls an operator that fvcore has no handle for."""
    return isinstance(node.op, Convolution) and isinstance(node.op.padding, str)


def _upsampling(node: Node) -> int:
    assert isinstance(node.op, Upsample)
    if len(node.output_shape) != 4:
        return 0
    return numel(node.output_shape) * (4 if node.op.mode == "bilinear" else 1)


def _other_upsampling(mode: str, n: int) -> Zero:
    """fvcore has no handle for signals and volumes."""

    def meets(node: Node) -> bool:
        return getattr(node.op, "mode", "") == mode and len(node.output_shape) == n + 2

    return Zero(known=False, names=(f"aten::upsample_{mode}{n}d",), times=meets)


_NORMALISATION: Pieces = (Rule("5 per input; 4 without weight", _normalisation),)

FVCORE = Convention(
    name="fvcore",
    tool="fvcore 0.1.5",
    figure="FlopCountAnalysis.total()",
    unit="flops",
    rules={
        "conv": (
            Rule("MACs; 0 with padding='same'", lambda node: 0 if _by_name(node) else MACS.count(node)),
            Zero(known=False, names=("aten::_convolution_mode",), times=_by_name),
        ),
        "conv_transpose": (MACS,),
        "linear": (MACS,),
        "multihead_attention": (MACS, *_unsupported("div", "softmax")),
        "batch_norm": (Rule("2 per input; 1 without weight; 5, 4 without running statistics", _batch_norm),),
        "layer_norm": _NORMALISATION,
        "layer_norm2d": _NORMALISATION,
        "group_norm": _NORMALISATION,
        "instance_norm": _NORMALISATION,
        "local_response_norm": _unsupported("mul", "pad", "avg_pool3d", "mul", "add", "pow", "div"),
        "adaptive_avg_pool2d": (Rule("1 per input", lambda node: numel(node.input_shapes[0])),),
        "upsample": (
            Rule("1 per output; bilinear 4", _upsampling),
            *(_other_upsampling("nearest", n) for n in (1, 3)),
            _other_upsampling("linear", 1),
            _other_upsampling("trilinear", 3),
        ),
        "relu": IGNORED,
        "add": (Zero(known=False, names=("aten::add",), times=joins),),
        "multiply": (Zero(known=False, names=("aten::mul",), times=joins),),
        "relu6": _unsupported("hardtanh"),
        "layer_scale": _unsupported("mul"),
        "scale": _unsupported("mul"),
        "mean_tokens": _unsupported("mean"),
        "position_embedding": _unsupported("add"),
        **dict.fromkeys(
            ("zero_pad", "reflection_pad", "replication_pad", "circular_pad"), _unsupported("pad")
        ),
        "pad_channels": _unsupported("pad"),
        **{f"dropout{n}d": _unsupported("feature_dropout") for n in (1, 2, 3)},
        **{
            f"{kind}_pool{n}d": _unsupported(f"{kind}_pool{n}d")
            for kind, n in product(("adaptive_avg", "adaptive_max", "avg", "max"), (1, 2, 3))
            if (kind, n) != ("adaptive_avg", 2)
        },
        **{
            name: _unsupported(name)
            for name in (
                "channel_shuffle",
                "elu",
                "gelu",
                "hardsigmoid",
                "hardswish",
                "leaky_relu",
                "mish",
                "pixel_shuffle",
                "prelu",
                "sigmoid",
                "silu",
                "softmax",
                "tanh",
            )
        },
        **dict.fromkeys(
            (
                "class_token",
                "concat",
                "drop_path",
                "dropout",
                "flatten",
                "identity",
                "permute",
                "select_token",
                "slice_channels",
                "tokens",
            ),
            IGNORED,
        ),
    },
    params=params_of,
    params_text="all",
    source="fvcore/nn/flop_count.py, jit_handles.py",
    notes=(
        Note("What it calls a flop is a multiply-add: one, not two.", of_type("conv", "linear")),
        Note(
            "padding='same' or 'valid' makes a convolution count zero: torch calls another operator for it.",
            _by_name,
        ),
    ),
)
