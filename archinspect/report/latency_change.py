"""`latency --against`: what changed since a saved run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .latency import measurement
from .latency_words import FIGURES
from .table import Cells, Column, Report, Table, Tone, Toned

if TYPE_CHECKING:
    from ..latency.change import Change, Changes

_COLUMNS = (
    Column("batch", "Batch", "int"),
    Column("precision", "Precision"),
    Column("figure", "Figure", optional=3),
    Column("before_s", "Before", "seconds"),
    Column("after_s", "Now", "seconds"),
    Column("ratio", "Ratio", "ratio"),
    Column("interval", "From … to", optional=2),
    Column("noise_percent", "Noise", "percent", optional=1),
    Column("verdict", "Verdict"),
)


def changes(found: Sequence[Changes], limit: float | None = None) -> Report:
    """Of each network, the comparison with the saved run above the tables of the new one."""

    def document() -> Mapping[str, Any]:
        documents = [each.to_dict() for each in found]
        return documents[0] if len(documents) == 1 else {"models": documents}

    return Report(
        tuple(table for each in found for table in (_table(each, limit), *measurement(each.after).tables)),
        document,
    )


def _table(found: Changes, limit: float | None) -> Table:
    notes = ["Ratio: now ÷ before. Noise: the larger A/A noise of both runs."]
    told = found.environment
    notes += [f"Environment, {difference}." for difference in told]
    if not told:
        notes.append("The environment is the same.")
    if limit is not None:
        worse = found.regressions(limit)
        verb = "is" if len(worse) == 1 else "are"
        allowed = f"{verb} more than {limit:.0%} slower beyond the noise"
        notes.append(f"{len(worse)} of {len(found.runs)} configurations {allowed}.")
    untold = sum(change.ratio is not None and change.noise is None for change in found.runs)
    if untold:
        notes.append(f"Too few samples to judge {untold} of {len(found.runs)}: give them more time (--time).")
    if len(found.runs) < len(found.after.runs):
        notes.append("Configurations that the saved run does not have are left out.")
    return Table(
        _COLUMNS,
        tuple(_cells(change, limit) for change in found.runs),
        title=f"{found.after.model}: since the saved run",
        subtitle=found.after.device,
        notes=tuple(notes),
    )


def _cells(change: Change, limit: float | None) -> Cells:
    before, after = change.before, change.after
    tone: Tone = (
        "bad" if limit is not None and change.regressed(limit) else "good" if not change.real else "fair"
    )
    return (
        after.batch,
        after.label,
        FIGURES[after.mode],
        before.status if before.median_ms is None else before.median_ms / 1000,
        after.status if after.median_ms is None else after.median_ms / 1000,
        "" if change.ratio is None else change.ratio,
        "" if change.interval is None else f"{change.interval[0]:.3f} … {change.interval[1]:.3f}",
        "" if change.noise is None else 100 * change.noise,
        Toned(change.verdict, tone),
    )
