"""Profiles of devices: measured times of kernels, and what these say of kernels that were not measured.  Pure.

The time of a kernel is predicted in two steps.  A roofline of its own family comes first: each multiply-accumulate and
each element costs what fits the measurements best, plus a cost for each call.  What is left, the utilisation over
size, is interpolated between the measurements in the logarithms of the sizes (a Gaussian process; Rasmussen and
Williams 2006, algorithm 2.1), which tells the uncertainty, too.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import mul
from typing import Any

from ..errors import fail, suggestion
from ..files import read_json, write
from ..records import (
    FormError,
    count,
    listed,
    mapping,
    named,
    no_less_than_zero,
    optional,
    positive,
    scalar,
    text,
)
from .ceilings import Ceilings
from .kernels import FAMILIES, Kernel
from .stats import median

#: of the form of the document; raised when an older version cannot read a newer one
VERSION = 1
_KIND = "archinspect device profile"
_WAY_OUT = "archinspect calibrate -o PROFILE.json writes one"

#: the interpolation's range along the axes, and what two measurements of one kernel differ by
_RANGES, _NOISE = (0.5, 0.8, 1.2, 1.8, 2.7), (0.03, 0.06, 0.12)
#: a kernel this far beyond the measured sizes along an axis is outside of them
_BEYOND = 0.34
#: of all errors of a family, the part of the variance that kernels of other sizes share
_SHARED = 0.3
#: of fewer measurements no range is sought
_FEW = 6
#: the normal quantile of a two-sided 90 %
_NINETY = 1.645


@dataclass(frozen=True, slots=True)
class Sample:
    """A kernel, its time, and by how much two measurements of it differ, as a fraction; None where there is one."""

    kernel: Kernel
    ms: float
    spread: float | None

    def to_dict(self) -> dict[str, Any]:
        return {**self.kernel.to_dict(), "ms": self.ms, "spread": self.spread}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The time that a kernel should take, its uncertainty as a fraction, and whether it is beyond what was measured."""

    ms: float
    error: float
    outside: bool


@dataclass(frozen=True)
class Profile:
    """What a device does, as measured there: roofs, and samples of each family of kernels."""

    device: str
    dtype: str
    environment: Mapping[str, Any]
    ceilings: Ceilings
    samples: tuple[Sample, ...]
    #: what disturbed the measurements
    disturbed: tuple[str, ...] = ()
    #: by family, the interpolation's range and noise that suit its samples best; sought where they are not given
    fits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    _known: dict[Kernel, Estimate] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def families(self) -> dict[str, Surface]:
        """The time over the sizes, of each family that was measured."""
        groups: dict[str, list[Sample]] = {}
        for sample in self.samples:
            groups.setdefault(sample.kernel.family, []).append(sample)
        return {family: Surface(samples, self.fits.get(family)) for family, samples in groups.items()}

    @property
    def drift(self) -> float:
        """How much measurements of one kernel differ typically, minutes apart."""
        return median([sample.spread for sample in self.samples if sample.spread is not None] or [0.0])

    def estimate(self, kernel: Kernel) -> Estimate | None:
        """The time of a kernel; None where its family was not measured."""
        if kernel not in self._known:
            surface = self.families.get(kernel.family)
            if surface is None:
                return None
            self._known[kernel] = surface.estimate(kernel)
        return self._known[kernel]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": _KIND,
            "version": VERSION,
            "device": self.device,
            "dtype": self.dtype,
            "environment": dict(self.environment),
            "ceilings": self.ceilings.to_dict(),
            "disturbed": list(self.disturbed),
            "fits": {family: list(surface.fit) for family, surface in self.families.items()},
            "samples": [sample.to_dict() for sample in self.samples],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON.  Raises ArchinspectError (A405)."""
        write(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", path)


class Surface:
    """The time of a family's kernels over their sizes, through its measurements."""

    def __init__(self, samples: Sequence[Sample], fit: tuple[float, float] | None = None) -> None:
        self.samples = tuple(samples)
        self._fit = fit
        terms = [sample.kernel.terms for sample in samples]
        self._costs = _fitted_costs(terms, [sample.ms for sample in samples])
        self._places = [sample.kernel.axes for sample in samples]
        self._residuals = [math.log(s.ms / self._roof(s.kernel)) for s in samples]
        self._low = [min(column) for column in zip(*self._places, strict=True)]
        self._high = [max(column) for column in zip(*self._places, strict=True)]

    @property
    def costs(self) -> tuple[float, ...]:
        """Milliseconds of each term of the family's roofline."""
        return self._costs

    def _roof(self, kernel: Kernel) -> float:
        return float(sum(map(mul, self._costs, kernel.terms)))

    @cached_property
    def _process(self) -> _Process:
        """The interpolation; without a range and noise those under which the measurements are most likely."""
        if self._fit is not None:
            return _Process(self._places, self._residuals, *self._fit)
        if not self._low or len(self.samples) < _FEW:
            return _Process(self._places, self._residuals, _RANGES[1], _NOISE[0])
        found = [_Process(self._places, self._residuals, size, noise) for size in _RANGES for noise in _NOISE]
        return min(found, key=lambda each: each.likelihood)

    @property
    def fit(self) -> tuple[float, float]:
        """The interpolation's range and noise."""
        return self._process.size, self._process.noise

    @cached_property
    def left_out(self) -> tuple[float, ...]:
        """Of each measurement: predicted from all others, over measured, minus 1."""
        return tuple(math.exp(-error) - 1 for error in self._process.left_out)

    @property
    def error(self) -> float:
        """The median error of measurements that are predicted from all others."""
        return median([abs(error) for error in self.left_out])

    def is_outside(self, kernel: Kernel) -> bool:
        """Whether it is larger or smaller than what was measured."""
        return any(
            not low - _BEYOND <= at <= high + _BEYOND
            for at, low, high in zip(kernel.axes, self._low, self._high, strict=True)
        )

    def estimate(self, kernel: Kernel) -> Estimate:
        mean, deviation = self._process.at(kernel.axes)
        return Estimate(self._roof(kernel) * math.exp(mean), deviation, self.is_outside(kernel))


class _Process:
    """A Gaussian process with mean 0 over places, of one range and noise."""

    def __init__(
        self, places: Sequence[Sequence[float]], values: Sequence[float], size: float, noise: float
    ) -> None:
        self._places, self.size, self.noise = places, size, noise
        n = len(values)
        self._variance = max(sum(value * value for value in values) / max(1, n), noise * noise)
        rows = [[self._kernel(a, b) for b in places[: i + 1]] for i, a in enumerate(places)]
        for i in range(n):
            rows[i][i] += noise * noise
        self._lower = _cholesky(rows)
        whitened = _forward(self._lower, values)
        self._weights = _backward(self._lower, whitened)
        self._whitened = whitened

    def _kernel(self, a: Sequence[float], b: Sequence[float]) -> float:
        """Matérn's covariance of smoothness 3/2."""
        square = 0.0
        for x, y in zip(a, b, strict=True):
            square += (x - y) * (x - y)
        distance = math.sqrt(3 * square) / self.size
        return self._variance * (1 + distance) * math.exp(-distance)

    def at(self, place: Sequence[float]) -> tuple[float, float]:
        """(mean, standard deviation) at a place, noise included."""
        near = [self._kernel(place, other) for other in self._places]
        mean = sum(map(mul, near, self._weights))
        explained = _forward(self._lower, near)
        left = self._variance - sum(map(mul, explained, explained))
        return mean, math.sqrt(max(left, 0.0) + self.noise * self.noise)

    @property
    def likelihood(self) -> float:
        """The negative log marginal likelihood, without its constant."""
        determinant = sum(math.log(row[-1]) for row in self._lower)
        return 0.5 * float(sum(map(mul, self._whitened, self._whitened))) + determinant

    @cached_property
    def left_out(self) -> tuple[float, ...]:
        """Of each value: measured minus predicted from all others (Rasmussen and Williams, equation 5.12)."""
        n = len(self._weights)
        diagonal = [0.0] * n
        for i in range(n):
            unit = [0.0] * n
            unit[i] = 1.0
            column = _forward(self._lower, unit)
            diagonal[i] = sum(map(mul, column, column))
        return tuple(weight / entry for weight, entry in zip(self._weights, diagonal, strict=True))


def _cholesky(rows: list[list[float]]) -> list[list[float]]:
    """The lower factor of a symmetric matrix, of which the lower half is given."""
    lower: list[list[float]] = []
    for i, row in enumerate(rows):
        made: list[float] = []
        for j in range(i):
            other = lower[j]
            made.append((row[j] - sum(map(mul, made, other))) / other[j])
        rest = row[i] - sum(map(mul, made, made))
        made.append(math.sqrt(max(rest, 1e-12)))
        lower.append(made)
    return lower


def _forward(lower: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    found: list[float] = []
    for row, value in zip(lower, values, strict=True):
        found.append((value - sum(map(mul, row, found))) / row[-1])
    return found


def _backward(lower: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    left = list(values)
    for i in range(len(left) - 1, -1, -1):
        row = lower[i]
        left[i] /= row[i]
        value = left[i]
        for j in range(i):
            left[j] -= row[j] * value
    return left


def _fitted_costs(terms: Sequence[Sequence[float]], times: Sequence[float]) -> tuple[float, ...]:
    """The costs, none below 0, with which the relative errors of the sums are least (coordinate descent)."""
    rows = [[term / time for term in row] for row, time in zip(terms, times, strict=True)]
    width = len(rows[0])
    scale = [max(row[i] for row in rows) or 1.0 for i in range(width)]
    rows = [[value / size for value, size in zip(row, scale, strict=True)] for row in rows]
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(width)] for i in range(width)]
    aim = [sum(row[i] for row in rows) for i in range(width)]
    costs = [0.0] * width
    for _ in range(2000):
        moved = 0.0
        for i in range(width):
            if gram[i][i] <= 0:
                continue
            wanted = max(0.0, costs[i] + (aim[i] - sum(map(mul, gram[i], costs))) / gram[i][i])
            moved = max(moved, abs(wanted - costs[i]))
            costs[i] = wanted
        if moved < 1e-9:
            break
    return tuple(cost / size for cost, size in zip(costs, scale, strict=True))


def combined(parts: Sequence[tuple[Kernel, Estimate]], drift: float) -> tuple[float, float]:
    """(milliseconds, relative standard deviation) of kernels that run one after the other.

    Kernels of the same sizes are wrong alike, those of one family in part, and all of them by the device's drift.
    """
    total = sum(estimate.ms for _, estimate in parts)
    alike: dict[Kernel, float] = {}
    families: dict[str, float] = {}
    for kernel, estimate in parts:
        error = estimate.ms * estimate.error
        alike[kernel] = alike.get(kernel, 0.0) + error
        families[kernel.family] = families.get(kernel.family, 0.0) + error
    variance = (1 - _SHARED) * sum(error * error for error in alike.values())
    variance += _SHARED * sum(error * error for error in families.values())
    return total, math.sqrt(variance) / total + drift if total else 0.0


def interval(ms: float, error: float) -> tuple[float, float]:
    """The 90 % interval about a time whose logarithm has that standard deviation."""
    factor = math.exp(_NINETY * error)
    return ms / factor, ms * factor


# The document.

_ROOFS = mapping(
    {
        "name": text,
        "tflops": named(positive),
        "bandwidth_gb_s": positive,
        "launch_us": no_less_than_zero,
        "origin": text,
    }
)


def _sample(value: Any, place: str) -> None:
    mapping({"family": text, "sizes": named(count), "ms": positive, "spread": optional(no_less_than_zero)})(
        value, place
    )
    family = FAMILIES.get(value["family"])
    if family is None:
        near = suggestion(value["family"], FAMILIES, otherwise="a newer version may know it")
        raise FormError(f"{place}.family is '{value['family'][:40]}', which no kernel has ({near})")
    if set(value["sizes"]) != set(family.sizes):
        raise FormError(f"{place}.sizes are not {', '.join(family.sizes) or 'empty'}")
    if not all(value["sizes"].values()):
        raise FormError(f"{place}.sizes has a 0")


_PROFILE = mapping(
    {
        "device": text,
        "dtype": text,
        "environment": named(scalar),
        "ceilings": _ROOFS,
        "disturbed": listed(text),
        "samples": listed(_sample),
    },
    {"fits": named(listed(positive, 2))},
)


def read(path: str | os.PathLike[str]) -> Profile:
    """What `Profile.save` wrote.  Raises ArchinspectError: A102 where it cannot be read, A403 for anything else."""
    data = read_json(path, refused="is no device profile", way_out=_WAY_OUT, help="a profile is a file")
    try:
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise FormError(f'it has no "kind": "{_KIND}"')
        count(data.get("version"), "version")
        if data["version"] > VERSION:
            raise FormError(f"it is of version {data['version']}, and this reads up to {VERSION}")
        _PROFILE(data, "")
        if not data["samples"]:
            raise FormError("samples is empty")
    except FormError as error:
        name = os.fspath(path)
        raise fail(
            "A403", f"'{name}' is no device profile", notes=[str(error)[:200]], help=_WAY_OUT
        ) from None
    samples = tuple(
        Sample(
            Kernel(each["family"], tuple(each["sizes"][name] for name in FAMILIES[each["family"]].sizes)),
            each["ms"],
            each["spread"],
        )
        for each in data["samples"]
    )
    return Profile(
        data["device"],
        data["dtype"],
        data["environment"],
        Ceilings.from_dict(data["ceilings"]),
        samples,
        tuple(data["disturbed"]),
        {family: (size, noise) for family, (size, noise) in data.get("fits", {}).items()},
    )
