"""Recorded operations that are exactly a layer of the language, and what else an operation may be.

`layer_of` knows the layers: an operation is one if its weights are parameters, not computed ones, and the layer's class
gives the same shapes.  `tensor_op_of` says of any other operation what it costs, by `docs/counting.md`; what has no
rule is opaque.  Both go by the names of PyTorch's functions, so that overloads and spellings of one function are one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import torch

from ...errors import OpError
from ...geometry import AdaptiveWindow
from ...ops import REGISTRY, Cost, Op, Shape, Shapes
from ...ops import tensor as families
from ...ops.tensor import Motion, TensorOp
from .recorder import Operation, TensorValue, tensor_values

__all__ = ["Candidate", "layer_of", "made_layer", "tensor_op_of"]


class Candidate(NamedTuple):
    """A layer that an operation may be: the layer's type, attributes, inputs, and weights by the layer's names."""

    type: str
    attributes: dict[str, Any]
    inputs: tuple[TensorValue, ...]
    weights: dict[str, TensorValue]


def layer_of(operation: Operation) -> Candidate | None:
    """The layer that an operation is by its arguments; None if it is none."""
    rule = _LAYERS.get(operation.facts.type)
    return rule(operation) if rule is not None else None


def made_layer(
    candidate: Candidate, inputs: Shapes, output: Shape, weights: Mapping[str, Shape]
) -> Op | None:
    """The layer's op, if it makes this output of these inputs with these weights."""
    kind = REGISTRY.get(candidate.type)
    if kind is None:
        return None
    try:
        op = kind.of(**candidate.attributes)
        if op.shape(inputs) != output or op.weights(inputs) != weights:
            return None
    except OpError:
        return None
    return op


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


# Layers.


def _shape(value: TensorValue) -> Shape:
    return value.spec.shape


def _weights(**given: TensorValue | None) -> dict[str, TensorValue]:
    return {name: value for name, value in given.items() if isinstance(value, TensorValue)}


def _convolution(o: Operation) -> Candidate | None:
    x, weight, bias = o.args[0], o.args[1], o.argument("bias")
    spatial = len(_shape(weight)) - 2
    attributes = {
        "out_channels": _shape(weight)[0],
        "kernel_size": _shape(weight)[2:],
        "stride": _per_axis(o.argument("stride"), spatial, 1),
        "padding": _per_axis(o.argument("padding"), spatial, 0),
        "dilation": _per_axis(o.argument("dilation"), spatial, 1),
        "groups": o.argument("groups"),
        "bias": bias is not None,
    }
    return Candidate(f"conv{spatial}d", attributes, (x,), _weights(weight=weight, bias=bias))


def _transposed_convolution(o: Operation) -> Candidate | None:
    x, weight, bias = o.args[0], o.args[1], o.argument("bias")
    spatial = len(_shape(weight)) - 2
    groups = o.argument("groups")
    attributes = {
        "out_channels": _shape(weight)[1] * groups,
        "kernel_size": _shape(weight)[2:],
        "stride": _per_axis(o.argument("stride"), spatial, 1),
        "padding": _per_axis(o.argument("padding"), spatial, 0),
        "output_padding": _per_axis(o.argument("output_padding"), spatial, 0),
        "groups": groups,
        "bias": bias is not None,
        "dilation": _per_axis(o.argument("dilation"), spatial, 1),
    }
    return Candidate(f"conv_transpose{spatial}d", attributes, (x,), _weights(weight=weight, bias=bias))


def _per_axis(value: Any, axes: int, default: int) -> Any:
    """A stride or padding for each axis, however it was written."""
    if value is None or isinstance(value, str):
        return default if value is None else value
    if isinstance(value, int):
        return (value,) * axes
    if not value:
        return (default,) * axes
    return tuple(value) * axes if len(value) == 1 else tuple(value)


def _linear(o: Operation) -> Candidate | None:
    x, weight, bias = o.args[0], o.args[1], o.argument("bias")
    if len(_shape(x)) > 3:  # what other tools see of it follows from the call
        return None
    attributes = {"out_features": _shape(weight)[0], "bias": bias is not None}
    return Candidate("linear", attributes, (x,), _weights(weight=weight, bias=bias))


def _batch_norm(o: Operation) -> Candidate | None:
    x = o.args[0]
    given = [o.argument(name) for name in ("weight", "bias", "running_mean", "running_var")]
    weight, bias, mean, variance = given
    if (weight is None) != (bias is None) or (mean is None) != (variance is None):
        return None
    if o.argument("training") and mean is not None:
        return None
    attributes = {
        "eps": o.argument("eps"),
        "momentum": min(1.0, max(0.0, o.argument("momentum"))),
        "affine": weight is not None,
        "track_running_stats": mean is not None,
    }
    weights = _weights(weight=weight, bias=bias, running_mean=mean, running_var=variance)
    rank = len(_shape(x))
    return Candidate(f"batch_norm{max(1, rank - 2)}d", attributes, (x,), weights)


def _layer_norm(o: Operation) -> Candidate | None:
    x, sizes, weight, bias = o.args[0], o.args[1], o.argument("weight"), o.argument("bias")
    if weight is None and bias is not None:
        return None
    last_of_tokens = len(sizes) == 1 and len(_shape(x)) in (2, 3)
    attributes = {
        "normalized_shape": None if last_of_tokens else tuple(sizes),
        "eps": o.argument("eps"),
        "elementwise_affine": weight is not None,
        "bias": bias is not None or weight is None,
    }
    return Candidate("layer_norm", attributes, (x,), _weights(weight=weight, bias=bias))


def _group_norm(o: Operation) -> Candidate | None:
    weight, bias = o.argument("weight"), o.argument("bias")
    if (weight is None) != (bias is None):
        return None
    attributes = {"num_groups": o.args[1], "eps": o.argument("eps"), "affine": weight is not None}
    return Candidate("group_norm", attributes, (o.args[0],), _weights(weight=weight, bias=bias))


def _instance_norm(o: Operation) -> Candidate | None:
    x, weight, bias = o.args[0], o.argument("weight"), o.argument("bias")
    if (weight is None) != (bias is None) or o.argument("running_mean") is not None:
        return None
    attributes = {"eps": o.argument("eps"), "affine": weight is not None}
    weights = _weights(weight=weight, bias=bias)
    return Candidate(f"instance_norm{len(_shape(x)) - 2}d", attributes, (x,), weights)


def _max_pool(o: Operation) -> Candidate | None:
    spatial = int(o.facts.name.partition("max_pool")[2][0])
    kernel = _per_axis(o.args[1], spatial, 1)
    attributes = {
        "kernel_size": kernel,
        "stride": _stride(o, spatial, kernel),
        "padding": _per_axis(o.argument("padding"), spatial, 0),
        "dilation": _per_axis(o.argument("dilation"), spatial, 1),
        "ceil_mode": bool(o.argument("ceil_mode")),
    }
    return Candidate(f"max_pool{spatial}d", attributes, (o.args[0],), {})


def _avg_pool(o: Operation) -> Candidate | None:
    spatial = int(o.facts.name.partition("avg_pool")[2][0])
    if o.argument("divisor_override") is not None:
        return None
    kernel = _per_axis(o.args[1], spatial, 1)
    attributes = {
        "kernel_size": kernel,
        "stride": _stride(o, spatial, kernel),
        "padding": _per_axis(o.argument("padding"), spatial, 0),
        "ceil_mode": bool(o.argument("ceil_mode")),
        "count_include_pad": bool(o.argument("count_include_pad")),
    }
    return Candidate(f"avg_pool{spatial}d", attributes, (o.args[0],), {})


def _stride(o: Operation, spatial: int, kernel: Shape) -> Shape | None:
    """The step of a pool's window as a spec would write it: None where it is the window itself."""
    stride: Shape = _per_axis(o.argument("stride") or kernel, spatial, 1)
    return None if stride == kernel else stride


def _adaptive_pool(o: Operation) -> Candidate:
    spatial = int(o.facts.name[-2])
    size = _per_axis(o.args[1], spatial, 1)
    return Candidate(o.facts.name, {"output_size": size}, (o.args[0],), {})


def _plain(type: str) -> Callable[[Operation], Candidate]:
    return lambda o: Candidate(type, {}, (o.args[0],), {})


def _with(type: str, **names: str) -> Callable[[Operation], Candidate]:
    """A layer whose attributes are arguments of the function, under other names."""

    def rule(o: Operation) -> Candidate:
        attributes = {attribute: o.argument(name) for attribute, name in names.items()}
        return Candidate(type, attributes, (o.args[0],), {})

    return rule


def _elu(o: Operation) -> Candidate | None:
    if o.argument("scale") != 1 or o.argument("input_scale") != 1:
        return None
    return Candidate("elu", {"alpha": float(o.argument("alpha"))}, (o.args[0],), {})


def _hardtanh(o: Operation) -> Candidate | None:
    bounds = o.argument("min_val"), o.argument("max_val")
    return Candidate("relu6", {}, (o.args[0],), {}) if bounds == (0, 6) else None


def _prelu(o: Operation) -> Candidate:
    x, weight = o.args
    attributes = {"num_parameters": _shape(weight)[0] if _shape(weight) else 1}
    return Candidate("prelu", attributes, (x,), _weights(weight=weight))


def _softmax(o: Operation) -> Candidate | None:
    if o.argument("dtype") not in (None, o.args[0].spec.dtype):
        return None
    x, dim = o.args[:2]
    return Candidate("softmax", {"dim": None if dim == 1 and len(_shape(x)) != 3 else dim}, (x,), {})


def _channel_dropout(o: Operation) -> Candidate:
    spatial = len(_shape(o.args[0])) - 2
    return Candidate(f"dropout{spatial}d", {"p": float(o.args[1])}, (o.args[0],), {})


def _flatten(o: Operation) -> Candidate | None:
    if o.facts.overload not in ("using_ints", ""):
        return None
    attributes = {"start_dim": o.argument("start_dim"), "end_dim": o.argument("end_dim")}
    return Candidate("flatten", attributes, (o.args[0],), {})


def _reshape(o: Operation) -> Candidate | None:
    """A reshape that joins all dimensions behind the batch is a flatten."""
    x, output = _shape(o.args[0]), o.outputs[0]
    if output is None or len(x) < 3 or len(_shape(output)) != 2 or _shape(output)[0] != x[0]:
        return None
    return Candidate("flatten", {}, (o.args[0],), {}) if isinstance(o.args[1], tuple) else None


def _permute(o: Operation) -> Candidate | None:
    rank = len(_shape(o.args[0]))
    if not isinstance(o.args[1], tuple):
        return None
    dims = tuple(d % rank for d in o.args[1])
    return Candidate("permute", {"dims": dims}, (o.args[0],), {}) if dims[:1] == (0,) else None


def _transpose(o: Operation) -> Candidate | None:
    rank = len(_shape(o.args[0]))
    if rank < 3 or not all(isinstance(d, int) for d in o.args[1:3]):
        return None
    dims = list(range(rank))
    a, b = (d % rank for d in o.args[1:3])
    dims[a], dims[b] = dims[b], dims[a]
    return Candidate("permute", {"dims": tuple(dims)}, (o.args[0],), {}) if dims[0] == 0 and a != b else None


def _concat(o: Operation) -> Candidate | None:
    parts, dim = o.args[0], o.argument("dim")
    if not isinstance(dim, int) or not parts:
        return None
    if any(not isinstance(part, TensorValue) for part in parts) or dim % len(_shape(parts[-1])) != 1:
        return None
    if len(parts) == 2:
        first, rest = parts
        token = first.root
        if token.kind == "parameter" and len(_shape(token)) == 3 and _shape(token)[:2] == (1, 1):
            return Candidate("class_token", {}, (rest,), {"token": token})
    return Candidate("concat", {}, parts, {}) if len(parts) > 1 else None


def _add(o: Operation) -> Candidate | None:
    a, b = o.args[0], o.args[1]
    if not isinstance(b, TensorValue) or o.argument("alpha", 1) != 1:
        return None
    if b.kind == "parameter" and len(_shape(a)) == 3 and _shape(b) == (1, *_shape(a)[1:]):
        return Candidate("position_embedding", {}, (a,), {"embedding": b})
    return Candidate("add", {}, (a, b), {})


def _multiply(o: Operation) -> Candidate | None:
    a, b = o.args[0], o.args[1]
    if not isinstance(a, TensorValue):
        return None
    if isinstance(b, TensorValue):
        if a.kind == "parameter":
            a, b = b, a
        if b.kind == "parameter":
            return Candidate("layer_scale", {}, (a,), {"gamma": b})
        return Candidate("multiply", {}, (a, b), {})
    return Candidate("scale", {"factor": float(b)}, (a,), {}) if isinstance(b, (int, float)) else None


def _select(o: Operation) -> Candidate | None:
    x, dim, index = o.args[:3]
    if len(_shape(x)) != 3 or dim not in (1, -2):
        return None
    return Candidate("select_token", {"index": index}, (x,), {})


def _mean(o: Operation) -> Candidate | None:
    x, dim = o.args[0], o.argument("dim")
    if len(_shape(x)) != 3 or dim not in ((1,), (-2,)) or o.argument("keepdim"):
        return None
    return Candidate("mean_tokens", {}, (x,), {})


def _upsample(o: Operation) -> Candidate | None:
    mode = {"upsample_nearest2d": "nearest", "upsample_bilinear2d": "bilinear"}[o.facts.name]
    if o.facts.overload != "vec":
        return None
    attributes: dict[str, Any] = {"mode": mode}
    factors, size = o.argument("scale_factors"), o.argument("output_size")
    if factors is not None and len(set(factors)) == 1:
        attributes["scale_factor"] = float(factors[0])
    elif size is not None:
        attributes["size"] = tuple(size)
    else:
        return None
    if mode == "bilinear" and o.argument("align_corners"):
        attributes["align_corners"] = True
    return Candidate("upsample", attributes, (o.args[0],), {})


_PADDINGS = {
    "constant": "zero_pad",
    "reflect": "reflection_pad",
    "replicate": "replication_pad",
    "circular": "circular_pad",
}


def _pad(o: Operation) -> Candidate | None:
    x, widths = o.args[0], tuple(o.args[1])
    mode = o.argument("mode", "constant")
    spatial = len(_shape(x)) - 2
    if (
        (mode == "constant" and o.argument("value"))
        or min(widths, default=0) < 0
        or not any(widths)
        or spatial < 1
    ):
        return None
    if mode == "constant" and len(_shape(x)) == 4 and len(widths) == 6 and not any(widths[:4]):
        return Candidate("pad_channels", {"before": widths[4], "after": widths[5]}, (x,), {})
    if any(widths[2 * spatial :]):
        return None
    widths = (*widths, *(0,) * (2 * spatial - len(widths)))[: 2 * spatial]
    return Candidate(f"{_PADDINGS[mode]}{spatial}d", {"padding": widths}, (x,), {})


_LAYERS: dict[str, Callable[[Operation], Candidate | None]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_convolution),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    **dict.fromkeys([f"max_pool{n}d{rest}" for n in (1, 2, 3) for rest in ("", "_with_indices")], _max_pool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _avg_pool),
    **dict.fromkeys(
        [f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)], _adaptive_pool
    ),
    **{
        name: _plain(name)
        for name in ("relu", "relu6", "sigmoid", "tanh", "silu", "mish", "hardsigmoid", "hardswish")
    },
    "hardtanh": _hardtanh,
    "leaky_relu": _with("leaky_relu", negative_slope="negative_slope"),
    "elu": _elu,
    "prelu": _prelu,
    "gelu": _with("gelu", approximate="approximate"),
    "softmax": _softmax,
    "dropout": _with("dropout", p="p"),
    "feature_dropout": _channel_dropout,
    "flatten": _flatten,
    "view": _reshape,
    "reshape": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "cat": _concat,
    "add": _add,
    "mul": _multiply,
    "select": _select,
    "mean": _mean,
    "upsample_nearest2d": _upsample,
    "upsample_bilinear2d": _upsample,
    "pad": _pad,
    "pixel_shuffle": _with("pixel_shuffle", upscale_factor="upscale_factor"),
    "channel_shuffle": _with("channel_shuffle", groups="groups"),
}


# Everything else.


class _Met:
    """An operation for the rules of costs: shapes of what it reads and makes, and its arguments."""

    def __init__(self, operation: Operation) -> None:
        self.o = operation
        self.type = operation.facts.type
        self.operands: Shapes = tuple([value.spec.shape for value in operation.reads])
        made = [value.spec.shape for value in operation.outputs if value is not None]
        if not made:
            made = [value.spec.shape for value in operation.written]
        self.results: Shapes = tuple(made)

    def shape(self, name: str) -> Shape | None:
        value = self.o.argument(name)
        return value.spec.shape if isinstance(value, TensorValue) else None

    @property
    def output(self) -> Shape:
        return self.results[0] if self.results else ()


def tensor_op_of(operation: Operation) -> TensorOp:
    """What an operation that is no layer computes and costs."""
    met = _Met(operation)
    facts = operation.facts
    rule = _RULES.get(facts.type)
    if rule is not None:
        op = rule(met)
        if op is not None:
            return op
    per_element = _PER_ELEMENT.get(facts.type)
    if per_element is not None:
        return families.pointwise(met.type, met.operands, met.results or ((),), per_element, **_details(met))
    if facts.view or facts.factory or facts.type in _MOVING:
        return families.moving(
            met.type, met.operands, met.results, _motion(met), aliases=facts.view, **_details(met)
        )
    if operation.function is not None and torch.Tag.pointwise in getattr(operation.function, "tags", ()):
        return families.pointwise(met.type, met.operands, met.results or ((),), **_details(met))
    return families.opaque(met.type, met.operands, met.results, **_details(met))


def _details(met: _Met) -> dict[str, Any]:
    """The arguments that are plain and not the schema's defaults, for reading."""
    o = met.o
    found = {}
    for at, argument in enumerate(o.args):
        name = o.facts.names[at] if at < len(o.facts.names) else str(at)
        if _tells(argument, o.facts.defaults.get(name)):
            found[name] = argument
    found |= {name: a for name, a in o.kwargs.items() if _tells(a, o.facts.defaults.get(name))}
    renamed = {"type": "type_", "operands": "operands_", "results": "results_", "per_element": "per_element_"}
    return {renamed.get(name, name): value for name, value in found.items() if name not in _UNTOLD}


_UNTOLD = ("motion", "aliases", "category", "layout", "pin_memory", "device", "non_blocking", "generator")


def _tells(argument: Any, default: Any) -> bool:
    if (
        argument is None
        or argument == default
        or isinstance(argument, (TensorValue, torch.dtype, torch.memory_format))
    ):
        return False
    if isinstance(argument, tuple):
        return 0 < len(argument) <= 8 and all(isinstance(a, (int, float, bool)) for a in argument)
    return isinstance(argument, (int, float, bool, str))


def _motion(met: _Met) -> Motion:
    """Which way the positions go that only move."""
    if not met.operands or not met.results:
        return Motion("unknown")
    o, x, output = met.o, met.operands[0], met.output
    if met.type in ("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "permute"):
        return Motion("permute", _order(o, len(x)))
    if met.type in _RESHAPING:
        return Motion("reshape")
    if met.type in ("select", "unbind"):
        dim = o.argument("dim", 0)
        return Motion("drop", (dim % len(x),)) if x and isinstance(dim, int) else Motion("unknown")
    if len(x) == len(output) and met.type in _ALIGNED:
        step = o.argument("step", 1)
        return Motion("pointwise") if step in (1, None) else Motion("unknown")
    return (
        Motion("pointwise")
        if prod(x) == prod(output) and x == output and met.type in _ALIGNED
        else Motion("unknown")
    )


_RESHAPING = frozenset(
    _words("view reshape flatten unflatten squeeze unsqueeze _unsafe_view view_as reshape_as ravel")
)
_ALIGNED = frozenset(
    _words("""alias detach expand expand_as contiguous clone to _to_copy type_as slice narrow split split_with_sizes
    chunk cat copy masked_fill where dropout lift_fresh broadcast_to tensor_split unsafe_chunk unsafe_split""")
)


def _order(o: Operation, rank: int) -> tuple[int, ...]:
    order = list(range(rank))
    if o.facts.type == "permute" and isinstance(o.args[1], tuple):
        return tuple(d % rank for d in o.args[1])
    a, b = o.args[1:3] if len(o.args) > 2 else (-2, -1)
    if rank > 1 and isinstance(a, int) and isinstance(b, int):
        order[a % rank], order[b % rank] = order[b % rank], order[a % rank]
    elif o.facts.type == "numpy_T":
        order.reverse()
    return tuple(order)


# Products.


def _matmul(met: _Met) -> TensorOp:
    a = met.operands[0]
    inner = a[-1] if a else 1
    op = families.matmul(met.type, met.operands, met.results, inner)
    batched = met.type == "matmul" and all(len(shape) > 2 for shape in met.operands)
    copied = tuple([_copied(value, met.output[:-2]) for value in met.o.reads[:2]]) if batched else ()
    return replace(op, copied=copied) if any(copied) else op


def _copied(value: TensorValue, batch: Shape) -> int:
    """Elements that `matmul` copies of an operand, to make one dimension of its batch dimensions."""
    shape, stride = value.spec.shape, value.spec.stride
    if stride is None:
        return 0
    missing = len(batch) - (len(shape) - 2)
    steps = [0] * missing + [
        step if size == wide else 0
        for size, step, wide in zip(shape[:-2], stride[:-2], batch[missing:], strict=True)
    ]
    large = [(size, step) for size, step in zip(batch, steps, strict=True) if size > 1]
    joined = all(outer == size * inner for (_, outer), (size, inner) in pairwise(large))
    return 0 if joined else prod(batch) * prod(shape[-2:])


def _added_matmul(met: _Met) -> TensorOp:
    """A product that something is added to: `addmm`, `baddbmm`, `addmv`; `addbmm` sums over the batch, too."""
    a = met.operands[1]
    inner = a[-1] * (a[0] if met.type == "addbmm" else 1)
    return families.matmul(met.type, met.operands, met.results, inner, bias=True)


def _plain_linear(met: _Met) -> TensorOp:
    weight = met.shape("weight") or ()
    inner = weight[-1] if weight else 1
    return families.matmul(
        "linear", met.operands, met.results, inner, bias=met.o.argument("bias") is not None
    )


def _plain_convolution(met: _Met) -> TensorOp:
    weight = met.operands[1]
    per_element = prod(weight[1:])
    return families.products(
        met.type,
        met.operands,
        met.results,
        prod(met.output) * per_element,
        f"{families.product(met.output)}×{families.product(weight[1:])}",
        category="convolution",
        bias=met.o.argument("bias") is not None,
        motion=Motion("unknown"),
        **_details(met),
    )


def _plain_transposed(met: _Met) -> TensorOp:
    x, weight = met.operands[:2]
    return families.products(
        met.type,
        met.operands,
        met.results,
        prod(x) * prod(weight[1:]),
        f"{families.product(x)}×{families.product(weight[1:])}",
        category="convolution",
        bias=met.o.argument("bias") is not None,
        motion=Motion("unknown"),
        **_details(met),
    )


def _any_convolution(met: _Met) -> TensorOp:
    return _plain_transposed(met) if met.o.argument("transposed") else _plain_convolution(met)


def _attention(met: _Met) -> TensorOp:
    query, key, value = met.operands[:3]
    mask = met.o.argument("attn_mask")
    adds_mask = isinstance(mask, TensorValue) and mask.spec.dtype is not torch.bool
    return families.attention(
        met.type,
        met.operands,
        met.results,
        query,
        key,
        value,
        mask=adds_mask,
        causal=bool(met.o.argument("is_causal")),
    )


def _einsum(met: _Met) -> TensorOp:
    equation = met.o.args[0]
    macs, formula = families.einsum_macs(equation, met.operands)
    return families.products(
        "einsum", met.operands, met.results, macs, formula, motion=Motion("unknown"), equation=equation
    )


def _tensordot(met: _Met) -> TensorOp:
    inner = prod([met.operands[0][d] for d in met.o.args[2]])
    return families.matmul("tensordot", met.operands, met.results, inner)


def _bilinear(met: _Met) -> TensorOp:
    a, b = met.operands[:2]
    count = prod(met.output)
    return families.products(
        "bilinear",
        met.operands,
        met.results,
        count * (a[-1] + 1) * b[-1],
        f"{families.product(met.output)}×({a[-1]} + 1)×{b[-1]}",
        bias=met.o.argument("bias") is not None,
        motion=Motion("unknown"),
    )


def _grouped_mm(met: _Met) -> TensorOp:
    """The experts of a mixture: each row meets the matrix of one group."""
    a, b = met.operands[:2]
    return families.products(
        "grouped_mm",
        met.operands,
        met.results,
        prod(a) * b[-1],
        f"{families.product(a)}×{b[-1]}",
        motion=Motion("mix", (len(a) - 1,)),
        experts=b[0],
        assumes="each row meets one expert",
    )


def _recurrent(met: _Met) -> TensorOp:
    """Whole sequences through `lstm`, `gru` or `rnn`, of all layers and directions."""
    packed = met.o.facts.overload == "data"
    x = met.operands[0]
    steps = x[0] if packed or len(x) == 2 else x[0] * x[1]
    weights = [value.spec.shape for value in tensor_values((met.o.argument("params"),))]
    return families.recurrent(
        met.type,
        met.operands,
        met.results,
        steps,
        weights,
        num_layers=met.o.argument("num_layers"),
        bidirectional=bool(met.o.argument("bidirectional")),
    )


def _recurrent_cell(met: _Met) -> TensorOp:
    x = met.operands[0]
    names = ("w_ih", "w_hh", "b_ih", "b_hh")
    weights = [met.shape(name) or () for name in names if met.shape(name) is not None]
    return families.recurrent(met.type, met.operands, met.results, prod(x[:-1]), weights)


def _deformable(met: _Met) -> TensorOp:
    """Convolution at learnt places: the products, and four weighted elements for each place that is read."""
    weight = met.operands[1]
    read = prod(met.output[:1]) * prod(met.operands[0][1:2]) * prod(weight[2:]) * prod(met.output[2:])
    return families.products(
        "deform_conv2d",
        met.operands,
        met.results,
        prod(met.output) * prod(weight[1:]),
        f"{families.product(met.output)}×{families.product(weight[1:])}",
        category="convolution",
        bias=True,
        motion=Motion("unknown"),
        elementwise=7 * read,
    )


# Reductions, statistics, pools.


def _dims(met: _Met) -> tuple[int, ...]:
    x = met.operands[0]
    dim = met.o.argument("dim")
    if dim is None or dim == ():
        return tuple(range(len(x)))
    return tuple(d % max(1, len(x)) for d in (dim if isinstance(dim, tuple) else (dim,)))


def _reduced(per_input: tuple[int, int], per_result: int = 0) -> Callable[[_Met], TensorOp | None]:
    def rule(met: _Met) -> TensorOp | None:
        if len(met.operands) > 1 or not met.results:
            return None  # torch.max of two tensors
        return families.reduction(
            met.type,
            met.operands,
            met.results,
            _dims(met),
            per_input=per_input,
            per_result=per_result,
            keepdim=len(met.output) == len(met.operands[0]),
            **{name: value for name, value in _details(met).items() if name != "keepdim"},
        )

    return rule


def _largest_of(name: str) -> Callable[[_Met], TensorOp | None]:
    reduce = _reduced((0, 1))

    def rule(met: _Met) -> TensorOp | None:
        if len(met.operands) > 1:
            return families.pointwise(name, met.operands, met.results, (0, 1))
        return reduce(met)

    return rule


def _cumulative(met: _Met) -> TensorOp:
    x = met.operands[0]
    dim = _dims(met)[0] if x else 0
    count = prod(x) - (prod(x) // x[dim] if x and x[dim] else 0)
    compares = met.type in ("cummax", "cummin")
    cost = Cost(comparisons=count) if compares else Cost(elementwise=count)
    return TensorOp(
        met.type, "reduction", met.operands, met.results, _details(met), cost, {}, Motion("mix", (dim,))
    )


def _any_softmax(met: _Met) -> TensorOp:
    dim = met.o.args[1]
    # The logarithm of the softmax: a logarithm for each group, and differences in the place of divisions.
    return families.softmax(met.type, met.operands, met.results, dim, extra=met.type == "log_softmax")


def _normalised(
    groups: Callable[[_Met], int], per_group: int = 2, per_element: int = 5
) -> Callable[[_Met], TensorOp]:
    def rule(met: _Met) -> TensorOp:
        affine = sum(
            met.o.argument(name) is not None for name in ("weight", "bias") if name in met.o.facts.names
        )
        return families.normalisation(
            met.type, met.operands, met.results, groups(met), per_element + affine, per_group, **_details(met)
        )

    return rule


def _layer_norm_groups(met: _Met) -> int:
    sizes: Shape = met.o.args[1]
    return prod(met.output) // max(1, prod(sizes))


def _plain_batch_norm(met: _Met) -> TensorOp:
    if met.o.argument("running_mean") is None:
        return _normalised(lambda m: m.output[1])(met)
    return families.pointwise(
        "batch_norm", met.operands, met.results, (2, 0), category="normalisation", eps=met.o.argument("eps")
    )


def _window_pool(met: _Met) -> TensorOp:
    spatial = int(met.o.facts.name.partition("_pool")[2][0])
    kernel: Shape = _per_axis(met.o.args[1], spatial, 1)
    window, count = prod(kernel), prod(met.output)
    cost = Cost(comparisons=count * (window - 1)) if "max" in met.type else Cost(elementwise=count * window)
    return TensorOp(met.type, "pooling", met.operands, met.results, _details(met), cost)


def _plain_adaptive(met: _Met) -> TensorOp:
    spatial = int(met.o.facts.name[-2])
    x, output = met.operands[0], met.output
    read = prod(x[:-spatial])
    for size, result in zip(x[-spatial:], output[-spatial:], strict=True):
        read *= AdaptiveWindow(size, result).total
    cost = Cost(comparisons=read - prod(output)) if "max" in met.type else Cost(elementwise=read)
    return TensorOp(met.type, "pooling", met.operands, met.results, _details(met), cost)


def _resized(per_output: int) -> Callable[[_Met], TensorOp]:
    def rule(met: _Met) -> TensorOp:
        count = prod(met.output)
        return TensorOp(
            met.type, "shape", met.operands, met.results, _details(met), Cost(elementwise=per_output * count),
            {"flops": f"{per_output}×{families.product(met.output)}"} if per_output else {},
        )  # fmt: skip

    return rule


def _added_where(met: _Met) -> TensorOp:
    """Elements added to where indices say: one addition for each."""
    source = next(
        (met.shape(name) for name in ("src", "source", "values") if met.shape(name) is not None), None
    )
    count = prod(source) if source is not None else prod(met.output)
    return TensorOp(
        met.type, "elementwise", met.operands, met.results, _details(met), Cost(elementwise=count)
    )


def _counted(met: _Met) -> TensorOp:
    """A histogram: one addition for each element that is counted."""
    cost = Cost(elementwise=prod(met.operands[0]))
    return TensorOp(met.type, "reduction", met.operands, met.results, _details(met), cost)


def _index_put(met: _Met) -> TensorOp:
    if met.o.argument("accumulate"):
        return _added_where(met)
    return families.moving(met.type, met.operands, met.results, Motion("unknown"))


def _sorted(met: _Met) -> TensorOp:
    """Sorting n elements: n·⌈log₂ n⌉ comparisons; the k largest: n·⌈log₂ (k + 1)⌉, those of a heap of k."""
    x = met.operands[0]
    dim = met.o.argument("dim", -1)
    size = x[dim if isinstance(dim, int) else -1] if x else 1
    depth = min(size, met.o.args[1] + 1) if met.type == "topk" else size
    comparisons = prod(x) * max(0, depth - 1).bit_length()
    return TensorOp(
        met.type, "reduction", met.operands, met.results, _details(met), Cost(comparisons=comparisons)
    )


def _embedded(met: _Met) -> TensorOp:
    weight = met.operands[0]
    return families.moving(
        "embedding", met.operands, met.results, Motion("unknown"), rows=weight[0], width=weight[-1]
    )


def _clamped(met: _Met) -> TensorOp:
    bounds = sum(met.o.argument(name) is not None for name in ("min", "max"))
    return families.pointwise(met.type, met.operands, met.results, (0, bounds), **_details(met))


def _added(met: _Met) -> TensorOp:
    scaled = met.o.argument("alpha", 1) != 1
    return families.pointwise(met.type, met.operands, met.results, (2 if scaled else 1, 0), **_details(met))


def _fourier(met: _Met) -> TensorOp:
    """A fast Fourier transform of n: 5·n·⌈log₂ n⌉ operations, half of them where one side is real (Cooley–Tukey)."""
    x, output = met.operands[0], met.output
    name = met.o.facts.name.removeprefix("fft_")
    real = name.startswith(("rfft", "irfft", "hfft", "ihfft"))
    larger = output if prod(output) > prod(x) else x
    dims = met.o.argument("dim")
    if dims is None:
        dims = tuple(range(len(larger))) if name.endswith("n") else (-1,)
    size = prod([larger[d] for d in ((dims,) if isinstance(dims, int) else dims)])
    count = 5 * prod(larger) * max(0, size - 1).bit_length()
    cost = Cost(elementwise=count // 2 if real else count)
    return TensorOp(met.type, "linear", met.operands, met.results, _details(met), cost)


def _short_time_fourier(met: _Met) -> TensorOp:
    """A transform for each frame, half of it where the signal is real, after a product with the window."""
    x, output, size = met.operands[0], met.output, met.o.args[1]
    frames = (x[0] if len(x) > 1 else 1) * output[2 if len(x) > 1 else 1]
    whole = 5 * size * max(0, size - 1).bit_length()
    onesided = met.o.argument("onesided") is not False
    window = size if met.shape("window") is not None else 0
    cost = Cost(elementwise=frames * ((whole // 2 if onesided else whole) + window))
    return TensorOp(met.type, "linear", met.operands, met.results, _details(met), cost)


# Distances, searches, boxes.


def _computed(
    met: _Met,
    elementwise: int,
    formula: str,
    *,
    comparisons: int = 0,
    category: str = "elementwise",
    motion: Motion = Motion("unknown"),  # noqa: B008  a constant
) -> TensorOp:
    cost = Cost(elementwise=elementwise, comparisons=comparisons)
    return TensorOp(
        met.type,
        category,
        met.operands,
        met.results,
        _details(met),
        cost,
        {"flops": formula},
        motion,
    )


def _distances(met: _Met) -> TensorOp:
    """Of each pair of vectors of n: n differences, n powers, n − 1 sums, a root; with p = 1 neither powers nor root.

    `pairwise_distance` adds ε to each difference.
    """
    size, pairs = met.operands[0][-1], prod(met.output)
    p = met.o.argument("p", 2.0)
    if p == float("inf"):
        return _computed(
            met, pairs * size, f"{pairs}×(2×{size} - 1)", comparisons=pairs * (size - 1), category="reduction"
        )
    each = 2 * size - 1 if p == 1 else 3 * size
    text = f"2×{size} - 1" if p == 1 else f"3×{size}"
    if met.type == "pairwise_distance":
        each, text = each + size, f"{text} + {size}"
    return _computed(met, pairs * each, f"{pairs}×({text})", category="reduction")


def _cosines(met: _Met) -> TensorOp:
    """Of each pair of vectors of n: three sums of n products, two roots kept above ε, a product and a division."""
    x, pairs = met.operands[0], prod(met.output)
    size = x[met.o.argument("dim", 1)] if x else 1
    return _computed(
        met, pairs * (6 * size + 1), f"{pairs}×(6×{size} + 3)", comparisons=2 * pairs, category="reduction"
    )


def _ranked(met: _Met) -> TensorOp:
    """The k-th smallest, medians, quantiles: as if the elements were sorted; a quantile lies between two of them."""
    x = met.operands[0]
    dim = met.o.argument("dim")
    size = x[dim] if isinstance(dim, int) and x else prod(x)
    depth = max(0, size - 1).bit_length()
    between = 3 * prod(met.output) if "quantile" in met.type else 0
    more = f" + 3×{families.product(met.output)}" if between else ""
    return _computed(
        met, between, f"{prod(x)}×{depth}{more}", comparisons=prod(x) * depth, category="reduction"
    )


def _searched(met: _Met) -> TensorOp:
    """The place of each value among n sorted ones, by halving: ⌈log₂(n + 1)⌉ comparisons."""
    bounds = met.shape("sorted_sequence") or met.shape("boundaries") or (1,)
    depth = bounds[-1].bit_length()
    return _computed(met, 0, f"{prod(met.output)}×{depth}", comparisons=prod(met.output) * depth)


def _suppressed(met: _Met) -> TensorOp:
    """Non-maximum suppression of n boxes: sorted by score, then each pair's overlap, as if no box were dropped.

    An area is two differences and a product.  Of a pair: four corners chosen and two sides kept from below 0
    (6 comparisons), two differences, the product, a sum and a difference for the union, a division, and the threshold.
    """
    count = met.operands[0][0]
    pairs = count * (count - 1) // 2
    depth = max(0, count - 1).bit_length()
    return _computed(
        met,
        3 * count + 6 * pairs,
        f"{count}×{depth} + 3×{count} + 13×{pairs}",
        comparisons=count * depth + 7 * pairs,
    )


def _aligned_boxes(met: _Met) -> TensorOp | None:
    """Means of s×s places for each output, each between four elements: 7 operations, a sum, and in all one division.

    Without a fixed `sampling_ratio` the number of places depends on the boxes.
    """
    ratio = met.o.argument("sampling_ratio", -1)
    if not isinstance(ratio, int) or ratio <= 0:
        return None
    count, places = prod(met.output), ratio * ratio
    return _computed(
        met, 8 * places * count, f"{families.product(met.output)}×{places}×8", category="pooling"
    )


def _losses(met: _Met) -> TensorOp:
    """A difference for each element, its square (`mse_loss`), and their mean or sum where one is made of them."""
    elements, result = prod(met.operands[0]), prod(met.output)
    each = 2 if met.type == "mse_loss" else 1
    mean = met.o.argument("reduction", 1) == 1
    total = each * elements + (elements - 1 + mean if result < elements or elements == 1 else 0)
    return _computed(met, total, f"{total}", category="reduction")


def _fractional_pool(met: _Met) -> TensorOp:
    window, count = prod(met.o.args[1]), prod(met.output)
    return _computed(met, 0, f"{count}×{window - 1}", comparisons=count * (window - 1), category="pooling")


def _affine_grid(met: _Met) -> TensorOp:
    """Each place, with a 1 behind it, times a matrix."""
    inner = met.operands[0][-1]
    return families.products(
        met.type,
        met.operands,
        met.results,
        prod(met.output) * inner,
        f"{families.product(met.output)}×{inner}",
        motion=Motion("unknown"),
    )


def _per_result(operations: int) -> Callable[[_Met], TensorOp]:
    """The same few operations for each element of the result, whatever shapes they are made of."""

    def rule(met: _Met) -> TensorOp:
        count = prod(met.output)
        return _computed(met, operations * count, f"{operations}×{families.product(met.output)}")

    return rule


_RULES: dict[str, Callable[[_Met], TensorOp | None]] = {
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner", "linalg_matmul"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), _added_matmul),
    "linear": _plain_linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _plain_convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _plain_transposed),
    "convolution": _any_convolution,
    "_convolution": _any_convolution,
    "scaled_dot_product_attention": _attention,
    "flex_attention": _attention,
    "einsum": _einsum,
    "tensordot": _tensordot,
    "bilinear": _bilinear,
    "_grouped_mm": _grouped_mm,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), _recurrent_cell),
    "deform_conv2d": _deformable,
    "sum": _reduced((1, 0)),
    "nansum": _reduced((1, 1)),
    "mean": _reduced((1, 0), 1),
    "prod": _reduced((1, 0)),
    "max": _largest_of("maximum"),
    "min": _largest_of("minimum"),
    **dict.fromkeys(("amax", "amin", "argmax", "argmin"), _reduced((0, 1))),
    "aminmax": _reduced((0, 2)),
    **dict.fromkeys(("all", "any"), _reduced((1, 0))),
    **dict.fromkeys(("var", "var_mean"), _reduced((4, 0), 4)),
    **dict.fromkeys(("std", "std_mean"), _reduced((4, 0), 5)),
    **dict.fromkeys(("linalg_vector_norm", "norm", "linalg_norm", "frobenius_norm"), _reduced((2, 0), 2)),
    "logsumexp": _reduced((3, 1), 4),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"), _cumulative),
    **dict.fromkeys(
        ("softmax", "_softmax", "log_softmax", "special_softmax", "special_log_softmax"), _any_softmax
    ),
    "batch_norm": _plain_batch_norm,
    "layer_norm": _normalised(_layer_norm_groups),
    # Squares, their mean (n), plus ε and a root for each group, and n products.
    "rms_norm": _normalised(_layer_norm_groups, per_group=2, per_element=3),
    "group_norm": _normalised(lambda met: met.output[0] * met.o.args[1]),
    "instance_norm": _normalised(lambda met: prod(met.output[:2])),
    "_weight_norm": _normalised(lambda met: prod(met.operands[1]), per_group=1, per_element=3),
    **dict.fromkeys(
        [
            f"{kind}_pool{n}d{rest}"
            for kind in ("max", "avg")
            for n in (1, 2, 3)
            for rest in ("", "_with_indices")
        ],
        _window_pool,
    ),
    **dict.fromkeys(
        [f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)], _plain_adaptive
    ),
    **dict.fromkeys([f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d")], _resized(0)),
    **dict.fromkeys(
        ("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d"), _resized(0)
    ),
    "upsample_linear1d": _resized(3),  # two products and a sum; each axis more doubles the products
    "upsample_bilinear2d": _resized(7),
    "_upsample_bilinear2d_aa": _resized(7),
    "upsample_trilinear3d": _resized(15),
    "upsample_bicubic2d": _resized(31),
    "_upsample_bicubic2d_aa": _resized(31),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d"), _resized(7)),
    "grid_sampler_3d": _resized(15),
    **dict.fromkeys(
        ("histc", "bincount", "scatter_add", "scatter_reduce", "index_add", "index_reduce", "embedding_bag"),
        _added_where,
    ),
    **dict.fromkeys(("histc", "bincount"), _counted),
    **dict.fromkeys(("index_put", "_index_put_impl"), _index_put),
    **dict.fromkeys(("sort", "argsort", "topk", "msort"), _sorted),
    **dict.fromkeys(("cdist", "_cdist_forward", "pairwise_distance"), _distances),
    "cosine_similarity": _cosines,
    **dict.fromkeys(("kthvalue", "median", "nanmedian", "quantile", "nanquantile"), _ranked),
    **dict.fromkeys(("searchsorted", "bucketize"), _searched),
    "nms": _suppressed,
    **dict.fromkeys(("roi_align", "ps_roi_align"), _aligned_boxes),
    **dict.fromkeys(("mse_loss", "l1_loss"), _losses),
    **dict.fromkeys(("fractional_max_pool2d", "fractional_max_pool3d"), _fractional_pool),
    "affine_grid_generator": _affine_grid,
    "stft": _short_time_fourier,
    **dict.fromkeys(("outer", "ger", "kron", "diff"), _per_result(1)),
    **dict.fromkeys(("cross", "linalg_cross"), _per_result(3)),  # two products and a difference
    "embedding": _embedded,
    "clamp": _clamped,
    **dict.fromkeys(("add", "sub", "rsub"), _added),
    **dict.fromkeys(
        [
            f"fft_{sign}{kind}fft{size}"
            for sign in ("", "i")
            for kind in ("", "r", "h")
            for size in ("", "2", "n")
        ],
        _fourier,
    ),
}

#: operations and comparisons for each element of the result, by `docs/counting.md`
_PER_ELEMENT: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        _words("neg abs conj real imag positive view_as_real view_as_complex resolve_conj"), (0, 0)
    ),
    **dict.fromkeys(
        _words("mul div true_divide divide multiply floor_divide remainder fmod pow reciprocal"), (1, 0)
    ),
    **dict.fromkeys(
        _words("sqrt square exp exp2 log log2 log10 erf erfc sin cos tan floor ceil round trunc"), (1, 0)
    ),
    **dict.fromkeys(_words("asin acos atan atan2 sinh cosh hypot float_power copysign"), (1, 0)),
    **dict.fromkeys(_words("rsqrt log1p expm1 addcmul addcdiv softsign deg2rad rad2deg sinc"), (2, 0)),
    **dict.fromkeys(
        _words("eq ne lt le gt ge maximum minimum fmax fmin sign sgn isnan isinf isfinite isposinf"), (0, 1)
    ),
    **dict.fromkeys(
        _words("clamp_min clamp_max relu threshold isneginf not_equal less greater greater_equal"), (0, 1)
    ),
    **dict.fromkeys(_words("hardtanh relu6 hardshrink softshrink nan_to_num isclose"), (0, 2)),
    **dict.fromkeys(_words("logical_and logical_or logical_xor logical_not bitwise_and bitwise_or"), (1, 0)),
    **dict.fromkeys(_words("bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift"), (1, 0)),
    **dict.fromkeys(_words("__and__ __or__ __xor__ __lshift__ __rshift__ __iand__ __ior__"), (1, 0)),
    "lerp": (3, 0),
    "sigmoid": (3, 0),
    "logit": (3, 2),
    "softplus": (3, 1),
    "log_sigmoid": (3, 0),
    "glu": (4, 0),
    "tanh": (5, 0),
    "gelu": (5, 0),
    "silu": (4, 0),
    "mish": (9, 0),
    "elu": (3, 1),
    "selu": (4, 1),
    "celu": (4, 1),
    "leaky_relu": (1, 1),
    "prelu": (1, 1),
    "_prelu_kernel": (1, 1),
    "rrelu": (1, 1),
    "hardsigmoid": (2, 2),
    "hardswish": (3, 2),
    "col2im": (1, 0),
    "im2col": (0, 0),
}

#: what only moves, copies, chooses or makes elements, and is no view by its schema
_MOVING = frozenset(
    _words("""cat concat concatenate stack hstack vstack dstack index index_select take gather take_along_dim
    masked_select masked_fill masked_scatter where scatter index_fill index_copy select_scatter
    slice_scatter diagonal_scatter roll flip fliplr flipud rot90 repeat tile repeat_interleave pad
    constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d _pad_circular clone contiguous to _to_copy type_as copy fill zero one_hot
    pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle tril triu meshgrid cartesian_prod
    dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout lift lift_fresh
    lift_fresh_copy empty_like zeros_like ones_like full_like rand_like randn_like randint_like new_empty
    new_zeros new_ones new_full bernoulli normal uniform random exponential multinomial
    _local_scalar_dense item set_ resize unfold_copy block_diag diag diag_embed combinations
    broadcast_tensors atleast_1d atleast_2d atleast_3d nonzero nonzero_numpy is_nonzero equal complex
    polar merge_writes _pack_padded_sequence _pad_packed_sequence max_unpool2d max_unpool3d result_type
    unique_consecutive _unique2 embedding_renorm tril_indices triu_indices _reshape_copy tensor_split
    squeeze_copy view_copy expand_copy permute_copy transpose_copy t_copy slice_copy select_copy""")
)
