"""A small kernel of known speed, run between measurements: whether the machine is as fast as it can be.

Neighbours on a shared machine slow it down by half, for seconds, and no counter of the system shows it.  So the
sentinel is timed before and after each measurement; what was taken while it was slow is taken again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import nn

from ..stats import median
from .runtime import TorchRuntime

#: slower than its best by this much, the machine is disturbed
_SLOW = 1.4
_RUNS = 15
_PAUSE_S = 0.02


class Sentinel:
    """Says whether the machine is undisturbed now, and waits until it is."""

    def __init__(self, runtime: TorchRuntime, deadline: float, best: float = math.inf) -> None:
        """After `deadline`, on `time.perf_counter`, nothing is waited for.  `best`: seconds that it took before."""
        self._runtime, self._deadline = runtime, deadline
        with torch.inference_mode():
            self._norm = nn.BatchNorm2d(688).eval()
            self._x = torch.randn((1, 688, 49, 1), generator=torch.Generator().manual_seed(0))
        #: seconds at best, so far
        self.best = best
        for _ in range(20):
            self._once()

    def undisturbed(self) -> bool:
        """Whether the machine is as fast as it was at best.  A device with a queue of its own is taken for it."""
        return self._runtime.asynchronous or self._once() <= _SLOW * self.best

    def wait(self, most_s: float = 5.0) -> bool:
        """Return when the machine is undisturbed, or so many seconds have gone; whether it is undisturbed."""
        end = min(time.perf_counter() + most_s, self._deadline)
        while not self.undisturbed():
            if time.perf_counter() >= end:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _once(self) -> float:
        clock: Callable[[], float] = time.perf_counter
        with torch.inference_mode():
            self._norm(self._x)
            samples = []
            for _ in range(_RUNS):
                begin = clock()
                self._norm(self._x)
                samples.append(clock() - begin)
        found = median(samples)
        self.best = min(self.best, found)
        return found


def settle_allocator(runtime: TorchRuntime) -> None:
    """Bring the C library's allocator to where a long-running process has it.

    glibc gives memory of freed blocks back to the system until a large one was freed (mallopt(3), M_MMAP_THRESHOLD is
    dynamic up to 32 MiB).  Before that, forwards that allocate more than before pay for page faults, later ones do not.
    """
    if not runtime.asynchronous:
        torch.empty(31 << 20, dtype=torch.uint8)
