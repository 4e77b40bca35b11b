"""What the timing loops need of a device.  `measure` implements it with torch; tests inject clocks and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Forward = Callable[[], object]


class Event(Protocol):
    """A mark in the device's queue of work."""

    def record(self) -> None:
        """Put the mark behind what has been queued so far."""

    def seconds_until(self, later: Event) -> float:
        """Device time between two marks.  Only after `synchronize`."""


class Runtime(Protocol):
    """A device that runs forwards.  `asynchronous`: a forward returns before its work is done."""

    asynchronous: bool

    def clock(self) -> float:
        """Host time in seconds, monotonic."""

    def synchronize(self) -> None:
        """Wait until everything queued is done."""

    def event(self) -> Event:
        """A new mark; its time is the device's own."""

    def capture(self, forward: Forward) -> Forward:
        """Record what `forward` queues as one graph; calling the result queues it again without the host's work."""
