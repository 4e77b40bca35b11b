"""The table of devices that can be predicted for, and the user's own beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ArchinspectError, fail, suggestion
from ..files import read_text
from .ceilings import Ceilings

#: Of any figure of a device: TFLOP/s, GB/s, microseconds, GB, shares.
_LEAST, _MOST = 1e-9, 1e9
#: Assumed where a device says nothing else (docs/latency.md gives the reasons).  `attainable`: the share of the sheet's
#: peak and bandwidth that a large matrix product and a large copy reach.  `dispatch_us`: what one layer costs the host
#: in eager PyTorch.  `launch_us`: what one kernel costs the device at least.
ATTAINABLE = 0.8
ATTAINABLE_BANDWIDTH = 0.9
DISPATCH_US = 20.0
LAUNCH_US = 2.5

_SHIPPED = Path(__file__).with_name("devices.toml")
_KEYS = {
    "title",
    "match",
    "peak",
    "bandwidth",
    "memory",
    "source",
    "attainable",
    "attainable_bandwidth",
    "dispatch_us",
    "launch_us",
}
_ARITHMETIC = {"fp32", "tf32", "fp16", "bf16"}


@dataclass(frozen=True, slots=True)
class Device:
    """One entry of the table, in its units: TFLOP/s, GB/s, GB, µs."""

    name: str
    title: str
    peak: Mapping[str, float]
    bandwidth: float
    memory: float | None
    source: str
    match: tuple[str, ...] = ()
    attainable: float = ATTAINABLE
    attainable_bandwidth: float = ATTAINABLE_BANDWIDTH
    dispatch_us: float = DISPATCH_US
    launch_us: float = LAUNCH_US
    measured: bool = False  # its figures are the roofs of the device at hand, and no sheet's

    def is_called(self, driver_name: str) -> bool:
        """Whether a driver that gives this name means this device."""
        return any(re.search(pattern, driver_name.lower()) for pattern in self.match)

    @property
    def ceilings(self) -> Ceilings:
        """The sheet's roofs."""
        return Ceilings(
            self.title,
            {name: value * 1e12 for name, value in self.peak.items()},
            self.bandwidth * 1e9,
            self.launch_us / 1e6,
            self.source,
            None if self.memory is None else round(self.memory * 1e9),
        )

    @property
    def attainable_ceilings(self) -> Ceilings:
        """The roofs that real kernels reach at best."""
        return Ceilings(
            self.title,
            {name: value * 1e12 * self.attainable for name, value in self.peak.items()},
            self.bandwidth * 1e9 * self.attainable_bandwidth,
            self.launch_us / 1e6,
            f"{self.attainable:.0%} of the peak and {self.attainable_bandwidth:.0%} of the bandwidth of: {self.source}",
        )


def device_here(measured: Ceilings) -> Device:
    """The device at hand, by the roofs measured on it: they are attainable as they are."""
    return Device(
        name="here",
        title=measured.name,
        peak={name: value / 1e12 for name, value in measured.peak.items()},
        bandwidth=measured.bandwidth / 1e9,
        memory=None,
        source="roofs measured on the spot",
        attainable=1.0,
        attainable_bandwidth=1.0,
        dispatch_us=measured.launch_s * 1e6,
        launch_us=measured.launch_s * 1e6,
        measured=True,
    )


def devices(file: str | os.PathLike[str] | None = None) -> dict[str, Device]:
    """All devices by name: the user's `file` (TOML, the same form), then those that ship.

    Raises ArchinspectError (A102, A403) for a file that cannot be used.
    """
    if file is None:
        return _shipped()
    own = _load(Path(file))
    return own | {name: entry for name, entry in _shipped().items() if name not in own}


def device(name: str, file: str | os.PathLike[str] | None = None) -> Device:
    """The device called `name` here, or the one that the driver calls so.  Raises ArchinspectError (A403)."""
    known = devices(file)
    key = name.lower()
    if key in known:
        return known[key]
    found = recognise(name, file)
    if found is None:
        listed = f"devices: {', '.join(known)}; --devices FILE adds your own"
        raise fail("A403", f"there is no device '{name}'", help=suggestion(key, known, otherwise=listed))
    return found


def recognise(driver_name: str, file: str | os.PathLike[str] | None = None) -> Device | None:
    """The device that a driver calls, say, "NVIDIA H100 80GB HBM3"; None when the table has none."""
    return next((entry for entry in devices(file).values() if entry.is_called(driver_name)), None)


@cache
def _shipped() -> dict[str, Device]:
    return _load(_SHIPPED)


def _load(path: Path) -> dict[str, Device]:
    import tomllib  # only predictions need it

    try:
        data = tomllib.loads(read_text(path, help="a table of devices is a TOML file"))
    except (ValueError, RecursionError) as error:  # also for numbers of thousands of digits
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise fail("A403", f"'{path}' is not valid TOML", notes=[reason]) from None
    return {name.lower(): _entry(path, name, entry) for name, entry in data.items()}


def _entry(path: Path, name: str, entry: Any) -> Device:
    def refuse(reason: str, help: str = "") -> ArchinspectError:
        return fail("A403", f"device '{name}' of '{path.name}': {reason}", help=help)

    if not isinstance(entry, dict):
        raise refuse("it is no table", f"write [{name}] on a line of its own, its figures below")
    for key in entry:
        if key not in _KEYS:
            raise refuse(
                f"it has no '{key}'", suggestion(key, _KEYS, otherwise=f"keys: {', '.join(sorted(_KEYS))}")
            )
    for key in ("peak", "bandwidth"):
        if key not in entry:
            raise refuse(f"'{key}' is missing", "a device needs its peak TFLOP/s and its bandwidth in GB/s")
    peak = entry["peak"]
    if not isinstance(peak, dict) or not peak or not set(peak) <= _ARITHMETIC:
        raise refuse("'peak' is not a table of TFLOP/s", f"of {', '.join(sorted(_ARITHMETIC))}")
    numbers = {**peak, **{k: v for k, v in entry.items() if k not in ("title", "match", "peak", "source")}}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise refuse(f"'{key}' is {_short(value)}, not a positive number")
        if not _LEAST <= value <= _MOST:
            raise refuse(f"'{key}' is {_short(value)}; no device is so", f"from {_LEAST:g} to {_MOST:g}")
    match = entry.get("match", [])
    if not isinstance(match, list) or not all(
        isinstance(pattern, str) and _compiles(pattern) for pattern in match
    ):
        raise refuse("'match' is not a list of regular expressions")
    given = {key: value for key, value in entry.items() if key not in ("peak", "match", "title", "source")}
    return Device(
        name=name.lower(),
        title=str(entry.get("title", name)),
        peak=peak,
        match=tuple(match),
        source=str(entry.get("source", path.name)),
        **{"memory": None, **given},
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
