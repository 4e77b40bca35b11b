"""Several networks in the same conditions: their forwards interleaved, so that what disturbs one disturbs all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..flags import Flag, left_out_flags, row_flags, sample_flags
from ..interleaved import Round, interleave, judge
from ..plan import Configuration, Options, Plan, plan
from ..results import Comparison, Contest, Measurement, Run
from ..sampling import Samples, StoppingRule, WarmUp, warm_up
from ..sizes import batches_of
from ..stats import median
from ..timers import Timer
from .bench import Bench, bench
from .capacity import OutOfMemoryError, is_out_of_memory
from .instrument import Instrument
from .module_calls import ChangingCallsError
from .own_module import errors_of, kept_random_state
from .prepare import Prepared, arithmetic, original, to_change
from .rows import with_rows
from .session import LEAST, LOOKS, Progress, with_samples
from .watch import Watch

if TYPE_CHECKING:
    from ...graph import Graph

#: of the time of one configuration: the rounds of all networks, and the rows of each network
_TIME_SHARE, _ROWS_SHARE = 0.5, 0.2


def compare(
    graphs: Sequence[Graph],
    *,
    device: str | None = None,
    batch: int | Sequence[int] | None = None,
    dtype: str | Sequence[str] = "fp32",
    mode: str | Sequence[str] = "latency",
    options: Options | None = None,
    layers: bool = True,
    time_s: float = 20.0,
    progress: Progress | None = None,
    spent_s: float = 0.0,
) -> Comparison:
    """Time networks against each other in every combination of batch, precision and mode, and say what is real.

    Each round times every network forth and back (A B C C B A): drifts cancel, and each network's two timings of a
    round are the A/A noise.  After the rounds of the first mode each network's layers are timed (`layers`), for at most
    a fifth of `time_s` each.  Networks of one name are told apart by a number.  Raises as `measure` does.
    """
    wanted = plan(batches_of(graphs, batch), dtype, mode, options, layers=layers, time_s=time_s)
    named = _named(graphs)
    runs: dict[str, list[Run]] = {name: [] for name in named}
    contests: list[Contest] = []
    with bench(device, wanted, progress, spent_s) as made:
        try:
            _all(made, named, wanted, runs, contests)
        except KeyboardInterrupt:
            made.interrupted = True
    measurements = tuple(
        Measurement(
            name,
            made.runtime.name(),
            made.environment,
            made.judged(own, named[name]),
            made.ceilings,
            made.sheet,
            interrupted=made.interrupted,
            looks=tuple(each.ceilings for each in made.peaks),
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
    originals = {name: original(graph) for name, graph in named.items()}
    narrowed: dict[str, nn.Module] = {}
    kind = None
    for configuration in wanted.configurations():
        made.begin(len(named))
        if configuration.precision != kind:
            kind = configuration.precision
            narrowed = {name: to_change(named[name], module) for name, module in originals.items()}
        device = made.session.device
        with arithmetic(kind, device), kept_random_state(device), torch.inference_mode():
            found, pairs = _one(made, named, narrowed, configuration)
        for name, run in found.items():
            runs[name].append(run)
        contests.append(pairs)
        if made.interrupted:
            return


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A network ready for its rounds."""

    prepared: Prepared
    timer: Timer
    warmth: WarmUp


def _one(
    made: Bench, named: Mapping[str, Graph], modules: Mapping[str, nn.Module], wanted: Configuration
) -> tuple[dict[str, Run], Contest]:
    session = made.session
    runs: dict[str, Run] = {}
    candidates: dict[str, _Candidate] = {}
    # rounds leave the half of the time that is left to the rows
    half = (session.budget.until - session.runtime.clock()) / 2
    target = StoppingRule(cap_s=_TIME_SHARE * session.time_s, until=session.budget.reserving(half))
    label = wanted.precision.label(has_tf32=session.runtime.has_tf32)
    what = f"batch {wanted.batch} · {label} · {wanted.mode}"
    with Watch(session.device, session.threads, session.options) as watch:
        for name, graph in named.items():
            run = replace(session.blank(graph, wanted.batch, wanted.precision, wanted.mode), model=name)
            own = nullcontext() if graph.source is None else errors_of(modules[name], wanted.batch)
            try:
                with own:
                    prepared = session.prepared(graph, modules[name], run, wanted.precision)
                    timer = session.timer(prepared, wanted.mode)
                    warmth = warm_up(timer, session.runtime.clock, target, session.teller(f"{name} · {what}"))
                candidates[name] = _Candidate(prepared, timer, warmth)
                made.interrupted |= warmth.interrupted
            except (OutOfMemoryError, RuntimeError) as error:
                flag = _lack(made, error)
                run = replace(run, status=flag.code, flags=(flag,))
            runs[name] = run
            if made.interrupted:
                break
        rounds = Round({}, {}, "interrupted" if made.interrupted else "precise")
        if candidates and not made.interrupted:
            timers = {name: each.timer for name, each in candidates.items()}
            rounds = interleave(
                timers, session.runtime.clock, target, session.teller(f"{len(named)} networks · {what}")
            )
    made.interrupted |= rounds.stopped == "interrupted"
    for name, each in candidates.items():
        if not rounds.both(name):
            flag = Flag("interrupted", "no round was over")
            runs[name] = replace(runs[name], status="interrupted", flags=(flag,))
            continue
        samples = each.prepared.with_first(Samples(rounds.both(name), each.warmth, rounds.stopped))
        runs[name] = with_samples(runs[name], samples)
        doubts = sample_flags(samples, target, median(samples.values))
        runs[name] = replace(runs[name], flags=(*watch.flags, *doubts))
        if not made.interrupted:
            runs[name] = _inspected(made, named[name], runs[name], each.prepared, wanted, what)
    pairs = judge(rounds.forth, rounds.back) if rounds.count else ()
    return runs, Contest(wanted.batch, label, wanted.mode, pairs, rounds.count)


def _lack(made: Bench, error: OutOfMemoryError | RuntimeError, when: str = "") -> Flag:
    """What is said of a network that does not fit.  Raises what is no lack of memory."""
    if isinstance(error, RuntimeError) and not is_out_of_memory(error):
        raise error
    made.session.release()
    return Flag("out-of-memory", when + str(error).partition("\n")[0])


def _inspected(
    made: Bench, graph: Graph, run: Run, prepared: Prepared, wanted: Configuration, what: str
) -> Run:
    """The run with what its values and, where wanted, its rows say, after the rounds that gave its figure."""
    session = made.session
    instrument: Instrument | None = None
    budget, forward_s = session.budget, (run.median_ms or 0.0) / 1000
    late = []
    try:
        if budget.affords(LOOKS * forward_s):
            values = session.values(prepared, graph)
            peak, reserved = prepared.peak_memory(session.device)
            run = replace(run, peak_memory_bytes=peak, reserved_memory_bytes=reserved)
            run = replace(run, flags=(*run.flags, *values))
        else:
            late += ["values", "memory"]
        instrument, notes = session.instrument(prepared, graph) if wanted.layers else (None, [])
        if instrument is not None and not budget.affords(LEAST * forward_s):
            late.append("rows")
            instrument = None
        run = replace(run, flags=(*run.flags, *notes, *left_out_flags(late, forward_s, budget.limit_s)))
        if instrument is None:
            return run
        target = StoppingRule(cap_s=_ROWS_SHARE * session.time_s, until=budget.until)
        flags: list[Flag] = []
        rows = session.rows(instrument, target, f"{run.model} · {what}", flags)
        run = replace(run, flags=(*run.flags, *flags))
    except ChangingCallsError as error:
        return replace(run, flags=(*run.flags, Flag("changing-calls", str(error))))
    except RuntimeError as error:
        flag = _lack(made, error, "while its layers were timed: ")  # the figure stands
        return replace(run, flags=(*run.flags, flag))
    except KeyboardInterrupt:
        rows = None
    if rows is None or rows.stopped == "interrupted":
        made.interrupted = True
        flag = Flag("interrupted", "before any layer" if rows is None else "while its layers were timed")
        run = replace(run, status="interrupted", flags=(*run.flags, flag))
    if rows is None or instrument is None:
        return run
    return replace(with_rows(run, rows, instrument), flags=(*run.flags, *row_flags(rows)))
