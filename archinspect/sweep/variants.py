"""One variant of a network in figures, many times a second."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis import analyse
from ..analysis.memory import FP32_BYTES
from ..errors import ArchinspectError
from ..frontends.spec import read_document
from ..frontends.spec.expand import Expander
from ..frontends.spec.load import Prepared
from ..frontends.spec.settings import split_settings
from ..ops import Shape
from .folding import FoldingExpander, Memory
from .footprint import combine
from .grid import INPUT


@dataclass(frozen=True)
class Figures:
    """The totals of a variant; `macs` and `flops` are lower bounds where `complete` is False."""

    input: Shape
    params: int
    buffers: int
    macs: int
    flops: int
    activation_bytes: int
    peak_activation_bytes: int
    complete: bool

    @property
    def weight_bytes(self) -> int:
        return self.params * FP32_BYTES


@dataclass(frozen=True)
class Variant:
    """A point of the grid: what was set, and its figures, or why there are none."""

    settings: Mapping[str, Any]
    figures: Figures | None
    error: str = ""

    def to_dict(self) -> dict[str, object]:
        found = self.figures
        if found is None:
            return {"settings": dict(self.settings), "error": self.error}
        return {
            "settings": dict(self.settings),
            "input": list(found.input),
            "params": found.params,
            "buffers": found.buffers,
            "macs": found.macs,
            "flops": found.flops,
            "weight_bytes": found.weight_bytes,
            "activation_bytes": found.activation_bytes,
            "peak_activation_bytes": found.peak_activation_bytes,
            "complete": found.complete,
        }


class Evaluator:
    """Evaluates variants of one network: reads and validates it once, and lays out equal blocks once.

    `model` may carry settings (`resnet50:num_classes=10`); these and `settings` hold where a variant does not say
    otherwise.

    Figures are those of `analyse` on the same variant.
    """

    def __init__(self, model: str | os.PathLike[str], settings: Mapping[str, Any] | None = None) -> None:
        name, own = split_settings(model)
        self._settings = {**own, **(settings or {})}
        document = read_document(name)
        self._memory = Memory(document)
        # What reads values by their names looks into blocks, so that none can be folded.
        self._whole = document.by_values
        expander = Expander if self._whole else FoldingExpander.remembering(self._memory)
        self._prepared = Prepared(document, expander)

    @property
    def name(self) -> str:
        return self._prepared.document.name

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self._prepared.document.arguments

    def evaluate(self, settings: Mapping[str, Any]) -> Variant:
        """One variant.  An error of the network at these settings is kept, not raised."""
        arguments = {name: value for name, value in settings.items() if name != INPUT}
        try:
            return Variant(settings, self.figures(arguments, settings.get(INPUT)))
        except ArchinspectError as error:
            first = error.diagnostics[0]
            return Variant(settings, None, f"{first.code}: {first.message}")

    def figures(self, arguments: Mapping[str, Any], input: str | None = None) -> Figures:
        """The totals with these arguments and this input size.  Raises ArchinspectError."""
        settings = {**self._settings, **arguments}
        own = settings.pop(INPUT, None)
        graph = self._prepared.expand(settings, own if input is None else input)
        if self._whole:
            totals = analyse(graph).totals
            return Figures(
                input=graph.input_shape,
                params=totals.params,
                buffers=totals.buffers,
                macs=totals.macs,
                flops=totals.flops,
                activation_bytes=totals.activation_bytes,
                peak_activation_bytes=totals.peak_activation_bytes,
                complete=totals.complete,
            )
        found = combine(graph.nodes, 0, (*graph.outputs, 0), self._memory.footprints)
        entry = self._memory.footprints.of(graph.nodes[0])
        return Figures(
            input=graph.input_shape,
            params=found.params,
            buffers=found.buffers,
            macs=found.macs,
            flops=found.flops,
            activation_bytes=(found.elements - entry.elements) * FP32_BYTES,
            peak_activation_bytes=max(found.peak_early, found.peak_late) * FP32_BYTES,
            complete=found.complete,
        )
