"""Planted truths on a GPU: a sleep in a layer, a network against itself, rows that have to add up."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from archinspect.frontends.spec import load_graph
from archinspect.latency.plan import Options
from archinspect.latency.stats import median
from tests.gpu.runs import first_run
from tests.latency.proof.finding import Finding


class Sleepy(nn.Module):
    """Its layer, and then so many cycles of the device."""

    def __init__(self, layer: nn.Module, cycles: int) -> None:
        super().__init__()
        self.layer, self.cycles = layer, cycles

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.layer(x)
        torch.cuda._sleep(self.cycles)
        return output


def planted_sleep(tries: int = 20) -> Finding:
    """A layer made slower by cycles worth about 3 % of the whole is found in its row, at its size."""
    from archinspect.latency.measure import measure
    from archinspect.latency.measure.prepare import network

    graph = load_graph("resnet50")
    name = next(node.name for node in graph.layers if node.op.type == "relu")
    plain = first_run("resnet50", batch=32, time_s=5)
    cycles = int(0.03 * (plain.whole_ms or 0.0) / sleep_ms_per_cycle())
    module = network(graph)
    module.set_submodule(name, Sleepy(module.get_submodule(name), cycles))
    before = {row.name: row.ms for row in plain.layers}
    found, seen, wanted = 0, [], []
    for _ in range(tries):
        wanted.append(cycles * sleep_ms_per_cycle())  # the clock moves, and the cycles with it
        run = measure(graph, device="cuda", batch=32, time_s=3, module=module).runs[0]
        grown = {row.name: row.ms - before[row.name] for row in run.layers}
        seen.append(grown[name])
        found += max(grown, key=grown.__getitem__) == name and abs(grown[name] / wanted[-1] - 1) < 0.2
    figures = {
        "row": name,
        "planted ms": median(wanted),
        "seen ms": median(seen),
        "found": found,
        "tries": tries,
        "raw": seen,
    }
    return Finding("planted sleep", found >= 0.95 * tries, "found at its size ± 20 %, 95 in 100", figures)


def sleep_ms_per_cycle() -> float:
    """How long one cycle of `torch.cuda._sleep` is now."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    cycles = 10_000_000
    for _ in range(3):
        start.record()
        torch.cuda._sleep(cycles)
        end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / cycles


def rows_add_up() -> Finding:
    """Closure of deep and of branching networks, small and large batches, in fp32 and fp16."""
    closures: dict[str, Any] = {}
    inflations: dict[str, Any] = {}
    for model in ("resnet50", "googlenet", "mobilenet_v2", "vgg16", "densenet121", "vit_b_16"):
        for batch, dtype in ((1, "fp32"), (64, "fp32"), (64, "fp16")):
            run = first_run(model, batch=batch, dtype=dtype, time_s=6)
            key = f"{model}, batch {batch}, {dtype}"
            closures[key], inflations[key] = run.closure or 0.0, run.inflation or 0.0
    off = {key: abs(value - 1) for key, value in closures.items()}
    worst = max(off, key=off.__getitem__)
    figures = {
        "runs": len(off),
        "worst": f"{worst}: {closures[worst]:.4f}",
        "within 2 %": sum(value <= 0.02 for value in off.values()),
        "median closure": median(list(closures.values())),
        "median inflation": median(list(inflations.values())),
        "worst inflation": max(inflations.values()),
        "closure": closures,
        "inflation": inflations,
    }
    return Finding("closure", off[worst] <= 0.05, "rows sum to the whole within 2 %, 5 % at worst", figures)


def compiled_rows_add_up() -> Finding:
    """Rows of what torch.compile makes of a network."""
    figures: dict[str, Any] = {}
    worst = 0.0
    for model in ("resnet18", "mobilenet_v2"):
        run = first_run(model, batch=32, time_s=8, options=Options(compile=True))
        closure = run.closure or 0.0
        figures |= {f"{model} rows": len(run.layers), f"{model} closure": closure}
        figures[f"{model} flags"] = ", ".join(flag.code for flag in run.flags)
        worst = max(worst, abs(closure - 1))
    return Finding("compiled", worst <= 0.05, "compiled rows sum to the whole within 5 %", figures)


def no_false_alarms(tries: int = 20) -> Finding:
    """A network against itself is not called different."""
    from archinspect.latency.measure import compare

    graph = load_graph("resnet18")
    alarms, noises = 0, []
    for _ in range(tries):
        found = compare([graph, graph], device="cuda", batch=16, time_s=4, layers=False)
        (pair,) = found.contests[0].pairs
        alarms += pair.real
        noises.append(pair.noise)
    figures = {"alarms": alarms, "tries": tries, "median noise": median(noises)}
    return Finding("A/A", alarms <= 0.05 * tries, "at most 5 alarms in 100", figures)
