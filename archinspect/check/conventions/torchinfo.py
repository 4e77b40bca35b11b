"""torchinfo 1.8: `summary(...).total_mult_adds` and `.total_params`.

Source: torchinfo/layer_info.py, `calculate_macs`, and model_statistics.py.  Every module without children multiplies
its parameters called `weight` and `bias`: by batch and output positions where its class name contains "Conv", else
by the batch only.  What has no such parameters counts nothing.
"""

from __future__ import annotations

from ...graph import Node
from ...ops import numel
from .rules import BIAS, IGNORED, Convention, Note, Rule, Zero, of_type, params_of


def _batch(node: Node) -> int:
    return node.output_shape[0]


def _positions(node: Node) -> int:
    return _batch(node) * numel(node.output_shape[2:])


def _size(node: Node, name: str) -> int:
    shape = node.weights.get(name)
    return 0 if shape is None else numel(shape)


_CONVOLUTION = (
    Rule("weights × output positions", lambda node: _size(node, "weight") * _positions(node)),
    Rule("bias × output positions", lambda node: _size(node, "bias") * _positions(node), BIAS),
)
_LINEAR = (
    Rule("weights × batch", lambda node: _size(node, "weight") * _batch(node)),
    Rule("bias × batch", lambda node: _size(node, "bias") * _batch(node), BIAS),
)
_PARAMS = (
    Rule("its params × batch", lambda node: (_size(node, "weight") + _size(node, "bias")) * _batch(node)),
)
_ATTENTION = (
    Rule(
        "weights of the output projection × batch", lambda node: _size(node, "out_proj.weight") * _batch(node)
    ),
    Rule("its bias × batch", lambda node: _size(node, "out_proj.bias") * _batch(node), BIAS),
    Zero(known=False, names=("input projection, matrix products",)),
)

_WITH_WEIGHTS = ("batch_norm", "layer_norm", "layer_norm2d", "group_norm", "instance_norm", "prelu")

TORCHINFO = Convention(
    name="torchinfo",
    tool="torchinfo 1.8",
    figure="total_mult_adds",
    unit="mult-adds",
    rules={
        "conv": _CONVOLUTION,
        "conv_transpose": _CONVOLUTION,
        "linear": _LINEAR,
        "multihead_attention": _ATTENTION,
        **dict.fromkeys(_WITH_WEIGHTS, _PARAMS),
    },
    default=IGNORED,
    params=params_of,
    params_text="all",
    source="torchinfo/layer_info.py, calculate_macs",
    notes=(
        Note(
            "A transposed convolution is counted at its output positions, though it works at its input's.",
            of_type("conv_transpose"),
        ),
        Note(
            "A linear layer on tokens is counted once per image, not once per token.",
            lambda node: node.op.type == "linear" and len(node.input_shapes[0]) == 3,
        ),
    ),
)
