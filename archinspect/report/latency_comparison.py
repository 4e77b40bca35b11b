"""`latency A B ...`: several networks timed in turn, and which of their differences are real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .latency import RUNS, run_cells
from .latency_layers import layers, roofs
from .latency_words import MEANING, flags, sentence, where
from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..latency.interleaved import Pair
    from ..latency.results import Comparison, Contest

_NAME = Column("model", "Network", "name")
_PAIRS = (
    Column("first", "Network", "name"),
    Column("second", "Against", "name"),
    Column("ratio", "Ratio", "ratio"),
    Column("interval", "From … to", optional=2),
    Column("noise_percent", "A/A noise", "percent", optional=1),
    Column("verdict", "Verdict"),
)
_FIRST = 1 + max(column.optional for column in RUNS)
_HOW = (
    "Ratio: time of the second ÷ time of the first, with the interval of its median. A difference within the A/A "
    "noise, what a network differs from itself in the same rounds, is never called one.",
)


def comparison(found: Comparison) -> Report:
    """The runs of all networks, then each contest's pairs, then the rows of each network."""
    first = found.measurements[0]
    rows = tuple((each.model, *run_cells(run)) for each in found.measurements for run in each.runs)
    modes = {run.mode for each in found.measurements for run in each.runs}
    notes = [sentence(MEANING[mode]) for mode in MEANING if mode in modes]
    notes.append("Networks are timed in turn, forth and back, so that what disturbs one disturbs all.")
    notes += flags([run for each in found.measurements for run in each.runs])
    if found.interrupted:
        notes.append("Stopped by Ctrl-C: this is what is known so far.")
    tables = [
        Table((_NAME, *_runs(modes)), rows, title="Forward passes", subtitle=where(first), notes=tuple(notes))
    ]
    judged = [each for each in found.contests if each.pairs]
    tables += [_contest(each, told=number > 0) for number, each in enumerate(judged)]
    tables += [layers(each, run) for each in found.measurements for run in each.runs if run.layers]
    if first.ceilings is not None:
        tables.append(roofs(first.ceilings, first.sheet))
    return Report(tuple(tables), found.to_dict)


def _runs(modes: set[str]) -> list[Column]:
    """The columns of runs; the figure, where all have the same, goes first when it gets narrow: a note says it."""
    return [
        column._replace(optional=_FIRST) if column.key == "figure" and len(modes) == 1 else column
        for column in RUNS
    ]


def _contest(each: Contest, *, told: bool) -> Table:
    """The pairs of one contest; how to read them is `told` once."""
    return Table(
        _PAIRS,
        tuple(map(_pair, each.pairs)),
        title="Which differences are real",
        subtitle=f"batch {each.batch}, {each.label}, {each.rounds} rounds of pairs",
        notes=() if told else _HOW,
    )


def _pair(each: Pair) -> Cells:
    interval = "" if each.interval is None else f"{each.interval[0]:.3f} … {each.interval[1]:.3f}"
    noise = "" if each.noise == float("inf") else 100 * each.noise
    return (
        each.first,
        each.second,
        each.ratio,
        interval,
        noise,
        Toned(each.verdict, "good" if each.real else "fair"),
    )
