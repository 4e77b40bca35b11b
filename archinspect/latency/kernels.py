"""Which kernels a layer runs, and at which sizes.  Pure.

A kernel is one library function at work: a convolution of some class, a product of matrices, a pass over elements.
Its *family* says what to measure it with; `terms` are the quantities that its time grows with (multiply-accumulates,
elements read and written), and `axes` where it stands among others of its family (logarithms of its sizes).
`calibrate` times synthetic kernels of each family, and `profile` predicts others from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from ..ops.base import Shape, numel
from ..ops.tensor import TensorOp
from .sizes import Sizes

if TYPE_CHECKING:
    from ..graph import Graph, Node

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """What kernels of a family have in common: the names of their sizes, and functions of these.

    One step along an axis is about how far one measurement says something of another.
    """

    sizes: tuple[str, ...]
    terms: Callable[..., Numbers]
    axes: Callable[..., Numbers]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel: its family and its sizes, in the order of the family's names."""

    family: str
    sizes: tuple[int, ...] = ()

    @property
    def terms(self) -> Numbers:
        """Work and traffic, in numbers of operations and elements; the last is 1, for what each call costs."""
        return (*FAMILIES[self.family].terms(*self.sizes), 1.0)

    @property
    def axes(self) -> Numbers:
        return FAMILIES[self.family].axes(*self.sizes)

    def to_dict(self) -> dict[str, Any]:
        names = FAMILIES[self.family].sizes
        return {"family": self.family, "sizes": dict(zip(names, self.sizes, strict=True))}


def _log(value: float, step: float = 1.0) -> float:
    """Octaves, in steps of so many."""
    return math.log2(max(value, 1)) / step


def _padded(channels: int) -> int:
    """Channels as vector units see them: in blocks of eight."""
    return -(-channels // 8) * 8


_CONVOLUTION = ("n", "c_in", "h_in", "w_in", "c_out", "h", "w", "kh", "kw", "stride", "groups", "dilation")


def _convolution_terms(
    n: int,
    c_in: int,
    h_in: int,
    w_in: int,
    c_out: int,
    h: int,
    w: int,
    kh: int,
    kw: int,
    _stride: int,
    groups: int,
    _dilation: int,
) -> Numbers:
    """MACs with padded channels, elements of input, output and weights."""
    inside, outside = c_in // groups, c_out // groups
    if groups == 1:
        inside, outside = (_padded(inside) if inside > 4 else inside), _padded(outside)
    elif inside == outside == 1:  # depthwise: the channels themselves are the vectors
        groups = _padded(groups)
    macs = n * h * w * kh * kw * inside * outside * groups
    return macs, n * c_in * h_in * w_in, n * c_out * h * w, kh * kw * c_in * c_out // max(1, groups)


def _convolution_axes(
    n: int,
    c_in: int,
    _h_in: int,
    _w_in: int,
    c_out: int,
    h: int,
    w: int,
    kh: int,
    kw: int,
    stride: int,
    groups: int,
    dilation: int,
) -> Numbers:
    return (
        _log(n, 2),
        _log(h * w, 3),
        _log(c_in / groups, 1.5),
        _log(c_out / groups, 1.5),
        _log(groups, 1.5),
        _log(kh * kw, 2),
        math.log2(kw / kh) / 3,
        _log(stride, 1),
        _log(dilation, 1),
        1.0 if (c_in // groups) % 8 == 0 else 0.0,
    )


def _rows(rows: int, width: int) -> Numbers:
    """Elements, and rows of them."""
    return rows * width, rows


_PER_ELEMENT = Family(("elements",), lambda elements: (elements,), lambda elements: (_log(elements, 1.5),))
_PER_ROW = Family(("rows", "width"), _rows, lambda rows, width: (_log(rows * width, 1.5), _log(width, 2)))
_OF_CONVOLUTIONS = Family(_CONVOLUTION, _convolution_terms, _convolution_axes)
_POOLING = Family(
    ("planes", "h_in", "w_in", "h", "w", "kernel", "stride"),
    lambda planes, h_in, w_in, h, w, kernel, stride: (
        planes * h * w * kernel,
        planes * h_in * w_in,
        planes * h * w,
    ),
    lambda planes, h_in, w_in, h, w, kernel, stride: (
        _log(planes, 2),
        _log(h * w, 2),
        _log(kernel, 1.5),
        _log(stride, 1),
    ),
)
#: activations that are timed by their own names; with "_" where they write into their input's memory
ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "silu",
    "gelu",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
)
IN_PLACE = tuple(f"{name}_" for name in ("relu", "relu6", "leaky_relu", "silu", "hardswish"))

FAMILIES: Mapping[str, Family] = {
    "conv_first": _OF_CONVOLUTIONS,
    "conv_pointwise": _OF_CONVOLUTIONS,
    "conv_dense": _OF_CONVOLUTIONS,
    "conv_depthwise": _OF_CONVOLUTIONS,
    "conv_grouped": _OF_CONVOLUTIONS,
    "linear": Family(
        ("m", "k", "n"),
        lambda m, k, n: (m * k * n, m * k, m * n, k * n),
        lambda m, k, n: (_log(m, 1.5), _log(k, 2), _log(n, 2)),
    ),
    "matmul": Family(
        ("b", "m", "k", "n"),
        lambda b, m, k, n: (b * m * k * n, b * m * k, b * k * n, b * m * n),
        lambda b, m, k, n: (_log(b, 2), _log(m, 1.5), _log(k, 1.5), _log(n, 1.5)),
    ),
    "attention": Family(
        ("heads", "queries", "keys", "width"),
        lambda heads, queries, keys, width: (
            heads * queries * keys * width,
            heads * queries * keys,
            heads * (queries + keys) * width,
        ),
        lambda heads, queries, keys, width: (
            _log(heads, 2),
            _log(queries, 1.5),
            _log(keys, 1.5),
            _log(width),
        ),
    ),
    "max_pool": _POOLING,
    "avg_pool": _POOLING,
    "adaptive_avg_pool": _POOLING,
    "mean": _PER_ROW,
    "softmax": _PER_ROW,
    "layer_norm": _PER_ROW,
    "group_norm": _PER_ROW,
    "batch_norm": _PER_ROW,
    "multiply_planes": _PER_ROW,
    "copy": _PER_ROW,
    "concat": Family(
        ("parts", "rows", "width"),
        lambda parts, rows, width: (rows * width, rows * parts, parts),
        lambda parts, rows, width: (_log(rows * width, 1.5), _log(parts, 1.5), _log(width / parts, 3)),
    ),
    "local_response_norm": _PER_ELEMENT,
    "upsample": _PER_ELEMENT,
    "add": _PER_ELEMENT,
    "add_": _PER_ELEMENT,
    "multiply": _PER_ELEMENT,
    "scale": _PER_ELEMENT,
    "addcmul": _PER_ELEMENT,
    **dict.fromkeys((*ACTIVATIONS, *IN_PLACE), _PER_ELEMENT),
    "view": Family((), lambda: (), lambda: ()),
    "module": Family((), lambda: (), lambda: ()),
}

#: operations that run as another family's kernels do: one pass over two operands, one pass that writes
_LIKE = {
    "sub": "add",
    "subtract": "add",
    "position_embedding": "add",
    "eq": "add",
    "ne": "add",
    "masked_fill": "add",
    "mul": "multiply",
    "div": "multiply",
    "absolute": "relu",
    "clone": "copy",
    "contiguous": "copy",
    "new_zeros": "scale",
    "fill": "scale",
}
#: layers that pass their input on in evaluation
_CALLS = frozenset({"dropout", "drop_path", "identity"})


def kernels_of(sizes: Sizes, index: int) -> tuple[Kernel, ...] | None:
    """The kernels that a node runs; None where its operation has no family."""
    node = sizes.graph.nodes[index]
    if not node.values:
        return ()
    return _KINDS.get(node.op.category, _other)(sizes, index, node)


def _convolution(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    op: Any = node.op
    if isinstance(op, TensorOp) or op.type != "conv2d" or len(node.inputs) != 1:
        return None
    x, y = node.input_shapes[0], node.output_shape
    n = sizes.elements(index) // numel(y[1:])
    (kh, kw), stride, dilation = op.kernel_size, max(op.stride), max(op.dilation)
    c_in, groups = x[1], op.groups
    if groups > 1 and groups == c_in:
        family = "conv_depthwise"
    elif groups > 1:
        family = "conv_grouped"
    elif c_in <= 4:
        family = "conv_first"
    else:
        family = "conv_pointwise" if kh == kw == 1 else "conv_dense"
    return (Kernel(family, (n, c_in, x[2], x[3], y[1], y[2], y[3], kh, kw, stride, groups, dilation)),)


def _linear(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    if node.op.type in ("linear", "addmm"):
        op = node.op
        first = op.operands[0] if isinstance(op, TensorOp) else node.input_shapes[0]
        if op.type == "addmm" or not first:
            return None
        n, k = node.output_shape[-1], first[-1]
        return (Kernel("linear", (sizes.elements(index) // n, k, n)),)
    if node.op.type in ("matmul", "bmm", "mm") and isinstance(node.op, TensorOp):
        a, b = node.op.operands[:2]
        if len(a) < 2 or len(b) < 2:
            return None
        m, k, n = a[-2], a[-1], b[-1]
        product = Kernel("matmul", (sizes.elements(index) // (m * n), m, k, n))
        copies = [
            Kernel("copy", (max(1, sizes.scaled(size, index) // k), k)) for size in node.op.copied if size
        ]
        return (product, *copies)
    return None


def _pooling(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    op: Any = node.op
    x, y = node.input_shapes[0], node.output_shape
    if len(x) != 4:
        return None
    planes = sizes.elements(index) // numel(y[2:])
    if op.type == "adaptive_avg_pool2d":
        if y[2:] == (1, 1):
            return (Kernel("mean", (planes, numel(x[2:]))),)
        kernel = max(1, numel(x[2:]) // numel(y[2:]))
        return (Kernel("adaptive_avg_pool", (planes, *x[2:], *y[2:], kernel, max(1, x[2] // y[2]))),)
    if op.type not in ("max_pool2d", "avg_pool2d"):
        return None
    stride = max(op.stride or op.kernel_size)
    family = op.type.removesuffix("2d")
    return (Kernel(family, (planes, *x[2:], *y[2:], prod(op.kernel_size), stride)),)


def _normalisation(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    op: Any = node.op
    count, y = sizes.elements(index), node.output_shape
    if op.type == "batch_norm2d":
        return (Kernel("batch_norm", (count // numel(y[2:]), numel(y[2:]))),)
    if op.type == "layer_norm":
        width = numel(op.normalized_shape or y[-1:])
        return (Kernel("layer_norm", (count // width, width)),)
    if op.type == "layer_norm2d":
        norm = Kernel("layer_norm", (count // y[1], y[1]))
        return (Kernel("view"), Kernel("copy", (count // y[1], y[1])), norm, Kernel("view"))
    if op.type == "group_norm":
        width = numel(y[1:]) // op.num_groups
        return (Kernel("group_norm", (count // width, width)),)
    if op.type == "layer_scale":
        return (Kernel("multiply", (count,)),)
    if op.type == "local_response_norm":
        return (Kernel("local_response_norm", (count,)),)
    return None


def _activation(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    count = sizes.elements(index)
    if node.op.type == "softmax":
        width = node.output_shape[-1]
        return (Kernel("softmax", (count // width, width)),)
    name = _LIKE.get(node.op.type, node.op.type)
    if name == "scale":
        return (Kernel("scale", (count,)),)
    if name not in ACTIVATIONS:
        return None
    in_place = f"{name}_"
    return (Kernel(in_place if _in_place(node) and in_place in IN_PLACE else name, (count,)),)


def _in_place(node: Node) -> bool:
    """Whether it writes into the memory of one of its inputs."""
    return node.memory is not None and node.memory in node.inputs


def _merge(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    count, y = sizes.elements(index), node.output_shape
    name = _LIKE.get(node.op.type, node.op.type)
    if name in ("concat", "cat"):
        dim = _joined_dimension(node)
        width = numel(y[dim:])
        return (Kernel("concat", (max(2, len(node.inputs)), max(1, count // width), width)),)
    shapes = set(node.input_shapes)
    if name == "multiply" and len(shapes) > 1:
        return _multiply(sizes, index, node)
    if name in ("add", "multiply"):
        passes = max(1, len(node.inputs) - 1)
        in_place = name == "add" and _in_place(node)
        return (Kernel("add_" if in_place else name, (count,)),) * passes
    return None


def _multiply(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...]:
    """By one factor for each plane (a squeeze-and-excitation gate), or by other smaller operands."""
    count, y = sizes.elements(index), node.output_shape
    small = min(node.input_shapes, key=numel)
    if len(y) == 4 and small[2:] == (1, 1):
        return (Kernel("multiply_planes", (count // numel(y[2:]), numel(y[2:]))),)
    return (Kernel("multiply", (count,)),)


def _joined_dimension(node: Node) -> int:
    for dim, size in enumerate(node.output_shape):
        if any(shape[dim] != size for shape in node.input_shapes if len(shape) > dim):
            return dim
    return 0


def _other(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    """Elementwise operations, views, copies, reductions, attention."""
    op: Any = node.op
    y = node.output_shape
    count = sizes.elements(index)
    name = _LIKE.get(op.type, op.type)
    if op.type in _CALLS:
        return (Kernel("module"),)
    if op.type in ("concat", "cat", "add", "multiply", "mul", "subtract", "sub", "div", "position_embedding"):
        return _merge(sizes, index, node)
    if name in ACTIVATIONS:
        return _activation(sizes, index, node)
    if op.type == "scaled_dot_product_attention" and isinstance(op, TensorOp):
        query, key = op.operands[:2]
        heads = count // max(1, numel(y[-2:]))
        return (Kernel("attention", (heads, query[-2], key[-2], query[-1])),)
    if op.type == "multihead_attention":
        return _multihead(sizes, index, node)
    if op.type in ("mean", "mean_tokens"):
        return (Kernel("mean", (count, max(1, numel(node.input_shapes[0]) // numel(y)))),)
    if op.type == "class_token":
        return (Kernel("view"), Kernel("concat", (2, max(1, count // numel(y[1:])), numel(y[1:]))))
    if op.type == "upsample":
        return (Kernel("upsample", (count,)),)
    if name in ("scale", "addcmul", "add"):
        return (Kernel(name, (count,)),)
    copies = op.category == "shape" and not (op.aliases and (node.outputs is None or node.memory is not None))
    if op.type in ("roll", "pad", "zero_pad2d") or name == "copy" or copies:
        if op.type == "contiguous" and node.memory is not None:
            return (Kernel("view"),)
        if not isinstance(op, TensorOp) and op.type not in ("zero_pad2d", "flatten", "permute"):
            return None
        width = _last(y)
        return (Kernel("copy", (max(1, count // width), width)),)
    if op.aliases:
        return (Kernel("view"),)
    return None


def _last(shape: Shape) -> int:
    return shape[-1] if shape else 1


def _multihead(sizes: Sizes, index: int, node: Node) -> tuple[Kernel, ...] | None:
    """Projections to queries, keys and values, attention, and the projection back."""
    op: Any = node.op
    x, y = node.input_shapes[0], node.output_shape
    if len(node.inputs) != 1 or len(x) != 3 or op.kv_heads is not None or op.window is not None:
        return None
    length, width = y[-2:]
    tokens = sizes.elements(index) // width
    heads = tokens // length * op.num_heads
    head = width // op.num_heads
    return (
        Kernel("linear", (tokens, width, 3 * width)),
        Kernel("copy", (tokens * 3 * op.num_heads, head)),
        Kernel("attention", (heads, length, length, head)),
        Kernel("copy", (tokens * op.num_heads, head)),
        Kernel("linear", (tokens, width, width)),
    )


_KINDS: Mapping[str, Callable[[Sizes, int, Node], tuple[Kernel, ...] | None]] = {
    "convolution": _convolution,
    "linear": _linear,
    "pooling": _pooling,
    "normalisation": _normalisation,
    "activation": _activation,
    "merge": _merge,
}


def kernels(graph: Graph, batch: int) -> tuple[tuple[str, tuple[Kernel, ...] | None], ...]:
    """(name, kernels) of each layer at that batch, in execution order; None for a layer of no family."""
    sizes = Sizes(graph, batch, 4)
    return tuple(
        (node.name, kernels_of(sizes, index))
        for index, node in enumerate(graph.nodes)
        if index >= graph.inputs and node.values
    )
