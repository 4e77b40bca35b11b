"""Rows of time per layer, and folding them by scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

#: the row for what lies outside all layers: calling the module and returning
CALL = "(call)"


@dataclass(frozen=True, slots=True)
class LayerTiming:
    """One row: milliseconds, share of the sum of all rows, work, and the floor by the measured roofs.

    `efficiency` is floor / time; more than 1 where a layer beats the roof.  `macs` None: cannot be counted.
    """

    name: str
    ms: float
    share: float
    macs: int | None
    bytes: int
    floor_ms: float
    bound: str

    @property
    def efficiency(self) -> float | None:
        return self.floor_ms / self.ms if self.floor_ms and self.ms else None

    @property
    def gflops_per_s(self) -> float | None:
        """Achieved, with 2 FLOPs per MAC."""
        return 2 * self.macs / self.ms / 1e6 if self.macs and self.ms else None

    @property
    def gb_per_s(self) -> float | None:
        return self.bytes / self.ms / 1e6 if self.bytes and self.ms else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ms": self.ms,
            "share": self.share,
            "macs": self.macs,
            "bytes": self.bytes,
            "floor_ms": self.floor_ms,
            "efficiency": self.efficiency,
            "bound": self.bound,
        }


def layer_timings(rows: Iterable[tuple[str, float]]) -> tuple[LayerTiming, ...]:
    """Rows of (name, seconds) with their shares; `judge.judged` adds work, floors and verdicts."""
    listed = list(rows)
    total = sum(seconds for _, seconds in listed)
    return tuple(LayerTiming(name, 1000 * s, s / total, 0, 0, 0.0, "") for name, s in listed)


def fold(layers: Iterable[LayerTiming], depth: int) -> tuple[LayerTiming, ...]:
    """Rows with scopes below `depth` levels summed into one, in the order of their first layer.

    A fold's floor is the sum of its layers' (they run one after the other); its bound is that of most of its time.
    """
    groups: dict[str, list[LayerTiming]] = {}
    for layer in layers:
        groups.setdefault(".".join(layer.name.split(".")[:depth]), []).append(layer)
    return tuple(_sum(name, rows) for name, rows in groups.items())


def _sum(name: str, rows: list[LayerTiming]) -> LayerTiming:
    if len(rows) == 1:
        return replace(rows[0], name=name)
    time_by_bound: dict[str, float] = {}
    for row in rows:
        time_by_bound[row.bound] = time_by_bound.get(row.bound, 0.0) + row.ms
    counted = [row.macs for row in rows if row.macs is not None]
    return LayerTiming(
        name=name,
        ms=sum(row.ms for row in rows),
        share=sum(row.share for row in rows),
        macs=sum(counted) if len(counted) == len(rows) else None,
        bytes=sum(row.bytes for row in rows),
        floor_ms=sum(row.floor_ms for row in rows),
        bound=max(time_by_bound, key=time_by_bound.__getitem__),
    )
