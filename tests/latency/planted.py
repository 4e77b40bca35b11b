"""Layers that are slower by a known amount, and forwards paired with torch's own timer."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean

import torch
from torch import fx, nn

from archinspect.frontends.spec import load_graph
from archinspect.graph import Graph
from archinspect.latency.measure.prepare import network
from archinspect.latency.measure.runtime import runtime_for, threads
from archinspect.latency.timers import synchronised
from tests.latency.proof.pairing import Pairing, take_turns

LINE = "conv2d(16, 3, padding=1) -> relu -> max_pool2d(2) -> conv2d(32, 3) -> relu -> flatten -> linear(10)"
SMALL = load_graph(LINE, input="3x64x64")


class Busy(nn.Module):
    """Its layer, and then a loop until so many seconds are over."""

    def __init__(self, layer: nn.Module, seconds: float) -> None:
        super().__init__()
        self.layer, self.seconds = layer, seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        end = time.perf_counter() + self.seconds
        output: torch.Tensor = self.layer(x)
        while time.perf_counter() < end:
            pass
        return output


def planted(name: str, seconds: float, graph: Graph = SMALL) -> fx.GraphModule:
    """The network with a layer that takes `seconds`."""
    module = network(graph)
    module.set_submodule(name, Busy(module.get_submodule(name), seconds))
    return module


def spin(seconds: float) -> None:
    """Take so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def beside_torchs_timer(
    graph: Graph = SMALL, *, bias: float = 0.0, cap_s: float = 5.0, each: int = 2, thread_count: int = 1
) -> Pairing:
    """Our synchronised latency paired with `torch.utils.benchmark.Timer`, both with so many threads.

    Blocks are short, so that most rounds pass without another process in between.  Timer runs two forwards before each
    block that it does not count, and so do we: what it does around them leaves the caches cold.
    With `bias`, ours times a forward that takes that share longer: a wrong timer, which the pairing has to find.
    """
    from torch.utils.benchmark import Timer

    module = network(graph)
    x = torch.randn(graph.input_shape)

    def forward() -> object:
        return module(x)

    with torch.inference_mode(), threads(thread_count):
        wait = bias * min(_seconds(forward) for _ in range(20)) if bias else 0.0

        def biased() -> object:
            result = forward()
            spin(wait)
            return result

        mine = synchronised(biased if bias else forward, runtime_for(torch.device("cpu")))
        theirs = Timer("forward()", globals={"forward": forward}, num_threads=thread_count)
        return take_turns(
            lambda n: fmean(mine(2 + n)[2:]), lambda n: theirs.timeit(n).mean, each=each, cap_s=cap_s
        )


def _seconds(forward: Callable[[], object]) -> float:
    begin = time.perf_counter()
    forward()
    return time.perf_counter() - begin
