"""The rows of a measured run with what they prove, and the roofs that their floors come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..units import seconds
from .latency_words import configuration, in_seconds, sentence
from .table import Cell, Cells, Column, Table, Toned

if TYPE_CHECKING:
    from ..latency.ceilings import Ceilings
    from ..latency.layers import LayerTiming
    from ..latency.results import Measurement, Run

_LAYERS = (
    Column("name", "Layer", "name"),
    Column("seconds", "Time", "seconds"),
    Column("share_percent", "Share", "percent"),
    Column("gflop_per_s", "GFLOP/s", "number", optional=2),
    Column("gb_per_s", "GB/s", "number", optional=3),
    Column("floor_s", "Floor", "seconds", optional=1),
    Column("efficiency_percent", "Efficiency", "percent"),
    Column("bound", "Verdict"),
)
_ROOFS = (
    Column("roof", "Roof"),
    Column("measured", "Measured here", "number"),
    Column("datasheet", "Datasheet", "number"),
    Column("unit", "Unit"),
)


def layers(found: Measurement, run: Run) -> Table:
    """The rows of one run, and whether to believe them."""
    total = (
        "Sum of rows",
        sum(row.ms for row in run.layers) / 1000,
        100.0,
        "",
        "",
        in_seconds(run.floor_ms),
        100 * run.floor_ms / sum(row.ms for row in run.layers) if run.floor_ms else "",
        "",
    )
    assert run.closure is not None
    assert run.inflation is not None
    assert run.whole_ms is not None
    notes = [
        f"Closure: the rows add up to {run.closure:.1%} of the uninstrumented whole ({seconds(run.whole_ms / 1000)}); "
        f"inflation by the instrument: {run.inflation - 1:+.1%}.",
        f"Floor: 2·MACs at the measured peak, or {_moved(run)} at the measured bandwidth, whichever is slower. "
        "Efficiency: floor / time.",
    ]
    unknown = [row.name for row in run.layers if row.macs is None]
    if unknown:
        named = ", ".join(unknown[:_MOST_NAMED])
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        notes.append(
            f"At least: {named}{more} have operations whose work no rule counts; their bytes alone are in the floor."
        )
    if any(row.name.endswith("(own)") for row in run.layers):
        notes.append(
            "(own): the module's own code between the calls of its parts, operations and Python alike."
        )
    if any(row.fused for row in run.layers):
        notes += _compiled(run)
    if found.environment.get("gpu") and all(flag.code != "eager-rows" for flag in run.flags):
        notes.insert(
            1, "Rows and their whole are device times of a captured CUDA graph, without the host's work."
        )
    if not run.trustworthy:
        notes.insert(0, "NOT TRUSTWORTHY: the rows do not add up to the whole within 5 %.")
    return Table(
        _LAYERS,
        tuple(map(_layer, run.layers)),
        total,
        f"{found.model}: where the time goes",
        configuration(run),
        tuple(notes),
        listed="layers",
    )


def _moved(run: Run) -> str:
    if any(row.fused for row in run.layers):
        return "what a row's kernels read from other rows, their weights and what other rows read of them"
    return "input + weights + output"


def _compiled(run: Run) -> list[str]:
    """What the rows of compiled code are."""
    notes = ["Rows are the kernels that torch.compile made, by the layers that they compute."]
    if any(each.prepares for row in run.layers for each in row.fused):
        notes.append("prepares: brings weights or an input into another layout, or adds up a part.")
    if run.absorbed:
        names = ", ".join(run.absorbed[:_MOST_ABSORBED])
        more = len(run.absorbed) - _MOST_ABSORBED
        notes.append(
            f"No kernel computes {names}{f' and {more} more' if more > 0 else ''}: nothing is left of "
            f"{'them' if len(run.absorbed) > 1 else 'it'} in the compiled code."
        )
    return notes


_MOST_ABSORBED = 5
_MOST_NAMED = 3
_TONES = {"compute-bound": "good", "memory-bound": "good", "beats the roof": "good"}


def _layer(row: LayerTiming) -> Cells:
    tone = _TONES.get(row.bound)
    return (
        row.name,
        row.ms / 1000,
        100 * row.share,
        "" if row.gflops_per_s is None else row.gflops_per_s,
        "" if row.gb_per_s is None else row.gb_per_s,
        row.floor_ms / 1000 if row.floor_ms else "",
        "" if row.efficiency is None else 100 * row.efficiency,
        Toned(row.bound, "good") if tone else row.bound,
    )


def roofs(measured: Ceilings, sheet: Ceilings | None) -> Table:
    """The ceilings measured here beside those of the datasheet."""
    kinds = dict.fromkeys([*measured.peak, *(sheet.peak if sheet else ())])
    rows: list[Cells] = [
        (f"Matrix product, {kind}", *_pair(measured, sheet, lambda c, k=kind: _tera(c, k)), "TFLOP/s")
        for kind in kinds
    ]
    rows.append(("Copy (read + write)", *_pair(measured, sheet, lambda c: c.bandwidth / 1e9), "GB/s"))
    rows.append(("Empty kernel", measured.launch_s * 1e6, "", "µs"))
    note = (
        sheet.origin
        if sheet
        else "The table of devices has no datasheet for this device (--devices FILE adds one)."
    )
    return Table(_ROOFS, tuple(rows), title=f"Roofs of {measured.name}", notes=(sentence(note),))


def _pair(measured: Ceilings, sheet: Ceilings | None, figure: object) -> tuple[Cell, Cell]:
    assert callable(figure)
    return figure(measured), "" if sheet is None else figure(sheet)


def _tera(ceilings: Ceilings, kind: str) -> Cell:
    return ceilings.peak[kind] / 1e12 if kind in ceilings.peak else ""
