"""Rows of time per layer, or per several layers that are one row: a folded scope, a fused kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: the row for what lies outside all layers: calling the module and returning
CALL = "(call)"


@dataclass(frozen=True, slots=True)
class Fused:
    """Compiled kernels that compute the same layers of the network, by their names in the compiled code.

    `prepares` are layers that another row computes, and for which these kernels make something ready: their weights or
    input in another layout, a part of a sum.
    """

    kernels: tuple[str, ...]
    layers: tuple[str, ...]
    prepares: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"kernels": list(self.kernels), "layers": list(self.layers), "prepares": list(self.prepares)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fused:
        return cls(tuple(data["kernels"]), tuple(data["layers"]), tuple(data["prepares"]))


@dataclass(frozen=True, slots=True)
class Row:
    """What is timed between two marks, one or several times: a name, and the network's layers in it.

    `fused` are the compiled kernels, where there are any.
    """

    name: str
    layers: tuple[str, ...] = ()
    fused: tuple[Fused, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerTiming:
    """One row: milliseconds, share of the sum of all rows, work, and the floor by the measured roofs.

    `layers` are the network's layers in it.  `efficiency` is floor / time; more than 1 where a layer beats the roof.
    `macs` None: cannot be counted.  `fused`: the compiled kernels, each group a floor of its own.
    """

    name: str
    layers: tuple[str, ...]
    ms: float
    share: float
    macs: int | None = 0
    bytes: int = 0
    floor_ms: float = 0.0
    bound: str = ""
    fused: tuple[Fused, ...] = ()

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

    @property
    def intensity(self) -> float | None:
        """FLOPs (2 per MAC) per byte moved."""
        return 2 * self.macs / self.bytes if self.macs and self.bytes else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "layers": list(self.layers),
            "ms": self.ms,
            "share": self.share,
            "macs": self.macs,
            "bytes": self.bytes,
            "floor_ms": self.floor_ms,
            "efficiency": self.efficiency,
            "gflops_per_s": self.gflops_per_s,
            "gb_per_s": self.gb_per_s,
            "bound": self.bound,
            "fused": [each.to_dict() for each in self.fused],
        }


def layer_timings(rows: Iterable[tuple[Row, float]]) -> tuple[LayerTiming, ...]:
    """Rows and their seconds; equal names are one row, where the first stands.

    `judge.judged` adds work, floors and verdicts.
    """
    layers: dict[str, dict[str, None]] = {}
    fused: dict[str, tuple[Fused, ...]] = {}
    seconds: dict[str, float] = {}
    for row, spent in rows:
        layers.setdefault(row.name, {}).update(dict.fromkeys(row.layers))
        fused[row.name] = fused.get(row.name, ()) + row.fused
        seconds[row.name] = seconds.get(row.name, 0.0) + spent
    total = sum(seconds.values())
    return tuple(
        LayerTiming(name, tuple(layers[name]), 1000 * s, s / total if total else 0.0, fused=fused[name])
        for name, s in seconds.items()
    )


def scope_at(name: str, depth: int | None) -> str:
    """The row that a layer belongs to when scopes are folded `depth` levels down."""
    return name if depth is None else ".".join(name.split(".")[:depth])
