"""Saved runs: measurements with what was asked for, as JSON, so that they can be repeated and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ArchinspectError, fail
from ..files import write
from .plan import Options
from .results import Measurement


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
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise fail("A102", f"cannot read '{os.fspath(path)}'", notes=[reason]) from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise _refused(path, str(error)) from None
    try:
        documents: Sequence[Mapping[str, Any]] = data.get("models", [data])
        found = tuple(Measurement.from_dict(document) for document in documents)
        return Saved(Request.from_dict(data["request"]), found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refused(path, f"{type(error).__name__}: {error}") from None


def _refused(path: str | os.PathLike[str], reason: str) -> ArchinspectError:
    return fail(
        "A403",
        f"'{os.fspath(path)}' is no saved run",
        notes=[reason[:200]],
        help="archinspect latency MODEL --save FILE writes one",
    )
