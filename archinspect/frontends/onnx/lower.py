"""From a call of an ONNX operator to an op: the language's layer where it is exactly that, else an op on tensors.

Each rule takes a `Site` (one call with its tensors) and says which op it is, which of its inputs flow, and which of
the tensors that the file stores it reads as its parameters.  What has no rule is opaque: its shapes are known, its cost
is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isclose, prod
from typing import Any

import numpy as np

from ...errors import OpError
from ...ops import REGISTRY, Cost, Op, Shape, Shapes
from ...ops.linear import Linear
from ...ops.tensor import (
    Motion,
    TensorOp,
    attention,
    einsum_macs,
    matmul,
    moving,
    normalisation,
    opaque,
    pointwise,
    product,
    products,
    recurrent,
    reduction,
    softmax,
)
from .interpret import Call, Tensor

#: a parameter of a call: the op's name for it, the tensor, whether it is saved but not learnt
Weight = tuple[str, Tensor, bool]


@dataclass(eq=False)
class Lowered:
    """A call as a node will have it."""

    call: Call
    op: Op
    reads: list[Tensor]
    weights: list[Weight]
    #: the input in whose memory the output lies
    memory: Tensor | None = None
    outputs: list[Tensor] = field(default_factory=list)


class Site:
    """One call as the rules see it."""

    def __init__(self, call: Call, is_number: Callable[[Tensor], bool]) -> None:
        self.call = call
        self._is_number = is_number

    def __getitem__(self, index: int) -> Tensor | None:
        return self.call.input(index)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; text as text."""
        value = self.call.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def real(self, name: str, default: float) -> float:
        """An attribute as it was written before it became a number of 32 bits: 0.1, not 0.10000000149."""
        return _short(self.get(name, default))

    def numbers(self, index: int) -> list[Any] | None:
        """A constant input as a list of numbers."""
        value = self.call.constant(index)
        return None if value is None else [number.item() for number in np.ravel(value)]

    def axes(self, index: int = 1) -> list[int] | None:
        """`axes`, which older operators have as an attribute and newer ones as an input; None where not given."""
        given = self.get("axes")
        return list(given) if given is not None else self.numbers(index)

    @property
    def version(self) -> int:
        return self.call.version

    @property
    def x(self) -> Shape:
        """Shape of the first input."""
        first = self[0]
        return first.shape if first is not None else ()

    @property
    def outputs(self) -> list[Tensor]:
        return [tensor for tensor in self.call.outputs if tensor is not None]

    @property
    def results(self) -> Shapes:
        return tuple(tensor.shape for tensor in self.outputs)

    @property
    def y(self) -> Shape:
        """Shape of the first output."""
        return self.results[0] if self.results else ()

    def shapes(self, indices: Iterable[int] | None = None) -> Shapes:
        """Shapes of the inputs, or of some of them; absent ones left out."""
        picked = range(len(self.call.inputs)) if indices is None else indices
        return tuple(tensor.shape for tensor in map(self.__getitem__, picked) if tensor is not None)

    def stored(self, *indices: int) -> bool:
        """Whether all of these inputs are there and are stored tensors."""
        tensors = [self[index] for index in indices]
        return all(tensor is not None and bool(tensor.stored) for tensor in tensors)

    def absent(self, index: int) -> bool:
        return self[index] is None

    def weights(self, **indices: int) -> list[Weight]:
        """Stored inputs by the op's names for them; those that are absent or flow are left out."""
        found: list[Weight] = []
        for name, index in indices.items():
            tensor = self[index]
            if tensor is not None and tensor.stored:
                found.append((name, tensor, name.startswith("running_")))
        return found

    def made(
        self,
        op: Op,
        weights: list[Weight] | None = None,
        *,
        only: Iterable[int] | None = None,
        memory: Tensor | None = None,
    ) -> Lowered:
        """The result.  `only` are the inputs that matter, where others just say sizes.

        Unless `weights` says which they are, parameters are the stored numbers among the inputs.
        """
        picked = list(range(len(self.call.inputs)) if only is None else only)
        reads = [
            tensor for tensor in map(self.__getitem__, picked) if tensor is not None and not tensor.stored
        ]
        if weights is None:
            weights = []
            for index in picked:
                tensor = self[index]
                if tensor is not None and tensor.stored and self._is_number(tensor):
                    weights.append((self._formal(index), tensor, False))
        return Lowered(self.call, op, reads, weights, memory, self.outputs)

    def _formal(self, index: int) -> str:
        """What the operator's schema calls an input; numbered where it takes any number of them."""
        formals = self.call.formals
        if index < len(formals) - 1 or (index < len(formals) and len(self.call.inputs) <= len(formals)):
            return formals[index].lower()
        return f"input_{index}"


Rule = Callable[[Site], Lowered]
RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return enter


def lower(call: Call, is_number: Callable[[Tensor], bool]) -> Lowered:
    """What the call is.  `is_number` says which stored tensors count as parameters where a rule does not say it."""
    site = Site(call, is_number)
    rule = RULES.get(call.op) if call.domain in ("", "com.microsoft") and site.results else None
    if rule is not None:
        try:
            lowered = rule(site)
        except (IndexError, KeyError, OpError, TypeError, ValueError, ZeroDivisionError, AssertionError):
            pass  # a form of the operator that has no rule, or attributes that its schema lets pass and make no sense
        else:
            if all(tensor is None or tensor.known for tensor in (*call.inputs, *call.outputs)):
                return lowered
            lowered.op = opaque(lowered.op.type, site.shapes(), site.results)
            return lowered
    return site.made(opaque(_snake(call.op), site.shapes(), site.results, **_shown(call)))


def exactly(type: str, inputs: Shapes, output: Shape, **attributes: Any) -> Op | None:
    """The language's layer with these attributes, if there is one that makes this shape of these inputs."""
    family = REGISTRY.get(type)
    if family is None:
        return None
    try:
        op = family.of(**attributes)
        return op if op.shape(inputs) == output else None
    except (OpError, TypeError):
        return None


def _shown(call: Call) -> dict[str, Any]:
    """Attributes that are short enough to read."""
    found = {}
    for name, value in call.attributes.items():
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(value, (int, float, str)) or (isinstance(value, list) and len(value) <= 8):
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _snake(name: str) -> str:
    """`ReduceLogSumExp` as `reduce_log_sum_exp`; of a name that is no word only what can be read."""
    text = "".join(
        "_" + c.lower() if c.isupper() and i and not name[i - 1].isupper() else c.lower()
        for i, c in enumerate(name)
    )
    return "".join(c if c.isalnum() or c == "_" else "_" for c in text)[:60]


def _each(values: Sequence[int]) -> int | tuple[int, ...]:
    """Sizes as the language writes them: one number for one dimension."""
    return values[0] if len(values) == 1 else tuple(values)


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
            padding = _each(pads[:n])
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
                kernel_size=_each(kernel),
                stride=_each(stride),
                padding=padding,
                dilation=_each(dilation),
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


@_rule("Conv", "FusedConv")
def _conv(site: Site) -> Lowered:
    if site.get("activation"):
        raise ValueError  # a convolution with an activation inside is two layers in one
    return _convolution(site, 0, 1, 2)


@_rule("ConvInteger")
def _conv_integer(site: Site) -> Lowered:
    return _convolution(site, 0, 1, 9, weight_zero_point=3)


@_rule("QLinearConv")
def _conv_quantised(site: Site) -> Lowered:
    lowered = _convolution(site, 0, 3, 8)
    lowered.weights += [(name, tensor, True) for name, tensor, _ in _quantisation(site, (1, 2, 4, 5, 6, 7))]
    return lowered


def _quantisation(site: Site, indices: Iterable[int]) -> list[Weight]:
    """Scales and zero points."""
    found: list[Weight] = []
    for index in indices:
        found += site.weights(**{site._formal(index): index})
    return [(name, tensor, True) for name, tensor, _ in found]


@_rule("ConvTranspose")
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
            kernel_size=_each(kernel),
            stride=_each(stride),
            padding=_each(pads[:n]),
            output_padding=_each(extra),
            groups=groups,
            bias=biased,
            dilation=_each(dilation),
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


@_rule("DeformConv")
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


@_rule("MatMul", "MatMulInteger")
def _matmul(site: Site) -> Lowered:
    a, b = site[0], site[1]
    assert a is not None
    assert b is not None
    if b.stored and len(b.shape) == 2 and not a.stored and len(a.shape) > 1:
        return _linear(site, 0, 1, b.shape[1])
    return site.made(matmul("matmul", site.shapes((0, 1)), site.results, a.shape[-1]), only=(0, 1))


@_rule("FusedMatMul", "TransposeMatMul")
def _fused_matmul(site: Site) -> Lowered:
    inner = site.x[-2] if site.get("transA") else site.x[-1]
    op = matmul("matmul", site.shapes((0, 1)), site.results, inner)
    return site.made(_scaled(op, prod(site.y) * (site.get("alpha", 1.0) != 1.0)), only=(0, 1))


@_rule("QLinearMatMul")
def _matmul_quantised(site: Site) -> Lowered:
    b = site[3]
    assert b is not None
    scales = _quantisation(site, (1, 2, 4, 5, 6, 7))
    if b.stored and len(b.shape) == 2 and len(site.x) > 1:
        lowered = _linear(site, 0, 3, b.shape[1])
        lowered.weights += scales
        return lowered
    return site.made(matmul("matmul", site.shapes((0, 3)), site.results, site.x[-1]), scales, only=(0, 3))


@_rule("MatMulNBits", "MatMulBnb4")
def _matmul_packed(site: Site) -> Lowered:
    """A linear layer whose weights are packed in groups; the stored numbers are the packed bytes."""
    inner, out = site.get("K"), site.get("N")
    op = matmul("linear", (site.x, (out, inner)), site.results, inner)
    return site.made(
        op, [*site.weights(weight=1), *_quantisation(site, range(2, len(site.call.inputs)))], only=(0,)
    )


@_rule("Gemm")
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


@_rule("Einsum")
def _einsum(site: Site) -> Lowered:
    equation = site.get("equation", "")
    macs, formula = einsum_macs(equation, site.shapes())
    return site.made(products("einsum", site.shapes(), site.results, macs, formula, equation=equation))


# Normalisation


@_rule("BatchNormalization")
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


@_rule("LayerNormalization")
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


@_rule("RMSNormalization", "SimplifiedLayerNormalization")
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


@_rule("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
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


@_rule("InstanceNormalization")
def _instance_norm(site: Site) -> Lowered:
    n = len(site.x) - 2
    weights = site.weights(weight=1, bias=2)
    eps = site.real("epsilon", 1e-5)
    op = exactly(f"instance_norm{n}d", (site.x,), site.y, eps=eps, affine=True) if len(weights) == 2 else None
    if op is not None:
        return site.made(op, weights, only=(0,))
    return site.made(_statistics("instance_norm", site, prod(site.x[:2]), 2), weights)


@_rule("GroupNormalization", "GroupNorm")
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


@_rule("LRN")
def _lrn(site: Site) -> Lowered:
    size = site.get("size")
    values = {"alpha": site.get("alpha", 1e-4), "beta": site.get("beta", 0.75), "k": site.get("bias", 1.0)}
    op = exactly(
        "local_response_norm",
        (site.x,),
        site.y,
        size=size,
        **{name: _short(value) for name, value in values.items()},
    )
    if op is None:
        op = pointwise(
            "local_response_norm", site.shapes(), site.results, (size + 4, 0), category="normalisation"
        )
    return site.made(op)


@_rule("MeanVarianceNormalization")
def _mean_variance(site: Site) -> Lowered:
    axes = site.get("axes", [0, 2, 3])
    groups = prod(site.x) // max(1, prod(site.x[axis] for axis in axes))
    return site.made(_statistics("mean_variance_normalization", site, groups, 0))


@_rule("LpNormalization")
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


@_rule("MaxPool", "AveragePool", "LpPool")
def _pool(site: Site) -> Lowered:
    kernel = list(site.get("kernel_shape"))
    n = len(kernel)
    stride = list(site.get("strides", [1] * n))
    dilation = list(site.get("dilations", [1] * n))
    pads = _padding(site, kernel, stride, dilation)
    kind = {"MaxPool": "max_pool", "AveragePool": "avg_pool", "LpPool": "lp_pool"}[site.call.op]
    symmetric = pads[:n] == pads[n:]
    common = {"kernel_size": _each(kernel), "stride": _each(stride), "padding": _each(pads[:n])}
    ceil_mode = bool(site.get("ceil_mode", 0))
    op = None
    if kind == "max_pool" and symmetric and len(site.results) == 1:
        op = exactly(
            f"max_pool{n}d", (site.x,), site.y, **common, dilation=_each(dilation), ceil_mode=ceil_mode
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


@_rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(site: Site) -> Lowered:
    n = len(site.x) - 2
    kind = {"GlobalAveragePool": "adaptive_avg_pool", "GlobalMaxPool": "adaptive_max_pool"}.get(site.call.op)
    op = exactly(f"{kind}{n}d", (site.x,), site.y, output_size=_each([1] * n)) if kind else None
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


@_rule(*_LAYERS)
def _activation(site: Site) -> Lowered:
    op = exactly(_LAYERS[site.call.op], (site.x,), site.y)
    if op is None:
        raise ValueError
    return site.made(op, only=(0,))


@_rule(*_POINTWISE)
def _pointwise(site: Site) -> Lowered:
    name, per_element = _POINTWISE[site.call.op]
    if site.call.op == "HardSigmoid" and isclose(site.get("alpha", 0.2), 1 / 6, rel_tol=1e-4):
        op = exactly("hardsigmoid", (site.x,), site.y)
        if op is not None:
            return site.made(op)
    if site.call.op in ("QuantizeLinear", "DequantizeLinear"):
        op = pointwise(name, site.shapes(), site.results, per_element)
        return site.made(op, _quantisation(site, (1, 2)), only=(0, 1, 2))
    category = "activation" if name in _ACTIVATIONS else "elementwise"
    return site.made(pointwise(name, site.shapes(), site.results, per_element, category=category))


_ACTIVATIONS = frozenset(
    ("celu", "hardsigmoid", "quick_gelu", "selu", "hardshrink", "softplus", "softsign", "threshold")
)


@_rule("LeakyRelu")
def _leaky_relu(site: Site) -> Lowered:
    op = exactly("leaky_relu", (site.x,), site.y, negative_slope=site.real("alpha", 0.01))
    return site.made(
        op or pointwise("leaky_relu", site.shapes(), site.results, (1, 1), category="activation")
    )


@_rule("Elu")
def _elu(site: Site) -> Lowered:
    op = exactly("elu", (site.x,), site.y, alpha=site.real("alpha", 1.0))
    return site.made(op or pointwise("elu", site.shapes(), site.results, (3, 1), category="activation"))


@_rule("PRelu")
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


@_rule("Gelu", "FastGelu", "BiasGelu")
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


@_rule("Swish")
def _swish(site: Site) -> Lowered:
    plain = site.get("alpha", 1.0) == 1.0
    op = exactly("silu", (site.x,), site.y) if plain else None
    return site.made(op or pointwise("silu", site.shapes(), site.results, (5, 0), category="activation"))


@_rule("Clip")
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


@_rule("Softmax", "LogSoftmax", "Hardmax")
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
    exact = exactly("softmax", (site.x,), site.y, dim=dim) if name == "softmax" else None
    extra = 1 if name == "log_softmax" else 0
    return site.made(exact or softmax(name, site.shapes(), site.results, dim, extra=extra))


@_rule("Add", "Mul", "Sum", "Mean", "Max", "Min")
def _join(site: Site) -> Lowered:
    kind = site.call.op
    tensors = [tensor for tensor in site.call.inputs if tensor is not None]
    flows = all(tensor.flows for tensor in tensors)
    layer = {"Add": "add", "Sum": "add", "Mul": "multiply"}.get(kind)
    if layer and flows and len(tensors) > 1:
        op = exactly(layer, site.shapes(), site.y)
        if op is not None:
            return site.made(op)
    name = {"Add": "add", "Sum": "add", "Mul": "mul", "Mean": "mean", "Max": "maximum", "Min": "minimum"}[
        kind
    ]
    steps = len(tensors) - 1
    if kind in ("Max", "Min"):
        return site.made(pointwise(name, site.shapes(), site.results, (0, steps)))
    return site.made(pointwise(name, site.shapes(), site.results, (steps + (kind == "Mean"), 0)))


@_rule("SwiGLU")
def _swiglu(site: Site) -> Lowered:
    return site.made(pointwise("swiglu", site.shapes(), site.results, (5, 0), category="activation"))


# Reductions

#: operator: PyTorch's name, operations and comparisons for each element but the first of a group, and for each group
_REDUCTIONS: dict[str, tuple[str, tuple[int, int], int]] = {
    "ReduceMean": ("mean", (1, 0), 1),
    "ReduceSum": ("sum", (1, 0), 0),
    "ReduceMax": ("amax", (0, 1), 0),
    "ReduceMin": ("amin", (0, 1), 0),
    "ReduceProd": ("prod", (1, 0), 0),
    "ReduceL1": ("norm", (1, 0), 0),
    "ReduceL2": ("linalg_vector_norm", (2, 0), 2),
    "ReduceSumSquare": ("sum_of_squares", (2, 0), 1),
    "ReduceLogSum": ("log_sum", (1, 0), 1),
    "ReduceLogSumExp": ("logsumexp", (3, 1), 4),
    "ArgMax": ("argmax", (0, 1), 0),
    "ArgMin": ("argmin", (0, 1), 0),
}


@_rule(*_REDUCTIONS)
def _reduce(site: Site) -> Lowered:
    name, per_input, per_result = _REDUCTIONS[site.call.op]
    rank = len(site.x)
    if site.call.op.startswith("Arg"):
        axes: list[int] = [site.get("axis", 0)]
    else:
        given = site.axes()
        if not given and site.get("noop_with_empty_axes", 0):
            return site.made(pointwise(name, site.shapes((0,)), site.results, (0, 0)), only=(0,))
        axes = given or list(range(rank))
    dims = tuple(sorted({axis % rank for axis in axes})) if rank else ()
    op = reduction(
        name,
        site.shapes((0,)),
        site.results,
        dims,
        per_input=per_input,
        per_result=per_result,
        keepdim=bool(site.get("keepdims", 1)),
        dim=dims,
    )
    return site.made(op, only=(0,))


@_rule("CumSum", "CumProd")
def _cumulative(site: Site) -> Lowered:
    axis = (site.numbers(1) or [0])[0] % max(1, len(site.x))
    count = prod(site.x)
    work = Cost(elementwise=count - count // max(1, site.x[axis] if site.x else 1))
    name = site.call.op.lower()
    motion = Motion("mix", (axis,))
    return site.made(
        TensorOp(name, "reduction", site.shapes((0,)), site.results, {"dim": axis}, work, {}, motion),
        only=(0,),
    )


@_rule("TopK")
def _top_k(site: Site) -> Lowered:
    """The k largest of n: n·⌈log₂ (k + 1)⌉ comparisons, those of a heap."""
    axis = site.get("axis", -1) % len(site.x)
    depth = min(site.x[axis], site.y[axis] + 1)
    work = Cost(comparisons=prod(site.x) * max(0, depth - 1).bit_length())
    op = TensorOp(
        "topk", "reduction", site.shapes((0,)), site.results, {"dim": axis}, work, {}, Motion("mix", (axis,))
    )
    return site.made(op, only=(0,))


# What moves data


@_rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _view(site: Site) -> Lowered:
    """Another shape of the same memory."""
    x, y = site.x, site.y
    source = site[0]
    op: Op | None = None
    for start in (1, 2) if len(y) < len(x) else ():
        op = op or exactly("flatten", (x,), y, start_dim=start)
    if op is None:
        name = {"Reshape": "view", "Flatten": "flatten"}.get(site.call.op, site.call.op.lower())
        op = moving(name, (x,), site.results, Motion("reshape"), aliases=True, shape=y)
    return site.made(op, only=(0,), memory=source)


@_rule("Dropout")
def _dropout(site: Site) -> Lowered:
    ratio = site.get("ratio", 0.5) if site.version < 12 else (site.numbers(1) or [0.5])[0]
    if len(site.results) == 1:
        op = exactly("dropout", (site.x,), site.y, p=_short(ratio))
        if op is not None:
            return site.made(op, only=(0,), memory=site[0])
    return site.made(moving("dropout", site.shapes((0,)), site.results, Motion("pointwise")), only=(0,))


@_rule("Transpose")
def _transpose(site: Site) -> Lowered:
    dims = tuple(site.get("perm", reversed(range(len(site.x)))))
    op = exactly("permute", (site.x,), site.y, dims=dims) if dims[:1] == (0,) else None
    moved = moving("permute", site.shapes(), site.results, Motion("permute", dims), dims=dims)
    # Here it is a copy; the language's permute is a view.
    return site.made(moved if op is None else op, memory=None if op is None else site[0])


@_rule("Concat")
def _concat(site: Site) -> Lowered:
    axis = site.get("axis", 1) % max(1, len(site.y))
    tensors = [tensor for tensor in site.call.inputs if tensor is not None]
    flows = all(tensor.flows for tensor in tensors)
    op = exactly("concat", site.shapes(), site.y) if axis == 1 and flows and len(tensors) > 1 else None
    return site.made(op or moving("cat", site.shapes(), site.results, Motion("unknown"), dim=axis))


@_rule("Slice")
def _slice(site: Site) -> Lowered:
    x, y = site.x, site.y
    changed = [axis for axis, (a, b) in enumerate(zip(x, y, strict=True)) if a != b]
    starts = site.get("starts") or site.numbers(1)
    axes = site.get("axes") or site.numbers(3) or list(range(len(starts or ())))
    steps = site.numbers(4) or [1] * len(axes)
    if changed == [1] and starts is not None and set(steps) == {1}:
        start = next(s for s, axis in zip(starts, axes, strict=True) if axis % len(x) == 1)
        start = max(0, start + x[1]) if start < 0 else start
        op = exactly("slice_channels", (x,), y, start=start, stop=start + y[1])
        if op is not None:
            return site.made(op, only=(0,), memory=site[0])
    return site.made(
        moving("slice", site.shapes((0,)), site.results, Motion("unknown"), dims=tuple(changed)), only=(0,)
    )


@_rule("Gather")
def _gather(site: Site) -> Lowered:
    data, indices = site[0], site[1]
    assert data is not None
    assert indices is not None
    axis = site.get("axis", 0) % max(1, len(data.shape))
    if data.stored and axis == 0 and len(data.shape) == 2 and not indices.stored and indices.value is None:
        op = exactly(
            "embedding", (indices.shape,), site.y, num_embeddings=data.shape[0], embedding_dim=data.shape[1]
        )
        moved = moving("embedding", site.shapes(), site.results, Motion("unknown"))
        return site.made(op or moved, site.weights(weight=0), only=(1,))
    if not indices.shape:
        index = (site.numbers(1) or [None])[0]
        dims = tuple(d for d in range(len(data.shape)) if d != axis)
        motion = Motion("permute", dims)
        return site.made(moving("select", site.shapes((0,)), site.results, motion, dim=axis, index=index))
    return site.made(moving("index_select", site.shapes(), site.results, Motion("unknown"), dim=axis))


@_rule("Pad")
def _pad(site: Site) -> Lowered:
    rank = len(site.x)
    pads = list(site.get("pads") or site.get("paddings") or site.numbers(1) or [])
    axes = site.numbers(3)
    if axes is not None and not site.absent(3):
        full = [0] * (2 * rank)
        for place, axis in enumerate(axes):
            full[axis % rank], full[rank + axis % rank] = pads[place], pads[len(axes) + place]
        pads = full
    value = site.get("value", 0.0) if site.version < 11 else (site.numbers(2) or [0.0])[0]
    mode = site.get("mode", "constant")
    op = None
    if len(pads) == 2 * rank == 8 and mode == "constant" and value == 0 and min(pads) >= 0:
        channels, spatial = (pads[1], pads[5]), (pads[3], pads[7], pads[2], pads[6])
        if not any((pads[0], pads[4], *channels)):
            op = exactly("zero_pad2d", (site.x,), site.y, padding=spatial)
        elif not any((pads[0], pads[4], *spatial)):
            op = exactly("pad_channels", (site.x,), site.y, before=channels[0], after=channels[1])
    moved = moving("pad", site.shapes((0,)), site.results, Motion("unknown"), pad=tuple(pads), mode=mode)
    return site.made(op or moved, only=(0,))


@_rule("Resize", "Upsample")
def _resize(site: Site) -> Lowered:
    mode = {"linear": "bilinear"}.get(site.get("mode", "nearest"), site.get("mode", "nearest"))
    changed = [axis for axis, (a, b) in enumerate(zip(site.x, site.y, strict=True)) if a != b]
    layout = site.get(
        "coordinate_transformation_mode", "half_pixel" if site.call.op == "Resize" else "asymmetric"
    )
    if len(site.x) == 4 and set(changed) <= {2, 3} and mode in ("nearest", "bilinear"):
        aligned = True if layout == "align_corners" and mode == "bilinear" else None
        factors = [b / a for a, b in zip(site.x[2:], site.y[2:], strict=True)]
        whole = factors[0] == factors[1] and factors[0].is_integer()
        size: dict[str, Any] = {"scale_factor": factors[0]} if whole else {"size": site.y[2:]}
        op = exactly("upsample", (site.x,), site.y, **size, mode=mode, align_corners=aligned)
        if op is not None:
            return site.made(op, only=(0,))
    # Weighted sums of the neighbours: as many products as neighbours, one addition fewer.
    neighbours = {"nearest": 1, "cubic": 4 ** len(changed)}.get(mode, 2 ** len(changed))
    work = Cost(elementwise=(2 * neighbours - 1) * prod(site.y)) if neighbours > 1 else Cost()
    details = {"size": site.y, "mode": mode}
    return site.made(
        TensorOp("interpolate", "shape", site.shapes((0,)), site.results, details, work), only=(0,)
    )


@_rule("DepthToSpace", "SpaceToDepth")
def _depth_to_space(site: Site) -> Lowered:
    factor = site.get("blocksize")
    if site.call.op == "DepthToSpace" and site.get("mode", "DCR") == "CRD":
        op = exactly("pixel_shuffle", (site.x,), site.y, upscale_factor=factor)
        if op is not None:
            return site.made(op)
    name = "pixel_shuffle" if site.call.op == "DepthToSpace" else "pixel_unshuffle"
    return site.made(moving(name, site.shapes(), site.results, Motion("unknown"), factor=factor))


#: what moves data in other ways, or makes it: PyTorch's name, and the inputs that are data (all, unless given)
_MOVING: dict[str, tuple[str, tuple[int, ...] | None]] = {
    "Cast": ("to", (0,)),
    "CastLike": ("to", (0,)),
    "Identity": ("identity", (0,)),
    "Expand": ("expand", (0,)),
    "Tile": ("repeat", (0,)),
    "Split": ("split", (0,)),
    "GatherElements": ("gather", None),
    "GatherND": ("index", None),
    "ScatterElements": ("scatter", None),
    "Scatter": ("scatter", None),
    "ScatterND": ("index_put", None),
    "TensorScatter": ("index_copy", None),
    "Trilu": ("tril", (0,)),
    "OneHot": ("one_hot", (0,)),
    "ReverseSequence": ("flip", None),
    "Compress": ("masked_select", None),
    "NonZero": ("nonzero", None),
    "Shape": ("shape", None),
    "Size": ("numel", None),
    "ConstantOfShape": ("full", ()),
    "Range": ("arange", ()),
    "EyeLike": ("eye", ()),
    "Where": ("where", None),
    "CenterCropPad": ("pad", (0,)),
    "BitCast": ("view", (0,)),
    "MaxUnpool": ("max_unpool", None),
    "Col2Im": ("fold", None),
}
_MOTIONS = {"Cast": Motion("pointwise"), "CastLike": Motion("pointwise"), "Identity": Motion("pointwise")}
_MOTIONS |= {"Expand": Motion("pointwise"), "Trilu": Motion("pointwise")}


@_rule(*_MOVING)
def _moving(site: Site) -> Lowered:
    name, only = _MOVING[site.call.op]
    motion = _MOTIONS.get(site.call.op, Motion("unknown"))
    return site.made(moving(name, site.shapes(only), site.results, motion), only=only)


@_rule("RotaryEmbedding")
def _rotary(site: Site) -> Lowered:
    # Each element is multiplied by a cosine, its partner by a sine, and both are added.
    size = site.get("rotary_embedding_dim", 0) or site.x[-1]
    count = prod(site.x[:-1]) * min(size, site.x[-1])
    op = TensorOp(
        "rotary_embedding", "elementwise", site.shapes(), site.results, {}, Cost(elementwise=3 * count)
    )
    return site.made(op)


@_rule("GridSample")
def _grid_sample(site: Site) -> Lowered:
    mode = site.get("mode", "linear")
    n = len(site.x) - 2
    neighbours = 1 if mode == "nearest" else 4**n if "cubic" in mode else 2**n
    work = Cost(elementwise=(2 * neighbours - 1) * prod(site.y) if neighbours > 1 else 0)
    return site.made(TensorOp("grid_sample", "shape", site.shapes(), site.results, {"mode": mode}, work))


@_rule("RoiAlign")
def _roi_align(site: Site) -> Lowered:
    ratio = site.get("sampling_ratio", 0)
    if ratio < 1:
        raise ValueError  # as many samples as a box is large
    # Each sample is a bilinear interpolation; those of a bin are averaged.
    samples = prod(site.y) * ratio * ratio
    op = TensorOp("roi_align", "pooling", site.shapes(), site.results, {}, Cost(elementwise=8 * samples))
    return site.made(op)


# Attention and recurrent layers


@_rule("Attention", "MultiHeadAttention")
def _attention(site: Site) -> Lowered:
    if site.call.domain == "com.microsoft" or len(site.results) > 3:
        raise ValueError
    query, key, value = (tensor.shape if tensor is not None else () for tensor in (site[0], site[1], site[2]))
    if len(query) == 3:
        heads, shared = site.get("q_num_heads"), site.get("kv_num_heads")
        query = (query[0], heads, query[1], query[2] // heads)
        key = (key[0], shared, key[1], key[2] // shared)
        value = (value[0], shared, value[1], value[2] // shared)
    if len(query) != 4:
        raise ValueError
    past = site[4]
    if past is not None:
        key = (*key[:2], key[2] + past.shape[2], key[3])
        value = (*value[:2], key[2], value[3])
    result = (*query[:3], value[3])
    causal = bool(site.get("is_causal", 0))
    op = attention(
        "scaled_dot_product_attention",
        site.shapes(),
        (result,),
        query,
        key,
        value,
        mask=not site.absent(3),
        causal=causal,
    )
    work = op.work
    if site.get("softcap", 0.0) and work is not None:  # a division, a tanh, a product for each score
        work += Cost(elementwise=7 * prod(query[:3]) * key[2])
    named = TensorOp(
        op.type, op.category, op.operands, site.results, op.details, work, op.formulas, op.motion
    )
    return site.made(named)


@_rule("LSTM", "GRU", "RNN")
def _recurrent(site: Site) -> Lowered:
    weight, inner = site[1], site[2]
    assert weight is not None
    assert inner is not None
    if not site.absent(7):
        raise ValueError  # peepholes
    kind = site.call.op.lower()
    if kind == "rnn":
        kind = "rnn_relu" if b"Relu" in site.call.attributes.get("activations", ()) else "rnn_tanh"
    biases = [(weight.shape[1],)] * (0 if site.absent(3) else 2)
    matrices = [weight.shape[1:], inner.shape[1:], *biases] * weight.shape[0]
    op = recurrent(
        kind,
        site.shapes((0, 1, 2, 3)),
        site.results,
        prod(site.x[:2]),
        matrices,
        hidden_size=inner.shape[2],
        directions=weight.shape[0],
    )
    # States that are constants, as torch's exporter writes zeros, are no parameters.
    lowered = site.made(op, site.weights(weight_ih=1, weight_hh=2, bias=3), only=(0, 5, 6))
    lowered.reads += [tensor for tensor in (weight, inner) if not tensor.stored]
    return lowered


def fuse_biases(rows: Sequence[Lowered]) -> list[Lowered]:
    """Products with stored matrices whose only reader adds a stored row, each as one linear layer with a bias."""
    linear: dict[int, Lowered] = {}
    kept: list[Lowered] = []
    for row in rows:
        product = _product_before(row, linear)
        if product is None:
            kept.append(row)
            if isinstance(row.op, Linear) and not row.op.bias and row.outputs:
                linear[id(row.outputs[0])] = row
            continue
        row_of_bias = next(tensor for tensor in row.call.inputs if tensor is not None and tensor.stored)
        product.op = Linear(out_features=product.op.out_features, bias=True)  # type: ignore[attr-defined]
        product.weights = [*product.weights, ("bias", row_of_bias, False)]
        product.outputs = row.outputs
        # The sum is what torch's exporter names after the layer.
        product.call.metadata = product.call.metadata or row.call.metadata
    return kept


def _product_before(row: Lowered, linear: dict[int, Lowered]) -> Lowered | None:
    """The linear layer that the call adds a stored row to, and that nothing else reads."""
    if row.call.op != "Add" or row.call.domain or len(row.call.inputs) != 2:
        return None
    for made, bias in (row.call.inputs, row.call.inputs[::-1]):
        if made is None or bias is None or made.readers != 1 or not bias.stored:
            continue
        found = linear.get(id(made))
        if found is not None and bias.shape == made.shape[-1:] and row.outputs[0].shape == made.shape:
            return found
    return None
