"""ptflops on any module: hooks on known classes by their exact type, and functions that it patches.

Source: ptflops/pytorch_ops.py and pytorch_engine.py.  What hooks see is divided by the batch, which is 1 where the
inputs are given by name; a module with a rule hides what is inside it, and one that several modules share adds up at
each place.  What the patched functions see is not divided.  A function is seen only where Python calls it by its name:
`F.relu(x)`, `torch.add(x, y)`, `x.matmul(y)`, not `x + y`, `x += y`, `x @ y` or `torch.relu(x)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import prod
from typing import Any

from ....ops import Shape, numel
from ..rules import Count
from .account import AGAIN, BIAS, CallRule, CallRules, Finding, class_term, operator_term
from .record import FunctionCall, Module, ModuleCall, Record, Sized

# Hooks


def _positions(call: ModuleCall, shape: Shape) -> int:
    return call.input[0] * prod(shape[2:])


def _per_position(call: ModuleCall, extra: int = 0) -> int:
    filters = call.get("out_channels") // call.get("groups", 1)
    count: int = prod(call.get("kernel_size")) * (call.get("in_channels") * filters + extra)
    return count


def _convolution_bias(call: ModuleCall) -> int:
    return call.input[0] * prod(call.output[1:]) if call.has("bias") else 0


def _deformable(call: ModuleCall) -> int:
    # 20 for the interpolation, 4 for the coordinates, 1 for a mask.
    masked = len(call.inputs) == 3 and call.inputs[2] is not None
    return _per_position(call, 25 if masked else 24) * _positions(call, call.output)


def _linear_bias(call: ModuleCall) -> int:
    return call.output[-1] * prod(call.input[:-1]) if call.has("bias") else 0


def _recurrent_step(call: ModuleCall, layer: str) -> int:
    """Products of one step, and additions and gates by the kind of cell."""
    parameters = call.module.parameters
    hidden: int = call.get("hidden_size")
    count = parameters[f"weight_ih{layer}"].numel + parameters[f"weight_hh{layer}"].numel
    count += _GATES[call.module.class_name.removesuffix("Cell")] * hidden
    if call.get("bias"):
        count += parameters[f"bias_ih{layer}"].numel + parameters[f"bias_hh{layer}"].numel
    return count


_GATES = {"RNN": 1, "GRU": 7, "LSTM": 10}


def _recurrent(call: ModuleCall) -> int:
    steps = sum(_recurrent_step(call, f"_l{layer}") for layer in range(call.get("num_layers")))
    return steps * call.input[0] * call.input[1] * (2 if call.get("bidirectional") else 1)


def _attention(call: ModuleCall) -> int:
    query, key, value = (shape or () for shape in call.inputs[:3])
    batch_at, length_at = (0, 1) if call.get("batch_first") else (1, 0)
    length, keys, values = query[length_at], key[length_at], value[length_at]
    width, key_width, value_width = query[2], key[2], value[2]
    heads: int = call.get("num_heads")
    count = length * width + length * width**2 + keys * key_width**2 + values * value_width**2
    if call.has("in_proj_bias"):
        count += (length + keys + values) * width
    head = length * keys * (width // heads) + length * keys + length * keys * (value_width // heads)
    return query[batch_at] * (count + heads * head + length * value_width * (value_width + 1))


def _timm_attention(call: ModuleCall) -> int:
    batch, length, _ = call.input
    heads, width = call.get("num_heads"), call.get("head_dim")
    count: int = length * width * heads + heads * (2 * length**2 * width + length**2)
    return batch * count


def _affine(call: ModuleCall) -> int:
    return numel(call.input) * (2 if call.get("affine") else 1)


_ON_OUTPUT = (CallRule("1 per output", lambda call: numel(call.output)),)
_ON_INPUT = (CallRule("1 per input", lambda call: numel(call.input)),)
_NORM = (CallRule("2 per input; 1 unless affine", _affine),)
_BIAS = CallRule("1 per output", _convolution_bias, BIAS)
_CONVOLUTION = (
    CallRule("MACs", lambda call: _per_position(call) * _positions(call, call.output)),
    _BIAS,
)
_TRANSPOSED = (
    CallRule("MACs", lambda call: _per_position(call) * _positions(call, call.input)),
    _BIAS,
)

RULES: CallRules = {
    **{
        f"torch.nn.modules.{name}": rules
        for name, rules in {
            **{f"conv.Conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
            **{f"conv.ConvTranspose{n}d": _TRANSPOSED for n in (1, 2, 3)},
            **{
                f"activation.{name}": _ON_OUTPUT
                for name in ("ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU")
            },
            **{
                f"pooling.{kind}Pool{n}d": _ON_INPUT
                for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg")
                for n in (1, 2, 3)
            },
            **{f"batchnorm.BatchNorm{n}d": _NORM for n in (1, 2, 3)},
            **{f"instancenorm.InstanceNorm{n}d": _NORM for n in (1, 2, 3)},
            "normalization.GroupNorm": _NORM,
            "normalization.LayerNorm": _ON_INPUT,
            "linear.Linear": (
                CallRule("MACs", lambda call: numel(call.input) * call.output[-1]),
                CallRule("1 per output", _linear_bias, BIAS),
            ),
            "upsampling.Upsample": (
                CallRule("1 per output of the first image", lambda call: numel(call.output[1:])),
            ),
            **{
                f"rnn.{name}": (CallRule("weights + gates + biases × steps × batch", _recurrent),)
                for name in ("RNN", "GRU", "LSTM")
            },
            **{
                f"rnn.{name}Cell": (
                    CallRule(
                        "weights + gates + biases × batch",
                        lambda call: _recurrent_step(call, "") * call.input[0],
                    ),
                )
                for name in ("RNN", "GRU", "LSTM")
            },
            "activation.MultiheadAttention": (
                CallRule("scaling, projections, products, softmax, with biases", _attention),
            ),
        }.items()
    },
    "torchvision.ops.deform_conv.DeformConv2d": (
        CallRule("MACs + 24 per kernel element and position; 25 with a mask", _deformable),
        _BIAS,
    ),
    "timm.layers.attention.Attention": (
        CallRule("scaling, products, softmax; what is inside it is left out", _timm_attention),
    ),
}


# Patched functions


def _numel(call: FunctionCall) -> int:
    return numel(_shape(call.argument(0, "input")))


def _shape(argument: Any) -> Shape:
    return argument.shape if isinstance(argument, Sized) else ()


def _matmul(call: FunctionCall) -> int:
    name = "mat2" if call.name.endswith("mm") else "other"
    return numel(_shape(call.argument(0, "input"))) * _shape(call.argument(1, name))[-1]


def _addmm(call: FunctionCall) -> int:
    matrix, other = _shape(call.argument(1, "mat1")), _shape(call.argument(2, "mat2"))
    added = numel(_shape(call.argument(0, "input"))) if call.keywords.get("beta", 1) != 0 else 0
    return numel(matrix) * other[-1] + added


def _elementwise(call: FunctionCall) -> int:
    """The larger size of each dimension, counted from the first: shapes of two ranks are not aligned as torch does."""
    sides = [
        argument
        for argument in (call.argument(0, "input"), call.argument(1, "other"))
        if isinstance(argument, Sized)
    ]
    if not sides:
        return 1
    rank = max(len(side.shape) for side in sides)
    return prod(max(side.shape[at] if at < len(side.shape) else 1 for side in sides) for at in range(rank))


def _interpolation(call: FunctionCall) -> Count:
    shape = _shape(call.argument(0, "input"))
    size, factor = call.argument(1, "size"), call.argument(2, "scale_factor")
    if size is not None:
        return numel(shape[:2]) * (prod(size) if isinstance(size, tuple) else int(size) ** (len(shape) - 2))
    if isinstance(factor, tuple) and len(factor) == len(shape) - 2:
        return numel(shape) * int(prod(factor))
    # In floating point as there; the output's size would be cut to whole rows and columns.
    return Fraction(numel(shape) * factor ** (len(shape) - 2))


def _function(words: str, count: Callable[[FunctionCall], Count]) -> tuple[CallRule, ...]:
    return (CallRule(words, count),)


FUNCTIONS: CallRules = {
    **dict.fromkeys(
        (
            *(f"F.{name}" for name in ("relu", "prelu", "elu", "relu6", "gelu", "silu", "softmax")),
            *(
                f"F.{kind}_pool{n}d"
                for kind in ("avg", "max", "adaptive_avg", "adaptive_max")
                for n in (1, 2, 3)
            ),
        ),
        _function("1 per input", _numel),
    ),
    **dict.fromkeys(
        ("F.interpolate", "F.upsample"), _function("1 per output; by factor: inputs × factor", _interpolation)
    ),
    **dict.fromkeys(
        [f"{home}.{name}" for home in ("torch", "Tensor") for name in ("matmul", "mm", "bmm")],
        _function("inputs × columns of the other", _matmul),
    ),
    **dict.fromkeys(
        ("torch.addmm", "Tensor.addmm", "torch.baddbmm"),
        _function("inputs × columns of the other, + 1 per element added", _addmm),
    ),
    **dict.fromkeys(
        [f"{home}.{name}" for home in ("torch", "Tensor") for name in ("mul", "add")],
        _function("1 per element of the larger", _elementwise),
    ),
}

#: classes whose own call of a patched function the hook has counted already
_SEEN_TWICE = frozenset(RULES) - {
    "timm.layers.attention.Attention",
    "torch.nn.modules.activation.MultiheadAttention",
}


def findings(record: Record) -> Iterator[Finding]:
    reached = _reached(record.module)
    for index, call in enumerate(record.calls):
        rules = RULES.get(call.module.kind)
        times = reached.get(id(call.module), 0)
        if rules is None or not times:
            if not call.module.children:
                yield Finding(index, unknown=call.module.class_name)
            continue
        for rule in rules:
            count = Fraction(rule.count(call) * times, record.batch)
            yield Finding(index, class_term(call.module.class_name, rule.part), count, rule.text)
    for function in record.functions:
        again = record.calls[function.within].module.kind in _SEEN_TWICE
        for rule in FUNCTIONS[function.name]:
            named = operator_term(function.name, AGAIN if again else "")
            yield Finding(function.within, named, rule.count(function), f"{function.name}: {rule.text}")


def _reached(module: Module) -> dict[int, int]:
    """How often the sum over the network comes to each module: it goes no further where a class has a rule."""
    counts: dict[int, int] = {}
    pending = [module]
    while pending:
        module = pending.pop()
        counts[id(module)] = counts.get(id(module), 0) + 1
        if module.kind not in RULES:
            pending += [child for _, child in module.distinct_children]
    return counts


def params(record: Record) -> tuple[dict[int, int], int]:
    """Trainable parameters by index of the first call of their module, and the total."""
    own: dict[int, int] = {}
    counted: set[int] = set()
    met: set[int] = set()
    for index, call in enumerate(record.calls):
        if id(call.module) in met:
            continue
        met.add(id(call.module))
        for parameter in call.module.parameters.values():
            if parameter.trainable and id(parameter) not in counted:
                counted.add(id(parameter))
                own[index] = own.get(index, 0) + parameter.numel
    total = sum(p.numel for _, p in record.module.all_parameters if p.trainable)
    return own, total
