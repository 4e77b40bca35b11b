"""An analysis with the bytes that a network takes in another precision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from ..graph import ELEMENT_BYTES, Graph, Node
from .batch import CONVERTED
from .memory import activation_bytes, peak_activation_bytes
from .results import Analysis, Row, Totals

#: precision → bytes of an element
PRECISIONS = {"fp64": 8, "fp32": 4, "fp16": 2, "bf16": 2}


@dataclass(frozen=True)
class AnalysisAtPrecision(Analysis):
    """An analysis whose bytes are those of floating-point values and weights in `dtype`; others keep their type."""

    dtype: str = ""

    @cached_property
    def totals(self) -> Totals:
        totals = vars(super().totals)
        size = PRECISIONS[self.dtype]
        own = {
            "weight_bytes": _weight_bytes(self.graph, totals["params"], size),
            "peak_activation_bytes": peak_activation_bytes(self.graph, size),
        }
        return Totals(**{**totals, **own})


def at_precision(analysis: Analysis, dtype: str) -> Analysis:
    """The analysis of single layers in this precision."""
    size = PRECISIONS[dtype]
    rows = tuple(
        Row(**{**vars(row), "activation_bytes": _bytes(node, size)})
        for row, node in zip(analysis.rows, analysis.graph.layers, strict=True)
    )
    own = {name: getattr(analysis, name) for name in ("model", "input", "graph", "table", "explain")}
    return AnalysisAtPrecision(**own, rows=rows, dtype=dtype)


def _bytes(node: Node, size: int) -> int:
    if node.outputs is None or not activation_bytes(node):
        return activation_bytes(node, size)
    return sum([prod(value.shape) * _size_of(value.dtype, size) for value in node.outputs])


def _weight_bytes(graph: Graph, params: int, size: int) -> int:
    if graph.source is None:
        return params * size
    return sum([p.numel * _size_of(p.dtype, size) for p in graph.parameters if not p.buffer])


def _size_of(dtype: str, size: int) -> int:
    return size if dtype in CONVERTED else ELEMENT_BYTES[dtype]
