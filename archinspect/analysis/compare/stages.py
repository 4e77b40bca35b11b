"""Stages of a network: the layers that work at one resolution, so that unlike networks can be set side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...graph import Graph, position_dimensions
from ...ops import Shape
from ..results import Analysis

#: the stage of what has no positions any more: the classifier's end
HEAD = 99


@dataclass(frozen=True)
class Stage:
    """Sums over the layers whose output is scaled down 2^`scale` times per side (to the nearest), or HEAD.

    `size` is the height and width of the first of them, empty for the head; macs that cannot be counted count as 0.
    """

    scale: int
    size: Shape
    layers: int
    params: int
    macs: int
    flops: int
    activation_bytes: int

    @property
    def name(self) -> str:
        """`1/8` for a stage at an eighth of the input's height and width."""
        if self.scale == HEAD:
            return "head"
        return f"1/{2**self.scale}" if self.scale >= 0 else f"{2**-self.scale}×"


def stage_of_nodes(graph: Graph) -> tuple[int, ...]:
    """The scale of each node's output: log2 of the input's side over its side, to the nearest; HEAD without a side."""
    space = graph.axes[0].count("space") if graph.inputs else 0
    sides = [_side(graph, index, space) for index in range(len(graph.nodes))]
    whole = sides[0] if sides else 1.0
    return tuple([HEAD if whole <= 1 or side <= 1 else round(math.log2(whole / side)) for side in sides])


def _positions(graph: Graph, index: int) -> Shape:
    shape = graph.nodes[index].output_shape
    return tuple([shape[dim] for dim in position_dimensions(graph.axes[index])])


def _side(graph: Graph, index: int, space: int) -> float:
    """Geometric mean of the sides; tokens as if they stood in a square, or in a cube where the input is a volume."""
    positions = _positions(graph, index)
    return math.prod(positions) ** (1 / max(len(positions), space or 2)) if positions else 1.0


def stages(graph: Graph, analysis: Analysis) -> tuple[Stage, ...]:
    """The stages that the network has, by scale; their sums are the totals.  `analysis` is the graph's, not folded."""
    found: dict[int, list[int]] = {}
    for index, scale in enumerate(stage_of_nodes(graph)):
        if index >= graph.inputs:
            found.setdefault(scale, []).append(index)
    return tuple(_stage(graph, analysis, scale, found[scale]) for scale in sorted(found))


def _stage(graph: Graph, analysis: Analysis, scale: int, indices: Sequence[int]) -> Stage:
    rows = [analysis.rows[i - graph.inputs] for i in indices]
    return Stage(
        scale=scale,
        size=() if scale == HEAD else _positions(graph, indices[0]),
        layers=len(rows),
        params=sum(row.params for row in rows),
        macs=sum(row.macs or 0 for row in rows),
        flops=sum(row.flops or 0 for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
    )
