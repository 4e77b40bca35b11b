"""Our figures beside those of other tools, for the same module on the same device in turns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from archinspect.frontends.spec import load_graph
from archinspect.latency.stats import median
from tests.gpu.runs import first_run
from tests.latency.proof.finding import Finding
from tests.latency.proof.pairing import AGREE, Pairing, take_turns

_MODEL, _BATCH = "resnet50", 32


def _forward() -> Callable[[], object]:
    """A forward of the network on the GPU, warm."""
    import torch

    from archinspect.latency.measure.prepare import network

    graph = load_graph(_MODEL)
    module = network(graph).cuda()
    x = torch.randn(_BATCH, *graph.input_shape[1:], device="cuda")

    def forward() -> object:
        return module(x)

    for _ in range(20):
        forward()
    torch.cuda.synchronize()
    return forward


def against_do_bench_cudagraph() -> Finding:
    """Our replay of a captured forward in turns with triton's do_bench_cudagraph."""
    import torch
    from triton.testing import do_bench_cudagraph  # type: ignore[import-not-found]

    from archinspect.latency.measure.runtime import find_device, runtime_for
    from archinspect.latency.timers import replayed

    with torch.inference_mode():
        forward = _forward()
        timer = replayed(forward, runtime_for(find_device("cuda")))
        found = take_turns(
            lambda n: median(timer(n)),
            lambda n: do_bench_cudagraph(forward, rep=100, return_mode="median") / 1000,
            each=50,
            cap_s=90.0,
        )
    return _finding("triton's do_bench_cudagraph", found)


def against_torchs_timer() -> Finding:
    """Our synchronised latency in turns with torch.utils.benchmark.Timer, which waits for the device as we do."""
    import torch
    from torch.utils.benchmark import Timer

    from archinspect.latency.measure.runtime import find_device, runtime_for
    from archinspect.latency.timers import synchronised

    with torch.inference_mode():
        forward = _forward()

        def complete() -> None:
            forward()
            torch.cuda.synchronize()

        timer = synchronised(forward, runtime_for(find_device("cuda")))
        theirs = Timer("complete()", globals={"complete": complete}, num_threads=torch.get_num_threads())
        found = take_turns(
            lambda n: sum(timer(2 + n)[2:]) / n,
            lambda n: theirs.timeit(n).mean,
            each=20,
            cap_s=60.0,
        )
    return _finding("torch.utils.benchmark.Timer", found)


def _finding(other: str, found: Pairing) -> Finding:
    demand = "ratio 1 ± 1 %, its 95 % interval too"
    return Finding(f"paired with {other}", found.verdict == AGREE, demand, found.figures())


def against_the_profiler(passes: int = 20) -> Finding:
    """The rows beside the kernels that the profiler records in the range of each layer: raw events, an eager pass."""
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    from archinspect.latency.measure.instrument import segments, watched
    from archinspect.latency.measure.prepare import network

    run = first_run(_MODEL, batch=_BATCH, time_s=10)
    graph = load_graph(_MODEL)
    module = network(graph).cuda()
    x = torch.randn(_BATCH, *graph.input_shape[1:], device="cuda")
    rows = segments(module, graph)
    open_range: list[Any] = []

    def next_range(name: str) -> None:
        if open_range:
            open_range.pop().__exit__(None, None, None)
        if name:
            open_range.append(record_function(name))
            open_range[-1].__enter__()

    follows = dict(zip([row.name for row in rows], [*(row.name for row in rows[1:]), ""], strict=True))
    marked = watched(
        module, rows, lambda name, _: next_range("" if not follows[name] else f"row {follows[name]}")
    )
    with torch.inference_mode():
        for _ in range(5):
            module(x)
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as prof:
            for _ in range(passes):
                next_range(f"row {rows[0].name}")
                marked(x)
                torch.cuda.synchronize()
    spent: dict[str, float] = defaultdict(float)
    for event in prof.events():
        if event.name.startswith("row ") and str(event.device_type).endswith("CPU"):
            spent[event.name.removeprefix("row ")] += event.device_time_total / 1000 / passes  # µs → ms
    ours = {row.name: row.ms for row in run.layers}
    whole = run.whole_ms or 0.0
    large = [name for name in spent if ours.get(name, 0.0) > 0.02 * whole]
    ratios = {name: ours[name] / spent[name] for name in large if spent[name]}
    total = sum(spent.values())
    worst = max(ratios.values(), key=lambda ratio: abs(ratio - 1))
    figures = {
        "rows ms": sum(ours.values()),
        "kernels ms": total,
        "kernels of whole": total / whole,
        "large rows": len(large),
        "median ratio of large rows": median(list(ratios.values())),
        "worst ratio of large rows": worst,
        "ratios": ratios,
    }
    # kernels alone are less than rows by the gaps between them, and by launches within the graph
    passed = 0.85 <= total / whole <= 1.02 and all(0.9 <= ratio <= 1.25 for ratio in ratios.values())
    demand = (
        "kernel time is 85 to 102 % of the whole; each row with over 2 % of it is 0.9 to 1.25 of its kernels"
    )
    return Finding("profiler as referee", passed, demand, figures)
