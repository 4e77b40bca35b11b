"""thop on any module: hooks on known classes, by their exact type.

Source: thop/profile.py, vision/basic_hooks.py, calc_func.py, rnn_hooks.py.  Operations of a module add up over its
calls, and over the places where a walk through the network finds it: a module that two modules share is hooked twice
and added twice.  Parameters are those of modules that were called and have a rule; of the network itself, none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from ....ops import numel
from .account import CallRule, CallRules, Finding, by_class
from .record import ModuleCall, Record


def _convolution(call: ModuleCall) -> int:
    # The number of input channels is read from the input, as it is laid out in a batch.
    channels: int = call.input[1] // call.get("groups", 1)
    kernel: tuple[int, ...] = call.get("kernel_size")
    return numel(call.output) * channels * prod(kernel)


def _normalisation(call: ModuleCall) -> int:
    affine = call.get("affine", False) or call.get("elementwise_affine", False)
    return numel(call.input) * (4 if affine else 2)


def _softmax(call: ModuleCall) -> int:
    features: int = call.input[call.get("dim")]
    return numel(call.input) // features * (3 * features - 1)


def _adaptive(call: ModuleCall) -> int:
    # In floating point, as there: mean window size plus one division, per output, the fraction cut off.
    window = 1.0
    for before, after in zip(call.input[2:], call.output[2:], strict=True):
        window *= before / after
    return int((window + 1) * numel(call.output))


_UPSAMPLING = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}


def _upsampling(call: ModuleCall) -> int:
    return numel(call.output) * _UPSAMPLING.get(call.get("mode"), 0)


# One step of a recurrent cell for one sequence.


def _rnn(inputs: int, hidden: int, bias: bool) -> int:
    return hidden * (inputs + hidden) + hidden + (2 * hidden if bias else 0)


def _gru(inputs: int, hidden: int, bias: bool) -> int:
    return 3 * _rnn(inputs, hidden, bias) + 4 * hidden


def _lstm(inputs: int, hidden: int, bias: bool) -> int:
    return 4 * _rnn(inputs, hidden, bias) + 4 * hidden


def _cell(step: Callable[[int, int, bool], int]) -> CallRule:
    def count(call: ModuleCall) -> int:
        sizes = call.get("input_size"), call.get("hidden_size"), bool(call.get("bias"))
        return step(*sizes) * call.input[0]

    return CallRule("a step of the cell, with its products, × batch", count)


def _layers(step: Callable[[int, int, bool], int]) -> CallRule:
    def count(call: ModuleCall) -> int:
        inputs, hidden, bias = call.get("input_size"), call.get("hidden_size"), bool(call.get("bias"))
        ways = 2 if call.get("bidirectional") else 1
        total = ways * step(inputs, hidden, bias)
        total += (call.get("num_layers") - 1) * ways * step(ways * hidden, hidden, bias)
        return int(total * call.input[0] * call.input[1])

    return CallRule("a step of each cell, with its products, × steps × batch", count)


_NORMALISATION = (CallRule("4 per input; 2 unless affine", _normalisation),)
_CONVOLUTION = (CallRule("outputs × in_channels/groups × kernel", _convolution),)
_UPSAMPLE = (CallRule("per output: nearest 1, linear 5, bilinear 11, bicubic 259", _upsampling),)

RULES: CallRules = {
    f"torch.nn.modules.{name}": rules
    for name, rules in {
        **{f"conv.Conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
        **{f"conv.ConvTranspose{n}d": _CONVOLUTION for n in (1, 2, 3)},
        **{f"batchnorm.BatchNorm{n}d": _NORMALISATION for n in (1, 2, 3)},
        "batchnorm.SyncBatchNorm": _NORMALISATION,
        **{f"instancenorm.InstanceNorm{n}d": _NORMALISATION for n in (1, 2, 3)},
        "normalization.LayerNorm": _NORMALISATION,
        "activation.PReLU": (CallRule("1 per input", lambda call: numel(call.input)),),
        "activation.Softmax": (CallRule("3·n − 1 per group of n", _softmax),),
        **{
            f"pooling.AvgPool{n}d": (CallRule("1 per output", lambda call: numel(call.output)),)
            for n in (1, 2, 3)
        },
        **{
            f"pooling.AdaptiveAvgPool{n}d": (CallRule("(mean window + 1) per output", _adaptive),)
            for n in (1, 2, 3)
        },
        "linear.Linear": (CallRule("MACs", lambda call: call.get("in_features") * numel(call.output)),),
        "upsampling.Upsample": _UPSAMPLE,
        "upsampling.UpsamplingBilinear2d": _UPSAMPLE,
        "upsampling.UpsamplingNearest2d": _UPSAMPLE,
        "rnn.RNNCell": (_cell(_rnn),),
        "rnn.GRUCell": (_cell(_gru),),
        "rnn.LSTMCell": (_cell(_lstm),),
        "rnn.RNN": (_layers(_rnn),),
        "rnn.GRU": (_layers(_gru),),
        "rnn.LSTM": (_layers(_lstm),),
        **dict.fromkeys(
            (
                "activation.LeakyReLU",
                "activation.ReLU",
                "activation.ReLU6",
                "container.Sequential",
                "dropout.Dropout",
                "padding.ZeroPad2d",
                "pixelshuffle.PixelShuffle",
                *(f"pooling.{kind}MaxPool{n}d" for kind in ("", "Adaptive") for n in (1, 2, 3)),
            ),
            (),
        ),
    }.items()
}

_SEQUENTIAL = "torch.nn.modules.container.Sequential"


def findings(record: Record) -> Iterator[Finding]:
    visits = record.module.visits()
    # Hooked once, and added once, for each place in the tree.
    return by_class(record, RULES, lambda call: visits.get(id(call.module), 0) ** 2)


def params(record: Record) -> tuple[dict[int, int], int]:
    """Parameters by index of the call, and the total."""
    visits = record.module.visits()
    own: dict[int, int] = {}
    met: set[int] = set()
    for index, call in enumerate(record.calls):
        known = call.module.kind in RULES and call.module.kind != _SEQUENTIAL
        if known and call.module is not record.module and id(call.module) not in met:
            met.add(id(call.module))
            own[index] = visits.get(id(call.module), 0) * call.module.size
    return own, sum(own.values())
