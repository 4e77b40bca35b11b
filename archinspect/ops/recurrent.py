"""Recurrent layers over sequences (N, L, features)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..errors import OpError
from .attributes import FLAG, integer, number, one_of
from .base import (
    Axes,
    Cost,
    Op,
    Positions,
    Shape,
    Shapes,
    TorchCall,
    attr,
    module_call,
    need_rank,
    numel,
    register,
)
from .derivation import times

#: per unit and step: elementwise operations and comparisons.  A sigmoid is three operations, a tanh five.
CELLS = {
    "lstm": (27, 0),  # x + h for 4 gates, 3 sigmoids, a tanh; f·c + i·g; o·tanh(c)
    "gru": (19, 0),  # x + h for 3 gates, 2 sigmoids, r·h, a tanh; (1 − z)·n + z·h
    "rnn_tanh": (6, 0),
    "rnn_relu": (1, 1),
}


class Recurrent(Op):
    """What recurrent layers share: each step multiplies by every matrix of the layer once."""

    predicted: ClassVar[bool] = False
    layout: ClassVar[int] = 1
    output_names: ClassVar[tuple[str, ...]] = ("output", "h_n")
    #: how many rows of a matrix make one unit
    gates: ClassVar[int] = 1

    hidden_size: int = attr(integer(1), "units of each layer, and features of the output in each direction")
    num_layers: int = attr(integer(1), "layers, each of which reads the one before", 1)
    bias: bool = attr(FLAG, "add two learnable biases per unit and gate, as PyTorch does", True)
    batch_first: bool = attr(
        FLAG, "(N, L, features), as all shapes here are; False reads and makes (L, N, features)", True
    )
    dropout: float = attr(number(0, 1), "probability of a value between layers to be zeroed in training", 0.0)
    bidirectional: bool = attr(FLAG, "run a second layer from the end, and join both outputs", False)

    @property
    def _size(self) -> int:
        """Features of the output in one direction."""
        return self.hidden_size

    @property
    def _cell(self) -> tuple[int, int]:
        return CELLS[self.type]

    @property
    def _directions(self) -> int:
        return 1 + self.bidirectional

    def shape(self, inputs: Shapes) -> Shape:
        (x,) = inputs
        need_rank(self, x, 3, "(N, L, features)" if self.batch_first else "(L, N, features)")
        return x[0], x[1], self._directions * self._size

    def outputs(self, inputs: Shapes) -> Shapes:
        batch = inputs[0][0 if self.batch_first else 1]
        return ((self._directions * self.num_layers, batch, self._size),)

    def weights(self, inputs: Shapes) -> dict[str, Shape]:
        rows, found = self.gates * self.hidden_size, dict[str, Shape]()
        for layer in range(self.num_layers):
            width = inputs[0][2] if layer == 0 else self._directions * self._size
            for suffix in ("", "_reverse")[: self._directions]:
                end = f"l{layer}{suffix}"
                found[f"weight_ih_{end}"] = (rows, width)
                found[f"weight_hh_{end}"] = (rows, self._size)
                if self.bias:
                    found[f"bias_ih_{end}"] = found[f"bias_hh_{end}"] = (rows,)
                found.update(self._projection(end))
        return found

    def _projection(self, end: str) -> dict[str, Shape]:
        return {}

    def cost(self, inputs: Shapes, output: Shape) -> Cost:
        steps = numel(inputs[0][:2])
        weights = self.weights(inputs).values()
        units = self.hidden_size * self.num_layers * self._directions
        operations, comparisons = self._cell
        return Cost(
            macs=steps * sum([numel(shape) for shape in weights if len(shape) == 2]),
            bias_adds=steps * sum([shape[0] for shape in weights if len(shape) == 1]),
            elementwise=steps * units * operations,
            comparisons=steps * units * comparisons,
        )

    def mixes(self, inputs: Shapes) -> tuple[int, ...]:
        return (1, 2) if self.batch_first else (0, 2)

    def positions(self, before: Sequence[Positions], inputs: Shapes, output: Shape) -> Positions:
        return *before[0][:2], frozenset()

    def axes(self, before: Sequence[Axes], inputs: Shapes, output: Shape) -> Axes:
        return ("batch", "sequence", "feature") if self.batch_first else ("sequence", "batch", "feature")

    def torch_call(self, inputs: Shapes) -> TorchCall:
        call = module_call(self, f"nn.{self.type.upper()}", inputs[0][2])
        given = {k: v for k, v in call.kwargs.items() if k != "batch_first"}
        kwargs = {**given, "batch_first": True} if self.batch_first else given
        return TorchCall(call.target, call.args, kwargs, outputs=self._places())

    def _places(self) -> tuple[tuple[int, ...], ...]:
        return (0,), (1,)

    def derive_macs(self, inputs: Shapes, output: Shape) -> str:
        shapes = [shape for shape in self.weights(inputs).values() if len(shape) == 2]
        return times(numel(inputs[0][:2]), f"({' + '.join(f'{a}×{b}' for a, b in shapes)})")


@register(
    "rnn",
    category="sequence",
    samples=[
        ({"hidden_size": 64}, ((1, 100, 32),)),
        ({"hidden_size": 4, "nonlinearity": "relu", "bidirectional": True, "num_layers": 2}, ((2, 3, 5),)),
    ],
)
class RNN(Recurrent):
    """Elman's recurrent layer: h = tanh(W·x + b + U·h + c), or relu of the same.  Outputs: `output`, `h_n`.

    Cost per step and unit: one addition and a tanh (five operations), or a relu (one comparison).
    Sources: PyTorch `nn.RNN`; Elman 1990, Cognitive Science 14.
    """

    nonlinearity: str = attr(one_of("tanh", "relu"), "what is applied to the sum", "tanh")

    @property
    def _cell(self) -> tuple[int, int]:
        return CELLS[f"rnn_{self.nonlinearity}"]


@register(
    "lstm",
    category="sequence",
    samples=[
        ({"hidden_size": 64}, ((1, 100, 64),)),
        ({"hidden_size": 4, "num_layers": 2, "bidirectional": True, "bias": False}, ((2, 3, 5),)),
        ({"hidden_size": 6, "proj_size": 2, "bidirectional": True, "num_layers": 2}, ((2, 3, 5),)),
        ({"hidden_size": 6, "batch_first": False}, ((3, 2, 5),)),
    ],
)
class LSTM(Recurrent):
    """Long short-term memory: four gates for each unit.  Outputs: `output` of every step, the last `h_n` and `c_n`.

    `proj_size` makes the output, and what the next step reads, that small by a matrix of its own.  Cost per step and
    unit: 27 operations (four sums, three sigmoids, two tanh, f·c + i·g, o·tanh(c)).
    Sources: PyTorch `nn.LSTM`; Hochreiter & Schmidhuber 1997, Neural Computation 9; Sak et al. 2014, arXiv:1402.1128.
    """

    gates: ClassVar[int] = 4
    output_names: ClassVar[tuple[str, ...]] = ("output", "h_n", "c_n")
    proj_size: int = attr(integer(0), "features that the output is projected to; 0 for none", 0)

    def __post_init__(self) -> None:
        if self.proj_size >= self.hidden_size:
            raise OpError(
                "A207",
                f"proj_size {self.proj_size} is not smaller than hidden_size {self.hidden_size}",
                help="the projection makes the output smaller",
                attribute="proj_size",
            )

    @property
    def _size(self) -> int:
        return self.proj_size or self.hidden_size

    def _projection(self, end: str) -> dict[str, Shape]:
        return {f"weight_hr_{end}": (self.proj_size, self.hidden_size)} if self.proj_size else {}

    def outputs(self, inputs: Shapes) -> Shapes:
        (hidden,) = super().outputs(inputs)
        return hidden, (*hidden[:2], self.hidden_size)

    def _places(self) -> tuple[tuple[int, ...], ...]:
        return (0,), (1, 0), (1, 1)


@register(
    "gru",
    category="sequence",
    samples=[
        ({"hidden_size": 64}, ((1, 100, 64),)),
        ({"hidden_size": 4, "num_layers": 2, "bidirectional": True, "bias": False}, ((2, 3, 5),)),
    ],
)
class GRU(Recurrent):
    """Gated recurrent unit: three gates for each unit.  Outputs: `output` of every step and the last `h_n`.

    Cost per step and unit: 19 operations (three sums, two sigmoids, r·h, a tanh, (1 − z)·n + z·h).
    Sources: PyTorch `nn.GRU`; Cho et al. 2014, arXiv:1406.1078.
    """

    gates: ClassVar[int] = 3
