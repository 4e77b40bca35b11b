"""Several networks in the same conditions: their forwards interleaved, so that what disturbs one disturbs all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import fx

from ..contest import Round, contest
from ..doubts import doubts_about
from ..flags import Flag
from ..judge import judged
from ..pairs import judge
from ..plan import Configuration, Options, Plan, plan
from ..results import Comparison, Contest, Measurement, Run
from ..sampling import Samples, warm_up
from ..stats import median
from ..stopping import Precision as Target
from ..timers import Timer
from . import inspection
from .bench import Bench, bench
from .instrument import clone
from .prepare import arithmetic, is_out_of_memory, network
from .session import OutOfMemoryError, Progress, with_samples
from .watch import Watch

if TYPE_CHECKING:
    from ...graph import Graph

_TIME_SHARE = 0.5


def compare(
    graphs: Sequence[Graph],
    *,
    device: str | None = None,
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] = "fp32",
    mode: str | Sequence[str] = "latency",
    options: Options | None = None,
    time_s: float = 20.0,
    progress: Progress | None = None,
) -> Comparison:
    """Time networks against each other in every combination of batch, precision and mode, and say what is real.

    Each round times every network forth and back (A B C C B A): drifts cancel, and each network's two timings of a
    round are the A/A noise.  Networks of one name are told apart by a number.  Raises as `measure` does.
    """
    wanted = plan(batch, dtype, mode, options, layers=False, time_s=time_s)
    named = _named(graphs)
    runs: dict[str, list[Run]] = {name: [] for name in named}
    contests: list[Contest] = []
    with bench(device, wanted, progress) as made:
        try:
            _all(made, named, wanted, runs, contests)
        except KeyboardInterrupt:
            made.interrupted = True
    measurements = tuple(
        Measurement(
            name,
            made.runtime.name(),
            made.environment,
            tuple(judged(run, named[name], made.ceilings) for run in own),
            made.ceilings,
            made.sheet,
            interrupted=made.interrupted,
        )
        for name, own in runs.items()
    )
    return Comparison(measurements, tuple(contests))


def _named(graphs: Sequence[Graph]) -> dict[str, Graph]:
    named: dict[str, Graph] = {}
    for graph in graphs:
        name, number = graph.name, 1
        while name in named:
            number += 1
            name = f"{graph.name}#{number}"
        named[name] = graph
    return named


def _all(
    made: Bench,
    named: Mapping[str, Graph],
    wanted: Plan,
    runs: dict[str, list[Run]],
    contests: list[Contest],
) -> None:
    originals = {name: network(graph) for name, graph in named.items()}
    narrowed: dict[str, fx.GraphModule] = {}
    kind = None
    for configuration in wanted.configurations():
        if configuration.precision != kind:
            kind = configuration.precision
            narrowed = {name: clone(original) for name, original in originals.items()}
        with arithmetic(kind, made.session.device), torch.inference_mode():
            found, pairs = _one(made, named, narrowed, configuration)
        for name, run in found.items():
            runs[name].append(run)
        contests.append(pairs)
        if made.interrupted:
            return


def _one(
    made: Bench, named: Mapping[str, Graph], modules: Mapping[str, fx.GraphModule], wanted: Configuration
) -> tuple[dict[str, Run], Contest]:
    session = made.session
    runs, timers, warmths = {}, dict[str, Timer](), {}
    target = Target(cap_s=_TIME_SHARE * session.time_s)
    label = wanted.precision.label(has_tf32=session.runtime.has_tf32)
    what = f"{len(named)} networks · batch {wanted.batch} · {label} · {wanted.mode}"
    with Watch(session.device, session.threads, session.options) as watch:
        for name, graph in named.items():
            run = replace(session.blank(graph, wanted.batch, wanted.precision, wanted.mode), model=name)
            try:
                prepared = session.prepared(graph, modules[name], run, wanted.precision)
                timer = session.timer(prepared, wanted.mode)
                warmths[name] = warm_up(
                    timer, session.runtime.clock, target, session.teller(f"{name} · {what}")
                )
                peak, reserved = inspection.peak_memory(prepared.module, prepared.input)
                run = replace(run, peak_memory_bytes=peak, reserved_memory_bytes=reserved)
                timers[name] = timer
            except (OutOfMemoryError, RuntimeError) as error:
                if not (isinstance(error, OutOfMemoryError) or is_out_of_memory(error)):
                    raise
                session.release()
                reason = str(error).partition("\n")[0]
                run = replace(run, status="out-of-memory", flags=(Flag("out-of-memory", reason),))
            runs[name] = run
        rounds = Round({}, {}, "precise")
        if timers:
            rounds = contest(timers, session.runtime.clock, target, session.teller(what))
    for name in timers:
        if rounds.both(name):
            samples = Samples(rounds.both(name), warmths[name], rounds.stopped)
            runs[name] = with_samples(runs[name], samples)
            doubts = doubts_about(samples, target, median(samples.values))
            runs[name] = replace(runs[name], flags=(*watch.flags, *doubts))
        else:
            runs[name] = replace(runs[name], status="interrupted")
    made.interrupted |= rounds.stopped == "interrupted"
    pairs = judge(rounds.forth, rounds.back) if rounds.count else ()
    return runs, Contest(wanted.batch, label, wanted.mode, pairs, rounds.count)
