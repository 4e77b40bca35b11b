"""What a checkpoint holds, by module: parameters alone, as they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from .. import units
from .table import Cells, Column, Report, Table

if TYPE_CHECKING:
    from ..analysis import Analysis, Row
    from ..frontends.checkpoint import CheckpointSource
    from ..graph import Graph, Parameter

_COLUMNS = (
    Column("name", "Layer", "name"),
    Column("shapes", "Tensors", "text", optional=-1),
    Column("dtype", "Type"),
    Column("params", "Params", "int"),
    Column("stored_bytes", "Stored", "bytes"),
)
_TYPES = (
    Column("dtype", "Type"),
    Column("tensors", "Tensors", "int"),
    Column("params", "Params", "int"),
    Column("buffers", "Buffers", "int"),
    Column("stored_bytes", "Stored", "bytes"),
    Column("bits", "Bits each", "number"),
)
_FEW = 5  # names in a note, before the rest is counted
_SPELT_OUT = 3  # shapes of a row, before tensors are counted
#: what the headers say that a reader wants to know first
_SAID = (
    ("general.architecture", "architecture"),
    ("general.file_type", "quantised as"),
    ("class", "class"),
    ("format", "written by"),
)
_OF_A_PASS = ("output_shape", "macs", "flops", "activation_bytes", "receptive_field")


def stored_parameters(graph: Graph, analysis: Analysis, *, explain: bool = False) -> Report:
    """Parameters of each module with their shapes, types and bytes, and the types side by side."""
    columns = _COLUMNS + ((Column("params_derivation", "Derivation", "formula"),) if explain else ())
    rows = [_cells(row, explain=explain) for row in analysis.rows]
    stored = sum(parameter.bytes for parameter in graph.parameters)
    total: Cells = ("Total", "", "", analysis.totals.params, stored, *(("",) if explain else ()))
    source = cast("CheckpointSource", graph.source)
    notes = tuple(_notes(graph, source))
    table = Table(columns, tuple(rows), total, graph.name, _subtitle(source), notes, listed="rows")
    return Report((table, _types(graph)), lambda: _document(graph, analysis, source))


def _cells(row: Row, *, explain: bool) -> Cells:
    tensors = row.tensors
    spelt_out = row.op == "parameters" and 0 < len(tensors) <= _SPELT_OUT
    shown = _shapes(row.name, tensors) if spelt_out else _count(len(tensors))
    cells = (row.name, shown, _dtypes(tensors.values()), row.params, sum(p.bytes for p in tensors.values()))
    if not explain:
        return cells
    formula = row.derivations["params"]
    return (*cells, f"{formula} = {row.params:,}" if "×" in formula or "+" in formula else "")


def _shapes(row: str, tensors: Mapping[str, Parameter]) -> str:
    """`weight 64×3×7×7, bias 64`; a tensor that is its row's only one needs no name."""
    texts = {name: units.shape_text(parameter.shape) or "1" for name, parameter in tensors.items()}
    if texts.keys() in ({"weight"}, {row}):
        return next(iter(texts.values()))
    return ", ".join(f"{name.rpartition('.')[2]} {text}" for name, text in texts.items())


def _count(tensors: int) -> str:
    return "shared" if not tensors else "1 tensor" if tensors == 1 else f"{tensors:,} tensors"


def _dtypes(tensors: Iterable[Parameter]) -> str:
    """The types of parameters, or else of buffers, the most numerous first."""
    found = list(tensors)
    learnt = [parameter for parameter in found if not parameter.buffer] or found
    elements: Counter[str] = Counter()
    for parameter in learnt:
        elements[units.dtype(parameter.dtype)] += parameter.numel
    names = [name for name, _ in elements.most_common()]
    return ", ".join(names[:2]) + (" …" if len(names) > 2 else "")


def _subtitle(source: CheckpointSource) -> str:
    files = source.files
    parts = [
        source.format,
        f"{len(files):,} files" if len(files) > 1 else files[0],
        units.binary_bytes(source.file_bytes),
    ]
    said = [f"{title} {source.metadata[key]}" for key, title in _SAID if source.metadata.get(key)]
    return "; ".join([", ".join(parts), *said])


def _notes(graph: Graph, source: CheckpointSource) -> list[str]:
    buffers = [parameter for parameter in graph.parameters if parameter.buffer]
    stored = sum(parameter.bytes for parameter in graph.parameters)
    notes = []
    if "class" in source.metadata:  # a whole module was pickled, with what it knows of its parameters
        trainable = sum(p.numel for p in graph.parameters if p.trainable)
        frozen = sum(p.numel for p in graph.parameters if not p.trainable and not p.buffer)
        notes.append(f"Params: trainable {trainable:,}, non-trainable {frozen:,}.")
    else:
        notes.append("Which of the parameters are trainable the file does not say.")
    if buffers:
        notes.append(
            f"Not counted as parameters: {sum(p.numel for p in buffers):,} elements of {len(buffers):,} buffers "
            "(running statistics, whole numbers, scales of quantised weights)."
        )
    tied = [" = ".join(parameter.names) for parameter in graph.parameters if len(parameter.names) > 1]
    if tied:
        more = f" and {len(tied) - _FEW:,} more" if len(tied) > _FEW else ""
        notes.append(f"Shared, counted once: {', '.join(tied[:_FEW])}{more}.")
    if source.data_bytes > stored:
        rest = units.binary_bytes(source.data_bytes - stored)
        notes.append(
            f"{rest} of the file's data belong to no tensor that is listed (views of larger storages, other objects)."
        )
    return [*notes, *source.notes]


def _types(graph: Graph) -> Table:
    """Tensors, elements and bytes by type, the largest first."""
    found: dict[str, list[Parameter]] = {}
    for parameter in graph.parameters:
        found.setdefault(parameter.dtype, []).append(parameter)
    sums = []
    for dtype, tensors in found.items():
        params = sum(p.numel for p in tensors if not p.buffer)
        buffers = sum(p.numel for p in tensors if p.buffer)
        sums.append((units.dtype(dtype), len(tensors), params, buffers, sum(p.bytes for p in tensors)))
    sums.sort(key=lambda row: -row[4])
    whole = ("Total", *(sum(column) for column in list(zip(*sums, strict=True))[1:]))
    rows = [(*row, _bits(row)) for row in sums]
    return Table(_TYPES, tuple(rows), (*whole, _bits(whole)), title="By type")


def _bits(row: tuple[str | int, ...]) -> float | str:
    """Bits that an element takes in the file, scales of its block included."""
    _, _, params, buffers, stored = cast("tuple[str, int, int, int, int]", row)
    return 8 * stored / (params + buffers) if params + buffers else ""


def _document(graph: Graph, analysis: Analysis, source: CheckpointSource) -> Mapping[str, object]:
    """The analysis as JSON: what only a pass over inputs would tell is null."""
    document = analysis.to_dict()
    rows = []
    for row, made in zip(analysis.rows, cast("list[dict[str, object]]", document["rows"]), strict=True):
        made.update(dict.fromkeys(_OF_A_PASS))
        made["derivations"] = {"params": row.derivations["params"]}
        made["stored_bytes"] = sum(parameter.bytes for parameter in row.tensors.values())
        made["tensors"] = {
            name: {
                "names": list(parameter.names),
                "shape": list(parameter.shape),
                "dtype": parameter.dtype,
                "buffer": parameter.buffer,
                "stored_bytes": parameter.bytes,
            }
            for name, parameter in row.tensors.items()
        }
        rows.append(made)
    totals = cast("dict[str, object]", document["totals"])
    totals.update(dict.fromkeys(("macs", "flops", "activation_bytes", "peak_activation_bytes", "depth")))
    totals["stored_bytes"] = sum(parameter.bytes for parameter in graph.parameters)
    return {**document, "rows": rows, "totals": totals, "checkpoint": source.to_dict()}
