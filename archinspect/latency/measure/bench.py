"""A device set up for measuring: its runtime, threads, roofs, and everything that explains its figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..ceilings import Ceilings
from ..devices import recognise
from ..plan import Plan
from . import environment
from .prepare import arithmetic
from .roofs import best_of, measure_ceilings
from .runtime import TorchRuntime, find_device, runtime_for, threads
from .session import Progress, Session


@dataclass
class Bench:
    """`ceilings` are the best of what was seen before the runs and after."""

    session: Session
    environment: dict[str, Any]
    ceilings: Ceilings
    interrupted: bool = field(default=False)

    @property
    def runtime(self) -> TorchRuntime:
        return self.session.runtime

    @property
    def sheet(self) -> Ceilings | None:
        """What the device's datasheet says, where the table has it."""
        entry = recognise(self.runtime.name())
        return None if entry is None else entry.ceilings


@contextmanager
def bench(device: str | None, plan: Plan, progress: Progress | None) -> Iterator[Bench]:
    """Set up, and look at the roofs before and after what happens inside.

    Raises ArchinspectError (A403, A406) for what this machine does not have.
    """
    place = find_device(device)
    runtime = runtime_for(place)
    precisions = list(plan.precisions)
    with threads(plan.options.threads) as used:
        for each in precisions:
            with arithmetic(each, place):
                pass  # refuse before anything takes time
        if "graph" in plan.modes:
            runtime.refuse_no_graphs()
        if progress is not None:
            progress(runtime.name(), "roofs", 0, None, 0.0)
        session = Session(place, runtime, plan.options, used, plan.time_s, progress)
        found = environment.environment(place, used)
        made = Bench(session, found, measure_ceilings(runtime, precisions))
        yield made
        if not made.interrupted:
            try:
                made.ceilings = best_of(made.ceilings, measure_ceilings(runtime, precisions))
            except KeyboardInterrupt:
                made.interrupted = True
