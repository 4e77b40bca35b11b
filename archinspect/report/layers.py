"""The per-layer tables: parameters, shapes, cost, and all of them in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import units
from ..graph import refuse_parameters_only
from .table import AtLeast, Cell, Cells, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Analysis, Row
    from ..graph import Graph

_FEW = 5  # names in a note, before the rest is counted

_NAME = Column("name", "Layer", "name")
_TYPE = Column("op", "Type", optional=-1)
_SHAPE = Column("output_shape", "Output shape", "shape")
_PARAMS = Column("params", "Params", "int")
_MACS = Column("macs", "MACs", "int")
_FLOPS = Column("flops", "FLOPs", "int")
_FIELD = Column("receptive_field", "Receptive field", "int", optional=1)
_ACTIVATIONS = Column("activation_bytes", "Activations", "bytes", optional=2)
_TRAINABLE = Column("trainable", "Trainable", "int")
_BUFFERS = Column("buffers", "Buffers", "int")
#: columns that every one of these tables can have
_ALL = {
    column.key: column
    for column in (_TYPE, _SHAPE, _PARAMS, _TRAINABLE, _BUFFERS, _MACS, _FLOPS, _ACTIVATIONS, _FIELD)
}


def params(graph: Graph, analysis: Analysis, *, explain: bool = False, also: Sequence[str] = ()) -> Report:
    """Learnable parameters of each layer and in all; `also` are further columns, as in the other tables here."""
    if not graph.inputs:
        from .checkpoint import stored_parameters  # only checkpoints need it

        return stored_parameters(graph, analysis, explain=explain)
    totals = analysis.totals
    split = f"trainable {totals.trainable:,}, non-trainable {totals.non_trainable:,}"
    notes = [f"Params: {split}; {units.binary_bytes(totals.weight_bytes)} in {_types(graph, analysis)}."]
    if totals.buffers:
        what = "running statistics" if graph.source is None else "tensors that are saved, not learnt"
        notes.append(f"Not counted: {totals.buffers:,} buffer elements ({what}).")
    notes += _remarks(graph)
    columns = (_NAME, _TYPE, _SHAPE, _PARAMS)
    rows = [(r.name, r.op, r.output_shape, r.params) for r in analysis.rows]
    total = ("Total", "", "", totals.params)
    return _report(graph, analysis, columns, rows, total, notes, ("params",) if explain else (), also)


def shapes(graph: Graph, analysis: Analysis, *, explain: bool = False, also: Sequence[str] = ()) -> Report:
    """Output shape and receptive field of each layer."""
    refuse_parameters_only(graph, "shapes")
    calls = {node.name: str(node.op) for node in graph.layers}
    columns = (_NAME, Column("op", "Op"), _SHAPE, _FIELD)
    rows = [(r.name, calls.get(r.name, r.op), r.output_shape, _field(r)) for r in analysis.rows]
    notes = [
        f"Shapes are batch first: {_layout(graph)}.  Receptive field: input pixels an output element sees, per side."
    ]
    return _report(graph, analysis, columns, rows, None, notes, ("shape",) if explain else (), also)


def flops(graph: Graph, analysis: Analysis, *, explain: bool = False, also: Sequence[str] = ()) -> Report:
    """Multiply-accumulates and FLOPs of each layer and in all."""
    refuse_parameters_only(graph, "MACs and FLOPs")
    totals = analysis.totals
    columns = (_NAME, _TYPE, _SHAPE, _MACS, _FLOPS)
    rows = [(r.name, r.op, r.output_shape, r.macs, r.flops) for r in analysis.rows]
    total = ("Total", "", "", _sum(analysis, totals.macs), _sum(analysis, totals.flops))
    notes = [
        _cost(graph, analysis),
        "FLOPs = 2·MACs + bias additions + every elementwise operation and comparison.",
    ]
    return _report(graph, analysis, columns, rows, total, notes, ("macs", "flops") if explain else (), also)


def _peak(graph: Graph, size: int) -> str:
    """The peak in words: at least so much where nobody knows what some calls need besides their outputs."""
    from ..analysis.memory import Storages, without_rule

    types = list(dict.fromkeys(without_rule(Storages(graph)).values()))
    if not types:
        return f"{units.binary_bytes(size)} during inference"
    some = ", ".join(types[:3]) + " …" * (len(types) > 3)
    return f"at least {units.binary_bytes(size)} during inference (no rule of memory for {some})"


def summary(graph: Graph, analysis: Analysis, *, explain: bool = False, also: Sequence[str] = ()) -> Report:
    """Shapes, parameters, cost and memory of each layer and in all."""
    refuse_parameters_only(graph, "shapes and cost")
    totals = analysis.totals
    columns = (_NAME, _TYPE, _SHAPE, _PARAMS, _MACS, _ACTIVATIONS, _FIELD)
    rows = [
        (r.name, r.op, r.output_shape, r.params, r.macs, r.activation_bytes, _field(r)) for r in analysis.rows
    ]
    total = (
        "Total",
        "",
        "",
        totals.params,
        _sum(analysis, totals.macs),
        totals.activation_bytes,
        "",
    )
    notes = [
        f"Params: trainable {totals.trainable:,}, non-trainable {totals.non_trainable:,}, "
        f"buffers {totals.buffers:,} (not counted).",
        f"Cost: {_cost(graph, analysis)}",
        f"Memory in {_types(graph, analysis)}: weights {units.binary_bytes(totals.weight_bytes)}, "
        f"all activations {units.binary_bytes(totals.activation_bytes)}, "
        f"peak {_peak(graph, totals.peak_activation_bytes)}.",
        *_remarks(graph),
    ]
    which = ("shape", "params", "macs", "flops") if explain else ()
    return _report(graph, analysis, columns, rows, total, notes, which, also)


def _experts(analysis: Analysis) -> list[str]:
    """What a count assumes of mixtures of experts."""
    found = analysis.totals.experts
    if found is None:
        return []
    used = ", ".join(f"{used} of {all:,}" for used, all in found.used)
    return [
        f"Experts: each token uses {used}, and the MACs are theirs; active parameters {found.params:,}.  "
        f"All experts for every token would take {units.si(found.macs_of_all, 'MACs')}."
    ]


_DERIVED = {"shape": "Shape", "params": "Params", "macs": "MACs", "flops": "FLOPs"}


def _report(
    graph: Graph,
    analysis: Analysis,
    columns: tuple[Column, ...],
    rows: Sequence[Cells],
    total: Cells | None,
    notes: list[str],
    explained: tuple[str, ...],
    also: Sequence[str],
) -> Report:
    """The table with its title, what was asked for besides, and what could not be counted."""
    if also:
        columns, rows, total = _wider(analysis, columns, rows, total, also)
    if explained:
        one = len(explained) == 1
        columns += tuple(
            Column(f"{key}_derivation", "Derivation" if one else f"{_DERIVED[key]} from", "formula")
            for key in explained
        )
        rows = [
            (*cells, *(_derivation(row, key) for key in explained))
            for cells, row in zip(rows, analysis.rows, strict=True)
        ]
        total = (*total, *("" for _ in explained)) if total else None
    if total is not None:
        notes += [*_experts(analysis), *_uncounted(analysis)]
    minor = frozenset() if total is None else _minor(analysis)
    table = Table(
        columns,
        tuple(rows),
        total,
        _title(graph),
        _subtitle(graph),
        tuple(notes),
        minor,
        listed="rows",
        more=tuple(_ALL),
    )
    return Report((table,), analysis.to_dict)


def _wider(
    analysis: Analysis,
    columns: tuple[Column, ...],
    rows: Sequence[Cells],
    total: Cells | None,
    also: Sequence[str],
) -> tuple[tuple[Column, ...], Sequence[Cells], Cells | None]:
    """The table with those of the columns `also` that it has not."""
    known = {column.key for column in columns}
    new = [_ALL[key] for key in dict.fromkeys(also) if key in _ALL and key not in known]

    def cell(row: Row, key: str) -> Cell:
        value: Cell = _field(row) if key == "receptive_field" else getattr(row, key)
        return value

    wider = [
        (*cells, *(cell(row, column.key) for column in new))
        for cells, row in zip(rows, analysis.rows, strict=True)
    ]
    if total is not None:
        sums: dict[str, Any] = {column.key: getattr(analysis.totals, column.key, "") for column in new}
        sums |= {key: _sum(analysis, sums[key]) for key in ("macs", "flops") if key in sums}
        total = (*total, *sums.values())
    return (*columns, *new), wider, total


def _minor(analysis: Analysis) -> frozenset[int]:
    """Places of the rows of views: they compute nothing and take no memory, and modules are full of them."""
    return frozenset(
        place
        for place, row in enumerate(analysis.rows)
        if row.is_view and not (row.params or row.buffers or row.flops or row.activation_bytes)
    )


def _title(graph: Graph) -> str:
    title = graph.metadata.get("title")
    return f"{graph.name}: {title}" if title and title != graph.name else graph.name


def _subtitle(graph: Graph) -> str:
    changed = ", ".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in graph.arguments.items()
    )
    return f"{_inputs(graph)}; {changed}" if changed else _inputs(graph)


def _inputs(graph: Graph) -> str:
    """`Input 1×3×224×224`; several inputs with their names and types."""
    nodes = graph.nodes[: graph.inputs]
    if len(nodes) == 1 and nodes[0].values[0].dtype == "float32":
        return f"Input {units.shape_text(graph.input_shape)}"
    shown = [
        f"{node.name} {units.shape_text(node.output_shape)} {node.values[0].dtype}" for node in nodes[:_FEW]
    ]
    more = f" and {len(nodes) - _FEW} more" if len(nodes) > _FEW else ""
    return f"Input{'s' if len(nodes) > 1 else ''} {', '.join(shown)}{more}"


def _types(graph: Graph, analysis: Analysis) -> str:
    """The types of the parameters, the most numerous first: `fp32`, `bf16 and fp32`."""
    asked: str = getattr(analysis, "dtype", "")
    if asked:
        return asked
    if graph.source is None:
        return "fp32"
    elements: Counter[str] = Counter()
    for parameter in graph.parameters:
        if not parameter.buffer:
            elements[parameter.dtype] += parameter.numel
    return " and ".join(units.dtype(name) for name, _ in elements.most_common()) or "fp32"


def _remarks(graph: Graph) -> list[str]:
    """What to know of a network that is no spec: tied weights, where a pass ended, what a file does not say."""
    if graph.source is None:
        return list(graph.metadata.get("remarks", ()))
    tied = [" = ".join(p.names) for p in graph.parameters if len(p.names) > 1]
    notes = [f"Shared, counted once: {_some(tied)}."] if tied else []
    partial = graph.metadata.get("partial")
    if partial:
        notes.append(f"Only the part before an error: {partial}")
    return [*notes, *graph.metadata.get("notes", ())]


def _some(names: Sequence[str]) -> str:
    """The first few of many."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _layout(graph: Graph) -> str:
    """What the sizes of the input are."""
    space = graph.axes[0].count("space")
    return {1: "N×C×L", 3: "N×C×D×H×W"}.get(space, "N×C×H×W")


def _field(row: Row) -> Cell:
    field = row.receptive_field
    if field is None:
        return ""
    if row.receptive_field_proof == "upper bound":
        return f"≤ {field if isinstance(field, int) else '×'.join(map(str, field))}"
    return field if isinstance(field, int) else "×".join(map(str, field))


def _sum(analysis: Analysis, value: int) -> Cell:
    return value if analysis.totals.complete else AtLeast(value)


def _cost(graph: Graph, analysis: Analysis) -> str:
    totals = analysis.totals
    least = "" if totals.complete else "at least "
    figures = f"{units.si(totals.macs, 'MACs')}, {units.si(totals.flops, 'FLOPs')}"
    batch = f"a batch of {graph.input_shape[0]}" if graph.input_shape else "one pass"
    return f"{least}{figures} for {batch}."


def _uncounted(analysis: Analysis) -> list[str]:
    names = [f"{row.name} ({row.op})" for row in analysis.rows if not row.complete]
    if len(names) > _FEW:  # many of few kinds: each kind once, with the first place
        kinds = Counter(row.op for row in analysis.rows if not row.complete)
        first = {row.op: row.name for row in reversed(analysis.rows) if not row.complete}
        names = [f"{kind} ({count}×, the first {first[kind]})" for kind, count in kinds.items()]
    return [f"Cannot be counted: {', '.join(names)}; totals are lower bounds."] if names else []


def _derivation(row: Row, key: str) -> str:
    """`formula = value`; nothing where the formula would only repeat the value."""
    from ..formula import equation  # only --explain needs it

    formula = row.derivations.get(key, "")
    value = row.output_shape if key == "shape" else getattr(row, key)
    text = equation(formula, value) if formula and value is not None else ""
    return text if " = " in text else ""
