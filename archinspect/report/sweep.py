"""`sweep`: the variants of a network, one a row, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .table import AtLeast, Cell, Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..sweep import Objective, Sweep, Variant

_FIGURES = (
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("flops", "FLOPs", "int", optional=3),
    Column("weight_bytes", "Weights", "bytes", optional=2),
    Column("activation_bytes", "Activations", "bytes", optional=1),
    Column("peak_activation_bytes", "Peak", "bytes", optional=1),
)


def sweep(
    found: Sweep, front: frozenset[int], objectives: Sequence[Objective], *, only_front: bool = False
) -> Report:
    """The table; `front` are the indices of the Pareto front."""
    names = found.grid.names
    failed = sum(variant.figures is None for variant in found.variants)
    columns = (*(Column(name, name) for name in names), *_FIGURES, Column("front", "Front"))
    columns += (Column("error", "Error", "detail"),) if failed else ()
    shown = [(i, v) for i, v in enumerate(found.variants) if not only_front or i in front]
    rows = tuple(
        (*_row(names, variant, in_front=index in front), *([variant.error] if failed else []))
        for index, variant in shown
    )
    notes = [
        f"Front: {_variants(len(front))} that no other beats ({', '.join(map(str, objectives))}).",
    ]
    if failed:
        notes.append(f"{_variants(failed)} cannot be laid out.")
    if not found.complete:
        notes.append(f"Interrupted: {len(found.variants):,} of {len(found.grid):,} variants are done.")
    table = Table(
        columns,
        rows,
        title=f"{found.model}: {_variants(len(found.variants))}",
        subtitle=" × ".join(f"{len(values)} of {name}" for name, values in found.grid.axes),
        notes=tuple(notes),
    )

    def document() -> dict[str, object]:
        return {
            "model": found.model,
            "axes": {name: list(values) for name, values in found.grid.axes},
            "objectives": [
                {"name": objective.name, "best": "max" if objective.largest else "min"}
                for objective in objectives
            ],
            "variants": [{**variant.to_dict(), "pareto": index in front} for index, variant in shown],
            "complete": found.complete,
        }

    return Report((table,), document)


def _row(names: Sequence[str], variant: Variant, *, in_front: bool) -> Cells:
    settings = [_setting(variant.settings[name]) for name in names]
    figures = variant.figures
    if figures is None:
        return (*settings, *("" for _ in _FIGURES), "")
    least: list[Cell] = [
        value if figures.complete else AtLeast(value) for value in (figures.macs, figures.flops)
    ]
    return (
        *settings,
        figures.params,
        *least,
        figures.weight_bytes,
        figures.activation_bytes,
        figures.peak_activation_bytes,
        Toned("yes", "good") if in_front else "",
    )


def _variants(count: int) -> str:
    return f"{count:,} variant{'s' * (count != 1)}"


def _setting(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
