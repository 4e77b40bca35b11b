"""Every option once, the time a command takes, what is said of conditions, and fresh processes."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from archinspect.frontends.spec import load_graph
from archinspect.latency.plan import Options
from archinspect.latency.stats import median
from tests.gpu.runs import codes, command, first_run
from tests.latency.proof.finding import Finding


def every_option_runs() -> Finding:
    """Every precision and mode, the options, a batch that cannot fit: each gives what it should."""
    from archinspect.latency.measure import measure

    graph = load_graph("resnet18")
    kinds = ["fp32", "tf32", "strict-fp32", "fp16", "bf16"]
    modes = ["latency", "throughput", "graph"]
    found = measure(graph, device="cuda", batch=32, dtype=kinds, mode=modes, time_s=2)
    ms = {(run.label, run.mode): run.median_ms or 0.0 for run in found.runs}
    figures: dict[str, Any] = {f"{label}, {mode}": value for (label, mode), value in ms.items()}
    wrong = [f"{run.label} {run.mode}: {run.status}" for run in found.runs if run.status != "ok"]
    if len(ms) != len(kinds) * len(modes):
        wrong.append(f"{len(ms)} different labels and modes, not {len(kinds) * len(modes)}")
    wrong += [f"{run.label}: no rows" for run in found.runs if run.mode == modes[0] and not run.layers]
    wrong += [f"{run.label} {run.mode}: no memory" for run in found.runs if not run.peak_memory_bytes]
    options = {
        "channels_last": Options(channels_last=True),
        "cold": Options(cold=True),
        "depth": Options(depth=1),
    }
    for name, chosen in options.items():
        run = measure(graph, device="cuda", batch=32, dtype="fp16", options=chosen, time_s=2).runs[0]
        figures[name] = run.median_ms or 0.0
        wrong += (
            [] if run.status == "ok" and run.layers else [f"--{name}: {run.status}, {len(run.layers)} rows"]
        )
    sweep = measure(graph, device="cuda", batch=[10**6, 1], time_s=1, layers=False).runs
    if [run.status for run in sweep] != ["out-of-memory", "ok"]:
        wrong.append(f"a batch that cannot fit: {[run.status for run in sweep]}")
    memory = next(run for run in found.runs if run.mode == "latency" and run.dtype == "fp32")
    figures["memory of predicted"] = (memory.peak_memory_bytes or 0) / (memory.predicted_memory_bytes or 1)
    figures["wrong"] = "; ".join(wrong) or "nothing"
    return Finding("options", not wrong, "each runs, and a batch that cannot fit is a row", figures)


def launch_bound_verdicts() -> Finding:
    """MobileNet at batch 1 waits for the host; ResNet-50 at batch 256 does not."""
    small = first_run("mobilenet_v2", batch=1, time_s=8)
    large = first_run("resnet50", batch=256, time_s=8)
    figures = {
        "mobilenet_v2 at 1": ", ".join(codes(small)),
        "mobilenet_v2 at 1, eager of graph": (small.median_ms or 0) / (small.whole_ms or 1),
        "resnet50 at 256": ", ".join(codes(large)),
        "resnet50 at 256, eager of graph": (large.median_ms or 0) / (large.whole_ms or 1),
    }
    passed = "launch-bound" in codes(small) and "launch-bound" not in codes(large)
    return Finding("launch-bound verdicts", passed, "MobileNet at 1 is, ResNet-50 at 256 is not", figures)


def answers_in_time() -> Finding:
    """Whole commands with rows, from start to exit."""
    times = {}
    for model, batch in (("resnet50", "32"), ("vgg16", "64"), ("mobilenet_v2", "1"), ("resnet152", "8")):
        _, times[f"{model} at {batch}, s"] = command(model, "--batch", batch)
    longest = max(times.values())
    return Finding("time", longest <= 20, "one configuration answers within 20 s, everything counted", times)


def another_process_is_seen() -> Finding:
    """A process that computes on the same GPU: the run is flagged."""
    busy = (
        "import torch\na = torch.rand(4096, 4096, device='cuda')\nwhile True: a @ a; torch.cuda.synchronize()"
    )
    alone = codes(first_run("resnet18", batch=16, time_s=2, layers=False))
    other = subprocess.Popen([sys.executable, "-c", busy])
    try:
        time.sleep(15)
        beside = codes(first_run("resnet18", batch=16, time_s=2, layers=False))
    finally:
        other.kill()
        other.wait()
    figures = {"alone": ", ".join(alone), "beside another": ", ".join(beside)}
    passed = "contaminated" in beside and "contaminated" not in alone
    return Finding("another process", passed, "flagged beside another, and not alone", figures)


def fresh_processes_agree(count: int = 10) -> Finding:
    """Medians of processes that share nothing."""
    medians = []
    for _ in range(count):
        found, _ = command("resnet50", "--batch", "64", "--no-layers", "--time", "10")
        medians.append(found["runs"][0]["median_ms"])
    spread = (max(medians) - min(medians)) / median(medians)
    figures = {"processes": count, "spread": spread, "medians": medians}
    return Finding("fresh processes", spread <= 0.01, "medians at batch 64 spread ≤ 1 %", figures)
