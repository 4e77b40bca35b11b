"""The figures that we hold ourselves to, each with its bound; docs/performance.md shows them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from archinspect import sweep as sweeps
from archinspect.analysis import analyse
from archinspect.frontends.spec import load_graph

from . import peers
from .pairs import Pair, Timed, functions, processes

MIB = 1 << 20
BARE = (sys.executable, "-c", "pass")
OURS = (sys.executable, "-m", "archinspect", "params", "vgg16")
TORCHINFO = (sys.executable, "-m", "tests.benchmarks.peers")

RESIDUAL_NETWORK = """\
name: tall
input: 16x32x32
blocks:
  residual():
    - add:
        body: conv2d(16, 3, padding=1) -> batch_norm2d -> relu -> conv2d(16, 3, padding=1) -> batch_norm2d
        skip: identity
    - relu: relu()
layers:
  - unit[1..{units}]: residual()
"""
LAYERS_PER_UNIT = 8


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured against what, and the bound that the value must keep."""

    what: str
    ours: str
    theirs: str
    value: float
    bound: float
    unit: str
    at_least: bool

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def cold(rounds: int = 21, slow_rounds: int = 3) -> Iterator[Figure]:
    """A command from start to end: against the interpreter alone, and against a script that asks torchinfo."""
    pair = processes(OURS, BARE, rounds=rounds)
    times, memory = 1 / pair.speedup, pair.ours.peak / MIB
    what = "`archinspect params vgg16`, whole process"
    yield Figure(f"{what}, time against `python -c pass`", *_seconds(pair), times, 12, "×", at_least=False)
    theirs = f"{pair.theirs.peak / MIB:.1f} MiB"
    yield Figure(f"{what}, peak memory", f"{memory:.1f} MiB", theirs, memory, 45, "MiB", at_least=False)
    pair = processes(OURS, TORCHINFO, rounds=slow_rounds)
    what += ", faster than a script that prints torchinfo's summary"
    yield Figure(what, *_seconds(pair), pair.speedup, 20, "×", at_least=True)


def resnet50(rounds: int = 15) -> Iterator[Figure]:
    """In this process, torch and all else already imported: against FlopCounterMode on the meta device."""
    counted = peers.flop_counter(peers.meta_resnet50())
    if counted != 2 * analyse(load_graph("resnet50")).totals.macs:
        raise RuntimeError(f"the two count different networks: {counted:,} FLOPs there")
    pair = functions(
        Timed(analyse, prepare=lambda: load_graph("resnet50")),
        Timed(peers.flop_counter, prepare=peers.meta_resnet50),
        rounds=rounds,
    )
    what = "ResNet-50: analyse, faster than FlopCounterMode on a meta-device module"
    yield Figure(what, *_seconds(pair), pair.speedup, 60, "×", at_least=True)
    pair = functions(
        Timed(lambda _: analyse(load_graph("resnet50"))),
        Timed(lambda _: peers.flop_counter(peers.meta_resnet50())),
        rounds=rounds,
    )
    what = "ResNet-50: load the file and analyse, faster than build on the meta device and FlopCounterMode"
    yield Figure(what, *_seconds(pair), pair.speedup, 20, "×", at_least=True)


@dataclass(frozen=True)
class Growth:
    """Time to load and to analyse a residual network of so many layers."""

    layers: int
    load: float
    analyse: float

    @property
    def per_layer(self) -> float:
        return (self.load + self.analyse) / self.layers


def growth(folder: Path, sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)) -> Iterator[Growth]:
    """The best of a few runs for each size."""
    for size in sizes:
        path = folder / f"tall{size}.yaml"
        path.write_text(RESIDUAL_NETWORK.format(units=size // LAYERS_PER_UNIT), encoding="utf-8")
        rounds = range(5 if size < 100_000 else 2)
        load = min(Timed(load_graph, prepare=lambda path=path: path).once() for _ in rounds)
        count = min(Timed(analyse, prepare=lambda path=path: load_graph(path)).once() for _ in rounds)
        yield Growth(len(load_graph(path).nodes) - 1, load, count)


def sweep(sizes: int = 10, classes: int = 50) -> Iterator[Figure]:
    """Variants of ResNet-50 a second of one core's time, reading the spec included; beside one analysis a variant."""
    grid = sweeps.grid(
        [f"num_classes=1:{classes}", "stride_in_1x1=true,false"],
        [f"3x{96 + 32 * i}x{96 + 32 * i}" for i in range(sizes)],
    )
    best = min(_cpu_seconds(lambda: sweeps.sweep("resnet50", grid, jobs=1)) for _ in range(3))
    few = list(grid)[:: max(1, len(grid) // 40)]
    alone = _cpu_seconds(lambda: [_analysed(dict(settings)) for settings in few]) / len(few)
    rate = len(grid) / best
    what = f"ResNet-50: {len(grid):,} variants of a sweep, by one core"
    yield Figure(what, f"{rate:,.0f} /s", f"{1 / alone:,.0f} /s", rate, 1000, "/s", at_least=True)


#: networks whose predictions are held to the recorded error
PREDICTED = ("alexnet_torchvision", "googlenet", "resnet18", "mobilenet_v2", "squeezenet1_1", "densenet121")
RECORD = Path(__file__).parents[2] / "docs" / "measurements" / "prediction-error-cpu.json"


def prediction(minutes: float = 2.0) -> Iterator[Figure]:
    """The mean error of predictions by a fresh profile, beside that of the record and the noise of its mean."""
    from archinspect.latency.ceilings import PRECISIONS
    from archinspect.latency.measure.calibrate import calibrate
    from archinspect.latency.measure.prediction_error import prediction_error

    record = json.loads(RECORD.read_text(encoding="utf-8"))["networks"]
    errors = [abs(entry["error"]) for entry in record if entry["model"] in PREDICTED]
    noise = 2 * stdev(errors) / len(errors) ** 0.5
    profile = calibrate("cpu", minutes=minutes, dtype=PRECISIONS["fp32"])
    found = prediction_error(((name, load_graph(name)) for name in PREDICTED), profile)
    what = f"predicted times of {len(PREDICTED)} networks at batch 1 and 8, mean error"
    ours, theirs = f"{found.mean_error:.1%}", f"{mean(errors):.1%} recorded"
    bound = 100 * (mean(errors) + noise)
    yield Figure(what, ours, theirs, 100 * found.mean_error, bound, "%", at_least=False)


def _analysed(settings: dict[str, object]) -> int:
    input = str(settings.pop("input"))
    return analyse(load_graph("resnet50", arguments=settings, input=input)).totals.macs


def _cpu_seconds(function: Callable[[], object]) -> float:
    """What a busy neighbour does not take away: the time of this process alone."""
    start = time.process_time()
    function()
    return time.process_time() - start


def _seconds(pair: Pair) -> tuple[str, str]:
    def text(seconds: float) -> str:
        return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"

    return text(pair.ours.median), text(pair.theirs.median)


FIGURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "cold": cold,
    "resnet50": resnet50,
    "sweep": sweep,
    "prediction": prediction,
}
