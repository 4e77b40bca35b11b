"""Measurements as HTML for a notebook: the runs, the rows of each, and what speaks against them.  No styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..units import seconds, significant

if TYPE_CHECKING:
    from .results import Comparison, Measurement, Run

_RUNS = ("Batch", "Precision", "Mode", "Median", "±", "Images/s", "n", "Flags")
_ROWS = ("Layer", "Time", "Share", "Floor", "Efficiency", "Verdict")


def measurement_html(found: Measurement) -> str:
    """A table of the runs, and one of the rows of each run that has them."""
    parts = [_table(f"{found.model} on {found.device}", _RUNS, map(_run, found.runs))]
    parts += _details(found, named=False)
    return "\n".join(parts)


def _details(found: Measurement, *, named: bool) -> list[str]:
    """The rows of each run, and its flags."""
    parts = []
    for run in found.runs:
        parts += [_rows(run, f"{run.model}: " if named else "")] if run.layers else []
        name = f"{escape(run.model)}, " if named else ""
        parts += [
            f"<p>{name}<b>{escape(f.code)}</b>: {escape(_sentence(f.message))} {escape(_sentence(f.remedy))}</p>"
            for f in run.flags
        ]
    return parts


def comparison_html(found: Comparison) -> str:
    """A table of all runs, one of the pairs of each contest, and the rows of each network with its flags."""
    runs = ((each.model, *_run(run)) for each in found.measurements for run in each.runs)
    parts = [_table(found.measurements[0].device, ("Network", *_RUNS), runs)]
    for contest in found.contests:
        pairs = ((p.first, p.second, f"{p.ratio:.3f}×", p.verdict) for p in contest.pairs)
        title = f"batch {contest.batch}, {contest.label}, {contest.mode}"
        parts.append(_table(title, ("Network", "Against", "Ratio", "Verdict"), pairs))
    parts += [part for each in found.measurements for part in _details(each, named=True)]
    return "\n".join(parts)


def _run(run: Run) -> tuple[str, ...]:
    if run.median_ms is None:
        return (str(run.batch), run.label, run.mode, run.status, "", "", "0", _flags(run))
    known = "" if run.precision is None else f"{run.precision:.1%}"
    speed = significant(run.images_per_s or 0.0)
    return (
        str(run.batch),
        run.label,
        run.mode,
        seconds(run.median_ms / 1000),
        known,
        speed,
        str(run.n),
        _flags(run),
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def _flags(run: Run) -> str:
    return ", ".join(dict.fromkeys(flag.code for flag in run.flags))


def _rows(run: Run, name: str) -> str:
    title = f"{name}batch {run.batch}, {run.label}: closure {run.closure:.1%}, inflation {run.inflation:.3f}"
    return _table(
        title if run.trustworthy else f"NOT TRUSTWORTHY. {title}",
        _ROWS,
        (
            (
                row.name,
                seconds(row.ms / 1000),
                f"{row.share:.1%}",
                seconds(row.floor_ms / 1000) if row.floor_ms else "",
                "" if row.efficiency is None else f"{row.efficiency:.1%}",
                row.bound,
            )
            for row in run.layers
        ),
    )


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return (
        f"<table>\n<caption>{escape(title)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
