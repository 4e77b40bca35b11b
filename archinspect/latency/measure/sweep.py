"""One network in every combination of batch, precision and mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from ..ceilings import Precision
from ..plan import Options, Plan, plan
from ..results import Measurement, Run
from ..sizes import batches_of
from .bench import Bench, bench
from .prepare import arithmetic, original, to_change
from .session import Progress

if TYPE_CHECKING:
    from ...graph import Graph


def measure(
    graph: Graph,
    *,
    device: str | None = None,
    batch: int | Sequence[int] | None = None,
    dtype: str | Sequence[str] = "fp32",
    mode: str | Sequence[str] = "latency",
    options: Options | None = None,
    layers: bool = True,
    time_s: float = 20.0,
    progress: Progress | None = None,
    module: nn.Module | None = None,
    spent_s: float = 0.0,
) -> Measurement:
    """Time a network's forward pass in every combination of batch, precision and mode.

    `layers` adds time per layer to the runs of the first mode.  `time_s` is about the time of one configuration; with
    loading and roofs it takes at most that, or 20 s if that is longer, unless one forward is too slow.  `spent_s` went
    before the call.  `module` is what is timed, by default a new one with seeded weights; its code must be that of
    `pytorch.build`.  Ctrl-C ends it with what is known so far.  Raises ArchinspectError (A403, A406) for what this
    machine does not have.
    """
    wanted = plan(batches_of([graph], batch), dtype, mode, options, layers=layers, time_s=time_s)
    with bench(device, wanted, progress, spent_s) as made:
        runs = _runs(made, graph, wanted, module)
    return Measurement(
        graph.name,
        made.runtime.name(),
        made.environment,
        made.judged(runs, graph),
        made.ceilings,
        made.sheet,
        interrupted=made.interrupted,
        looks=tuple(each.ceilings for each in made.peaks),
    )


def _runs(made: Bench, graph: Graph, wanted: Plan, module: nn.Module | None) -> list[Run]:
    session, runs = made.session, list[Run]()
    narrowed: tuple[Precision, nn.Module] | None = None
    try:
        whole = module if module is not None else original(graph)
        for kind, batch, mode, layers in wanted.configurations():
            made.begin()
            if narrowed is None or narrowed[0] != kind:
                narrowed = (kind, to_change(graph, whole))
            with arithmetic(kind, session.device):
                runs.append(session.run(graph, narrowed[1], batch, kind, mode, layers))
            if runs[-1].status == "interrupted":
                made.interrupted = True
                break
    except KeyboardInterrupt:
        made.interrupted = True
    return runs
