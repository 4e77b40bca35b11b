"""fvcore on any module: operators of a trace, as `jit_handles.py` counts them.

Source: fvcore/nn/flop_count.py, jit_handles.py, jit_analysis.py.  Operators of weights alone are counted like any
other.  Those without a handle are reported as unsupported, unless they are on its list of ignored ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from ....ops import Shape, numel
from ..rules import Count
from .account import CallRule, CallRules, Finding, operator_term
from .record import OperatorCall, Record, Sized


def _shape(call: OperatorCall, position: int) -> Shape:
    return call.shape(position) or ()


def _convolution(call: OperatorCall) -> int:
    weight = _shape(call, 1)
    transposed = "transpose" in call.name
    positions = _shape(call, 0) if transposed else call.results[0]
    batched = len(positions) == len(weight)
    return (positions[0] if batched else 1) * numel(weight) * numel(positions[2 if batched else 1 :])


def _matrix(first: int, second: int) -> CallRule:
    return CallRule("MACs", lambda call: numel(_shape(call, first)) * _shape(call, second)[-1])


def _einsum(call: OperatorCall) -> Count:
    # NumPy prints the count of the contraction with four digits, and fvcore reads it from there.
    equation, operands = call.arguments[0].replace(" ", ""), call.arguments[1]
    shapes = [operand.shape for operand in operands if isinstance(operand, Sized)]
    terms = equation.partition("->")[0].split(",")
    sizes = {
        letter: size
        for term, shape in zip(terms, shapes, strict=True)
        for letter, size in zip(term, shape, strict=True)
    }
    letters = {letter: chr(97 + at) for at, letter in enumerate(dict.fromkeys(filter(str.isalpha, equation)))}
    renamed = "".join(letters.get(letter, letter) for letter in equation)
    every = numel(tuple(sizes.values()))
    if renamed in ("abc,abd->acd", "abc,adc->adb"):
        return every
    summed = set(sizes) - set(equation.partition("->")[2])
    operations = every * ((len(shapes) - 1 or 1) + (1 if summed and len(shapes) > 1 else 0))
    return floor(float(f"{operations:.3e}") / 2)


def _cell(call: OperatorCall) -> int:
    # A trace has the two linear operators that a recurrent cell is made of.
    state = call.arguments[1]
    state = state if isinstance(state, Sized) else state[0]
    return numel(_shape(call, 0)) * _shape(call, 2)[0] + numel(state.shape) * _shape(call, 3)[0]


def _norm(weight: int) -> tuple[CallRule, ...]:
    def count(call: OperatorCall) -> int:
        return numel(_shape(call, 0)) * (5 if call.shape(weight) is not None else 4)

    return (CallRule("5 per input; 4 without weight", count),)


def _batch_norm(call: OperatorCall) -> int:
    affine = call.shape(1) is not None
    if call.arguments[5]:
        return numel(_shape(call, 0)) * (5 if affine else 4)
    return numel(_shape(call, 0)) * (2 if affine else 1)


def _per_output(factor: int) -> tuple[CallRule, ...]:
    return (CallRule(f"{factor} per output", lambda call: factor * numel(call.results[0])),)


_CONVOLUTION = (CallRule("MACs", _convolution),)

RULES: CallRules = {
    "aten::addmm": (_matrix(1, 2),),
    "aten::bmm": (_matrix(0, 1),),
    "aten::mm": (_matrix(0, 1),),
    "aten::matmul": (_matrix(0, 1),),
    "aten::linear": (CallRule("MACs", lambda call: numel(_shape(call, 0)) * _shape(call, 1)[0]),),
    "aten::einsum": (CallRule("MACs of two operands, to four digits as NumPy prints them", _einsum),),
    **{f"aten::conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
    **{f"aten::conv_transpose{n}d": _CONVOLUTION for n in (1, 2, 3)},
    "aten::_convolution": _CONVOLUTION,
    **{f"aten::{name}_cell": (CallRule("MACs", _cell),) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    "aten::batch_norm": (CallRule("2 per input; 1 without weight; 5, 4 in training", _batch_norm),),
    "aten::group_norm": _norm(2),
    "aten::layer_norm": _norm(2),
    "aten::instance_norm": _norm(1),
    "aten::upsample_nearest2d": _per_output(1),
    "aten::upsample_bilinear2d": _per_output(4),
    "aten::grid_sampler": _per_output(4),
    "aten::adaptive_avg_pool2d": (CallRule("1 per input", lambda call: numel(_shape(call, 0))),),
}

#: as in jit_analysis.py, `_IGNORED_OPS`
IGNORED = frozenset(
    f"aten::{name}"
    for name in [
        "Int",
        "ScalarImplicit",
        "__and__",
        "arange",
        "bitwise_not",
        "cat",
        "chunk",
        "clamp",
        "clamp_",
        "constant_pad_nd",
        "contiguous",
        "copy_",
        "detach",
        "dropout",
        "empty",
        "eq",
        "expand",
        "flatten",
        "floor",
        "floor_divide",
        "full",
        "full_like",
        "gather",
        "ge",
        "gt",
        "index",
        "index_put_",
        "masked_fill",
        "max",
        "narrow",
        "new_empty",
        "new_full",
        "new_zeros",
        "nonzero",
        "ones",
        "permute",
        "relu",
        "relu_",
        "remainder",
        "reshape",
        "roll",
        "select",
        "size",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "to",
        "transpose",
        "type_as",
        "unbind",
        "unsqueeze",
        "unsqueeze_",
        "view",
        "zeros",
        "zeros_like",
    ]
)


def findings(record: Record) -> Iterator[Finding]:
    for call in record.operators:
        rules = RULES.get(call.name)
        if rules is not None:
            for rule in rules:
                yield Finding(
                    call.within, operator_term(call.name), rule.count(call), f"{call.name}: {rule.text}"
                )
        elif call.name in IGNORED:
            yield Finding(call.within, ignored=call.name)
        else:
            yield Finding(call.within, unknown=call.name)


def params(record: Record) -> tuple[dict[int, int], int]:
    """Parameters, each once, by index of the first call of their module, and the total."""
    own: dict[int, int] = {}
    counted: set[int] = set()
    for index, call in enumerate(record.calls):
        for parameter in call.module.parameters.values():
            if id(parameter) not in counted:
                counted.add(id(parameter))
                own[index] = own.get(index, 0) + parameter.numel
    return own, record.module.size
