"""Measured times beside the work of the closed form: floors, efficiency and verdicts.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .ceilings import Ceilings, Precision, precision
from .layers import LayerTiming
from .results import Run
from .roofline import Work, floor_of_all, total_floor, verdict, works

if TYPE_CHECKING:
    from ..graph import Graph


def judged(run: Run, graph: Graph, ceilings: Ceilings) -> Run:
    """The run with the floor of the whole and of each row under those roofs, and what bounds each row."""
    kind = precision(run.dtype)
    work = {each.name: each for each in works(graph, run.batch, kind.bytes)}
    return replace(
        run,
        floor_ms=1000 * total_floor(work.values(), ceilings, kind),
        layers=tuple(_row(row, work, ceilings, kind) for row in run.layers),
    )


def _row(row: LayerTiming, work: Mapping[str, Work], ceilings: Ceilings, kind: Precision) -> LayerTiming:
    mine = [work[name] for name in row.layers if name in work]
    counted = [each.macs for each in mine if each.macs is not None]
    least = floor_of_all(mine, ceilings, kind)
    launches = sum(not each.idle for each in mine)
    return replace(
        row,
        macs=sum(counted) if len(counted) == len(mine) else None,
        bytes=sum(each.bytes for each in mine),
        floor_ms=1000 * least.seconds,
        bound=verdict(row.ms / 1000, least, launches * ceilings.launch_s),
    )
