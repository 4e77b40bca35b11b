"""What is to be measured: checked before anything takes time, and before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeVar

from ..errors import fail, suggestion
from .ceilings import Precision, precision
from .timers import TIMERS

_T = TypeVar("_T", int, str)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run it, beyond batch and precision.

    `threads` None: as many as torch takes by itself.  `depth` None: a row per layer, else per scope so deep.
    """

    channels_last: bool = False
    compile: bool = False
    cold: bool = False
    threads: int | None = None
    depth: int | None = None

    @property
    def names(self) -> dict[str, bool]:
        """What makes it another configuration."""
        chosen = {"channels_last": self.channels_last, "compile": self.compile, "cold": self.cold}
        return {name: value for name, value in chosen.items() if value}


class Configuration(NamedTuple):
    """One row of a sweep.  `layers`: whether its rows are timed, too."""

    precision: Precision
    batch: int
    mode: str
    layers: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep over batches, precisions and modes.  `time_s` is about the time of one configuration."""

    batches: tuple[int, ...]
    precisions: tuple[Precision, ...]
    modes: tuple[str, ...]
    options: Options
    layers: bool
    time_s: float

    def configurations(self) -> Iterator[Configuration]:
        """All of them; the first mode has the layers."""
        for kind, batch, mode in product(self.precisions, self.batches, self.modes):
            yield Configuration(kind, batch, mode, self.layers and mode == self.modes[0])


def plan(
    batch: int | Sequence[int] = 1,
    dtype: str | Sequence[str] = "fp32",
    mode: str | Sequence[str] = "latency",
    options: Options | None = None,
    *,
    layers: bool = True,
    time_s: float = 20.0,
) -> Plan:
    """A checked plan.  Raises ArchinspectError (A403)."""
    options = options or Options()
    batches, modes = _several(batch), _several(mode)
    for name in modes:
        if name not in TIMERS:
            help = suggestion(name, TIMERS, otherwise=f"modes: {', '.join(TIMERS)}")
            raise fail("A403", f"there is no mode '{name}'", help=help)
    if not batches or min(batches) < 1:
        raise fail("A403", f"a batch of {min(batches, default=0)} holds no image", help="--batch 1,8,32")
    if not 0 < time_s < float("inf"):
        raise fail("A403", f"a time of {time_s:g} s measures nothing", help="--time 20")
    if options.threads is not None and options.threads < 1:
        raise fail("A403", f"{options.threads} threads run nothing", help="--threads 1")
    if options.cold and modes != ["latency"]:
        raise fail("A403", "--cold flushes the caches before each forward", help="--mode latency")
    precisions = tuple(precision(name) for name in _several(dtype))
    return Plan(tuple(batches), precisions, tuple(modes), options, layers, time_s)


def _several(value: _T | Sequence[_T]) -> list[_T]:
    """Each once, in order."""
    return list(dict.fromkeys([value] if isinstance(value, (int, str)) else value))
