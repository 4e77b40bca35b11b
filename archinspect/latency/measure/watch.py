"""Looks at the machine before and after a measurement, and says what disturbed it."""

from __future__ import annotations

from types import TracebackType

import torch

from ..conditions import counters, disturbances, gpu_flags
from ..flags import Flag
from ..plan import Options
from . import environment


class Watch:
    """`with Watch(...) as watch: measure`; then `watch.flags`."""

    def __init__(self, device: torch.device, threads: int, options: Options) -> None:
        self.device, self.threads, self.options = device, threads, options
        self.flags: list[Flag] = []

    def __enter__(self) -> Watch:
        self._others = self._gpu_processes()
        self._before = counters()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flags += disturbances(self._before, counters(), environment.cores())
        self.flags += gpu_flags(self._gpu(), [*self._others, *self._gpu_processes()])
        self.flags += self._threads()

    def _threads(self) -> list[Flag]:
        """More threads than cores wait for one another; far fewer, unasked, leave cores idle."""
        cores = environment.cores()
        if self.device.type != "cpu":
            return []
        unasked = self.options.threads is None and self.threads < cores // 2
        if self.threads > cores or unasked:
            return [Flag("threads", f"{self.threads} threads on {cores} cores")]
        return []

    def _gpu(self) -> dict[str, str]:
        return environment.gpu_state(self.device) if self.device.type == "cuda" else {}

    def _gpu_processes(self) -> list[str]:
        return environment.gpu_processes(self.device) if self.device.type == "cuda" else []
