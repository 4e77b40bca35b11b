"""How long a network should take on a device that is not here: from the closed form and the device's sheet alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..shown import Shown
from .ceilings import Precision
from .devices import Device
from .layers import scope_at
from .memory import peak_memory
from .roofline import COMPUTE, IDLE, LAUNCH, MEMORY, floor, works
from .sizes import batches_of, unknown_work

if TYPE_CHECKING:
    from ..graph import Graph


@dataclass(frozen=True, slots=True)
class PredictedLayer:
    """One layer's range: `low_ms` the sheet's floor, `high_ms` the floor under attainable roofs plus the dispatch."""

    name: str
    macs: int | None
    bytes: int
    low_ms: float
    high_ms: float
    bound: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "macs": self.macs,
            "bytes": self.bytes,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "bound": self.bound,
        }


@dataclass(frozen=True, slots=True)
class Prediction(Shown):
    """A network on a device at one batch and precision, with what was assumed."""

    model: str
    device: Device
    batch: int
    precision: Precision
    layers: tuple[PredictedLayer, ...]
    peak_memory_bytes: int
    #: operations that nobody has a rule for
    unknown: tuple[str, ...] = ()

    @property
    def low_ms(self) -> float:
        return sum(layer.low_ms for layer in self.layers)

    @property
    def high_ms(self) -> float:
        return sum(layer.high_ms for layer in self.layers)

    @property
    def images_per_s(self) -> tuple[float, float] | None:
        """The lowest and the highest rate; None where nothing runs, which takes no time at all."""
        if not self.low_ms:
            return None
        return 1000 * self.batch / self.high_ms, 1000 * self.batch / self.low_ms

    @property
    def bound(self) -> str:
        """What bounds the network: the bound under which most of its time (the upper end) is spent."""
        spent = dict.fromkeys((COMPUTE, MEMORY, LAUNCH), 0.0)
        for layer in self.layers:
            if layer.bound != IDLE:
                spent[layer.bound] += layer.high_ms
        return max(spent, key=spent.__getitem__) if any(spent.values()) else IDLE

    def fold(self, depth: int) -> Prediction:
        """With scopes more than `depth` levels down summed into one row each."""
        groups: dict[str, list[PredictedLayer]] = {}
        for layer in self.layers:
            groups.setdefault(scope_at(layer.name, depth), []).append(layer)
        return replace(self, layers=tuple(_sum(name, rows) for name, rows in groups.items()))

    @property
    def label(self) -> str:
        return self.precision.label(has_tf32=self.device.ceilings.has_tf32)

    @property
    def fits(self) -> bool | None:
        """Whether weights and activations fit the device's memory; None when the table does not say how large it is."""
        memory = self.device.ceilings.memory
        return None if memory is None else self.peak_memory_bytes <= memory

    @property
    def _at_least(self) -> list[str]:
        if not self.unknown:
            return []
        names = ", ".join(self.unknown)
        return [
            f"At least: no rule says what {names} compute; only the bytes that they move are in the figures."
        ]

    @property
    def assumptions(self) -> tuple[str, ...]:
        d = self.device
        peak = "peak measured" if d.measured else "sheet's dense peak"
        return (
            *self._at_least,
            f"Peaks and bandwidth: {d.source}.",
            f"Low: every layer at the {peak} (2 FLOPs per MAC) or its bandwidth (input + weights + output, "
            "each moved once), whichever is slower; nothing overlaps, nothing is fused, nothing stays in a cache.",
            f"High: {d.attainable:.0%} of the peak, {d.attainable_bandwidth:.0%} of the bandwidth, and "
            f"{d.dispatch_us:.3g} µs for each layer that runs (eager PyTorch's dispatch). It is no upper bound: "
            "a kernel that suits a layer badly is slower.",
        )

    def __repr__(self) -> str:
        where = f"{self.device.name}, batch {self.batch}, {self.label}"
        return f"<Prediction of {self.model} on {where}: {self.low_ms:.3g} to {self.high_ms:.3g} ms>"

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.device.name,
            "batch": self.batch,
            "dtype": self.precision.name,
            "label": self.label,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "images_per_s": self.images_per_s and list(self.images_per_s),
            "bound": self.bound,
            "peak_memory_bytes": self.peak_memory_bytes,
            "fits": self.fits,
            "assumptions": list(self.assumptions),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def _sum(name: str, rows: Sequence[PredictedLayer]) -> PredictedLayer:
    """One row for several; its bound is that of most of its time."""
    spent: dict[str, float] = {}
    for row in rows:
        spent[row.bound] = spent.get(row.bound, 0.0) + row.high_ms
    counted = [row.macs for row in rows if row.macs is not None]
    return PredictedLayer(
        name,
        sum(counted) if len(counted) == len(rows) else None,
        sum(row.bytes for row in rows),
        sum(row.low_ms for row in rows),
        sum(row.high_ms for row in rows),
        max(spent, key=spent.__getitem__),
    )


def predict(graph: Graph, device: Device, batch: int | None, precision: Precision) -> Prediction:
    """Predict each layer and the sum, at the batch of the example inputs (1 for a spec) unless one is given.

    Raises ArchinspectError (A403) where the device lacks the precision, or the network a forward pass or that batch.
    """
    (batch,) = batches_of([graph], batch)
    low_roofs, high_roofs = device.ceilings, device.attainable_ceilings
    layers = []
    for work, node in zip(works(graph, batch, precision.bytes), graph.layers, strict=True):
        if not node.values:
            continue  # parameters that no call reads
        low, high = floor(work, low_roofs, precision), floor(work, high_roofs, precision)
        dispatch = 0.0 if work.idle else device.dispatch_us / 1e6
        # the host prepares the next layer while the device works on this one; the slower of them sets the pace
        bound = IDLE if work.idle else LAUNCH if dispatch > high.seconds else high.bound
        layers.append(
            PredictedLayer(
                work.name, work.macs, work.bytes, 1000 * low.seconds, 1000 * (high.seconds + dispatch), bound
            )
        )
    return Prediction(
        graph.name,
        device,
        batch,
        precision,
        tuple(layers),
        peak_memory(graph, batch, precision.bytes),
        unknown_work(graph),
    )
