"""What a measurement found: frozen records, in JSON as the contract has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..shown import Shown, counted
from .ceilings import Ceilings
from .flags import Flag
from .interleaved import Pair
from .layers import Fused, LayerTiming
from .stats import percentile

#: keys of a run's JSON that are no fields of `Run`, or are read in a way of their own
DERIVED = frozenset(
    {
        "interval_ms",
        "p90_ms",
        "p99_ms",
        "n",
        "images_per_s",
        "samples_ms",
        "layers",
        "absorbed",
        "flags",
    }
)


@dataclass(frozen=True, slots=True)
class Run:
    """One configuration.  `status`: ok, interrupted, out-of-memory (then there are no figures).

    `whole_ms` is the uninstrumented whole that the rows are held against.  On a CPU in mode latency it is `median_ms`
    itself; on a GPU it is the replay of a captured graph, and so are the rows.  `absorbed`: layers that no compiled
    kernel computes, and that are in no row.
    """

    model: str
    batch: int
    dtype: str
    label: str
    mode: str
    status: str = "ok"
    median_ms: float | None = None
    interval_ms: tuple[float, float] | None = None
    samples_ms: tuple[float, ...] = ()
    noise: float | None = None
    first_ms: float | None = None
    enqueue_ms: float | None = None
    peak_memory_bytes: int | None = None
    reserved_memory_bytes: int | None = None
    predicted_memory_bytes: int | None = None
    floor_ms: float | None = None
    layers: tuple[LayerTiming, ...] = ()
    absorbed: tuple[str, ...] = ()
    whole_ms: float | None = None
    closure: float | None = None
    inflation: float | None = None
    flags: tuple[Flag, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.samples_ms)

    @property
    def images_per_s(self) -> float | None:
        return None if self.median_ms is None else 1000 * self.batch / self.median_ms

    @property
    def precision(self) -> float | None:
        """± relative half width of the interval."""
        if self.interval_ms is None or self.median_ms is None:
            return None
        return (self.interval_ms[1] - self.interval_ms[0]) / 2 / self.median_ms

    def percentile_ms(self, percent: int) -> float | None:
        """p90 or p99; None where the sample does not allow it."""
        return percentile(self.samples_ms, percent)

    @property
    def trustworthy(self) -> bool:
        """Whether the rows add up.  True where there are none."""
        return all(flag.code != "not-trustworthy" for flag in self.flags)

    @property
    def key(self) -> tuple[Any, ...]:
        """What must agree for two runs to be the same configuration."""
        return (self.model, self.batch, self.label, self.mode, tuple(sorted(self.options.items())))

    def to_dict(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "dtype": self.dtype,
            "label": self.label,
            "mode": self.mode,
            "options": dict(self.options),
            "status": self.status,
            "median_ms": self.median_ms,
            "interval_ms": None if self.interval_ms is None else list(self.interval_ms),
            "p90_ms": self.percentile_ms(90),
            "p99_ms": self.percentile_ms(99),
            "n": self.n,
            "samples_ms": list(self.samples_ms),
            "images_per_s": self.images_per_s,
            "noise": self.noise,
            "first_ms": self.first_ms,
            "enqueue_ms": self.enqueue_ms,
            "peak_memory_bytes": self.peak_memory_bytes,
            "reserved_memory_bytes": self.reserved_memory_bytes,
            "predicted_memory_bytes": self.predicted_memory_bytes,
            "floor_ms": self.floor_ms,
            "layers": [layer.to_dict() for layer in self.layers],
            "absorbed": list(self.absorbed),
            "whole_ms": self.whole_ms,
            "closure": self.closure,
            "inflation": self.inflation,
            "flags": [flag.to_dict() for flag in self.flags],
        }

    @classmethod
    def from_dict(cls, model: str, data: Mapping[str, Any]) -> Run:
        """The run that `to_dict` wrote."""
        layer_keys = ("name", "ms", "share", "macs", "bytes", "floor_ms", "bound")
        interval = data["interval_ms"]
        return cls(
            model=model,
            interval_ms=None if interval is None else (interval[0], interval[1]),
            samples_ms=tuple(data["samples_ms"]),
            layers=tuple(
                LayerTiming(
                    layers=tuple(row["layers"]),
                    fused=tuple(map(Fused.from_dict, row.get("fused", ()))),  # older runs have none
                    **{key: row[key] for key in layer_keys},
                )
                for row in data["layers"]
            ),
            absorbed=tuple(data.get("absorbed", ())),
            flags=tuple(Flag(flag["code"], flag["message"]) for flag in data["flags"]),
            **{key: value for key, value in data.items() if key not in DERIVED},
        )


@dataclass(frozen=True, slots=True)
class Measurement(Shown):
    """All runs of one model on one device.

    `ceilings` are the best of `looks`, at the roofs before the runs and after; `sheet` is the device's datasheet where
    the table has it.
    """

    model: str
    device: str
    environment: Mapping[str, Any]
    runs: tuple[Run, ...]
    ceilings: Ceilings | None = None
    sheet: Ceilings | None = None
    interrupted: bool = False
    looks: tuple[Ceilings, ...] = ()

    @property
    def trustworthy(self) -> bool:
        return all(run.trustworthy for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "device": self.device,
            "environment": dict(self.environment),
            "ceilings": {
                "measured": None if self.ceilings is None else self.ceilings.to_dict(),
                "looks": [look.to_dict() for look in self.looks],
                "datasheet": None if self.sheet is None else self.sheet.to_dict(),
            },
            "runs": [run.to_dict() for run in self.runs],
            "interrupted": self.interrupted,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` wrote."""
        roofs = data["ceilings"]
        return cls(
            model=data["model"],
            device=data["device"],
            environment=data["environment"],
            runs=tuple(Run.from_dict(data["model"], run) for run in data["runs"]),
            ceilings=Ceilings.from_dict(roofs["measured"]) if roofs["measured"] else None,
            sheet=Ceilings.from_dict(roofs["datasheet"]) if roofs["datasheet"] else None,
            interrupted=data["interrupted"],
            looks=tuple(map(Ceilings.from_dict, roofs.get("looks", ()))),
        )

    def __repr__(self) -> str:
        times = ", ".join(f"{run.median_ms:.4g} ms" for run in self.runs if run.median_ms is not None)
        what = f"{counted(len(self.runs), 'run')}{': ' + times if times else ''}"
        return f"<Measurement of {self.model} on {self.device}, {what}>"


@dataclass(frozen=True, slots=True)
class Contest:
    """One configuration in which networks were timed against each other, `rounds` times forth and back."""

    batch: int
    label: str
    mode: str
    pairs: tuple[Pair, ...]
    rounds: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "label": self.label,
            "mode": self.mode,
            "rounds": self.rounds,
            "pairs": [pair.to_dict() for pair in self.pairs],
        }


@dataclass(frozen=True, slots=True)
class Comparison(Shown):
    """Several models in the same conditions, their forwards interleaved, and which differences are real."""

    measurements: tuple[Measurement, ...]
    contests: tuple[Contest, ...]

    @property
    def interrupted(self) -> bool:
        return any(each.interrupted for each in self.measurements)

    def to_dict(self) -> dict[str, Any]:
        return {
            "models": [each.to_dict() for each in self.measurements],
            "contests": [each.to_dict() for each in self.contests],
        }

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(each.model for each in self.measurements)}, timed in turn>"
