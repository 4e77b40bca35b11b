"""Whether others used the machine while a check ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from archinspect.latency.conditions import counters, disturbances


@contextmanager
def disturbance() -> Iterator[list[str]]:
    """The list is filled at the end with what disturbed the time between; it stays empty on a quiet machine."""
    words: list[str] = []
    before = counters()
    yield words
    found = disturbances(before, counters(), len(os.sched_getaffinity(0)))
    words += [flag.message for flag in found]
