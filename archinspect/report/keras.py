"""`summary --style keras`: the table that `model.summary()` prints in Keras, and that the lecture reads from.

As in Keras: shapes are channels last with None for the batch; an activation right after a convolution or dense layer
is part of that layer (`activation="relu"`); running statistics are non-trainable parameters; MB means MiB.
Source of the layout: Keras 3, `keras.utils.summary_utils`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import units
from ..graph import refuse_parameters_only
from ..ops import numel
from .table import Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..graph import Graph, Node
    from ..ops.base import Axes, Shape

_FP32 = 4

#: our layer types under the names that Keras gives them
CLASSES = {
    "conv2d": "Conv2D",
    "conv_transpose2d": "Conv2DTranspose",
    "linear": "Dense",
    "max_pool2d": "MaxPooling2D",
    "avg_pool2d": "AveragePooling2D",
    "adaptive_avg_pool2d": "AdaptiveAveragePooling2D",
    "adaptive_max_pool2d": "AdaptiveMaxPooling2D",
    "batch_norm2d": "BatchNormalization",
    "layer_norm": "LayerNormalization",
    "group_norm": "GroupNormalization",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "softmax": "Softmax",
    "scale": "Rescaling",
    "multihead_attention": "MultiHeadAttention",
    "dropout": "Dropout",
    "dropout2d": "SpatialDropout2D",
    "flatten": "Flatten",
    "identity": "Identity",
    "permute": "Permute",
    "concat": "Concatenate",
    "add": "Add",
    "multiply": "Multiply",
    "zero_pad2d": "ZeroPadding2D",
    "upsample": "UpSampling2D",
}


def keras(graph: Graph, analysis: Analysis) -> Report:
    """The summary as Keras prints it: `Layer (type)`, `Output Shape`, `Param #`, three totals."""
    refuse_parameters_only(graph, "shapes")
    columns = (
        Column("name", "Layer (type)", "name"),
        Column("output_shape", "Output Shape"),
        Column("params", "Param #", "int"),
    )
    statistics = _statistics(graph)
    fused = _fused(graph)
    nodes = {node.name: node for node in graph.layers}
    rows = tuple(
        (
            f"{row.name} ({_class(nodes[row.name]) if row.name in nodes else row.op})",
            channels_last(row.output_shape, row.axes),
            row.params + sum(count for name, count in statistics.items() if _within(name, row.name)),
        )
        for row in analysis.rows
        if row.name not in fused
    )
    trainable = analysis.totals.trainable
    every = analysis.totals.params + sum(statistics.values())
    notes = (
        _line("Total params", every),
        _line("Trainable params", trainable),
        _line("Non-trainable params", every - trainable),
    )
    title = f'Model: "{graph.name}"'
    return Report((Table(columns, rows, title=title, notes=notes),), analysis.to_dict)


def _class(node: Node) -> str:
    """What Keras calls a layer; our own word where it has none."""
    kind = node.op.type
    family, space = node.op.family, node.op.spatial
    if family in ("adaptive_avg_pool", "adaptive_max_pool") and set(node.output_shape[2:]) == {1}:
        return f"Global{'Average' if family == 'adaptive_avg_pool' else 'Max'}Pooling{space}D"
    if family == "conv" and space < 3 and getattr(node.op, "groups", 1) == node.input_shapes[0][1] > 1:
        return f"DepthwiseConv{space}D"
    if kind not in CLASSES and _is_function(node):
        return "Activation"
    # Of a family Keras has the classes of all dimensions.
    return CLASSES.get(kind) or CLASSES.get(f"{family}2d", kind).replace("2D", f"{space}D")


def _is_function(node: Node) -> bool:
    """Whether Keras has it as a function by name, as in `activation="tanh"`, and not as a layer with weights."""
    return node.op.category == "activation" and not node.weights and node.op.type != "scale"


def _statistics(graph: Graph) -> dict[str, int]:
    """Running means and variances per layer; PyTorch's batch counter has no counterpart in Keras."""
    return {
        node.name: sum(numel(shape) for name, shape in node.buffers.items() if name != "num_batches_tracked")
        for node in graph.layers
        if node.buffers
    }


def _fused(graph: Graph) -> set[str]:
    """Activations that Keras writes as an argument of the layer before them."""
    return {
        node.name
        for node in graph.layers
        if _is_function(node)
        and graph.nodes[node.inputs[0]].op.category in ("convolution", "linear")
        and len(graph.consumers[node.inputs[0]]) == 1
    }


def _within(name: str, scope: str) -> bool:
    return name == scope or name.startswith(f"{scope}.")


def channels_last(shape: Shape, axes: Axes) -> str:
    """(1, 96, 55, 55) → `(None, 55, 55, 96)`; tokens (1, 197, 768) have their channels last already."""
    rest = list(shape[1:])
    if "channel" in axes[1:]:
        rest.append(rest.pop(axes.index("channel") - 1))
    return f"({', '.join(['None', *map(str, rest)])}{',' if not rest else ''})"


def _line(label: str, count: int) -> str:
    return f"{label}: {count:,} ({units.keras_bytes(count * _FP32)})"
