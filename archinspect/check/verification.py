"""What a verification found: per layer, per tool, and why the tools disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from ..ops import Shape
from ..shown import Shown, counted
from .conventions import Counts, Difference, difference

EXECUTION = "execution"  # the quantity of a layer that did not run, or should not have

Verdict = Literal["agrees", "differs", "not installed", "failed", "not run"]


@dataclass(frozen=True)
class Figures:
    """What is compared of a layer; `macs` is None where the closed form cannot count them."""

    output_shape: Shape
    params: Mapping[str, Shape]
    buffers: Mapping[str, Shape]
    macs: int | None


@dataclass(frozen=True)
class Mismatch:
    """One figure on which two engines differ; `layer` is "" for the network as a whole."""

    layer: str
    quantity: str
    expected: Any
    found: Any
    batch: int
    witness: str = "module"

    def __str__(self) -> str:
        if self.quantity == EXECUTION:
            return f"{self.layer or 'the whole network'}: {self.found} (batch {self.batch})"
        return (
            f"{self.layer or 'the whole network'}: {self.quantity} should be {_show(self.expected)}, "
            f"{_WITNESS.get(self.witness, self.witness)} has {_show(self.found)} (batch {self.batch})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "quantity": self.quantity,
            "expected": _plain(self.expected),
            "found": _plain(self.found),
            "batch": self.batch,
            "witness": self.witness,
        }


_WITNESS = {"module": "the real module"}


@dataclass(frozen=True)
class LayerCheck:
    """A layer by closed form, beside the same layer of the real module (None where it did not run)."""

    name: str
    op: str
    expected: Figures
    found: Figures | None
    differing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.differing


@dataclass(frozen=True)
class ToolCheck:
    """A tool's figures for one batch, beside our prediction of them, in the tool's own unit."""

    tool: str
    version: str
    batch: int
    verdict: Verdict
    predicted: Counts
    total: int | None = None
    params: int | None = None
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "tool": self.tool,
            "version": self.version,
            "batch": self.batch,
            "verdict": self.verdict,
            "unit": self.predicted.unit,
            "predicted": self.predicted.total,
            "found": self.total,
            "predicted_params": self.predicted.params,
            "found_params": self.params,
            "ignored": dict(self.predicted.ignored),
            "unknown": dict(self.predicted.unknown),
            "message": self.message,
        }


@dataclass(frozen=True)
class Execution:
    """A captured graph as it was executed on random inputs, beside its module on the same.

    `where` is the first call that gave another result and `message` says how it differs, or why nothing was run.
    """

    status: Literal["equal", "differs", "not run"]
    calls: int = 0
    outputs: int = 0
    where: str = ""
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "status": self.status,
            "calls": self.calls,
            "outputs": self.outputs,
            "where": self.where,
            "message": self.message,
        }


@dataclass(frozen=True)
class Verification(Shown):
    """A network held against its real module and other tools.

    `layers` are those of the first batch; `mismatches` come from all.  `ours` counts exact MACs, in the form of a
    convention.  `executions` are by batch, and empty for a network from a spec, whose module we build; `notes` say what
    was left out.
    """

    model: str
    input_shape: Shape
    batches: tuple[int, ...]
    torch_version: str
    layers: tuple[LayerCheck, ...]
    tools: tuple[ToolCheck, ...]
    ours: Counts
    mismatches: tuple[Mismatch, ...]
    executions: Mapping[int, Execution] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing differed.  A tool that is missing or failed says nothing against us: see `complete`."""
        return not self.mismatches

    @property
    def complete(self) -> bool:
        """Every tool asked for was heard, and a captured graph was executed, for every batch."""
        heard = all(check.verdict in ("agrees", "differs") for check in self.tools)
        return (
            heard and not self.notes and all(found.status != "not run" for found in self.executions.values())
        )

    @property
    def counts(self) -> tuple[Counts, ...]:
        """The predictions for the first batch, ours first."""
        return (self.ours, *(check.predicted for check in self.tools if check.batch == self.batches[0]))

    def difference(self, minuend: str, subtrahend: str) -> Difference:
        """Why two tools disagree, term by term.  Raises KeyError for a tool that was not asked."""
        by_name = {counts.convention.name: counts for counts in self.counts}
        return difference(by_name[minuend], by_name[subtrahend])

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All pairs of tools, the larger figure first."""
        ordered = sorted(self.counts, key=lambda counts: -counts.macs)
        return tuple(difference(one, other) for one, other in combinations(ordered, 2))

    def __repr__(self) -> str:
        heard = {check.tool for check in self.tools if check.verdict in ("agrees", "differs")}
        many = len(self.mismatches)
        verdict = "agrees" if self.ok else "1 figure differs" if many == 1 else f"{many} figures differ"
        asked = f"{counted(len(self.layers), 'layer')}, {counted(len(heard), 'tool')}"
        return (
            f"<Verification of {self.model}: {verdict}; {asked}, batches {', '.join(map(str, self.batches))}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `archinspect verify`."""
        captured: dict[str, Any] = {}
        if self.executions:
            captured = {
                "executions": {str(batch): found.to_dict() for batch, found in self.executions.items()},
                "notes": list(self.notes),
            }
        return {
            "model": self.model,
            "input": list(self.input_shape),
            "batches": list(self.batches),
            "ok": self.ok,
            "complete": self.complete,
            "torch": self.torch_version,
            "layers": [_layer(check) for check in self.layers],
            "tools": [check.to_dict() for check in self.tools],
            "terms": {
                counts.convention.name: {"total_macs": counts.macs, **counts.terms} for counts in self.counts
            },
            "differences": [found.to_dict() for found in self.differences],
            "mismatches": [mismatch.to_dict() for mismatch in self.mismatches],
            **captured,
        }


def _layer(check: LayerCheck) -> dict[str, Any]:
    return {
        "name": check.name,
        "op": check.op,
        "ok": check.ok,
        "differing": list(check.differing),
        "expected": _figures(check.expected),
        "found": None if check.found is None else _figures(check.found),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "output_shape": list(figures.output_shape),
        "params": _plain(figures.params),
        "buffers": _plain(figures.buffers),
        "macs": figures.macs,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(held) for name, held in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _show(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return "×".join(map(str, value)) or "a scalar"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_show(held)}" for name, held in value.items()) or "nothing"
    return str(value) if value is not None else "nothing"
