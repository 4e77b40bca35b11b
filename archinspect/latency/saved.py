"""Saved runs: measurements with what was asked for, as JSON, so that they can be repeated and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ArchinspectError, fail
from ..files import read_json, write
from ..records import (
    Form,
    FormError,
    count,
    listed,
    mapping,
    named,
    no_less_than_zero,
    number,
    one_or_more,
    optional,
    positive,
    scalar,
    text,
    truth,
)
from .flags import REMEDIES
from .plan import Options
from .results import DERIVED, Measurement, Run

#: of a saved run; one with the layers of a large network and thousands of samples has some megabytes
MOST_BYTES = 256 << 20
_WAY_OUT = "archinspect latency MODEL --save FILE writes one"


@dataclass(frozen=True, slots=True)
class Request:
    """What was measured: the networks, and how they were run.  Enough to do it again.

    No batch is that of the example inputs, 1 for a spec.
    """

    models: tuple[str, ...]
    input: str | tuple[str, ...] | None = None
    set: tuple[str, ...] = ()
    real: bool = False
    device: str | None = None
    batch: tuple[int, ...] = ()
    dtype: tuple[str, ...] = ("fp32",)
    mode: tuple[str, ...] = ("latency",)
    channels_last: bool = False
    compile: bool = False
    cold: bool = False
    threads: int | None = None
    depth: int | None = None
    layers: bool = True
    time_s: float = 20.0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Request:
        """The request that `asdict` wrote."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**{name: value for name, value in values.items() if name in known})

    def arguments(self) -> dict[str, Any]:
        """What `measure` and `compare` take."""
        return {
            "batch": self.batch or None,
            "dtype": self.dtype,
            "mode": self.mode,
            "options": Options(self.channels_last, self.compile, self.cold, self.threads, self.depth),
            "time_s": self.time_s,
        }


@dataclass(frozen=True, slots=True)
class Saved:
    """Measurements, one of each network, and the request they answered."""

    request: Request
    measurements: tuple[Measurement, ...]


def save(document: Mapping[str, Any], request: Request, path: str | os.PathLike[str]) -> None:
    """Write the JSON document of a measurement or a comparison.  Raises ArchinspectError (A405)."""
    whole = {**document, "request": asdict(request)}
    write(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", path)


def read(path: str | os.PathLike[str]) -> Saved:
    """What `save` wrote.  Raises ArchinspectError: A102 when it cannot be read, A403 when it is something else."""
    data = read_json(
        path, MOST_BYTES, refused="is no saved run", way_out=_WAY_OUT, help="a saved run is a file"
    )
    try:
        _document(data, "")
        documents: Sequence[Mapping[str, Any]] = data.get("models", [data])
        found = tuple(Measurement.from_dict(document) for document in documents)
        return Saved(Request.from_dict(data["request"]), found)
    except FormError as error:
        raise _refused(path, str(error)) from None


def _refused(path: str | os.PathLike[str], reason: str) -> ArchinspectError:
    return fail(
        "A403",
        f"'{os.fspath(path)}' is no saved run",
        notes=[reason[:200]],
        help=_WAY_OUT,
    )


# The form of the document: what `Measurement.to_dict` and `asdict(Request)` write.

_FUSED = mapping({"kernels": listed(text), "layers": listed(text), "prepares": listed(text)})
_LAYER = mapping(
    {
        "name": text,
        "layers": listed(text),
        "ms": no_less_than_zero,
        "share": no_less_than_zero,
        "macs": optional(count),
        "bytes": count,
        "floor_ms": no_less_than_zero,
        "bound": text,
    },
    {"fused": listed(_FUSED)},
)
_FIGURES = {
    "median_ms": optional(positive),
    "interval_ms": optional(listed(positive, 2)),
    "samples_ms": listed(positive),
    "noise": optional(no_less_than_zero),
    "first_ms": optional(no_less_than_zero),
    "enqueue_ms": optional(no_less_than_zero),
    "peak_memory_bytes": optional(count),
    "reserved_memory_bytes": optional(count),
    "predicted_memory_bytes": optional(count),
    "floor_ms": optional(no_less_than_zero),
    "whole_ms": optional(positive),
    "closure": optional(number),
    "inflation": optional(number),
}


def _flag(value: Any, place: str) -> None:
    mapping({"code": text, "message": text})(value, place)
    if value["code"] not in REMEDIES:
        raise FormError(f"{place}.code is '{value['code'][:40]}', which no run has")


_RUN = mapping(
    {
        "batch": one_or_more,
        "dtype": text,
        "label": text,
        "mode": text,
        "options": named(scalar),
        "status": text,
        "layers": listed(_LAYER),
        "flags": listed(_flag),
        **_FIGURES,
    },
    {"absorbed": listed(text)},
)


def _run(value: Any, place: str) -> None:
    _RUN(value, place)
    unknown = sorted(set(value) - {each.name for each in fields(Run)} - DERIVED)
    if unknown:
        raise FormError(f"{place} has '{unknown[0][:40]}', which no run has")


_ROOFS = mapping(
    {
        "name": text,
        "tflops": named(positive),
        "bandwidth_gb_s": positive,
        "launch_us": no_less_than_zero,
        "origin": text,
    }
)
_MEASUREMENT = mapping(
    {
        "model": text,
        "device": text,
        "environment": named(scalar),
        "ceilings": mapping(
            {"measured": optional(_ROOFS), "datasheet": optional(_ROOFS)}, {"looks": listed(_ROOFS)}
        ),
        "runs": listed(_run),
        "interrupted": truth,
    }
)


def _input(value: Any, place: str) -> None:
    (listed(text) if isinstance(value, list) else optional(text))(value, place)


_REQUEST = mapping(
    {"models": listed(text)},
    {
        "input": _input,
        "set": listed(text),
        "real": truth,
        "device": optional(text),
        "batch": listed(one_or_more),
        "dtype": listed(text),
        "mode": listed(text),
        "channels_last": truth,
        "compile": truth,
        "cold": truth,
        "threads": optional(one_or_more),
        "depth": optional(one_or_more),
        "layers": truth,
        "time_s": positive,
    },
)


def _document(value: Any, place: str) -> None:
    several = isinstance(value, dict) and "models" in value
    form: Form = mapping({"models": listed(_MEASUREMENT)}) if several else _MEASUREMENT
    form(value, place)
    mapping({"request": _REQUEST})(value, place)
