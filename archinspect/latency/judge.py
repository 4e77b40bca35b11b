"""Measured times beside the work of the closed form: floors, efficiency and verdicts.  Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .ceilings import Ceilings, precision
from .layers import LayerTiming
from .results import Run
from .roofline import IDLE, Work, floor, total_floor, verdict, works

if TYPE_CHECKING:
    from ..graph import Graph


def judged(run: Run, graph: Graph, ceilings: Ceilings) -> Run:
    """The run with the floor of the whole and of each row under those roofs, and what bounds each row."""
    kind = precision(run.dtype)
    work = {each.name: each for each in works(graph, run.batch, kind.bytes)}

    def row(layer: LayerTiming) -> LayerTiming:
        if layer.name not in work:
            return replace(layer, bound=IDLE)
        mine: Work = work[layer.name]
        least = floor(mine, ceilings, kind)
        return replace(
            layer,
            macs=mine.macs,
            bytes=mine.bytes,
            floor_ms=1000 * least.seconds,
            bound=verdict(layer.ms / 1000, least, ceilings.launch_s),
        )

    return replace(
        run,
        floor_ms=1000 * total_floor(work.values(), ceilings, kind),
        layers=tuple(map(row, run.layers)),
    )
