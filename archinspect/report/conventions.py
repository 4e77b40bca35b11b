"""A network's tables by the rules of another tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from .. import units
from .table import Cell, Cells, Column, Report, Table

if TYPE_CHECKING:
    from ..check.conventions import Counts, RowCount
    from ..graph import Graph

_NAME = Column("name", "Layer", "name")
_TYPE = Column("op", "Type", optional=-1)
_SHAPE = Column("output_shape", "Output shape", "shape", optional=1)
_PARAMS = Column("params", "Params", "int")
_RULE = Column("rule", "Rule", "detail")


def by_convention(
    graph: Graph,
    counts: Counts,
    *,
    which: Literal["params", "cost", "both"],
    explain: bool = False,
    depth: int | None = None,
) -> Report:
    """Parameters, cost or both of each layer as the tool counts them, under the tool's own total."""
    convention = counts.convention
    explain = explain and which != "params"  # rules are about cost
    folded = counts if depth is None else counts.fold(depth)
    figures: list[Column] = []
    if which != "cost":
        figures.append(_PARAMS)
    if which != "params":
        figures.append(Column("count", convention.unit, "int"))
    columns = (_NAME, _TYPE, _SHAPE, *figures, *([_RULE] if explain else []))
    shapes = {node.name: node.output_shape for node in graph.layers}

    def line(row: RowCount) -> Cells:
        values: list[Cell] = []
        if which != "cost":
            values.append(row.params)
        if which != "params":
            values.append(convention.per_mac * row.count if row.known else None)
        if explain:
            values.append(_rules(counts, row))
        shape = shapes.get(row.name, "") if row.output_shape is None else row.output_shape
        return (row.name, row.op, shape, *values)

    totals: list[Cell] = []
    if which != "cost":
        totals.append(counts.params)
    if which != "params":
        totals.append(counts.total)
    total = ("Total", "", "", *totals, *([""] if explain else []))
    table = Table(
        columns,
        tuple(map(line, folded.rows)),
        total,
        f"{graph.name}, as {convention.tool} counts it",
        f"Input {units.shape_text(graph.input_shape)}; the total is its {convention.figure}",
        tuple(_notes(counts, which)),
        listed="rows",
    )
    return Report(
        (table,), lambda: {"model": graph.name, "input": list(graph.input_shape), **folded.to_dict()}
    )


def _rules(counts: Counts, row: RowCount) -> str:
    if row.rule is not None:
        return row.rule
    if row.op == "scope" or not (row.terms or row.ignored or row.unknown):
        return ""
    return "; ".join(piece.text for piece in counts.convention.pieces(row.op))


def _notes(counts: Counts, which: str) -> list[str]:
    convention = counts.convention
    notes: list[str] = []
    if which != "params":
        if counts.unknown:
            notes.append(
                f"{convention.tool} has no rule for {_named(counts.unknown)}: its total leaves that out."
            )
        if counts.ignored:
            notes.append(f"It counts as zero: {_named(counts.ignored)}.")
        notes += counts.notes
    if which != "cost":
        told = convention.params_text
        notes.append(f"Params it counts: {told}." if told else f"{convention.tool} counts no parameters.")
    return notes


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n}×)" if n > 1 else name for name, n in counts.items())
