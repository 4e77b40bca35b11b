"""What a device can do at most, and which arithmetic a precision uses on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import fail, suggestion


@dataclass(frozen=True, slots=True)
class Precision:
    """A choice of arithmetic: bytes per element, and the peak that convolutions and matrix products run at.

    PyTorch's default for fp32 lets convolutions use TF32 on a GPU that has it, and matrix products not; so "fp32"
    without a word about that names two different things.
    """

    name: str
    bytes: int
    convolution: str
    matmul: str

    def label(self, *, has_tf32: bool) -> str:
        """What stands beside every figure: `fp32 (conv TF32)` where TF32 exists."""
        if self.bytes != 4 or not has_tf32:
            return self.name
        uses = {("tf32", "fp32"): "fp32 (conv TF32)", ("tf32", "tf32"): "fp32 (TF32)"}
        return uses.get((self.convolution, self.matmul), "fp32 (strict)")


PRECISIONS = {
    "fp32": Precision("fp32", 4, "tf32", "fp32"),
    "tf32": Precision("tf32", 4, "tf32", "tf32"),
    "strict-fp32": Precision("strict-fp32", 4, "fp32", "fp32"),
    "fp16": Precision("fp16", 2, "fp16", "fp16"),
    "bf16": Precision("bf16", 2, "bf16", "bf16"),
}


def precision(name: str) -> Precision:
    """By name.  Raises ArchinspectError (A403)."""
    if name not in PRECISIONS:
        help = suggestion(name, PRECISIONS, otherwise=f"precisions: {', '.join(PRECISIONS)}")
        raise fail("A403", f"there is no precision '{name}'", help=help)
    return PRECISIONS[name]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The roofs: `peak` FLOP/s by arithmetic (fp32, tf32, fp16, bf16), `bandwidth` B/s, `launch_s` for an empty kernel.

    `origin` says where they come from: "measured", or a sheet's name.
    """

    name: str
    peak: Mapping[str, float]
    bandwidth: float
    launch_s: float
    origin: str
    memory: int | None = None

    @property
    def has_tf32(self) -> bool:
        return "tf32" in self.peak

    def flops(self, precision: Precision, *, convolution: bool) -> float:
        """The peak that applies.  Raises ArchinspectError (A403) when the device has none for that precision."""
        wanted = precision.convolution if convolution else precision.matmul
        if wanted == "tf32" and precision.name != "tf32":
            wanted = wanted if self.has_tf32 else "fp32"
        if wanted not in self.peak:
            raise fail(
                "A403",
                f"{self.name} has no {wanted} arithmetic that its sheet gives a peak for",
                help=f"it has {', '.join(self.peak)}",
            )
        return self.peak[wanted]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "tflops": {name: value / 1e12 for name, value in self.peak.items()},
            "bandwidth_gb_s": self.bandwidth / 1e9,
            "launch_us": self.launch_s * 1e6,
            "origin": self.origin,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ceilings:
        return cls(
            name=data["name"],
            peak={name: value * 1e12 for name, value in data["tflops"].items()},
            bandwidth=data["bandwidth_gb_s"] * 1e9,
            launch_s=data["launch_us"] / 1e6,
            origin=data["origin"],
        )
