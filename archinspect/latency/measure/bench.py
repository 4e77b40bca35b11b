"""A device set up for measuring: its runtime, threads, roofs, and everything that explains its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..ceilings import Ceilings
from ..conditions import busy_before
from ..devices import recognise
from ..efficiency import judged
from ..peaks import PeakMeasurement, beaten_roof, best_of, peak_flags
from ..plan import Plan
from ..results import Run
from . import environment
from .prepare import arithmetic
from .roofs import measure_peaks
from .runtime import TorchRuntime, find_device, runtime_for, threads
from .session import Progress, Session

if TYPE_CHECKING:
    from ...graph import Graph


@dataclass
class Bench:
    """`looks` are at the roofs, before the runs and after."""

    session: Session
    environment: dict[str, Any]
    peaks: list[PeakMeasurement]
    begun: float | None  # on the runtime's clock; None once a configuration has borne it
    interrupted: bool = field(default=False)

    @property
    def runtime(self) -> TorchRuntime:
        return self.session.runtime

    @property
    def ceilings(self) -> Ceilings:
        """The best of what was seen."""
        return best_of(self.peaks)

    @property
    def sheet(self) -> Ceilings | None:
        """What the device's datasheet says, where the table has it."""
        entry = recognise(self.runtime.name())
        return None if entry is None else entry.ceilings

    def begin(self, count: int = 1) -> None:
        """A configuration begins, of `count` networks; the first has to bear what came before."""
        spent = 0.0 if self.begun is None else self.runtime.clock() - self.begun
        self.begun = None
        self.session.budget.begin(count=count, spent_s=spent, after_s=self.peaks[0].seconds)

    def judged(self, runs: Sequence[Run], graph: Graph) -> tuple[Run, ...]:
        """Runs with floors, verdicts, and what speaks against the roofs that these come from."""
        found = []
        for run in runs:
            run = judged(run, graph, self.ceilings)
            if run.median_ms is not None:
                doubts = peak_flags(self.peaks) or beaten_roof(run, graph, self.ceilings)
                run = replace(run, flags=(*run.flags, *busy_before(self.environment), *doubts))
            found.append(run)
        return tuple(found)


@contextmanager
def bench(device: str | None, plan: Plan, progress: Progress | None, spent_s: float = 0.0) -> Iterator[Bench]:
    """Set up, and look at the roofs before and after what happens inside.

    `spent_s` seconds have gone before, and count as the first configuration's.
    Raises ArchinspectError (A403, A406) for what this machine does not have.
    """
    place = find_device(device)
    runtime = runtime_for(place)
    begun = runtime.clock() - spent_s
    precisions = list(plan.precisions)
    with threads(plan.options.threads) as used, runtime.chosen():
        for each in precisions:
            with arithmetic(each, place):
                pass  # refuse before anything takes time
        if "graph" in plan.modes:
            runtime.refuse_no_graphs()
        if progress is not None:
            progress(runtime.name(), "roofs", 0, None, 0.0)
        session = Session(place, runtime, plan.options, used, plan.time_s, progress)
        found = environment.environment(place, used)
        made = Bench(session, found, [measure_peaks(runtime, precisions)], begun)
        yield made
        if not made.interrupted:
            try:
                made.peaks.append(measure_peaks(runtime, precisions))
            except KeyboardInterrupt:
                made.interrupted = True
