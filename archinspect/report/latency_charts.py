"""Pictures of time: the layers under the roof, and latency and throughput against batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..plot import Axis, Chart, Line, Point, Points, Series
from ..units import seconds, significant
from .latency_words import configuration

if TYPE_CHECKING:
    from ..latency.ceilings import Ceilings, Precision
    from ..latency.predict import Prediction
    from ..latency.results import Measurement, Run

_GIGA = 1e9
#: the palette's number of each verdict, so that it looks the same in every picture; the roofs have 0 and 7
_COLOURS = {
    "compute-bound": 2,
    "memory-bound": 3,
    "launch-bound": 4,
    "below both roofs": 1,
    "beats the roof": 5,
}
_HOW = (
    "On the roof a layer is as fast as the device allows: on the slope memory bounds it, under the flat part "
    "arithmetic.  Large marks far below the roof are the ones to worry about.",
    "Layers without multiply-accumulates (activations, pooling, joins) have no place here; the table has them.",
)
#: flags that a picture of layers under the roof must not be without
_DOUBTS = frozenset({"not-trustworthy", "low-roofs", "inflated", "contaminated", "interrupted"})


class _Row(NamedTuple):
    name: str
    macs: int | None
    bytes: int
    ms: float
    bound: str


def measured(found: Sequence[Measurement]) -> list[Chart]:
    """The layers of each network under the roof, in its first run of each precision; curves where there are batches."""
    charts = []
    for each in found:
        seen = set()
        for run in each.runs:
            if run.layers and run.label not in seen:
                seen.add(run.label)
                charts += _of_run(each, run)
    batches = {run.batch for each in found for run in each.runs if run.median_ms is not None}
    if len(batches) > 1:
        charts.append(_curve(found, "Latency", "ms per forward", lambda run: run.median_ms))
        charts.append(_curve(found, "Throughput", "images per second", lambda run: run.images_per_s))
    return charts


def predicted(found: Sequence[Prediction]) -> list[Chart]:
    """The layers of each prediction where they are expected at the slow end of its range."""
    charts = []
    for each in found:
        rows = [_Row(row.name, row.macs, row.bytes, row.high_ms, row.bound) for row in each.layers]
        roofs = [(each.device.ceilings, "datasheet")]
        subtitle = (
            f"Predicted for {each.device.title}, batch {each.batch}, {each.label}; upper end of the range"
        )
        charts += _roofline(each.model, subtitle, rows, roofs, each.precision)
    return charts


def _of_run(found: Measurement, run: Run) -> list[Chart]:
    from ..latency.ceilings import precision

    rows = [_Row(row.name, row.macs, row.bytes, row.ms, row.bound) for row in run.layers]
    roofs = [] if found.ceilings is None else [(found.ceilings, "measured here")]
    roofs += [] if found.sheet is None else [(found.sheet, "datasheet")]
    subtitle = f"{found.device}, {configuration(run)}"
    doubts = [f"{flag.code}: {flag.message}." for flag in run.flags if flag.code in _DOUBTS]
    return _roofline(found.model, subtitle, rows, roofs, precision(run.dtype), doubts)


def _roofline(
    model: str,
    subtitle: str,
    rows: Iterable[_Row],
    roofs: Sequence[tuple[Ceilings, str]],
    precision: Precision,
    doubts: Sequence[str] = (),
) -> list[Chart]:
    """One chart, or none for a network without layers that multiply."""
    total = sum(row.ms for row in rows)
    series: dict[str, list[Point]] = {}
    for row in rows:
        if row.macs and row.bytes and row.ms:
            share = row.ms / total
            title = f"{row.name}: {seconds(row.ms / 1000)}, {share:.1%} of the time, {row.bound}"
            place = (2 * row.macs / row.bytes, 2 * row.macs / (row.ms / 1000) / _GIGA)
            point = Point(*place, f"{row.name} {share:.0%}", title, 2.5 + 14 * share**0.5, share)
            series.setdefault(row.bound, []).append(point)
    places = [point.x for points in series.values() for point in points]
    if not places or not roofs:
        return []
    ridges = [_peak(each, kind) / each.bandwidth for each, _ in roofs for kind in _kinds(each, precision)]
    ends = (min(*places, *ridges) / 2, max(*places, *ridges) * 2)
    lines: list[Series] = []
    for number, (each, origin) in enumerate(roofs):
        for kind in _kinds(each, precision):
            caption = f"{origin}: {significant(_peak(each, kind) / _GIGA)} GFLOP/s {kind}"
            name = f"roof, {origin}" if kind == _kinds(each, precision)[0] else ""
            points = _roof(each, kind, ends)
            lines.append(Line(name, points, 7 * number, dashed=number > 0, markers=False, caption=caption))
    marks = [Points(bound, tuple(points), _COLOURS.get(bound, 6)) for bound, points in series.items()]
    return [
        Chart(
            f"{model}: layers under the roof",
            Axis("FLOPs (2 per MAC) per byte moved (input + weights + output)", log=True),
            Axis("GFLOP/s", log=True),
            (*lines, *marks),
            subtitle=f"{subtitle}.  A mark's area is its share of the time.",
            notes=(*doubts, *_HOW),
        )
    ]


def _kinds(roofs: Ceilings, precision: Precision) -> list[str]:
    """The arithmetic that convolutions and matrix products use there; without TF32, fp32."""
    wanted = (precision.convolution, precision.matmul)
    kinds = [kind if kind in roofs.peak else "fp32" for kind in wanted]
    return [kind for kind in dict.fromkeys(kinds) if kind in roofs.peak]


def _peak(roofs: Ceilings, kind: str) -> float:
    return roofs.peak[kind]


def _roof(roofs: Ceilings, kind: str, ends: tuple[float, float]) -> tuple[Point, ...]:
    places = (ends[0], roofs.peak[kind] / roofs.bandwidth, ends[1])
    return tuple(Point(x, min(roofs.peak[kind], roofs.bandwidth * x) / _GIGA) for x in places)


def _curve(
    found: Sequence[Measurement], title: str, unit: str, figure: Callable[[Run], float | None]
) -> Chart:
    lines: list[Line] = []
    for each in found:
        groups: dict[tuple[str, str], list[Run]] = {}
        for run in each.runs:
            if run.median_ms is not None:
                groups.setdefault((run.label, run.mode), []).append(run)
        for (label, mode), runs in groups.items():
            name = " · ".join([each.model, label, *([mode] if mode != "latency" else [])])
            ordered = sorted(runs, key=lambda run: run.batch)
            lines.append(Line(name, tuple(_point(run, figure(run) or 0.0, unit) for run in ordered)))
    batches = tuple(sorted({point.x for line in lines for point in line.points}))
    return Chart(
        f"{title} against batch",
        Axis("Batch", log=True, ticks=batches),
        Axis(unit, log=True),
        tuple(lines),
        subtitle=found[0].device,
    )


def _point(run: Run, value: float, unit: str) -> Point:
    return Point(run.batch, value, significant(value), f"batch {run.batch}: {significant(value)} {unit}")
