"""How long a network should take on a device that was calibrated: each layer by its kernels, and the sum.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import fail
from ..shown import Shown
from .ceilings import precision
from .kernels import Kernel, kernels
from .layers import scope_at
from .profile import Estimate, Profile, combined, interval
from .roofline import total_floor, works
from .sizes import batches_of

if TYPE_CHECKING:
    from ..graph import Graph


@dataclass(frozen=True, slots=True)
class ProfiledLayer:
    """A layer's predicted time with its 90 % interval, and whether it is beyond the sizes that were measured."""

    name: str
    families: tuple[str, ...]
    ms: float
    interval_ms: tuple[float, float]
    outside: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "families": list(self.families),
            "ms": self.ms,
            "interval_ms": list(self.interval_ms),
            "outside": self.outside,
        }


@dataclass(frozen=True, slots=True)
class ProfilePrediction(Shown):
    """A network at one batch on a device that was calibrated: the time with its 90 % interval, whole and per layer."""

    model: str
    profile: Profile
    batch: int
    layers: tuple[ProfiledLayer, ...]
    ms: float
    interval_ms: tuple[float, float]
    #: the floor under the measured roofs: what a plain roofline predicts
    roofline_ms: float

    @property
    def outside(self) -> tuple[str, ...]:
        """The layers that are larger or smaller than what was measured."""
        return tuple(layer.name for layer in self.layers if layer.outside)

    @property
    def images_per_s(self) -> float:
        return 1000 * self.batch / self.ms

    def __repr__(self) -> str:
        low, high = self.interval_ms
        where = f"{self.profile.device}, batch {self.batch}, {self.profile.dtype}"
        return f"<Prediction of {self.model} on {where}: {self.ms:.3g} ms, {low:.3g} to {high:.3g}>"

    def fold(self, depth: int) -> ProfilePrediction:
        """With scopes more than `depth` levels down summed into one row each."""
        groups: dict[str, list[ProfiledLayer]] = {}
        for layer in self.layers:
            groups.setdefault(scope_at(layer.name, depth), []).append(layer)
        return replace(self, layers=tuple(_sum(name, rows) for name, rows in groups.items()))

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.profile.device,
            "batch": self.batch,
            "dtype": self.profile.dtype,
            "predicted_ms": self.ms,
            "interval_ms": list(self.interval_ms),
            "roofline_ms": self.roofline_ms,
            "images_per_s": self.images_per_s,
            "outside": list(self.outside),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def _sum(name: str, rows: Sequence[ProfiledLayer]) -> ProfiledLayer:
    """One row for several; the ends of the intervals are added, as if all were wrong alike."""
    low, high = (sum(row.interval_ms[end] for row in rows) for end in (0, 1))
    families = tuple(dict.fromkeys(family for row in rows for family in row.families))
    return ProfiledLayer(
        name, families, sum(row.ms for row in rows), (low, high), any(row.outside for row in rows)
    )


def predict_by_profile(graph: Graph, profile: Profile, batch: int | None = None) -> ProfilePrediction:
    """Predict each layer and the sum, at the batch of the example inputs (1 for a spec) unless one is given.

    Raises ArchinspectError (A403) where the network has no forward pass at that batch, or layers that no measured
    family of kernels runs: a sum without them would be no prediction.
    """
    (batch,) = batches_of([graph], batch)
    parts: list[tuple[Kernel, Estimate]] = []
    layers: list[ProfiledLayer] = []
    missing: dict[str, int] = {}
    for name, found in kernels(graph, batch):
        mine = [(kernel, profile.estimate(kernel)) for kernel in found or ()]
        known = [(kernel, estimate) for kernel, estimate in mine if estimate is not None]
        if found is None or len(known) < len(mine):
            type = graph.by_name[name].op.type
            missing[type] = missing.get(type, 0) + 1
            continue
        parts += known
        ms, error = combined(known, profile.drift)
        layers.append(
            ProfiledLayer(
                name,
                tuple(kernel.family for kernel, _ in known),
                ms,
                interval(ms, error),
                any(estimate.outside for _, estimate in known),
            )
        )
    if missing or not parts:
        raise _refused(graph, missing)
    total, error = combined(parts, profile.drift)
    kind = precision(profile.dtype)
    floor = 1000 * total_floor(works(graph, batch, kind.bytes), profile.ceilings, kind)
    return ProfilePrediction(graph.name, profile, batch, tuple(layers), total, interval(total, error), floor)


def _refused(graph: Graph, missing: dict[str, int]) -> Exception:
    if not missing:
        return fail("A403", f"'{graph.name}' runs nothing, so no time can be predicted")
    names = ", ".join(f"{type} ({count} call{'s' if count > 1 else ''})" for type, count in missing.items())
    return fail(
        "A403",
        f"the profile has no measurement for layers of '{graph.name}'",
        notes=[names[:400]],
        help="--predict DEVICE of `archinspect latency` gives a range for any layer whose work is known",
    )
