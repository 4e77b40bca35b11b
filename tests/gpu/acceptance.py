"""The acceptance tests of GPU timing: `python -m tests.gpu` runs them and writes docs/measurements/gpu-acceptance.*.

Each check returns a `Finding` with the figures it stands on.  They need a CUDA device.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from archinspect.latency.results import Run
from archinspect.latency.stats import median
from archinspect.spec import load_graph
from tests.support import ROOT


@dataclass(frozen=True)
class Finding:
    """What one check found.  `figures` are the numbers, in ms where no unit is named."""

    name: str
    passed: bool
    demand: str
    figures: dict[str, Any]


def first_run(model: str, **options: Any) -> Run:
    """The first run of a measurement on the GPU."""
    from archinspect.latency.measure import measure

    return measure(load_graph(model), device="cuda", **options).runs[0]


def against_do_bench_cudagraph() -> Finding:
    """Our replay of a captured forward against triton's."""
    import torch
    from triton.testing import do_bench_cudagraph

    from archinspect.latency.measure.prepare import network

    graph = load_graph("resnet50")
    module = network(graph)
    ours = first_run("resnet50", batch=32, mode="graph", layers=False)
    module = module.cuda()
    x = torch.randn(32, *graph.input_shape[1:], device="cuda")
    with torch.inference_mode():
        theirs = do_bench_cudagraph(lambda: module(x), rep=500, return_mode="median")
    return paired("triton's do_bench_cudagraph", ours.median_ms or 0.0, theirs, 0.01)


def against_torchs_timer() -> Finding:
    """Our synchronised latency against torch.utils.benchmark.Timer's."""
    import torch
    from torch.utils.benchmark import Timer

    from archinspect.latency.measure.prepare import network

    graph = load_graph("resnet50")
    module = network(graph).cuda()
    x = torch.randn(32, *graph.input_shape[1:], device="cuda")
    ours = first_run("resnet50", batch=32, layers=False)
    with torch.inference_mode():
        timer = Timer("module(x); sync()", globals={"module": module, "x": x, "sync": torch.cuda.synchronize})
        theirs = 1000 * timer.blocked_autorange(min_run_time=3).median
    return paired("torch.utils.benchmark.Timer", ours.median_ms or 0.0, theirs, 0.02)


def paired(other: str, ours: float, theirs: float, allowed: float) -> Finding:
    """Two figures for the same thing."""
    ratio = ours / theirs
    figures = {"ours_ms": ours, "theirs_ms": theirs, "ratio": ratio}
    return Finding(f"paired with {other}", abs(ratio - 1) <= allowed, f"ratio 1 ± {allowed:.0%}", figures)


def planted_sleep(tries: int = 20) -> Finding:
    """A layer made slower by a known number of cycles, worth about 3 %, is found in its row."""
    import torch
    from torch import nn

    from archinspect.latency.measure import measure
    from archinspect.latency.measure.prepare import network

    class Slow(nn.Module):
        def __init__(self, layer: nn.Module, cycles: int) -> None:
            super().__init__()
            self.layer, self.cycles = layer, cycles

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            output: torch.Tensor = self.layer(x)
            torch.cuda._sleep(self.cycles)
            return output

    graph = load_graph("resnet50")
    name = next(node.name for node in graph.layers if node.op.type == "relu")
    plain = first_run("resnet50", batch=32, time_s=5)
    whole = plain.whole_ms or 0.0
    wanted = 0.03 * whole
    cycles = int(wanted / sleep_ms_per_cycle())
    module = network(graph)
    module.set_submodule(name, Slow(module.get_submodule(name), cycles))
    before = {row.name: row.ms for row in plain.layers}
    found = 0
    seen = []
    for _ in range(tries):
        run = measure(graph, device="cuda", batch=32, time_s=5, module=module).runs[0]
        grown = {row.name: row.ms - before[row.name] for row in run.layers}
        seen.append(grown[name])
        found += max(grown, key=grown.__getitem__) == name and abs(grown[name] / wanted - 1) < 0.2
    figures = {"row": name, "planted_ms": wanted, "seen_ms": seen, "found": found, "tries": tries}
    return Finding("planted sleep", found >= 0.95 * tries, "found at its size ± 20 %, 95 in 100", figures)


def sleep_ms_per_cycle() -> float:
    """How long one cycle of `torch.cuda._sleep` is now."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    cycles = 10_000_000
    for _ in range(3):
        start.record()
        torch.cuda._sleep(cycles)
        end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / cycles


def rows_add_up() -> Finding:
    """Closure of deep and of branching networks, small and large batches."""
    closures = {}
    for model in ("resnet50", "googlenet", "mobilenet_v2", "vgg16"):
        for batch in (1, 64):
            run = first_run(model, batch=batch, time_s=10)
            closures[f"{model}, batch {batch}"] = {"closure": run.closure, "inflation": run.inflation}
    worst = max(abs((each["closure"] or 0) - 1) for each in closures.values())
    return Finding("closure", worst <= 0.05, "within 2 %, 5 % at worst", {"worst": worst, **closures})


def launch_bound_verdicts() -> Finding:
    """MobileNet at batch 1 waits for the host; ResNet-50 at batch 256 does not."""
    small = [flag.code for flag in first_run("mobilenet_v2", batch=1, layers=False).flags]
    large = [flag.code for flag in first_run("resnet50", batch=256, layers=False).flags]
    passed = "launch-bound" in small and "launch-bound" not in large
    return Finding(
        "launch-bound verdicts",
        passed,
        "MobileNet at 1 is, ResNet-50 at 256 is not",
        {"mobilenet_v2 at 1": small, "resnet50 at 256": large},
    )


def no_false_alarms(tries: int = 20) -> Finding:
    """A network against itself is not called different."""
    from archinspect.latency.measure import compare

    graph = load_graph("resnet18")
    alarms = 0
    for _ in range(tries):
        found = compare([graph, graph], device="cuda", batch=16, time_s=4)
        alarms += found.contests[0].pairs[0].real
    return Finding("A/A", alarms <= 0.05 * tries, "at most 5 in 100", {"alarms": alarms, "tries": tries})


def ten_fresh_processes(count: int = 10) -> Finding:
    """Medians of processes that share nothing."""
    command = [
        sys.executable,
        "-m",
        "archinspect",
        "latency",
        "resnet50",
        "--device",
        "cuda",
        "--batch",
        "64",
    ]
    medians = []
    for _ in range(count):
        done = subprocess.run(
            [*command, "--no-layers", "--format", "json"], cwd=ROOT, capture_output=True, check=True
        )
        medians.append(json.loads(done.stdout)["runs"][0]["median_ms"])
    spread = (max(medians) - min(medians)) / median(medians)
    return Finding(
        "fresh processes", spread <= 0.01, "spread ≤ 1 %", {"medians_ms": medians, "spread": spread}
    )


CHECKS: tuple[Callable[[], Finding], ...] = (
    against_do_bench_cudagraph,
    against_torchs_timer,
    planted_sleep,
    rows_add_up,
    launch_bound_verdicts,
    no_false_alarms,
    ten_fresh_processes,
)


def document(findings: list[Finding], environment: dict[str, Any]) -> dict[str, Any]:
    """Everything as JSON."""
    return {"environment": environment, "findings": [asdict(finding) for finding in findings]}


def page(findings: list[Finding], environment: dict[str, Any], day: str) -> str:
    """Everything as a page of docs/measurements."""
    lines = [
        f"# GPU acceptance on {environment.get('gpu', 'an unknown GPU')}, {day}",
        "",
        "Written by `python -m tests.gpu`; the raw figures are in gpu-acceptance.json beside it.",
        "",
        "| check | demand | result |",
        "| --- | --- | --- |",
        *(f"| {each.name} | {each.demand} | {'passed' if each.passed else 'FAILED'} |" for each in findings),
        "",
        "## Environment",
        "",
        *(f"- {key.replace('_', ' ')}: {value}" for key, value in environment.items()),
    ]
    return "\n".join([*lines, ""])
