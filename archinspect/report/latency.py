"""`latency`: the sweep, the rows of each run with what they prove, the roofs, and what speaks against any of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .table import Cell, Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..latency.ceilings import Ceilings
    from ..latency.flags import Flag
    from ..latency.layers import LayerTiming
    from ..latency.results import Measurement, Run

RUNS = (
    Column("batch", "Batch", "int"),
    Column("precision", "Precision"),
    Column("figure", "Figure"),
    Column("median_s", "Median", "seconds"),
    Column("uncertainty_percent", "±", "percent"),
    Column("p90_s", "p90", "seconds", optional=4),
    Column("p99_s", "p99", "seconds", optional=5),
    Column("images_per_s", "Images/s", "number"),
    Column("floor_s", "Floor", "seconds", optional=2),
    Column("peak_memory_bytes", "Memory", "bytes", optional=1),
    Column("predicted_memory_bytes", "Predicted", "bytes", optional=3),
    Column("n", "n", "int", optional=6),
    Column("trust", "Flags"),
)
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
#: the three figures by the mode that takes them, in words; they answer different questions
FIGURES = {
    "latency": "synchronised",
    "throughput": "pipelined",
    "graph": "CUDA graph replay",
}
#: what was asked beyond batch and precision, in words
OPTIONS = {"channels_last": "channels last", "compile": "compiled", "cold": "cold caches"}
_MEANING = {
    "latency": "synchronised: from the call to the finished result, one forward at a time",
    "throughput": "pipelined: device time per forward with the queue kept full",
    "graph": "CUDA graph replay: device time of the captured forward, without the host's work",
}


def measurement(found: Measurement) -> Report:
    """All tables of one network."""
    tables = [_runs(found), *(layers(found, run) for run in found.runs if run.layers)]
    if found.ceilings is not None:
        tables.append(roofs(found.ceilings, found.sheet))
    return Report(tuple(tables), found.to_dict)


def _runs(found: Measurement) -> Table:
    modes = dict.fromkeys(run.mode for run in found.runs)
    notes = [_sentence(_MEANING[mode]) for mode in modes]
    if any(run.mode == "latency" and run.floor_ms for run in found.runs):
        notes.append("Floor: the sum of the layers' roofline floors by the roofs measured here.")
    if any(run.median_ms is not None and run.percentile_ms(90) is None for run in found.runs):
        notes.append("p90 needs 64 samples, p99 needs 662; below, one disturbed forward would decide them.")
    notes += flags(found.runs)
    if found.interrupted:
        notes.append("Stopped by Ctrl-C: this is what is known so far.")
    return Table(
        RUNS,
        tuple(map(run_cells, found.runs)),
        title=f"{found.model}: forward pass",
        subtitle=where(found),
        notes=tuple(notes),
    )


def run_cells(run: Run) -> Cells:
    """One run as a row of `RUNS`."""
    if run.median_ms is None:
        blank: Cells = ("",) * 5
        return (
            run.batch,
            run.label,
            FIGURES[run.mode],
            Toned(run.status.replace("-", " "), "bad"),
            *blank,
            "",
            run.predicted_memory_bytes,
            "",
            _codes(run),
        )
    return (
        run.batch,
        run.label,
        FIGURES[run.mode],
        run.median_ms / 1000,
        "no interval" if run.precision is None else 100 * run.precision,
        _seconds(run.percentile_ms(90)),
        _seconds(run.percentile_ms(99)),
        run.images_per_s,
        _seconds(run.floor_ms),
        "" if run.peak_memory_bytes is None else run.peak_memory_bytes,
        run.predicted_memory_bytes,
        run.n,
        _codes(run),
    )


def _seconds(milliseconds: float | None) -> Cell:
    return "" if milliseconds is None else milliseconds / 1000


def _codes(run: Run) -> str:
    """The gravest flag and how many more there are; the notes say all of them."""
    doubts = [flag.code for flag in run.flags if flag.doubtful]
    if not run.trustworthy:
        doubts.remove("not-trustworthy")
        doubts.insert(0, "NOT TRUSTWORTHY")
    codes = list(dict.fromkeys([*doubts, *(flag.code for flag in run.flags if not flag.doubtful)]))
    if not codes:
        return Toned("none", "good")
    words = f"{codes[0]} +{len(codes) - 1}" if len(codes) > 1 else codes[0]
    return Toned(words, "fair" if run.trustworthy else "bad") if doubts else words


def layers(found: Measurement, run: Run) -> Table:
    """The rows of one run, and whether to believe them."""
    total = (
        "Sum of rows",
        sum(row.ms for row in run.layers) / 1000,
        100.0,
        "",
        "",
        _seconds(run.floor_ms),
        100 * run.floor_ms / sum(row.ms for row in run.layers) if run.floor_ms else "",
        "",
    )
    assert run.closure is not None
    assert run.inflation is not None
    assert run.whole_ms is not None
    notes = [
        f"Closure: the rows add up to {run.closure:.1%} of the uninstrumented whole ({_ms(run.whole_ms)}); "
        f"inflation by the instrument: {run.inflation - 1:+.1%}.",
        f"Floor: 2·MACs at the measured peak, or {_moved(run)} at the measured bandwidth, whichever is slower. "
        "Efficiency: floor / time.",
    ]
    if any(row.fused for row in run.layers):
        notes += _compiled(run)
    if found.environment.get("gpu"):
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
        ", ".join([f"batch {run.batch}", run.label, *(OPTIONS.get(each, each) for each in run.options)]),
        tuple(notes),
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
    return Table(_ROOFS, tuple(rows), title=f"Roofs of {measured.name}", notes=(_sentence(note),))


def _pair(measured: Ceilings, sheet: Ceilings | None, figure: object) -> tuple[Cell, Cell]:
    assert callable(figure)
    return figure(measured), "" if sheet is None else figure(sheet)


def _tera(ceilings: Ceilings, kind: str) -> Cell:
    return ceilings.peak[kind] / 1e12 if kind in ceilings.peak else ""


def flags(runs: Iterable[Run]) -> list[str]:
    """What was noticed, each kind once, with the remedy; of several runs the first that shows it, and how many do."""
    runs = list(runs)
    models = len({run.model for run in runs}) > 1
    told: dict[str, list[tuple[Run, Flag]]] = {}
    for run in runs:
        for flag in run.flags:
            told.setdefault(flag.code, []).append((run, flag))
    lines = []
    for code, seen in told.items():
        first, flag = seen[0]
        count = len({id(run) for run, _ in seen})
        modes = len({run.mode for run in runs}) > 1
        words = [*([first.model] if models else []), f"batch {first.batch} {first.label}"]
        words += [FIGURES[first.mode]] if modes else []
        more = f"; {count} of {len(runs)} runs" if count > 1 else ""
        at = f" [{' '.join(words)}{more}]" if len(runs) > 1 else ""
        messages = list(dict.fromkeys(flag.message for run, flag in seen if run is first))
        lines.append(f"{code}{at}: {' '.join(map(_sentence, messages))} {_sentence(flag.remedy)}")
    return lines


def where(found: Measurement) -> str:
    """The device and what matters most about it."""
    environment = found.environment
    parts = [f"{found.device}"]
    if "gpu" not in environment:
        parts.append(f"{environment['threads']} threads on {environment['cores']} cores")
    else:
        parts.append(f"driver {environment.get('gpu_driver_version', '?')}, CUDA {environment['cuda']}")
    parts.append(f"torch {environment['torch']}")
    options = dict.fromkeys(option for run in found.runs for option in run.options)
    parts += [OPTIONS.get(option, option.replace("_", " ")) for option in options]
    return "; ".join(parts)


def _ms(milliseconds: float) -> str:
    from ..units import seconds

    return seconds(milliseconds / 1000)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
