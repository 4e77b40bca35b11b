"""A device whose time the tests know: an injected clock, queue and event source in place of a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class FakeEvent:
    gpu: FakeGpu
    at: float = -1.0

    def record(self) -> None:
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
