"""Predicted savings beside measured times: where fewer multiply-accumulates do not mean less time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..latency.interleaved import Pair
    from ..latency.results import Comparison, Run

_COLUMNS = (
    Column("form", "Form", "name"),
    Column("macs", "MACs", "int"),
    Column("macs_ratio", "Ratio", "ratio"),
    Column("median", "Time"),
    Column("ratio", "Ratio", "ratio"),
    Column("interval", "From … to", optional=1),
    Column("verdict", "Verdict", "detail"),
)


def with_measurement(report: Report, found: Comparison, macs: Mapping[str, int]) -> Report:
    """The report with a table of what was timed.  `macs` are those of each form by name, for the batch timed; the
    first is what the others are held against.
    """
    table = _table(found, macs)

    def document() -> dict[str, Any]:
        before = dict(report.document()) if report.document is not None else {}
        return {**before, "measured": _record(found, macs)}

    return Report((*report.tables, table), document)


def _table(found: Comparison, macs: Mapping[str, int]) -> Table:
    first = next(iter(macs))
    runs, pairs = _runs(found), _pairs(found, first)
    rows: list[Cells] = []
    for name, count in macs.items():
        run, pair = runs.get(name), pairs.get(name)
        ratio = count / macs[first] if macs[first] else 0.0
        interval = pair.interval if pair else None
        rows.append(
            (
                name,
                count,
                ratio,
                _time(run),
                "" if pair is None else pair.ratio,
                "" if interval is None else f"{interval[0]:.2f} … {interval[1]:.2f}",
                "" if name == first else verdict(ratio, pair),
            )
        )
    device = found.measurements[0].device if found.measurements else ""
    contest = found.contests[0] if found.contests else None
    flags = {
        f"{name}: {flag.message}": flag.remedy
        for name, run in runs.items()
        for flag in run.flags
        if flag.doubtful
    }
    return Table(
        _COLUMNS,
        tuple(rows),
        title="Multiply-accumulates and time",
        subtitle=f"{device}, {contest.label}, batch {contest.batch}, {contest.rounds} rounds of pairs"
        if contest
        else device,
        notes=(
            "Forms are timed in turn, forth and back; ratios are against the first, with the interval of their median.",
            *(f"Doubtful, {message}; {remedy}." for message, remedy in flags.items()),
        ),
    )


def verdict(macs_ratio: float, pair: Pair | None) -> Toned:
    """Whether the time went the way of the multiply-accumulates."""
    if pair is None or pair.interval is None:
        return Toned("too few rounds to tell", "fair")
    macs = "fewer" if macs_ratio < 1 else "more" if macs_ratio > 1 else "as many"
    if not pair.real:
        return Toned(f"{macs} MACs, no difference in time beyond the noise of ±{pair.noise:.0%}", "fair")
    time = "less" if pair.ratio < 1 else "more"
    if macs == time:
        return Toned(f"{macs} MACs, {time} time", "good")
    if macs == "fewer" and time == "less":
        share = (1 - pair.ratio) / (1 - macs_ratio)
        return Toned(f"fewer MACs, less time: {share:.0%} of what MACs promise", "good")
    return Toned(f"{macs} MACs, {time} time", "bad")


def _runs(found: Comparison) -> dict[str, Run]:
    return {each.model: each.runs[0] for each in found.measurements if each.runs}


def _pairs(found: Comparison, first: str) -> dict[str, Pair]:
    return {
        pair.second: pair for contest in found.contests[:1] for pair in contest.pairs if pair.first == first
    }


def _time(run: Run | None) -> str:
    if run is None:  # Ctrl-C came before its turn
        return "interrupted"
    if run.median_ms is None:
        return run.status
    known = "" if run.precision is None else f" ± {run.precision:.1%}"
    return f"{run.median_ms:.3f} ms{known}"


def _record(found: Comparison, macs: Mapping[str, int]) -> dict[str, Any]:
    first = next(iter(macs))
    runs, pairs = _runs(found), _pairs(found, first)
    forms = []
    for name, count in macs.items():
        run, pair = runs.get(name), pairs.get(name)
        ratio = count / macs[first] if macs[first] else None
        forms.append(
            {
                "name": name,
                "macs": count,
                "macs_ratio": ratio,
                "median_ms": None if run is None else run.median_ms,
                "interval_ms": None if run is None or run.interval_ms is None else list(run.interval_ms),
                "time": None if pair is None else pair.to_dict(),
                "verdict": None if name == first else str(verdict(ratio or 0.0, pair)),
                "flags": [flag.to_dict() for flag in run.flags] if run is not None else [],
            }
        )
    if not found.measurements:
        return {"device": None, "environment": {}, "forms": forms}
    measurement = found.measurements[0]
    return {"device": measurement.device, "environment": dict(measurement.environment), "forms": forms}
