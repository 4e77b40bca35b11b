"""Devices as torch knows them, behind the protocol that the timing loops use."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch

from ...errors import fail
from ..runtime import Event, Forward, Runtime


def find_device(name: str | None) -> torch.device:
    """cpu, cuda, cuda:N or mps; by default the GPU if there is one.  Raises ArchinspectError (A403, A406)."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise fail("A403", f"there is no device '{name}'", help="devices: cpu, cuda, cuda:N, mps")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count <= (device.index or 0):
            raise fail(
                "A406", f"there is no device '{name}' here", notes=_looked_for(count), help="--device cpu"
            )
    if device.type == "mps" and not _has_mps():
        raise fail(
            "A406",
            "there is no device 'mps' here",
            notes=["torch.backends.mps.is_available() is False"],
            help="--device cpu",
        )
    return device


def runtime_for(device: torch.device) -> TorchRuntime:
    """The runtime of a device."""
    return {"cpu": TorchRuntime, "cuda": CudaRuntime, "mps": MpsRuntime}[device.type](device)


@dataclass
class HostEvent:
    """On a CPU the queue of work is the host itself."""

    seconds: float = 0.0

    def record(self) -> None:
        self.seconds = time.perf_counter()

    def seconds_until(self, later: Event) -> float:
        return cast("HostEvent", later).seconds - self.seconds


@dataclass
class TorchRuntime:
    """The CPU, and what is common to all."""

    device: torch.device
    asynchronous: bool = False

    @property
    def has_tf32(self) -> bool:
        """Whether fp32 may silently mean TF32 here."""
        return self.device.type == "cuda" and torch.cuda.get_device_capability(self.device) >= (8, 0)

    def chosen(self) -> AbstractContextManager[object]:
        """Inside, what names no device (events, streams, captured graphs) is of this one."""
        return nullcontext()

    def clock(self) -> float:
        return time.perf_counter()

    def synchronize(self) -> None:
        """A forward on the CPU is done when it returns."""

    def event(self) -> Event:
        return HostEvent()

    def boundary(self) -> Event:
        """An event that may also stand inside a captured graph."""
        return self.event()

    @property
    def captures_marks(self) -> bool:
        """Whether boundaries can be timed inside a captured graph."""
        return False

    def refuse_no_graphs(self) -> None:
        """Raises ArchinspectError (A403) where there are no graphs to capture."""
        raise fail(
            "A403",
            f"--mode graph needs a CUDA device, and this is {self.device}",
            help="--mode latency or throughput",
        )

    def capture(self, forward: Forward) -> Forward:
        self.refuse_no_graphs()
        return forward

    def name(self) -> str:
        from .environment import processor

        return processor()


@dataclass
class DeviceEvent:
    """torch.cuda.Event or torch.mps.Event; they tell milliseconds."""

    event: Any

    def record(self) -> None:
        self.event.record()

    def seconds_until(self, later: Event) -> float:
        return float(self.event.elapsed_time(cast("DeviceEvent", later).event)) / 1000


@dataclass
class CudaRuntime(TorchRuntime):
    """One CUDA device."""

    asynchronous: bool = True

    def chosen(self) -> AbstractContextManager[object]:
        return torch.cuda.device(self.device)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def event(self) -> Event:
        return DeviceEvent(torch.cuda.Event(enable_timing=True))

    @property
    def captures_marks(self) -> bool:
        return (
            _version() >= (2, 8) and torch.version.hip is None
        )  # external events came with it, on CUDA alone

    def boundary(self) -> Event:
        if not self.captures_marks:
            return self.event()
        return DeviceEvent(torch.cuda.Event(enable_timing=True, external=True))

    def refuse_no_graphs(self) -> None:
        """CUDA has them."""

    def capture(self, forward: Forward) -> Forward:
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):  # capture needs a warm side stream: libraries allocate on first use
            for _ in range(3):
                forward()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        try:
            with torch.cuda.graph(graph):
                forward()
        except RuntimeError as error:  # leaving a capture that broke fails again, and hides why it broke
            if isinstance(error.__context__, torch.cuda.OutOfMemoryError):
                raise error.__context__ from None
            raise
        return graph.replay  # the bound method keeps the graph alive

    def name(self) -> str:
        return torch.cuda.get_device_name(self.device)


@dataclass
class MpsRuntime(TorchRuntime):
    """An Apple GPU."""

    asynchronous: bool = True

    def synchronize(self) -> None:
        torch.mps.synchronize()

    def event(self) -> Event:
        return DeviceEvent(torch.mps.Event(enable_timing=True))

    def name(self) -> str:
        from .environment import processor

        return f"{processor()} (mps)"


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """So many threads inside, as many as before afterwards."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def _looked_for(count: int) -> list[str]:
    """What the search for a CUDA device found."""
    built = torch.version.cuda
    notes = [f"torch {torch.__version__} is built {f'for CUDA {built}' if built else 'without CUDA'}"]
    if built:
        notes.append(f"torch.cuda.is_available() is {torch.cuda.is_available()}, {count} devices are visible")
    return notes


def _conforms(runtime: TorchRuntime) -> Runtime:
    return runtime  # mypy holds the classes to the protocol here
