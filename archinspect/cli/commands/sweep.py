"""`sweep`: a grid of variants of one network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import EXIT_INTERRUPTED
from ...report.sweep import sweep as table
from ...sweep import DEFAULT, front, grid, objectives
from ...sweep import sweep as evaluate
from ..options import Format, Model, Output, Width
from ..pictures import emit_with_charts

if TYPE_CHECKING:
    from ...plot import Chart
    from ...sweep import Objective, Sweep


def sweep(
    model: Model,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=A,B,...",
            help="Values of an argument, or a range A:B:STEP; may be repeated.",
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="CxHxW,...", help="Input sizes; may be repeated."),
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:max],...",
            help="What the front is optimal in: figures and settings, small unless :max (macs,params:max).",
            show_default=False,
        ),
    ] = None,
    only_front: Annotated[bool, typer.Option("--front", help="Show the Pareto front only.")] = False,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes to use; all cores for a large grid.")
    ] = None,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> int:
    """Evaluate a grid of arguments and input sizes.

    Every combination of the values, with parameters, MACs and memory, and the variants that no other beats.  Ctrl-C
    ends a long sweep and keeps what is done.
    """
    variants = grid(set or [], input or [])
    wanted = DEFAULT if pareto is None else objectives(pareto, variants.names)
    with _progress(len(variants)) as progress:
        found = evaluate(model, variants, jobs=jobs, progress=progress)
    best = front(found.variants, wanted)
    report = table(found, best, wanted, only_front=only_front)
    emit_with_charts(report, lambda: _charts(found, best, wanted), format, output, width=width)
    return 0 if found.complete else EXIT_INTERRUPTED


def _charts(found: Sweep, best: frozenset[int], wanted: Sequence[Objective]) -> Sequence[Chart]:
    from ...report.sweep_charts import sweep_charts

    return sweep_charts(found, best, wanted)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; it appears with the first results."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    task = bar.add_task("variants", total=total)
    started = False

    def advance(count: int) -> None:
        nonlocal started
        if not started:
            bar.start()
            started = True
        bar.advance(task, count)

    try:
        yield advance
    finally:
        if started:
            bar.stop()
