"""Measuring: the only part of `latency` that imports torch.

The way of the data: `prepare` (graph → module and input), `session` (one configuration → `Run`) with `runtime` (clock
and events), `instrument` (marks between layers), `inspection` (values, memory), `watch` (disturbances); `bench` sets a
device up (`roofs`, `environment`), `sweep` measures one network there and `interleaved` several against each other.
"""

from __future__ import annotations

from .interleaved import compare
from .sweep import measure

__all__ = ["compare", "measure"]
