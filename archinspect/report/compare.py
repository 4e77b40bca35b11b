"""`compare`: totals side by side, stages side by side, and where each difference comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from .. import units
from .table import AtLeast, Cell, Cells, Column, Report, Table, Tone, Toned

if TYPE_CHECKING:
    from ..analysis import Totals
    from ..analysis.compare import Comparison, Difference, Side, Stage

#: key of the totals → heading, and whether it counts bytes
_TOTALS = {
    "params": ("Parameters", False),
    "macs": ("MACs", False),
    "flops": ("FLOPs", False),
    "weight_bytes": ("Weights, fp32", True),
    "activation_bytes": ("Activations, fp32", True),
    "peak_activation_bytes": ("Peak of activations", True),
    "depth": ("Depth", False),
}
_DIFFERENCES = (
    Column("path", "Layer", "name"),
    Column("change", "Change"),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("what", "What", "detail"),
)
_TONES: dict[str, Tone] = {"added": "good", "removed": "bad", "changed": "fair"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_MODELS = len(_LETTERS)
_LONGEST_HEADING = 20
#: totals that only a pass over inputs tells
_OF_A_PASS = ("macs", "flops", "activation_bytes", "peak_activation_bytes", "depth", "receptive_field")

T = TypeVar("T")


def comparison(found: Sequence[Comparison], *, all_layers: bool = False, depth: int | None = None) -> Report:
    """One or more networks against the first.

    Scopes that were added or removed as a whole are one row; `all_layers` lists every layer, also those whose change
    costs nothing; `depth` sums the differences by scope.
    """
    sides = [found[0].a, *(one.b for one in found)]
    # A checkpoint has parameters alone, so nothing else is held side by side.
    tables = [_parameters(sides)] if parameters_only(found) else [_totals(sides), _stages(sides)]
    tables += [_differences(one, all_layers=all_layers, depth=depth) for one in found]

    def document() -> dict[str, object]:
        several = len(found) > 1
        unknown = dict.fromkeys(_OF_A_PASS) if parameters_only(found) else {}
        models = [side.to_dict() for side in sides]
        for model in models:
            cast("dict[str, object]", model["totals"]).update(unknown)
        return {
            "models": models,
            "differences": [
                {**({"model": one.b.name} if several else {}), **difference.to_dict(), **_unknown(one)}
                for one in found
                for difference in one.differences
            ],
            "unexplained": sum(one.unexplained for one in found),
        }

    return Report(tuple(tables), document)


def parameters_only(found: Sequence[Comparison]) -> bool:
    """Whether one of the networks is a checkpoint."""
    return any(one.parameters_only for one in found)


def _unknown(found: Comparison) -> dict[str, None]:
    """What a difference between parameters does not say, for JSON."""
    return dict.fromkeys(("macs", "flops", "activation_bytes")) if found.parameters_only else {}


def _parameters(sides: Sequence[Side]) -> Table:
    """Totals of what checkpoints know."""
    rows = []
    for key, (title, is_bytes) in {
        "params": ("Parameters", False),
        "weight_bytes": ("Bytes of them", True),
    }.items():
        values = [getattr(side.analysis.totals, key) for side in sides]
        rows.append((title, *_against_first(values, sides, key, is_bytes=is_bytes)))
    letters = zip(_LETTERS, sides, strict=False)
    return Table(
        tuple(_side_columns(sides)),
        tuple(rows),
        title=f"{' and '.join(side.name for side in sides)}, side by side",
        subtitle="; ".join(f"{letter}: {side.name}" for letter, side in letters),
        notes=(
            "Ratios are against the first.  A checkpoint holds parameters only: nothing else is compared.",
        ),
    )


def _side_columns(sides: Sequence[Side]) -> list[Column]:
    """A column for each network, under its name, or under letters where names are long."""
    columns = [Column("what", "What")]
    headings = [side.name for side in sides]
    if max(map(len, headings)) > _LONGEST_HEADING:
        headings = list(_LETTERS[: len(sides)])
    for number, heading in enumerate(headings):
        columns.append(Column(f"model_{number}", heading, "int"))
        if number:
            columns.append(Column(f"ratio_{number}", "Ratio", "ratio"))
    return columns


def _totals(sides: Sequence[Side]) -> Table:
    """The totals in columns."""
    columns = _side_columns(sides)
    rows = []
    for key, (title, is_bytes) in _TOTALS.items():
        values = [getattr(side.analysis.totals, key) for side in sides]
        rows.append((title, *_against_first(values, sides, key, is_bytes=is_bytes)))
    rows.append(("Receptive field", *_fields(sides)))
    return Table(
        tuple(columns),
        tuple(rows),
        title=f"{' and '.join(side.name for side in sides)}, side by side",
        subtitle="; ".join(
            f"{letter}: {side.name} on {units.shape_text(side.graph.input_shape)}"
            for letter, side in zip(_LETTERS, sides, strict=False)
        ),
        notes=(
            "Ratios are against the first.  Depth: convolutional and fully connected layers on the longest way.",
            "Receptive field: of the last layer that still has positions, in input pixels per side.",
        ),
    )


def _against_first(values: Sequence[int], sides: Sequence[Side], key: str, *, is_bytes: bool) -> list[Cell]:
    cells: list[Cell] = []
    for number, (value, side) in enumerate(zip(values, sides, strict=True)):
        bounded = key in ("macs", "flops") and not side.analysis.totals.complete
        cells.append(units.binary_bytes(value) if is_bytes else AtLeast(value) if bounded else value)
        if number:
            cells.append(value / values[0] if values[0] else "")
    return cells


def _fields(sides: Sequence[Side]) -> list[Cell]:
    cells: list[Cell] = []
    for number, side in enumerate(sides):
        row = side.receptive_field
        field = row.receptive_field if row else None
        cells.append("" if field is None else field)
        if number:
            cells.append("")
    return cells


def _stages(sides: Sequence[Side]) -> Table:
    """Parameters and MACs by resolution; the differences are against the first."""
    found = [{stage.scale: stage for stage in side.stages} for side in sides]
    letters = _LETTERS[: len(sides)]
    columns = [Column("stage", "Scale"), Column("size", "Size", optional=2)]
    for key, title in (("params", "Params"), ("macs", "MACs")):
        columns += [Column(f"{key}_{letter.lower()}", f"{title} {letter}", "int") for letter in letters]
        if len(sides) == 2:
            columns.append(Column(f"{key}_difference", f"{title} B − A", "int", optional=1))
    rows: list[Cells] = [
        (*_stage_name(scale, found), *_stage_cells([stages.get(scale) for stages in found]))
        for scale in sorted({scale for stages in found for scale in stages})
    ]
    return Table(
        tuple(columns),
        tuple(rows),
        ("Total", "", *_stage_cells([side.analysis.totals for side in sides])),
        title="By resolution",
        subtitle="; ".join(f"{letter}: {side.name}" for letter, side in zip(letters, sides, strict=True)),
        notes=("Layers are grouped by how far their output is scaled down against the input.",),
    )


def _stage_name(scale: int, found: Sequence[Mapping[int, Stage]]) -> tuple[str, str]:
    """`1/8` and `28×28`, with every size that a network has there."""
    there = [stages[scale] for stages in found if scale in stages]
    sizes = dict.fromkeys(units.shape_text(stage.size) for stage in there if stage.size)
    return there[0].name, ", ".join(sizes)


def _stage_cells(stages: Sequence[Stage | Totals | None]) -> list[Cell]:
    cells: list[Cell] = []
    for key in ("params", "macs"):
        values = [getattr(stage, key) if stage is not None else 0 for stage in stages]
        cells += values
        if len(values) == 2:
            cells.append(values[1] - values[0])
    return cells


def _differences(found: Comparison, *, all_layers: bool, depth: int | None) -> Table:
    """Every difference that costs or saves something, the sum, and what is left over (nothing)."""
    alone = found.parameters_only
    counted = [
        d for d in found.differences if all_layers or d.params or d.macs or (alone and d.change == "changed")
    ]
    if depth is not None:
        rows = _summed(counted, lambda difference: ".".join(difference.path.split(".")[:depth]))
    elif all_layers:
        rows = _each(counted)
    else:
        whole = _whole_scopes(found)
        rows = _summed(
            counted, lambda difference: whole.get((difference.change, difference.path), difference.path)
        )
    total: Cells = ("Sum", "", sum(d.params for d in counted), sum(d.macs for d in counted), "")
    columns: tuple[Column, ...] = _DIFFERENCES
    if alone:
        columns, total = _without_macs(columns), _without_macs(total)
        rows = [_without_macs(row) for row in rows]
    return Table(
        columns,
        tuple(rows),
        total,
        title=f"From {found.a.name} to {found.b.name}",
        subtitle="What each layer adds to the totals of the first; layers are aligned by "
        + ("name, then by their shapes." if alone else "structure."),
        notes=tuple(_notes(found, len(found.differences) - len(counted))),
        listed="differences",
    )


def _without_macs(row: tuple[T, ...]) -> tuple[T, ...]:
    at = next(index for index, column in enumerate(_DIFFERENCES) if column.key == "macs")
    return (*row[:at], *row[at + 1 :])


def _count(differences: int) -> str:
    return "The one difference comes" if differences == 1 else f"The {differences:,} differences sum"


def _each(differences: Sequence[Difference]) -> list[Cells]:
    return [(d.path, Toned(d.change, _TONES[d.change]), d.params, d.macs, d.what) for d in differences]


def _whole_scopes(found: Comparison) -> dict[tuple[str, str], str]:
    """For each layer of a scope that was added or removed as a whole: that scope, the outermost such one."""
    outermost: dict[tuple[str, str], str] = {}
    for side, position, change in ((found.a, 0, "removed"), (found.b, 1, "added")):
        layers = side.graph.layers
        alone = {
            side.graph.nodes[i].name
            for i in (m[position] for m in found.matches if None in m)
            if i is not None
        }
        sizes = Counter(scope for node in layers for scope in _scopes(node.name))
        lonely = Counter(scope for name in alone for scope in _scopes(name))
        for name in alone:
            whole = [scope for scope in _scopes(name) if sizes[scope] == lonely[scope]]
            if whole:
                outermost[change, name] = whole[0]
    return outermost


def _scopes(name: str) -> list[str]:
    """`a` and `a.b` for `a.b.c`."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _summed(differences: Sequence[Difference], scope_of: Callable[[Difference], str]) -> list[Cells]:
    """Sums over the differences of each scope, with how many there are of each kind."""
    scopes: dict[str, list[Difference]] = {}
    for difference in differences:
        scopes.setdefault(scope_of(difference), []).append(difference)
    rows: list[Cells] = []
    for path, inside in scopes.items():
        if len(inside) == 1:
            rows += _each(inside)
            continue
        kinds = Counter(difference.change for difference in inside)
        change: str = "several"
        what = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        if len(kinds) == 1:
            kind = inside[0].change
            change, what = Toned(kind, _TONES[kind]), f"{len(inside)} layers"
        rows.append((path, change, sum(d.params for d in inside), sum(d.macs for d in inside), what))
    return rows


def _notes(found: Comparison, free: int) -> list[str]:
    notes = [
        f"{_count(len(found.differences))} to {found.params:+,} parameters"
        + ("" if found.parameters_only else f" and {found.macs:+,} MACs")
        + f", the difference of the totals; unexplained: {found.unexplained}."
        if found.differences
        else "The two are the same, layer by layer."
    ]
    if free:
        what = "no parameters" if found.parameters_only else "neither"
        notes.append(f"{free} of them {'changes' if free == 1 else 'change'} {what} (--all lists them).")
    renamed = [pair for pair in found.renamed if pair[0].rpartition(".")[2] != pair[1].rpartition(".")[2]]
    if renamed:
        shown = ", ".join(f"{one} → {other}" for one, other in renamed[:3])
        more = f" and {len(renamed) - 3} more" if len(renamed) > 3 else ""
        notes.append(f"Under another name in {found.b.name}: {shown}{more}.")
    return notes
