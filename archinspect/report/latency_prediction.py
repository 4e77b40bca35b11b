"""`latency --predict`: how long a network should take on a device, as a range with its assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .latency_words import FIGURES
from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..latency.devices import Device
    from ..latency.predict import Prediction
    from ..latency.results import Measurement, Run

_TOTALS = (
    Column("model", "Network", "name"),
    Column("device", "Device"),
    Column("batch", "Batch", "int"),
    Column("precision", "Precision"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("images_per_s", "Images/s", optional=2),
    Column("peak_memory_bytes", "Memory", "bytes", optional=1),
    Column("bound", "Mostly"),
)
_LAYERS = (
    Column("name", "Layer", "name"),
    Column("macs", "MACs", "int", optional=1),
    Column("bytes", "Moved", "bytes", optional=2),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("share_percent", "Share", "percent"),
    Column("bound", "Verdict"),
)
_BESIDE = (
    Column("batch", "Batch", "int"),
    Column("precision", "Precision"),
    Column("figure", "Figure", optional=1),
    Column("measured_s", "Measured", "seconds"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("error", "Prediction"),
)


def predictions(found: Sequence[Prediction], *, layers: bool = True) -> Report:
    """All predictions in one table; a single one with its layers."""
    notes = dict.fromkeys(note for each in found for note in (_device(each), *each.assumptions))
    too_large = [each for each in found if each.fits is False]
    doubts = [
        f"{each.model} at batch {each.batch} does not fit the memory of {each.device.title}."
        for each in too_large
    ]
    tables = [
        Table(
            _TOTALS,
            tuple(map(_total, found)),
            title="Predicted, not measured",
            notes=(*doubts, *notes),
        )
    ]
    if layers and len(found) == 1:
        tables.append(_layers(found[0]))

    def document() -> dict[str, Any]:
        return {"predictions": [each.to_dict() for each in found]}

    return Report(tuple(tables), document)


def _device(each: Prediction) -> str:
    return f"{each.device.name}: {each.device.title}."


def _total(each: Prediction) -> Cells:
    rate = each.images_per_s
    return (
        each.model,
        each.device.name,
        each.batch,
        each.label,
        each.low_ms / 1000,
        each.high_ms / 1000,
        f"{rate[0]:,.0f} … {rate[1]:,.0f}" if rate else "",
        each.peak_memory_bytes,
        each.bound,
    )


def _layers(each: Prediction) -> Table:
    rows: list[Cells] = []
    for layer in each.layers:
        share = 100 * layer.high_ms / each.high_ms if each.high_ms else 0.0
        rows.append(
            (
                layer.name,
                layer.macs,
                layer.bytes,
                layer.low_ms / 1000,
                layer.high_ms / 1000,
                share,
                layer.bound,
            )
        )
    total: Cells = ("Sum", "", "", each.low_ms / 1000, each.high_ms / 1000, 100.0, each.bound)
    return Table(
        _LAYERS,
        tuple(rows),
        total,
        f"{each.model}: where the time should go",
        f"{each.device.title}, batch {each.batch}, {each.label}",
        listed="layers",
    )


def beside(found: Measurement, predicted: Sequence[Prediction]) -> Table:
    """What was measured beside what was predicted, and how far off that is."""
    by_run = {(each.batch, each.precision.name): each for each in predicted}
    rows = tuple(
        _compared(run, by_run[run.batch, run.dtype], _elsewhere(found, predicted[0].device))
        for run in found.runs
        if run.median_ms is not None and (run.batch, run.dtype) in by_run
    )
    device = predicted[0].device
    notes = predicted[0].assumptions
    if _elsewhere(found, device):
        notes = (
            f"Measured on another device than {device.title}: that says nothing about the prediction.",
            *notes,
        )
    return Table(
        _BESIDE,
        rows,
        title=f"{found.model}: measured and predicted",
        subtitle=f"measured on {found.device}; predicted for {device.title}",
        notes=notes,
    )


def _elsewhere(found: Measurement, device: Device) -> bool:
    """Whether it was measured on another device; one that a user describes without `match` is taken for this one."""
    return bool(device.match) and not device.is_called(found.device)


def _compared(run: Run, each: Prediction, elsewhere: bool) -> Cells:
    assert run.median_ms is not None
    return (
        run.batch,
        run.label,
        FIGURES[run.mode],
        run.median_ms / 1000,
        each.low_ms / 1000,
        each.high_ms / 1000,
        "another device" if elsewhere else error(run.median_ms, each.low_ms, each.high_ms),
    )


def error(measured: float, low: float, high: float) -> Toned:
    """How far a measurement lies outside a predicted range."""
    outside = _outside(measured, low, high)
    if outside is None:
        return Toned("nothing runs: no time is predicted", "fair")
    if not outside:
        return Toned("within the range", "good")
    if outside > 0:
        return Toned(f"{outside:.0%} slower than its upper end", "fair")
    return Toned(f"{-outside:.0%} faster than its lower end", "fair")


def record(found: Measurement, predicted: Sequence[Prediction]) -> list[dict[str, Any]]:
    """The predictions for JSON, each with what was measured and how far that lies outside its range.

    `error` is None where another device was measured.
    """
    return [
        {
            **each.to_dict(),
            "mode": run.mode,
            "measured_ms": run.median_ms,
            "error": None
            if _elsewhere(found, each.device)
            else _outside(run.median_ms, each.low_ms, each.high_ms),
        }
        for each in predicted
        for run in found.runs
        if run.median_ms is not None and (run.batch, run.dtype) == (each.batch, each.precision.name)
    ]


def _outside(measured: float, low: float, high: float) -> float | None:
    """0 within the range; else how much of its near end it is beyond it, negative below; None beside no time."""
    if not low:
        return None
    return measured / high - 1 if measured > high else measured / low - 1 if measured < low else 0.0
