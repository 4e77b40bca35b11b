"""Measured times beside the work of the closed form: how near each row is to its floor, and what bounds it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .ceilings import Ceilings, Precision, precision
from .layers import Fused, LayerTiming
from .results import Run
from .roofline import OVERHEAD, Floor, Work, floor_in_turn, floor_of_all, total_floor, verdict, works
from .traffic import FusedWork, fused_works

if TYPE_CHECKING:
    from ..graph import Graph


def judged(run: Run, graph: Graph, ceilings: Ceilings) -> Run:
    """The run with the floor of the whole and of each row under those roofs, and what bounds each row.

    Of compiled code the whole has the floor of its kernels, and none where these are not known: fusing saves traffic.
    """
    kind = precision(run.dtype)
    groups = [group for row in run.layers for group in row.fused]
    if groups:
        fused = dict(zip(groups, fused_works(groups, graph, run.batch, kind.bytes), strict=True))
        rows = tuple(_fused_row(row, fused, ceilings, kind) for row in run.layers)
        computed = {name for group in groups for name in group.layers}
        return replace(
            run,
            floor_ms=sum(row.floor_ms for row in rows),
            layers=rows,
            absorbed=tuple(node.name for node in graph.layers if node.name not in computed),
        )
    if run.options.get("compile"):
        return run
    work = {each.name: each for each in works(graph, run.batch, kind.bytes)}
    return replace(
        run,
        floor_ms=1000 * total_floor(work.values(), ceilings, kind),
        layers=tuple(_row(row, work, ceilings, kind) for row in run.layers),
    )


def _row(row: LayerTiming, work: Mapping[str, Work], ceilings: Ceilings, kind: Precision) -> LayerTiming:
    mine = [work[name] for name in row.layers if name in work]
    least = floor_of_all(mine, ceilings, kind)
    launches = sum(not each.idle for each in mine)
    return _with(row, mine, least, launches * ceilings.launch_s)


def _fused_row(
    row: LayerTiming, fused: Mapping[Fused, FusedWork], ceilings: Ceilings, kind: Precision
) -> LayerTiming:
    mine = [fused[group] for group in row.fused]
    least = floor_in_turn(each.floor(ceilings, kind) for each in mine)
    launches = sum(len(group.kernels) for group in row.fused)
    found = _with(row, mine, least, launches * ceilings.launch_s)
    return replace(found, bound=OVERHEAD) if row.fused and not least.seconds else found


def _with(
    row: LayerTiming, work: Sequence[Work] | Sequence[FusedWork], least: Floor, launch_s: float
) -> LayerTiming:
    counted = [each.macs for each in work if each.macs is not None]
    return replace(
        row,
        macs=sum(counted) if len(counted) == len(work) else None,
        bytes=sum(each.bytes for each in work),
        floor_ms=1000 * least.seconds,
        bound=verdict(row.ms / 1000, least, launch_s),
    )
