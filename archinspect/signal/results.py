"""What `signal` found: figures of each layer over the seeds, the verdicts, and variants side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..shown import Shown, counted

Code = Literal["vanishes", "explodes", "symmetric", "dead", "healthy"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the seeds: the geometric mean of their values (0 if one is 0), the smallest and the largest."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        if any(math.isnan(value) or math.isinf(value) for value in values):
            return cls(math.inf, min(values), math.inf)
        mean = math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0
        return cls(mean, min(values), max(values))


@dataclass(frozen=True, slots=True)
class Units:
    """Units of an activation of which some never fire: how many there are, and where their inputs lie.

    `silent` are 0 for every input of the batch; `below` of these have inputs far below all others (at `at`).
    """

    units: int
    silent: float
    below: float = 0.0
    at: float = 0.0
    usual: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One call of a layer.  Standard deviations are over all elements of a tensor, averaged over the seeds.

    `dead` is the share of ReLU units that are 0 for every input of the batch, `saturated` the share of outputs of a
    sigmoid or tanh where the slope is below 5 % of its largest.  `gain` is the output's standard deviation over the
    root mean square of the input.  `dense`: a linear layer or a convolution.  None where a figure does not apply.
    """

    name: str
    op: str
    forward: Spread | None
    gradient: Spread | None
    weight_gradient: Spread | None
    dead: float | None
    saturated: float | None
    expected_std: float | None
    expected_gradient_std: float | None = None
    formula: str = ""
    gain: float | None = None
    dense: bool = False
    units: Units | None = None

    @property
    def forward_std(self) -> float | None:
        return None if self.forward is None else self.forward.mean

    @property
    def gradient_std(self) -> float | None:
        return None if self.gradient is None else self.gradient.mean

    @property
    def weight_gradient_std(self) -> float | None:
        return None if self.weight_gradient is None else self.weight_gradient.mean

    @property
    def ratio(self) -> float | None:
        """Measured over expected standard deviation."""
        if not self.expected_std or self.forward is None:
            return None
        return self.forward.mean / self.expected_std

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "op": self.op,
            "forward_std": finite(self.forward_std),
            "gradient_std": finite(self.gradient_std),
            "weight_gradient_std": finite(self.weight_gradient_std),
            "dead": self.dead,
            "saturated": self.saturated,
            "expected_std": finite(self.expected_std),
            "expected_gradient_std": finite(self.expected_gradient_std),
            "forward_range": _ends(self.forward),
            "gradient_range": _ends(self.gradient),
            "formula": self.formula,
        }


def finite(value: float | None) -> float | None:
    """A number that JSON can hold; None for one that overflowed."""
    return value if value is not None and math.isfinite(value) else None


def _ends(spread: Spread | None) -> list[float | None] | None:
    return None if spread is None else [finite(spread.low), finite(spread.high)]


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A layer whose units all start equal, and are still equal after one gradient step."""

    name: str
    units: int
    learns: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a network: a code, the layer it is said of (none: the whole), and why, in words."""

    code: Code
    name: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"code": self.code, "name": self.name, "message": self.message}


@dataclass(frozen=True)
class Variant:
    """One network, or one form of it, measured."""

    label: str
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    loss: str = ""
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.label,
            "rows": [row.to_dict() for row in self.rows],
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
        }


@dataclass(frozen=True)
class Signal(Shown):
    """The result: a variant, or several in the order asked for; `rows` and `verdicts` are the first one's."""

    model: str
    seeds: int
    batch: int
    mode: str
    variants: tuple[Variant, ...]
    explain: bool = field(default=False, compare=False)

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.variants[0].rows

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.variants[0].verdicts

    def __getitem__(self, name: str) -> Row:
        """The row of a layer, of the first variant."""
        return self.variants[0][name]

    def document(self) -> Mapping[str, Any]:
        """The JSON document."""
        first = self.variants[0]
        found: dict[str, Any] = {
            "model": self.model,
            "seeds": self.seeds,
            "batch": self.batch,
            "mode": self.mode,
            "loss": first.loss,
            "rows": [row.to_dict() for row in first.rows],
            "verdicts": [verdict.to_dict() for verdict in first.verdicts],
        }
        if len(self.variants) > 1:
            found["variants"] = [variant.to_dict() for variant in self.variants]
        return found

    def __repr__(self) -> str:
        codes = ", ".join(dict.fromkeys(verdict.code for verdict in self.verdicts))
        return f"<Signal of {self.model}: {counted(len(self.rows), 'layer')}, {codes}>"


@dataclass(frozen=True, slots=True)
class ModeRow:
    """A layer that does something else in training than in evaluation, on the same weights and the same batch.

    `train_std`, `eval_std` and the shares of zeros are of its output.  Of batch normalisation the variances are means
    over the channels: of the last batch, and the running one that evaluation uses.  Costs are FLOPs for the batch.
    """

    name: str
    op: str
    train_std: float
    eval_std: float
    train_zero: float
    eval_zero: float
    batch_var: float | None = None
    running_var: float | None = None
    expected_running_var: float | None = None
    train_flops: int | None = None
    eval_flops: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class Modes(Shown):
    """What batch normalisation and dropout do in training and in evaluation, after so many `batches` in training."""

    model: str
    batch: int
    batches: int
    rows: tuple[ModeRow, ...]
    output: ModeRow

    def document(self) -> Mapping[str, Any]:
        """The JSON document."""
        return {
            "model": self.model,
            "batch": self.batch,
            "batches": self.batches,
            "rows": [row.to_dict() for row in self.rows],
            "output": self.output.to_dict(),
        }

    def __repr__(self) -> str:
        return f"<Modes of {self.model}: {counted(len(self.rows), 'layer')} that differ>"
