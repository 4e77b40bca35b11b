"""The device's ceilings, measured on the spot in about a second, before the runs and after."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..ceilings import Ceilings, Precision
from ..conditions import counters, disturbances
from ..peaks import PeakMeasurement
from ..timers import pipelined
from . import environment
from .prepare import arithmetic
from .runtime import TorchRuntime

_BUDGET_S = 0.15  # for each figure
_COPY_BYTES = {"cpu": 1 << 28, "cuda": 1 << 30, "mps": 1 << 28}
_SIZES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192), "mps": (1024, 2048)}
_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def measure_peaks(runtime: TorchRuntime, precisions: list[Precision]) -> PeakMeasurement:
    """The roofs now, and whether anything else ran meanwhile that lowers them (a GPU's do not wait for the host)."""
    before, begin = counters(), runtime.clock()
    seen = measure_ceilings(runtime, precisions)
    found = [] if runtime.asynchronous else disturbances(before, counters(), environment.cores())
    return PeakMeasurement(seen, "; ".join(flag.message for flag in found), runtime.clock() - begin)


def measure_ceilings(runtime: TorchRuntime, precisions: list[Precision]) -> Ceilings:
    """Bandwidth of a large copy (read + write), the largest matrix product per arithmetic, an empty kernel.

    A ceiling is the best of what was seen: disturbances only lower it.
    """
    peak: dict[str, float] = {}
    for precision in precisions:
        for kind in dict.fromkeys((_kind(precision.convolution, runtime), _kind(precision.matmul, runtime))):
            if kind not in peak:
                peak[kind] = _matmul(runtime, kind)
    return Ceilings(runtime.name(), peak, _copy(runtime), _launch(runtime), "measured")


def _kind(arithmetic: str, runtime: TorchRuntime) -> str:
    """TF32 where it exists."""
    return "fp32" if arithmetic == "tf32" and not runtime.has_tf32 else arithmetic


def _copy(runtime: TorchRuntime) -> float:
    count = _COPY_BYTES[runtime.device.type] // 4
    source = torch.ones(count, device=runtime.device)
    target = torch.empty_like(source)
    return 2 * 4 * count / _best(lambda: target.copy_(source), runtime)


def _matmul(runtime: TorchRuntime, kind: str) -> float:
    dtype = _DTYPES.get(kind, torch.float32)
    convolution = Precision(kind, 4, kind, kind)
    best = 0.0
    own = torch.Generator(runtime.device).manual_seed(0)  # the caller's random state stays as it is
    with arithmetic(convolution, runtime.device) if runtime.device.type == "cuda" else torch.no_grad():
        for size in _SIZES[runtime.device.type]:
            a, b = (torch.rand(size, size, device=runtime.device, generator=own).to(dtype) for _ in range(2))
            out = torch.empty_like(a)
            seconds = _best(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), runtime)  # type: ignore[misc]
            best = max(best, 2 * size**3 / seconds)
            if 8 * seconds > _BUDGET_S:  # a slow arithmetic: the next product would take too long
                break
    return best


def _launch(runtime: TorchRuntime) -> float:
    one = torch.zeros(1, device=runtime.device)
    return _best(lambda: one.add_(1), runtime)


def _best(run: Callable[[], object], runtime: TorchRuntime) -> float:
    run()
    runtime.synchronize()
    timer = pipelined(run, runtime)
    begin = runtime.clock()
    best = min(timer(1))
    while runtime.clock() - begin < _BUDGET_S:
        best = min(best, *timer(2))
    return best
