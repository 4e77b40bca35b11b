"""The demands on timing that a CPU can answer.  Each check returns a `Finding` with the figures it stands on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any

import torch
from torch import fx

from archinspect import shipped
from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.interleaved import Pair, interleave, judge
from archinspect.latency.measure.prepare import network, prepare
from archinspect.latency.measure.runtime import runtime_for, threads
from archinspect.latency.measure.session import Session
from archinspect.latency.plan import Options
from archinspect.latency.results import Run
from archinspect.latency.sampling import StoppingRule
from archinspect.latency.stats import median
from archinspect.latency.timers import Timer, synchronised
from tests.latency.planted import SMALL, beside_torchs_timer, planted, spin
from tests.latency.proof.finding import Finding
from tests.latency.proof.pairing import AGREE, DIFFER, UNDECIDED
from tests.latency.proof.quiet import disturbance
from tests.support import ROOT

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Effort:
    """How much of everything: tries, processes, seconds of one thing."""

    tries: int
    contests: int  # of two networks, or of two timers
    contest_s: float  # of each; `latency A B` takes half of --time, 10 s
    processes: int
    pairing_s: float
    network_s: float
    networks: tuple[str, ...]
    large: tuple[tuple[str, int], ...]


LARGE = (
    ("vgg16", 32),
    ("resnet152", 8),
    ("mobilenet_v2", 1),
    ("efficientnet_b0", 1),
    ("inception_resnet_v2", 1),
)


@cache
def full() -> Effort:
    """About 13 minutes on two cores."""
    return Effort(100, 40, 2.5, 10, 75.0, 3.5, tuple(shipped()), LARGE)


QUICK = Effort(20, 10, 1.0, 4, 5.0, 1.5, ("alexnet", "googlenet", "mobilenet_v2", "resnet50"), LARGE[2:4])

Check = Callable[[Effort], Finding]


def timer_agrees(effort: Effort) -> Finding:
    """Our latency and torch.utils.benchmark.Timer's in turns, equal threads: on one thread and on all."""
    figures: dict[str, Any] = {}
    verdicts = set[str]()
    with disturbance() as disturbed:
        # Small images: many short rounds tell more than few long ones.
        for model, count in (("alexnet", 1), ("resnet18", 1), ("resnet18", cores()), ("mobilenet_v2", 1)):
            graph = load_graph(model, input="3x96x96")
            found = beside_torchs_timer(graph, cap_s=effort.pairing_s, thread_count=count)
            interval = "none" if found.interval is None else "{:.4f} … {:.4f}".format(*found.interval)
            figures[f"{model}, {count} threads"] = f"{found.ratio:.4f} ({interval}), {found.verdict}"
            figures[f"{model}, {count} threads, raw"] = found.figures()
            verdicts.add(found.verdict)
    if UNDECIDED in verdicts and DIFFER not in verdicts:
        disturbed.append("An interval is wider than the tolerance: the machine is too restless to tell.")
    demand = "ratio of medians within 1 ± 1 %, its 95 % interval too"
    name = "paired with torch.utils.benchmark.Timer"
    return Finding(name, verdicts == {AGREE}, demand, figures, said(disturbed))


def bias_is_found(effort: Effort) -> Finding:
    """The procedure of `timer_agrees` with a timer that is 3 % wrong: it has to say so."""
    with disturbance() as disturbed:
        cap = 4 * effort.contest_s  # most answer long before
        verdicts = [beside_torchs_timer(bias=0.03, cap_s=cap).verdict for _ in range(effort.contests)]
    found, missed = verdicts.count(DIFFER), verdicts.count(AGREE)
    figures = {"tries": len(verdicts), "found": found, "called equal": missed}
    passed = missed == 0 and found >= 0.95 * len(verdicts)
    demand = "a timer that is 3 % wrong is found, 95 in 100"
    return Finding("planted bias of the timer", passed, demand, figures, said(disturbed))


def no_false_alarms(effort: Effort) -> Finding:
    """A network against a copy of itself is not called different."""
    with disturbance() as disturbed:
        alarms = sum(_against(0.0, effort.contest_s).real for _ in range(effort.contests))
    figures = {"tries": effort.contests, "alarms": alarms}
    demand = "A/A: at most 5 alarms in 100"
    return Finding("A/A", alarms <= 0.05 * effort.contests, demand, figures, said(disturbed))


def differences_are_found(effort: Effort) -> Finding:
    """A network that takes 3 % longer is found slower."""
    with disturbance() as disturbed:
        pairs = [_against(0.03, effort.contest_s) for _ in range(effort.contests)]
    found = sum(pair.real and pair.ratio > 1 for pair in pairs)
    figures = {"tries": len(pairs), "found": found, "median ratio": median([pair.ratio for pair in pairs])}
    demand = "a network 3 % slower is found, 95 in 100"
    return Finding("planted difference", found >= 0.95 * len(pairs), demand, figures, said(disturbed))


def rows_are_found(effort: Effort) -> Finding:
    """A layer that loops for 5 ms is found in its row, at its size."""
    modules = {name: planted(name, 0.005) for name in ("relu", "conv2d_1")}
    seen: list[float] = []
    found = 0
    with disturbance() as disturbed:
        for turn in range(effort.tries):
            name = list(modules)[turn % 2]
            rows = {row.name: row.ms for row in _run(SMALL, modules[name], 1.0).layers}
            seen.append(rows[name])
            found += max(rows, key=rows.__getitem__) == name and abs(rows[name] / 5 - 1) < 0.05
    figures = {"tries": effort.tries, "found": found, "median of the row": median(seen), "raw": seen}
    demand = "5 ms in a layer: the right row, 5 ms ± 5 %, 95 in 100"
    return Finding("planted layer", found >= 0.95 * effort.tries, demand, figures, said(disturbed))


def rows_add_up(effort: Effort) -> Finding:
    """Closure and inflation of every network."""
    closures, inflations = {}, {}
    with disturbance() as disturbed:
        for model in effort.networks:
            graph = load_graph(model)
            run = _run(graph, network(graph), 2.5 * effort.network_s)
            closures[model], inflations[model] = run.closure or 0.0, run.inflation or 0.0
    off = {model: abs(value - 1) for model, value in closures.items()}
    worst = max(off, key=off.__getitem__)
    figures = {
        "networks": len(closures),
        "median closure": median(list(closures.values())),
        "worst": f"{worst} {closures[worst]:.4f}",
        "within 2 %": sum(value <= 0.02 for value in off.values()),
        "median inflation": median(list(inflations.values())),
        "closure": closures,
        "inflation": inflations,
    }
    demand = "rows sum to the whole within 2 %, 5 % at worst, in every network"
    passed = off[worst] <= 0.05 and figures["within 2 %"] >= 0.9 * len(off)
    return Finding("closure", passed, demand, figures, said(disturbed))


def marks_cost_little(effort: Effort) -> Finding:
    """The instrument's inflation in a network of many small layers."""
    graph = load_graph("mobilenet_v2")
    with disturbance() as disturbed:
        run = _run(graph, network(graph), 4 * effort.network_s)
    figures = {"inflation": run.inflation or 0.0, "rows": len(run.layers), "closure": run.closure or 0.0}
    passed = abs((run.inflation or 0) - 1) <= 0.02
    demand = "marks between all layers of MobileNet cost at most 2 %"
    return Finding("inflation", passed, demand, figures, said(disturbed))


def processes_agree(effort: Effort) -> Finding:
    """Medians of processes that share nothing, at batch 64."""
    command = ["resnet18", "--input", "3x64x64", "--batch", "64", "--no-layers", "--time", "15"]
    with disturbance() as disturbed:
        medians = [_command(*command)["runs"][0]["median_ms"] for _ in range(effort.processes)]
    spread = (max(medians) - min(medians)) / median(medians)
    figures = {"processes": len(medians), "spread": spread, "medians": medians}
    demand = "medians of ten fresh processes at batch 64 spread ≤ 1 %"
    return Finding("fresh processes", spread <= 0.01, demand, figures, said(disturbed))


def answers_in_time(effort: Effort) -> Finding:
    """Whole commands with rows, from start to exit."""
    figures: dict[str, Any] = {}
    longest = 0.0
    with disturbance() as disturbed:
        for model, batch in effort.large:
            begin = time.perf_counter()
            run = _command(model, "--batch", str(batch))["runs"][0]
            spent = time.perf_counter() - begin
            longest = max(longest, spent)
            rows = f"{len(run['layers'])} rows" if run["layers"] else "no rows"
            figures[f"{model} at {batch}"] = f"{spent:.1f} s, n {run['n']}, {rows}"
    demand = "one configuration answers within 20 s, everything counted"
    return Finding("time", longest <= 20, demand, {"longest s": longest, **figures}, said(disturbed))


def spinning_is_seen(effort: Effort) -> Finding:
    """One spinning process per core: the run says so."""
    del effort
    with spinning():
        codes = [flag.code for flag in _run(SMALL, network(SMALL), 3.0).flags]
    demand = "one spinning process per core: the run is flagged"
    return Finding("contaminated", "contaminated" in codes, demand, {"flags": ", ".join(codes)})


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        timer_agrees,
        bias_is_found,
        no_false_alarms,
        differences_are_found,
        rows_are_found,
        rows_add_up,
        marks_cost_little,
        processes_agree,
        answers_in_time,
        spinning_is_seen,
    )
}


def cores() -> int:
    """Cores that we may use."""
    return len(os.sched_getaffinity(0))


def said(disturbed: list[str]) -> str:
    """What disturbed a check, in words."""
    return "; ".join(disturbed)


@contextmanager
def spinning() -> Iterator[None]:
    """One busy process per core meanwhile."""
    code = "import time; t = time.time()\nwhile time.time() - t < 60: pass"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(cores())]
    try:
        time.sleep(0.3)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _run(graph: Graph, module: fx.GraphModule, time_s: float) -> Run:
    """One configuration on one thread, without roofs."""
    with threads(1):
        session = Session(CPU, runtime_for(CPU), Options(threads=1), threads=1, time_s=time_s)
        return session.run(graph, module, 1, PRECISIONS["fp32"], "latency", layers=True)


def _against(slower: float, cap_s: float) -> Pair:
    """A network against a copy that takes that share longer, by the rounds that `latency A B` has."""
    timers: dict[str, Timer] = {}
    with threads(1), torch.inference_mode():
        for name, share in (("a", 0.0), ("b", slower)):
            ready = prepare(network(SMALL), SMALL.input_shape, PRECISIONS["fp32"], CPU, Options(threads=1))
            timers[name] = synchronised(_delayed(ready.forward, share), runtime_for(CPU))
            timers[name](20)
        rounds = interleave(timers, time.perf_counter, StoppingRule(least_s=cap_s / 2, cap_s=cap_s))
    (pair,) = judge(rounds.forth, rounds.back)
    return pair


def _delayed(forward: Callable[[], object], share: float) -> Callable[[], object]:
    if not share:
        return forward
    timer = synchronised(forward, runtime_for(CPU))
    timer(10)
    wait = share * fmean(sorted(timer(21))[7:14])

    def delayed() -> object:
        result = forward()
        spin(wait)
        return result

    return delayed


def _command(*arguments: str) -> dict[str, Any]:
    """The JSON document of `archinspect latency ARGUMENTS` in a process of its own; 1 is no failure of the command."""
    command = [sys.executable, "-m", "archinspect", "latency", *arguments, "--device", "cpu"]
    done = subprocess.run([*command, "--format", "json"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode())
    found: dict[str, Any] = json.loads(done.stdout)
    return found
