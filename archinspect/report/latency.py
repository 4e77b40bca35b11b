"""`latency`: the sweep, the rows of each run with what they prove, the roofs, and what speaks against any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .latency_layers import layers, roofs
from .latency_words import FIGURES, MEANING, flags, in_seconds, sentence, where
from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
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


def measurement(found: Measurement) -> Report:
    """All tables of one network."""
    tables = [_runs(found), *(layers(found, run) for run in found.runs if run.layers)]
    if found.ceilings is not None:
        tables.append(roofs(found.ceilings, found.sheet))
    return Report(tuple(tables), found.to_dict)


def _runs(found: Measurement) -> Table:
    modes = dict.fromkeys(run.mode for run in found.runs)
    notes = [sentence(MEANING[mode]) for mode in modes]
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
        in_seconds(run.percentile_ms(90)),
        in_seconds(run.percentile_ms(99)),
        run.images_per_s,
        in_seconds(run.floor_ms),
        "" if run.peak_memory_bytes is None else run.peak_memory_bytes,
        run.predicted_memory_bytes,
        run.n,
        _codes(run),
    )


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
