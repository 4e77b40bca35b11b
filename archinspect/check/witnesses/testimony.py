"""What a tool, and what the real module, said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...ops import Shape

Status = Literal["ran", "not installed", "failed", "not run"]


@dataclass(frozen=True)
class Testimony:
    """One tool's figures for one run, in its own unit; `message` says why there are none.

    `layers` are its figures by module path, where it gives them; `unsupported` what it reports that it cannot count,
    None where it makes no such report.
    """

    tool: str
    version: str
    status: Status = "ran"
    total: int | None = None
    params: int | None = None
    unsupported: Mapping[str, int] | None = None
    layers: Mapping[str, int] = field(default_factory=dict)
    message: str = ""

    def layer(self, name: str) -> int | None:
        """The figure of a module: its own, or that of the modules inside it."""
        if name in self.layers:
            return self.layers[name]
        inside = [n for path, n in self.layers.items() if path.startswith(f"{name}.")]
        return sum(inside) if inside else None


@dataclass(frozen=True)
class Step:
    """One layer of the real module as it ran: output shape and multiply-accumulates."""

    output_shape: Shape
    macs: int


@dataclass(frozen=True)
class Observation:
    """The real module, layer by layer, in one run on the meta device.

    `steps` ends where the run failed; `failure` then says how, and `failed_at` in which layer.
    """

    steps: Mapping[str, Step]
    outputs: tuple[Shape, ...]
    failed_at: str = ""
    failure: str = ""


@dataclass(frozen=True)
class State:
    """Parameters and buffers of the real module, as shapes by their full names."""

    params: Mapping[str, Shape]
    buffers: Mapping[str, Shape]

    def of(self, layer: str) -> tuple[dict[str, Shape], dict[str, Shape]]:
        """Parameters and buffers below a module path, by their names there."""
        prefix = f"{layer}."
        mine, held = (
            {name[len(prefix) :]: shape for name, shape in group.items() if name.startswith(prefix)}
            for group in (self.params, self.buffers)
        )
        return mine, held
