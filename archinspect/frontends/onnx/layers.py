"""ONNX operators that may be layers of the language: convolutions, products, norms, pools, activations.

Where the language has exactly that layer and its weights are stored, a call is the layer; else an op on tensors with
the same cost (`docs/counting.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isclose, prod
from typing import Any

from ...ops import Cost, Op
from ...ops.linear import Linear
from ...ops.tensor import (
    Motion,
    TensorOp,
    einsum_macs,
    matmul,
    normalisation,
    pointwise,
    product,
    products,
    reduction,
    softmax,
)
from .site import Lowered, Site, Weight, each, exactly, rule, short
from .values import Tensor

# Convolution


def _padding(site: Site, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Padding before each axis, then after each."""
    n = len(kernel)
    mode = site.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(site.get("pads", [0] * (2 * n)))
    if mode == "VALID":
        return [0] * (2 * n)
    before, after = [], []
    for axis in range(n):
        size, step = site.x[2 + axis], stride[axis]
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        total = max(0, (-(-size // step) - 1) * step + extent - size)
        less, more = total // 2, total - total // 2
        before.append(less if mode == "SAME_UPPER" else more)
        after.append(more if mode == "SAME_UPPER" else less)
    return before + after


def _unless_zero(bias: Tensor | None) -> Tensor | None:
    """The bias, unless it is a constant of zeros, which exporters write where a layer has none."""
    if bias is None or bias.stored or bias.value is None or bias.value.any():
        return bias
    return None


def _convolution(site: Site, x: int, w: int, bias: int, **extra: int) -> Lowered:
    """A convolution of input `x` with weights `w`: the layer, where its padding is as the language can say it."""
    source, weight, added = site[x], site[w], _unless_zero(site[bias])
    assert source is not None
    assert weight is not None
    n = len(weight.shape) - 2
    kernel = list(weight.shape[2:])
    stride = list(site.get("strides", [1] * n))
    dilation = list(site.get("dilations", [1] * n))
    groups = site.get("group", 1)
    pads = _padding(site, kernel, stride, dilation)
    both = list(zip(pads[:n], pads[n:], strict=True))
    names = {"weight": w, "bias": bias, **extra}
    params = site.weights(**names)
    if weight.stored and (added is None or added.stored):
        padding: Any = None
        if all(before == after for before, after in both):
            padding = each(pads[:n])
        elif all(
            before == d * (k - 1) // 2 and before + after == d * (k - 1) and s == 1
            for (before, after), k, d, s in zip(both, kernel, dilation, stride, strict=True)
        ):
            padding = "same"
        op = None
        if padding is not None:
            op = exactly(
                f"conv{n}d",
                (source.shape,),
                site.y,
                out_channels=weight.shape[0],
                kernel_size=each(kernel),
                stride=each(stride),
                padding=padding,
                dilation=each(dilation),
                groups=groups,
                bias=added is not None,
            )
        if op is not None:
            return site.made(op, params, only=(x,))
    reads = [x, w, *([] if added is None else [bias])]
    op = products(
        f"conv{n}d",
        site.shapes(reads),
        site.results,
        prod(site.y) * prod(weight.shape[1:]),
        f"{product(weight.shape[1:])}×{product(site.y)}",
        category="convolution",
        bias=added is not None,
        kernel_size=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(pads),
        groups=groups,
    )
    return site.made(op, params, only=reads)


@rule("Conv", "FusedConv")
def _conv(site: Site) -> Lowered:
    if site.get("activation"):
        raise ValueError  # a convolution with an activation inside is two layers in one
    return _convolution(site, 0, 1, 2)


@rule("ConvInteger")
def _conv_integer(site: Site) -> Lowered:
    return _convolution(site, 0, 1, 9, weight_zero_point=3)


@rule("QLinearConv")
def _conv_quantised(site: Site) -> Lowered:
    lowered = _convolution(site, 0, 3, 8)
    lowered.weights += [(name, tensor, True) for name, tensor, _ in quantisation(site, (1, 2, 4, 5, 6, 7))]
    return lowered


def quantisation(site: Site, indices: Iterable[int]) -> list[Weight]:
    """Scales and zero points."""
    found: list[Weight] = []
    for index in indices:
        found += site.weights(**{site.formal(index): index})
    return [(name, tensor, True) for name, tensor, _ in found]


@rule("ConvTranspose")
def _conv_transpose(site: Site) -> Lowered:
    weight = site[1]
    assert weight is not None
    n = len(weight.shape) - 2
    kernel = list(weight.shape[2:])
    stride = list(site.get("strides", [1] * n))
    dilation = list(site.get("dilations", [1] * n))
    extra = list(site.get("output_padding", [0] * n))
    groups = site.get("group", 1)
    pads = list(site.get("pads", [0] * (2 * n)))
    if site.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER") or site.get("output_shape"):
        pads = []
        for axis in range(n):  # what the output's size leaves
            full = (
                (site.x[2 + axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 + extra[axis]
            )
            pads.append(full - site.y[2 + axis])
        pads = [p // 2 for p in pads] + [p - p // 2 for p in pads]
    params = site.weights(weight=1, bias=2)
    biased = _unless_zero(site[2]) is not None
    if weight.stored and (not biased or site.stored(2)) and pads[:n] == pads[n:]:
        op = exactly(
            f"conv_transpose{n}d",
            (site.x,),
            site.y,
            out_channels=weight.shape[1] * groups,
            kernel_size=each(kernel),
            stride=each(stride),
            padding=each(pads[:n]),
            output_padding=each(extra),
            groups=groups,
            bias=biased,
            dilation=each(dilation),
        )
        if op is not None:
            return site.made(op, params, only=(0,))
    plain = products(
        f"conv_transpose{n}d",
        site.shapes(),
        site.results,
        prod(site.x) * prod(weight.shape[1:]),
        f"{product(site.x)}×{product(weight.shape[1:])}",
        category="convolution",
        bias=biased,
        kernel_size=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(pads),
        groups=groups,
    )
    return site.made(plain, params)


@rule("DeformConv")
def _deform_conv(site: Site) -> Lowered:
    weight = site[1]
    assert weight is not None
    # The products of the convolution; each place that is read weighs four elements, and a mask weighs the result.
    read = prod(site.x[:2]) * prod(site.y[2:]) * prod(weight.shape[2:])
    op = products(
        "deform_conv2d",
        site.shapes(),
        site.results,
        prod(site.y) * prod(weight.shape[1:]),
        f"{product(site.y)}×{product(weight.shape[1:])}",
        category="convolution",
        bias=not site.absent(3),
        elementwise=(7 if site.absent(4) else 8) * read,
    )
    return site.made(op, site.weights(weight=1, bias=3))


# Linear layers and products of matrices


def _linear(site: Site, x: int, w: int, out: int, bias: int | None = None, **extra: int) -> Lowered:
    """A linear layer with stored weights."""
    op = Linear(out_features=out, bias=bias is not None)
    names = {"weight": w} if bias is None else {"weight": w, "bias": bias}
    return site.made(op, site.weights(**names, **extra), only=(x,))


@rule("MatMul", "MatMulInteger")
def _matmul(site: Site) -> Lowered:
    a, b = site[0], site[1]
    assert a is not None
    assert b is not None
    if b.stored and len(b.shape) == 2 and not a.stored and len(a.shape) > 1:
        return _linear(site, 0, 1, b.shape[1])
    return site.made(matmul("matmul", site.shapes((0, 1)), site.results, a.shape[-1]), only=(0, 1))


@rule("FusedMatMul", "TransposeMatMul")
def _fused_matmul(site: Site) -> Lowered:
    inner = site.x[-2] if site.get("transA") else site.x[-1]
    op = matmul("matmul", site.shapes((0, 1)), site.results, inner)
    return site.made(_scaled(op, prod(site.y) * (site.get("alpha", 1.0) != 1.0)), only=(0, 1))


@rule("QLinearMatMul")
def _matmul_quantised(site: Site) -> Lowered:
    b = site[3]
    assert b is not None
    scales = quantisation(site, (1, 2, 4, 5, 6, 7))
    if b.stored and len(b.shape) == 2 and len(site.x) > 1:
        lowered = _linear(site, 0, 3, b.shape[1])
        lowered.weights += scales
        return lowered
    return site.made(matmul("matmul", site.shapes((0, 3)), site.results, site.x[-1]), scales, only=(0, 3))


@rule("MatMulNBits", "MatMulBnb4")
def _matmul_packed(site: Site) -> Lowered:
    """A linear layer whose weights are packed in groups; the stored numbers are the packed bytes."""
    inner, out = site.get("K"), site.get("N")
    op = matmul("linear", (site.x, (out, inner)), site.results, inner)
    return site.made(
        op, [*site.weights(weight=1), *quantisation(site, range(2, len(site.call.inputs)))], only=(0,)
    )


@rule("Gemm")
def _gemm(site: Site) -> Lowered:
    b, c = site[1], site[2]
    assert b is not None
    inner = site.x[0] if site.get("transA", 0) else site.x[1]
    out = b.shape[0] if site.get("transB", 0) else b.shape[1]
    plain = site.get("alpha", 1.0) == 1.0 and (c is None or site.get("beta", 1.0) == 1.0)
    c = _unless_zero(c)
    row = c is None or (bool(c.stored) and c.shape in ((out,), (1, out)))
    if b.stored and plain and row and not site.get("transA", 0):
        return _linear(site, 0, 1, out, None if c is None else 2)
    op = matmul("addmm" if c is not None else "mm", site.shapes(), site.results, inner, bias=c is not None)
    scalings = (site.get("alpha", 1.0) != 1.0) + (c is not None and site.get("beta", 1.0) != 1.0)
    return site.made(_scaled(op, scalings * prod(site.y)))


def _scaled(op: TensorOp, multiplications: int) -> TensorOp:
    """The product with so many multiplications more."""
    if not multiplications or op.work is None:
        return op
    work = op.work + Cost(elementwise=multiplications)
    return TensorOp(op.type, op.category, op.operands, op.results, op.details, work, {}, op.motion)


@rule("Einsum")
def _einsum(site: Site) -> Lowered:
    equation = site.get("equation", "")
    macs, formula = einsum_macs(equation, site.shapes())
    return site.made(products("einsum", site.shapes(), site.results, macs, formula, equation=equation))


# Normalisation


@rule("BatchNormalization")
def _batch_norm(site: Site) -> Lowered:
    names = ("weight", "bias", "running_mean", "running_var")
    weights = site.weights(**{name: index for index, name in enumerate(names, 1)})
    if len(site.results) > 1 or len(weights) < 4 or site.get("training_mode", 0):
        raise ValueError  # as in training, or with statistics that are computed
    n = len(site.x) - 2
    op = exactly(f"batch_norm{max(n, 1)}d", (site.x,), site.y, eps=site.real("epsilon", 1e-5))
    if op is None:
        op = pointwise("batch_norm", site.shapes(), site.results, (2, 0), category="normalisation")
    return site.made(op, weights, only=(0,))


def _statistics(type: str, site: Site, groups: int, learnt: int, per: tuple[int, int] = (5, 2)) -> TensorOp:
    """A normalisation by each group's own statistics: operations per element and per group."""
    return normalisation(type, site.shapes(), site.results[:1], groups, per[0] + learnt, per[1])


@rule("LayerNormalization")
def _layer_norm(site: Site) -> Lowered:
    axis = site.get("axis", -1) % len(site.x)
    sizes = site.x[axis:]
    weights = site.weights(weight=1, bias=2)
    biased = not site.absent(2)
    if len(site.results) == 1 and len(weights) == 1 + biased and all(t.shape == sizes for _, t, _ in weights):
        op = exactly(
            "layer_norm",
            (site.x,),
            site.y,
            normalized_shape=None if len(sizes) == 1 and len(site.x) in (2, 3) else sizes,
            eps=site.real("epsilon", 1e-5),
            bias=biased,
        )
        if op is not None:
            return site.made(op, weights, only=(0,))
    learnt = 1 + biased
    return site.made(_statistics("layer_norm", site, prod(site.x) // max(1, prod(sizes)), learnt), weights)


@rule("RMSNormalization", "SimplifiedLayerNormalization")
def _rms_norm(site: Site) -> Lowered:
    axis = site.get("axis", -1) % len(site.x)
    sizes = site.x[axis:]
    weights = site.weights(weight=1)
    op = exactly("rms_norm", (site.x,), site.y, eps=site.real("epsilon", 1e-5))
    if op is not None and len(sizes) == 1 and weights:
        return site.made(op, weights, only=(0,))
    # n squares, n - 1 additions, a division, epsilon, a root, n divisions
    per_group = prod(site.x) // max(1, prod(sizes))
    return site.made(_statistics("rms_norm", site, per_group, 1, (3, 2)), weights)


@rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def _skip_layer_norm(site: Site) -> Lowered:
    """A sum of two tensors, and of a bias, and its normalisation."""
    simple = site.call.op.startswith("SkipSimplified")
    names = ("weight", "input_bias") if simple else ("weight", "bias", "input_bias")
    named = {name: index for index, name in enumerate(names, 2)}
    weights = site.weights(**named)
    rows = prod(site.x[:-1])
    additions = 1 + (not site.absent(named["input_bias"]))
    learnt = additions + 1 + (not simple and not site.absent(3))
    op = _statistics("rms_norm" if simple else "layer_norm", site, rows, learnt, (3, 2) if simple else (5, 2))
    return site.made(op, weights)


@rule("InstanceNormalization")
def _instance_norm(site: Site) -> Lowered:
    n = len(site.x) - 2
    weights = site.weights(weight=1, bias=2)
    eps = site.real("epsilon", 1e-5)
    op = exactly(f"instance_norm{n}d", (site.x,), site.y, eps=eps, affine=True) if len(weights) == 2 else None
    if op is not None:
        return site.made(op, weights, only=(0,))
    return site.made(_statistics("instance_norm", site, prod(site.x[:2]), 2), weights)


@rule("GroupNormalization", "GroupNorm")
def _group_norm(site: Site) -> Lowered:
    if site.call.op == "GroupNorm":
        raise ValueError  # ONNX Runtime's own, channels last and with an activation inside
    groups = site.get("num_groups")
    weights = site.weights(weight=1, bias=2)
    eps = site.real("epsilon", 1e-5)
    if len(weights) == 2 and weights[0][1].shape == site.x[1:2]:
        op = exactly("group_norm", (site.x,), site.y, num_groups=groups, eps=eps)
        if op is not None:
            return site.made(op, weights, only=(0,))
    return site.made(_statistics("group_norm", site, site.x[0] * groups, 2), weights)


@rule("LRN")
def _lrn(site: Site) -> Lowered:
    size = site.get("size")
    values = {"alpha": site.get("alpha", 1e-4), "beta": site.get("beta", 0.75), "k": site.get("bias", 1.0)}
    op = exactly(
        "local_response_norm",
        (site.x,),
        site.y,
        size=size,
        **{name: short(value) for name, value in values.items()},
    )
    if op is None:
        op = pointwise(
            "local_response_norm", site.shapes(), site.results, (size + 4, 0), category="normalisation"
        )
    return site.made(op)


@rule("MeanVarianceNormalization")
def _mean_variance(site: Site) -> Lowered:
    axes = site.get("axes", [0, 2, 3])
    groups = prod(site.x) // max(1, prod(site.x[axis] for axis in axes))
    return site.made(_statistics("mean_variance_normalization", site, groups, 0))


@rule("LpNormalization")
def _lp_norm(site: Site) -> Lowered:
    axis = site.get("axis", -1) % len(site.x)
    groups = prod(site.x) // max(1, site.x[axis])
    count = prod(site.x)
    euclidean = (
        site.get("p", 2) == 2
    )  # n squares, n - 1 additions, a root, n divisions; else no squares and no root
    work = Cost(elementwise=3 * count if euclidean else 2 * count - groups)
    motion = Motion("mix", (axis,))
    return site.made(
        TensorOp("normalize", "normalisation", site.shapes(), site.results, {"dim": axis}, work, {}, motion)
    )


# Pooling


@rule("MaxPool", "AveragePool", "LpPool")
def _pool(site: Site) -> Lowered:
    kernel = list(site.get("kernel_shape"))
    n = len(kernel)
    stride = list(site.get("strides", [1] * n))
    dilation = list(site.get("dilations", [1] * n))
    pads = _padding(site, kernel, stride, dilation)
    kind = {"MaxPool": "max_pool", "AveragePool": "avg_pool", "LpPool": "lp_pool"}[site.call.op]
    symmetric = pads[:n] == pads[n:]
    common = {
        "kernel_size": each(kernel),
        "stride": None if stride == kernel else each(stride),
        "padding": each(pads[:n]),
    }
    ceil_mode = bool(site.get("ceil_mode", 0))
    op = None
    if kind == "max_pool" and symmetric and len(site.results) == 1:
        op = exactly(
            f"max_pool{n}d", (site.x,), site.y, **common, dilation=each(dilation), ceil_mode=ceil_mode
        )
    elif kind == "avg_pool" and symmetric and max(dilation) == 1:
        padded = not any(pads) or bool(site.get("count_include_pad", 0))
        op = exactly(
            f"avg_pool{n}d", (site.x,), site.y, **common, ceil_mode=ceil_mode, count_include_pad=padded
        )
    if op is not None:
        return site.made(op)
    window, count = prod(kernel), prod(site.y)
    if kind == "max_pool":
        work = Cost(comparisons=count * (window - 1))
    elif kind == "avg_pool":
        work = Cost(elementwise=count * window)
    else:  # powers, additions, a root
        work = Cost(elementwise=2 * count * window)
    details = {"kernel_size": tuple(kernel), "stride": tuple(stride), "padding": tuple(pads)}
    return site.made(TensorOp(f"{kind}{n}d", "pooling", site.shapes(), site.results, details, work))


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(site: Site) -> Lowered:
    n = len(site.x) - 2
    kind = {"GlobalAveragePool": "adaptive_avg_pool", "GlobalMaxPool": "adaptive_max_pool"}.get(site.call.op)
    op = exactly(f"{kind}{n}d", (site.x,), site.y, output_size=each([1] * n)) if kind else None
    if op is None:
        dims = tuple(range(2, len(site.x)))
        per, last = {"adaptive_avg_pool": ((1, 0), 1), "adaptive_max_pool": ((0, 1), 0)}.get(
            kind or "", ((2, 0), 2)
        )
        op = reduction(
            kind or "lp_pool", site.shapes(), site.results, dims, per_input=per, per_result=last, keepdim=True
        )
    return site.made(op)


# Activations and arithmetic

#: layers of the language without attributes
_LAYERS = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "HardSwish": "hardswish",
    "Mish": "mish",
}
#: operator: PyTorch's name, operations and comparisons for each element of the result
_POINTWISE: dict[str, tuple[str, tuple[int, int]]] = {
    "Abs": ("abs", (0, 0)),
    "Acos": ("acos", (1, 0)),
    "Acosh": ("acosh", (1, 0)),
    "And": ("logical_and", (1, 0)),
    "Asin": ("asin", (1, 0)),
    "Asinh": ("asinh", (1, 0)),
    "Atan": ("atan", (1, 0)),
    "Atanh": ("atanh", (1, 0)),
    "BitShift": ("bitwise_shift", (1, 0)),
    "BitwiseAnd": ("bitwise_and", (1, 0)),
    "BitwiseNot": ("bitwise_not", (1, 0)),
    "BitwiseOr": ("bitwise_or", (1, 0)),
    "BitwiseXor": ("bitwise_xor", (1, 0)),
    "Ceil": ("ceil", (1, 0)),
    "Celu": ("celu", (4, 1)),
    "Cos": ("cos", (1, 0)),
    "Cosh": ("cosh", (1, 0)),
    "Div": ("div", (1, 0)),
    "Equal": ("eq", (0, 1)),
    "Erf": ("erf", (1, 0)),
    "Exp": ("exp", (1, 0)),
    "Floor": ("floor", (1, 0)),
    "Greater": ("gt", (0, 1)),
    "GreaterOrEqual": ("ge", (0, 1)),
    "HardSigmoid": ("hardsigmoid", (2, 2)),
    "IsInf": ("isinf", (0, 1)),
    "IsNaN": ("isnan", (0, 1)),
    "Less": ("lt", (0, 1)),
    "LessOrEqual": ("le", (0, 1)),
    "Log": ("log", (1, 0)),
    "Mod": ("remainder", (1, 0)),
    "Neg": ("neg", (0, 0)),
    "Not": ("logical_not", (1, 0)),
    "Or": ("logical_or", (1, 0)),
    "Pow": ("pow", (1, 0)),
    "QuickGelu": ("quick_gelu", (5, 0)),
    "Reciprocal": ("reciprocal", (1, 0)),
    "Round": ("round", (1, 0)),
    "Selu": ("selu", (4, 1)),
    "Shrink": ("hardshrink", (2, 2)),
    "Sign": ("sign", (0, 1)),
    "Sin": ("sin", (1, 0)),
    "Sinh": ("sinh", (1, 0)),
    "Softplus": ("softplus", (3, 1)),
    "Softsign": ("softsign", (2, 0)),
    "Sqrt": ("sqrt", (1, 0)),
    "Sub": ("sub", (1, 0)),
    "Tan": ("tan", (1, 0)),
    "ThresholdedRelu": ("threshold", (0, 1)),
    "Xor": ("logical_xor", (1, 0)),
    # Quantisation: a division, a rounding, an addition of the zero point and both limits; and back.
    "QuantizeLinear": ("quantize", (3, 2)),
    "DequantizeLinear": ("dequantize", (2, 0)),
}


@rule(*_LAYERS)
def _activation(site: Site) -> Lowered:
    op = exactly(_LAYERS[site.call.op], (site.x,), site.y)
    if op is None:
        raise ValueError
    return site.made(op, only=(0,))


@rule(*_POINTWISE)
def _pointwise(site: Site) -> Lowered:
    name, per_element = _POINTWISE[site.call.op]
    if site.call.op == "HardSigmoid" and isclose(site.get("alpha", 0.2), 1 / 6, rel_tol=1e-4):
        op = exactly("hardsigmoid", (site.x,), site.y)
        if op is not None:
            return site.made(op)
    if site.call.op in ("QuantizeLinear", "DequantizeLinear"):
        op = pointwise(name, site.shapes(), site.results, per_element)
        return site.made(op, quantisation(site, (1, 2)), only=(0, 1, 2))
    category = "activation" if name in _ACTIVATIONS else "elementwise"
    return site.made(pointwise(name, site.shapes(), site.results, per_element, category=category))


_ACTIVATIONS = frozenset(
    ("celu", "hardsigmoid", "quick_gelu", "selu", "hardshrink", "softplus", "softsign", "threshold")
)


@rule("LeakyRelu")
def _leaky_relu(site: Site) -> Lowered:
    op = exactly("leaky_relu", (site.x,), site.y, negative_slope=site.real("alpha", 0.01))
    return site.made(
        op or pointwise("leaky_relu", site.shapes(), site.results, (1, 1), category="activation")
    )


@rule("Elu")
def _elu(site: Site) -> Lowered:
    op = exactly("elu", (site.x,), site.y, alpha=site.real("alpha", 1.0))
    return site.made(op or pointwise("elu", site.shapes(), site.results, (3, 1), category="activation"))


@rule("PRelu")
def _prelu(site: Site) -> Lowered:
    slope = site[1]
    assert slope is not None
    weights = site.weights(weight=1)
    count = prod(slope.shape)
    # One slope, or one for each channel: (C, 1, 1).
    channels = count == 1 or (len(slope.shape) == len(site.x) - 1 and slope.shape[0] == count)
    op = exactly("prelu", (site.x,), site.y, num_parameters=count) if weights and channels else None
    if op is not None:
        return site.made(op, weights, only=(0,))
    return site.made(pointwise("prelu", site.shapes(), site.results, (1, 1), category="activation"), weights)


@rule("Gelu", "FastGelu", "BiasGelu")
def _gelu(site: Site) -> Lowered:
    tanh = site.call.op == "FastGelu" or site.get("approximate", "none") == "tanh"
    if site.call.op == "Gelu" or site.absent(1):
        op = exactly("gelu", (site.x,), site.y, approximate="tanh" if tanh else "none")
        if op is not None:
            return site.made(op, only=(0,))
    per_element = (14 if tanh else 6, 0)  # and the addition of the bias
    return site.made(
        pointwise("gelu", site.shapes(), site.results, per_element, category="activation"),
        site.weights(bias=1),
    )


@rule("Swish")
def _swish(site: Site) -> Lowered:
    plain = site.get("alpha", 1.0) == 1.0
    op = exactly("silu", (site.x,), site.y) if plain else None
    return site.made(op or pointwise("silu", site.shapes(), site.results, (5, 0), category="activation"))


@rule("Clip")
def _clip(site: Site) -> Lowered:
    if site.version >= 11:
        bounds = [site.numbers(1), site.numbers(2)]
        least, most = (value[0] if value else None for value in bounds)
        given = (not site.absent(1)) + (not site.absent(2))
    else:
        least, most = site.get("min"), site.get("max")
        given = (least is not None) + (most is not None)
    if least == 0 and most == 6:
        op = exactly("relu6", (site.x,), site.y)
        if op is not None:
            return site.made(op, only=(0,))
    return site.made(
        pointwise("clamp", site.shapes((0,)), site.results, (0, given), min=least, max=most), only=(0,)
    )


@rule("Softmax", "LogSoftmax", "Hardmax")
def _softmax(site: Site) -> Lowered:
    old = site.version < 13
    dim = site.get("axis", 1 if old else -1) % len(site.x)
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Hardmax": "hardmax"}[site.call.op]
    if old and prod(site.x[dim + 1 :]) > 1:
        # Before version 13 all dimensions from the axis on are one group.
        groups, count = prod(site.x[:dim]), prod(site.x)
        extra = groups if name == "log_softmax" else 0
        work = Cost(elementwise=4 * count - groups + extra, comparisons=count - groups)
        motion = Motion("mix", tuple(range(dim, len(site.x))))
        op: Op = TensorOp(name, "activation", site.shapes(), site.results, {"dim": dim}, work, {}, motion)
        return site.made(op)
    if name == "hardmax":
        count = prod(site.x)
        work = Cost(comparisons=count - count // max(1, site.x[dim]))
        return site.made(TensorOp(name, "activation", site.shapes(), site.results, {"dim": dim}, work))
    # The channels' dimension goes without saying, but of tokens, whose dimension 1 is no channels'.
    said = None if dim == 1 and len(site.x) != 3 else dim
    exact = exactly("softmax", (site.x,), site.y, dim=said) if name == "softmax" else None
    extra = 1 if name == "log_softmax" else 0
    return site.made(exact or softmax(name, site.shapes(), site.results, dim, extra=extra))
