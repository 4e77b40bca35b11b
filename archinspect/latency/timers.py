"""The three ways to time a forward pass.  They answer different questions and are never mixed.

- synchronised: the host's clock from the call to the finished result, one forward at a time: what a user waits for;
- pipelined: forwards queued back to back, device time per forward: what sets the throughput;
- replayed: the forward captured once as a graph and replayed, device time: what is left without the host's work.

Each returns a function that takes so many samples, in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from .runtime import Forward, Runtime

Timer = Callable[[int], list[float]]

#: a pipelined sample lasts at least this long, so that the resolution of events (0.5 µs) does not matter
_GROUP_S = 0.005


def synchronised(forward: Forward, runtime: Runtime, before: Forward | None = None) -> Timer:
    """Time from call to result.  `before` runs untimed before each forward (it flushes the caches)."""

    def take(count: int) -> list[float]:
        samples = []
        for _ in range(count):
            if before is not None:
                before()
            runtime.synchronize()
            start = runtime.clock()
            forward()
            runtime.synchronize()
            samples.append(runtime.clock() - start)
        return samples

    return take


def pipelined(forward: Forward, runtime: Runtime) -> Timer:
    """Time per forward with the queue kept full; groups of forwards long enough for the clock."""
    length = 0

    def take(count: int) -> list[float]:
        nonlocal length
        if not length:
            once = _once(forward, runtime)
            length = max(1, math.ceil(_GROUP_S / once))
            if count == length == 1 and not runtime.asynchronous:
                return [once]  # where nothing is queued, one forward after the other is what that was
        if runtime.asynchronous:
            forward()  # so that the first group finds the device at work
        marks = [runtime.event()]
        marks[0].record()
        for _ in range(count):
            for _ in range(length):
                forward()
            marks.append(runtime.event())
            marks[-1].record()
        runtime.synchronize()
        return [a.seconds_until(b) / length for a, b in pairwise(marks)]

    return take


def replayed(forward: Forward, runtime: Runtime) -> Timer:
    """Device time of one replay of the captured forward."""
    replay = runtime.capture(forward)

    def take(count: int) -> list[float]:
        replay()
        marks = [runtime.event()]
        marks[0].record()
        for _ in range(count):
            replay()
            marks.append(runtime.event())
            marks[-1].record()
        runtime.synchronize()
        return [a.seconds_until(b) for a, b in pairwise(marks)]

    return take


TIMERS: dict[str, Callable[[Forward, Runtime], Timer]] = {
    "latency": synchronised,
    "throughput": pipelined,
    "graph": replayed,
}


def enqueue_seconds(forward: Forward, runtime: Runtime, count: int = 10) -> float:
    """Host time to queue one forward, the device's work not waited for.  The least of `count`."""
    times = []
    for _ in range(count):
        runtime.synchronize()
        start = runtime.clock()
        forward()
        times.append(runtime.clock() - start)
    runtime.synchronize()
    return min(times)


def _once(forward: Forward, runtime: Runtime) -> float:
    return max(synchronised(forward, runtime)(1)[0], 1e-7)
