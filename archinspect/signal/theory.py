"""How large a signal and its gradient are expected to be, in closed form: the recursions of Glorot and He.

Each layer maps mean and second moment of what it reads to those of what it puts out, and the second moment of the
gradient back again.  A layer of n products with weights of mean 0 gives n·E[w²]·E[x²] + E[b²] (Glorot & Bengio 2010,
equation 5; He et al. 2015, arXiv:1502.01852, equation 7), whatever the mean of x is.  An activation's moments are those
under a normal distribution.  A residual addition adds the moments of its branches.

The recursions assume wide layers, weights that are independent of their inputs, and equal moments of all elements.
Where a layer breaks that (a maximum over neighbours, an average of correlated ones, a gate, attention) the theory has
no figure; it starts again behind that layer from what was measured there.  Nothing here needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

from ..graph import Graph, Node
from ..ops import Op

__all__ = [
    "Expected",
    "Moments",
    "Weights",
    "backward",
    "fans",
    "forward",
    "is_dense",
    "scheme_weights",
    "through_activation",
]


class Moments(NamedTuple):
    """Mean and second moment, E[x²], of the elements of a tensor."""

    mean: float
    square: float

    @property
    def variance(self) -> float:
        return max(0.0, self.square - self.mean * self.mean)

    @property
    def std(self) -> float:
        return math.sqrt(self.variance)


class Weights(NamedTuple):
    """Second moments of what a layer multiplies by and of what it adds."""

    weight: float
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What theory says of one layer's output: its moments, the formula with its figures, or why it says nothing."""

    moments: Moments | None
    formula: str = ""
    fails: str = ""


#: Measured moments of a node's output by its index; None where nothing was measured.
Measured = Callable[[int], "Moments | None"]


# The start of the weights.


def is_dense(op: Op) -> bool:
    """Whether a layer is a linear one or a convolution: sums of products of its inputs with its weights."""
    return op.type == "linear" or op.type.startswith("conv")


def fans(node: Node) -> tuple[int, int]:
    """How many inputs each output of a linear layer or convolution sums, and how many outputs an input goes to.

    Groups are separate layers: with `groups=g` both are those of one group.
    """
    shape = node.weights["weight"]
    window = prod(shape[2:])
    return shape[1] * window, shape[0] // getattr(node.op, "groups", 1) * window


def scheme_weights(node: Node, scheme: str) -> Weights | None:
    """The moments of a linear layer or convolution that a scheme starts; None where the scheme has no closed form.

    `xavier` 2/(fan_in + fan_out), `he` 2/fan_in, `orthogonal` 1/max(rows, columns), `small` 0.01², `zero` 0, biases 0.
    PyTorch's `default` draws weights and biases uniformly within ±1/√fan_in: 1/(3·fan_in).
    """
    if not is_dense(node.op) or "transpose" in node.op.type or "weight" not in node.weights:
        return None
    fan_in, fan_out = fans(node)
    variances = {
        "default": 1 / (3 * fan_in),
        "he": 2 / fan_in,
        "orthogonal": 1 / max(node.weights["weight"][0], fan_in),
        "small": 1e-4,
        "xavier": 2 / (fan_in + fan_out),
        "zero": 0.0,
    }
    if scheme not in variances:
        return None
    bias = "bias" in node.weights and scheme == "default"
    return Weights(variances[scheme], 1 / (3 * fan_in) if bias else 0.0)


# Activations.


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _function(op: Op) -> Callable[[float], float] | None:
    """The function that an activation computes of each element; None for one that is none or not known here."""
    options = {**getattr(op, "details", {}), **op.__dict__}
    slope = options.get("negative_slope", 0.01)
    alpha = options.get("alpha", 1.0)
    scale, selu = 1.0507009873554805, 1.6732632423543772
    table: dict[str, Callable[[float], float]] = {
        "relu": lambda x: max(0.0, x),
        "relu6": lambda x: min(max(0.0, x), 6.0),
        "leaky_relu": lambda x: x if x > 0 else slope * x,
        "elu": lambda x: x if x > 0 else alpha * math.expm1(x),
        "selu": lambda x: scale * (x if x > 0 else selu * math.expm1(x)),
        "sigmoid": _sigmoid,
        "tanh": math.tanh,
        "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
        "silu": lambda x: x * _sigmoid(x),
        "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
        "hardsigmoid": lambda x: min(max(0.0, x / 6 + 0.5), 1.0),
        "hardswish": lambda x: x * min(max(0.0, x / 6 + 0.5), 1.0),
    }
    return table.get(op.type.rstrip("_"))


class Through(NamedTuple):
    """What an activation makes of a normal input: moments of its output, and the second moment of its slope."""

    moments: Moments
    slope: float


def through_activation(op: Op, x: Moments) -> Through | None:
    """Moments behind an activation whose inputs are normally distributed; None where the op is none of known form.

    ReLU in closed form: of mean 0 and variance v it makes E[y²] = v/2, and half of its slopes are 1.
    """
    if op.type.rstrip("_") == "relu":
        return _through_relu(x)
    function = _function(op)
    if function is None:
        return None
    return _integrated(x, function)


def _through_relu(x: Moments) -> Through:
    std = x.std
    if std == 0:
        return Through(Moments(max(0.0, x.mean), max(0.0, x.mean) ** 2), float(x.mean > 0))
    at = x.mean / std
    density = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    above = 0.5 * (1 + math.erf(at / math.sqrt(2)))
    mean = x.mean * above + std * density
    return Through(Moments(mean, x.square * above + x.mean * std * density), above)


_POINTS = 400
_REACH = 8.0


@lru_cache(maxsize=1)
def _normal() -> tuple[tuple[float, float], ...]:
    """Places and weights of the trapezoidal rule for a standard normal distribution."""
    step = 2 * _REACH / _POINTS
    places = [-_REACH + step * i for i in range(_POINTS + 1)]
    return tuple((at, step * math.exp(-at * at / 2) / math.sqrt(2 * math.pi)) for at in places)


def _integrated(x: Moments, function: Callable[[float], float]) -> Through:
    std = x.std
    step = 1e-4 * max(1.0, std)
    mean = square = slope = 0.0
    for at, weight in _normal() if std > 0 else ((0.0, 1.0),):
        place = x.mean + std * at
        value = function(place)
        rise = (function(place + step) - function(place - step)) / (2 * step)
        mean += weight * value
        square += weight * value * value
        slope += weight * rise * rise
    return Through(Moments(mean, square), slope)


# Layers.


def _products(node: Node) -> float:
    """How many products an output element sums on average: the fan-in, without those that meet zero padding."""
    assert node.cost is not None
    count = node.cost.macs / prod(node.output_shape)
    if "transpose" in node.op.type or node.op.type == "linear":
        return count
    share = 1.0
    windows: Any = node.op.windows(node.input_shapes) or ()
    for window, size, outputs in zip(windows, node.input_shapes[0][2:], node.output_shape[2:], strict=True):
        inside = sum(
            0 <= place * window.stride - window.before + tap * window.dilation < size
            for place, tap in product(range(outputs), range(window.kernel))
        )
        share *= inside / (outputs * window.kernel)
    return count * share


_NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
_DROPOUTS = ("dropout", "drop_path", "feature_dropout", "alpha_dropout")

#: why a kind of layer breaks the recursions, by the beginning of its type
_WHY = {
    "max_pool": "max pooling takes the largest of correlated neighbours",
    "adaptive_max_pool": "max pooling takes the largest of correlated neighbours",
    "avg_pool": "average pooling averages correlated neighbours",
    "adaptive_avg_pool": "average pooling averages correlated neighbours",
    "mean": "averages are of correlated elements",
    "multiply": "a gate multiplies by what depends on the same input",
    "mul": "a gate multiplies by what depends on the same input",
    "scaled_dot_product_attention": "attention weighs values by what depends on them",
    "multihead_attention": "attention weighs values by what depends on them",
    "self_attention": "attention weighs values by what depends on them",
    "window_attention": "attention weighs values by what depends on them",
    "matmul": "attention weighs values by what depends on them",
    "softmax": "softmax shares one sum among its outputs",
    "lstm": "a recurrent layer uses its weights again at each step",
    "gru": "a recurrent layer uses its weights again at each step",
    "rnn": "a recurrent layer uses its weights again at each step",
}


def _why(op: Op) -> str:
    for kind, words in _WHY.items():
        if op.type.startswith(kind):
            return words
    return f"no rule for {op.type}"


def _is_rearranging(node: Node) -> bool:
    """Whether a layer only moves elements, so that their moments stay."""
    same = len(node.inputs) == 1 and prod(node.input_shapes[0]) == prod(node.output_shape)
    return node.op.type == "identity" or (node.op.category == "shape" and same)


def _dropped(op: Op) -> float | None:
    """The probability of a dropout layer to zero an element."""
    if op.type.startswith(_DROPOUTS):
        options = {**getattr(op, "details", {}), **op.__dict__}
        p = options.get("p", 0.5)
        return float(p) if isinstance(p, (int, float)) else None
    return None


def _eps(op: Op) -> float:
    value = {**getattr(op, "details", {}), **op.__dict__}.get("eps")
    return float(value) if isinstance(value, (int, float)) else 1e-5


def _shown(value: float) -> str:
    return f"{value:.3g}"


def forward(
    graph: Graph,
    weights: Mapping[int, Weights],
    measured: Measured,
    *,
    training: bool = True,
) -> list[Expected]:
    """What theory expects of each node's output, by its index.

    `weights` are the moments of each layer's weights; `measured` those of outputs, of which the inputs' are used, and
    others where the theory has to start again.  In `training`, batch normalisation uses the batch's own statistics and
    dropout drops.
    """
    found: list[Expected] = []
    for index, node in enumerate(graph.nodes):
        if index < graph.inputs:
            given = measured(index)
            found.append(Expected(given, "as given" if given else "", "" if given else "no numbers came in"))
            continue
        before = [found[source].moments or measured(source) for source in node.inputs]
        known = [x for x in before if x is not None]
        if node.op.type == "embedding" and index in weights:
            expected = Expected(
                Moments(0.0, weights[index].weight), f"E[w²] = {_shown(weights[index].weight)}"
            )
        elif not before or len(known) < len(before):
            expected = Expected(None, fails="what comes in was not measured")
        else:
            expected = _through(node, index, known, weights.get(index), training)
        found.append(expected)
    return found


def _through(
    node: Node, index: int, before: Sequence[Moments], own: Weights | None, training: bool
) -> Expected:
    """The rule of one layer."""
    op, x = node.op, before[0]
    if is_dense(op) and own is not None and node.cost is not None:
        n = _products(node)
        square = n * own.weight * x.square + own.bias
        bias = f" + {_shown(own.bias)}" if own.bias else ""
        text = f"{n:,.0f}·{_shown(own.weight)}·{_shown(x.square)}{bias} = {_shown(square)}"
        return Expected(Moments(0.0, square), f"n·E[w²]·E[x²]{' + E[b²]' if bias else ''} = {text}")
    passed = through_activation(op, x)
    if passed is not None:
        text = f"E[y²] = {_shown(passed.moments.square)}, E[y] = {_shown(passed.moments.mean)}"
        return Expected(passed.moments, f"{op.type}, x normal of mean {_shown(x.mean)}: {text}")
    if op.type.startswith(_NORMS):
        return _through_norm(op, x, own, training)
    if (p := _dropped(op)) is not None:
        if not training:
            return Expected(x, "evaluation: passed on")
        if p >= 1:
            return Expected(Moments(0.0, 0.0), "all dropped")
        return Expected(Moments(x.mean, x.square / (1 - p)), f"E[x²]/(1 − p) = {_shown(x.square / (1 - p))}")
    if op.type == "add":
        mean = sum(each.mean for each in before)
        variance = sum(each.variance for each in before)
        text = " + ".join(_shown(each.variance) for each in before)
        return Expected(Moments(mean, variance + mean * mean), f"variances add: {text} = {_shown(variance)}")
    if op.type == "concat":
        sizes = [prod(shape) for shape in node.input_shapes]
        mean, square = (
            sum(size * each[part] for size, each in zip(sizes, before, strict=True)) / sum(sizes)
            for part in (0, 1)
        )
        return Expected(Moments(mean, square), "the parts side by side")
    if _is_rearranging(node):
        return Expected(x, "passed on")
    return Expected(None, fails=_why(op))


def _through_norm(op: Op, x: Moments, own: Weights | None, training: bool) -> Expected:
    if op.type.startswith("batch_norm") and not training and getattr(op, "track_running_stats", True):
        return Expected(None, fails="batch normalisation in evaluation uses running statistics")
    variance = x.square if op.type.startswith("rms_norm") else x.variance
    scale, shift = own if own is not None else (1.0, 0.0)
    square = scale * variance / (variance + _eps(op)) + shift if variance + _eps(op) > 0 else shift
    return Expected(Moments(0.0, square), f"E[γ²]·v/(v + ε) + E[β²] = {_shown(square)}")


# The way back.


def backward(
    graph: Graph,
    expected: Sequence[Expected],
    weights: Mapping[int, Weights],
    measured: Measured,
    gradients: Measured,
    *,
    training: bool = True,
) -> list[float | None]:
    """The expected second moment of the gradient with respect to each node's output; None where theory has none.

    It starts from the measured `gradients` of the outputs, and again where a layer has no rule: a normalisation divides
    each channel's gradient by a deviation of its own.  He et al. 2015, equation 14: what comes back is n̂·E[w²]·E[g²],
    n̂ being the products that an input element goes into.
    """
    found: list[float | None] = [None] * len(graph.nodes)
    outputs = set(graph.outputs)
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index in outputs:
            continue  # that gradient is the loss's own
        total: float | None = 0.0
        for reader in graph.consumers[index]:
            node = graph.nodes[reader]
            start = found[reader]
            if start is None:
                given = gradients(reader)
                start = given.square if given is not None else None
            before = [expected[source].moments or measured(source) for source in node.inputs]
            times = node.inputs.count(index)
            part = None if start is None else _back(node, index, before, weights.get(reader), training)
            total = None if total is None or part is None or start is None else total + times * part * start
        found[index] = total if graph.consumers[index] else None
    return found


def _back(
    node: Node, index: int, before: Sequence[Moments | None], own: Weights | None, training: bool
) -> float | None:
    """By how much one layer multiplies the second moment of the gradient on the way to its input."""
    op = node.op
    at = node.inputs.index(index)
    x, elements = before[at], prod(node.input_shapes[at])
    if is_dense(op) and own is not None and node.cost is not None:
        return _products(node) * prod(node.output_shape) / elements * own.weight
    if x is not None and (passed := through_activation(op, x)) is not None:
        return passed.slope
    if (p := _dropped(op)) is not None:
        return 1.0 if not training else 1 / (1 - p) if p < 1 else 0.0
    if op.type in ("add", "concat") or _is_rearranging(node):
        return 1.0
    if op.type.startswith(("max_pool", "adaptive_max_pool")):
        return prod(node.output_shape) / elements  # each output's gradient goes to one input
    if op.type.startswith(("avg_pool", "adaptive_avg_pool")):
        kernel = getattr(op, "kernel_size", None)
        window = prod(kernel) if isinstance(kernel, tuple) else elements / prod(node.output_shape)
        return prod(node.output_shape) / (window * elements)
    return None
