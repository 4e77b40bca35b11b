"""`calibrate`, `predict` and `predict --error`: what was measured of a device, and what that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..latency.prediction_error import PredictionError
    from ..latency.profile import Profile
    from ..latency.results import Measurement
    from ..latency.utilisation import ProfilePrediction

_FAMILIES = (
    Column("name", "Kernels", "name"),
    Column("samples", "Measured", "int"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("error_percent", "Error", "percent"),
    Column("spread_percent", "Repeated", "percent"),
)
_TOTALS = (
    Column("model", "Network", "name"),
    Column("batch", "Batch", "int"),
    Column("predicted_s", "Predicted", "seconds"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("roofline_s", "Roofline", "seconds", optional=1),
    Column("outside", "Layers outside", "int"),
)
_LAYERS = (
    Column("name", "Layer", "name"),
    Column("kernels", "Kernels"),
    Column("predicted_s", "Predicted", "seconds"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("share_percent", "Share", "percent"),
    Column("range", "Sizes"),
)
_ERRORS = (
    Column("model", "Network", "name"),
    Column("batch", "Batch", "int"),
    Column("measured_s", "Measured", "seconds"),
    Column("predicted_s", "Predicted", "seconds"),
    Column("low_s", "From", "seconds", optional=1),
    Column("high_s", "To", "seconds", optional=1),
    Column("error_percent", "Error", "percent"),
    Column("roofline_percent", "Roofline", "percent"),
)
_BESIDE = (
    Column("batch", "Batch", "int"),
    Column("measured_s", "Measured", "seconds"),
    Column("predicted_s", "Predicted", "seconds"),
    Column("low_s", "From", "seconds"),
    Column("high_s", "To", "seconds"),
    Column("error_percent", "Error", "percent"),
)
#: families that a layer's row names; more of them are counted
_NAMED = 2


def calibrated(profile: Profile) -> Report:
    """What calibration measured, a row for each family; the error is of each measurement predicted from the others."""
    rows: list[Cells] = []
    for name, surface in sorted(profile.families.items()):
        times = [sample.ms / 1000 for sample in surface.samples]
        spreads = sorted(sample.spread for sample in surface.samples if sample.spread is not None)
        error = 100 * surface.error if len(times) > 1 else None
        rows.append(
            (
                name,
                len(times),
                min(times),
                max(times),
                error,
                100 * spreads[len(spreads) // 2] if spreads else None,
            )
        )
    notes = [
        "Error: the median error of a measurement that is predicted from all others of its kind. Repeated: the median "
        "difference of two measurements of one kernel.",
        *[f"Disturbed: {each}; calibrate again on a quiet machine." for each in profile.disturbed],
    ]
    title = f"Calibrated: {profile.device}"
    subtitle = f"{len(profile.samples)} kernels, {profile.dtype}, {_threads(profile)}"
    table = Table(
        _FAMILIES, tuple(rows), title=title, subtitle=subtitle, notes=tuple(notes), listed="families"
    )

    def document() -> dict[str, Any]:
        records = [dict(zip([column.key for column in _FAMILIES], row, strict=True)) for row in rows]
        return {
            "device": profile.device,
            "dtype": profile.dtype,
            "environment": dict(profile.environment),
            "disturbed": list(profile.disturbed),
            "families": records,
        }

    return Report((table,), document)


def _threads(profile: Profile) -> str:
    count = profile.environment.get("threads")
    return f"{count} threads" if "gpu" not in profile.environment else "GPU"


def profile_predictions(found: Sequence[ProfilePrediction], *, layers: bool = True) -> Report:
    """All predictions in one table; a single one with its layers."""
    devices = dict.fromkeys(f"{each.profile.device}, {each.profile.dtype}" for each in found)
    outside = [
        f"{each.model} at batch {each.batch}: {len(each.outside)} layers are larger or smaller than what was measured "
        f"({', '.join(each.outside[:3])}{', …' if len(each.outside) > 3 else ''}); their times are extrapolated."
        for each in found
        if each.outside
    ]
    notes = (
        *outside,
        "From, to: 90 % interval. Roofline: 2·MACs at the measured peak, or bytes at the measured bandwidth.",
    )
    rows = tuple(
        (
            each.model,
            each.batch,
            each.ms / 1000,
            each.interval_ms[0] / 1000,
            each.interval_ms[1] / 1000,
            each.roofline_ms / 1000,
            len(each.outside),
        )
        for each in found
    )
    title = f"Predicted for {'; '.join(devices)}"
    tables = [Table(_TOTALS, rows, title=title, notes=notes)]
    if layers and len(found) == 1:
        tables.append(_layers(found[0]))

    def document() -> dict[str, Any]:
        return {"predictions": [each.to_dict() for each in found]}

    return Report(tuple(tables), document)


def _layers(each: ProfilePrediction) -> Table:
    rows: list[Cells] = []
    for layer in each.layers:
        named = ", ".join(layer.families[:_NAMED])
        more = len(layer.families) - _NAMED
        rows.append(
            (
                layer.name,
                f"{named}, {more} more" if more > 0 else named,
                layer.ms / 1000,
                layer.interval_ms[0] / 1000,
                layer.interval_ms[1] / 1000,
                100 * layer.ms / each.ms,
                Toned("outside", "fair") if layer.outside else "measured",
            )
        )
    low, high = each.interval_ms
    total: Cells = ("Sum", "", each.ms / 1000, low / 1000, high / 1000, 100.0, "")
    return Table(
        _LAYERS,
        tuple(rows),
        total,
        f"{each.model}: where the time should go",
        f"batch {each.batch}, {each.profile.dtype}",
        listed="layers",
    )


def errors(found: PredictionError) -> Report:
    """Measured and predicted times of networks, and what the errors come to."""
    rows = tuple(
        (
            each.model,
            each.batch,
            each.measured_ms / 1000,
            each.predicted_ms / 1000,
            each.interval_ms[0] / 1000,
            each.interval_ms[1] / 1000,
            100 * each.error,
            100 * each.roofline_error,
        )
        for each in found.networks
    )
    notes = (
        f"Absolute errors: median {found.median_error:.1%}, 90th percentile {found.p90_error:.1%}, "
        f"mean {found.mean_error:.1%}; the plain roofline's median is {found.roofline_median_error:.1%}.",
        f"{found.coverage:.0%} of the measured times lie within their 90 % intervals.",
        *_disturbed(found),
    )
    title = f"Measured and predicted on {found.device}"
    return Report((Table(_ERRORS, rows, title=title, notes=notes, listed="networks"),), found.to_dict)


def _disturbed(found: PredictionError) -> list[str]:
    count = sum(not each.undisturbed for each in found.networks)
    return [f"{count} times were measured while the machine was slower than at best."] if count else []


def beside_profile(found: Measurement, predicted: Sequence[ProfilePrediction]) -> Table:
    """What was measured beside what a profile predicted."""
    by_batch = {each.batch: each for each in predicted}
    rows: list[Cells] = []
    for run in found.runs:
        each = by_batch.get(run.batch)
        if each is None or run.median_ms is None or run.dtype != each.profile.dtype:
            continue
        low, high = each.interval_ms
        error = 100 * (each.ms / run.median_ms - 1)
        rows.append((run.batch, run.median_ms / 1000, each.ms / 1000, low / 1000, high / 1000, error))
    return Table(
        _BESIDE,
        tuple(rows),
        title=f"{found.model}: measured and predicted by the profile",
        subtitle=f"measured on {found.device}; predicted for {predicted[0].profile.device}",
    )
