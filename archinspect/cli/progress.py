"""A progress bar on standard error, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, str, int, float | None, float], None]


@contextmanager
def progress_bar() -> Iterator[Tell | None]:
    """What to tell (what, phase, samples, ± relative half width, share of the time); None where nobody watches."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[known]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading torch", total=1.0, known="")

        def tell(what: str, phase: str, samples: int, known: float | None, share: float) -> None:
            precision = "" if known is None else f" ±{known:.1%}"
            bar.update(
                task,
                description=f"{what}: {phase}",
                completed=share,
                known=f"n={samples}{precision}" if samples else "",
            )

        yield tell
