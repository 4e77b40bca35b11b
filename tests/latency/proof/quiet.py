"""Whether others used the machine while a check ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from archinspect.latency.conditions import Counters, counters, disturbances


@contextmanager
def disturbance() -> Iterator[list[str]]:
    """The list is filled at the end with what disturbed the time between; it stays empty on a quiet machine."""
    words: list[str] = []
    before = _with_children()
    yield words
    found = disturbances(before, _with_children(), len(os.sched_getaffinity(0)))
    words += [flag.message for flag in found]


def _with_children() -> Counters:
    """The counters, with the processes that we started and waited for as our own."""
    now, spent = counters(), os.times()
    return replace(now, own=now.own + spent.children_user + spent.children_system)
