"""A device whose time the tests know: an injected clock, queue and event source in place of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from archinspect.latency.measure.runtime import TorchRuntime
from archinspect.latency.runtime import Event, Forward


@dataclass
class FakeEvent:
    gpu: FakeGpu
    at: float = -1.0

    def record(self) -> None:
        """Now, or at each replay when it stands in a graph that is being captured."""
        if self.gpu.recording is not None:
            self.gpu.recording.append(self._reach)
        else:
            self._reach()

    def _reach(self) -> None:
        self.at = max(self.gpu.host, self.gpu.device_free)

    def seconds_until(self, later: FakeEvent) -> float:
        assert self.gpu.host >= later.at, "events were read before the device had reached them"
        assert self.at >= 0, "an event was read that was never recorded"
        return later.at - self.at


@dataclass
class FakeGpu:
    """Host time and device time advance apart: a kernel costs the host `dispatch` and the device its own time."""

    dispatch: float = 0.0
    asynchronous: bool = True
    host: float = 0.0
    device_free: float = 0.0
    captured: int = 0
    recording: list[Callable[[], None]] | None = field(default=None)

    def clock(self) -> float:
        return self.host

    def synchronize(self) -> None:
        self.host = max(self.host, self.device_free)

    def event(self) -> FakeEvent:
        return FakeEvent(self)

    def kernel(self, seconds: float) -> None:
        """Queue work of so long."""
        if self.recording is not None:
            self.recording.append(lambda: self._queue(seconds))
            return
        self.host += self.dispatch
        self._queue(seconds)

    def _queue(self, seconds: float) -> None:
        self.device_free = max(self.device_free, self.host) + seconds

    def capture(self, forward: Callable[[], object]) -> Callable[[], None]:
        self.recording = steps = []
        forward()
        self.recording = None
        self.captured += 1

        def replay() -> None:
            self.host += self.dispatch  # one launch for all
            for step in steps:
                step()

        return replay


def fake_cuda(gpu: FakeGpu, module: nn.Module, seconds: Callable[[str], float]) -> TorchRuntime:
    """A runtime whose clock and events are the fake's; each layer of `module` queues a kernel of `seconds(name)`.

    The layers still run, on the CPU, and take no time that the fake's clock knows of.
    """

    def launching(name: str) -> Callable[..., None]:
        return lambda *_: gpu.kernel(seconds(name))

    for name, layer in module.named_modules():
        if name and not list(layer.children()):
            layer.register_forward_hook(launching(name))
    return FakeCuda(torch.device("cpu"), True, gpu)


@dataclass
class FakeCuda(TorchRuntime):
    """What `measure` needs of a CUDA device, by the fake."""

    gpu: FakeGpu = field(default_factory=FakeGpu)

    @property
    def captures_marks(self) -> bool:
        return True

    def clock(self) -> float:
        self.gpu.host += 1e-7  # reading a clock takes time, and lets a loop that waits for one end
        return self.gpu.clock()

    def synchronize(self) -> None:
        self.gpu.synchronize()

    def event(self) -> Event:
        return self.gpu.event()

    def refuse_no_graphs(self) -> None:
        """The fake has them."""

    def capture(self, forward: Forward) -> Forward:
        return self.gpu.capture(forward)
