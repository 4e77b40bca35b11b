"""The grid of a sweep: the values of each argument and of the input size, and all their combinations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from ..errors import fail
from ..frontends.spec import parse_settings

MOST_VARIANTS = 1_000_000
INPUT = "input"


@dataclass(frozen=True)
class Grid:
    """Axes by name, in the order given; the last one varies fastest.  `input` is the input size, as text."""

    axes: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.axes)

    def __len__(self) -> int:
        return prod(len(values) for _, values in self.axes)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for values in product(*(values for _, values in self.axes)):
            yield dict(zip(self.names, values, strict=True))


def grid(settings: Sequence[str], inputs: Sequence[str] = ()) -> Grid:
    """`["width=0.5,1", "depth=18:50:16"]` and `["3x192x192,3x224x224"]` to a grid.

    A range of whole numbers includes its end.  Raises ArchinspectError (A401, A403).
    """
    axes: dict[str, tuple[Any, ...]] = {}
    for text in settings:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals or not values.strip():
            raise fail(
                "A401",
                f"cannot read the setting '{text}'",
                help="write NAME=VALUE,..., for example width=0.5,1",
            )
        if name in axes:
            raise fail("A401", f"'{name}' is set twice", help=f"give all its values at once: {name}=A,B,...")
        axes[name] = tuple(
            dict.fromkeys(value for part in values.split(",") for value in _values(name, part))
        )
    sizes = [size.strip() for text in inputs for size in text.split(",") if size.strip()]
    if sizes:
        if INPUT in axes:
            raise fail("A401", "the input size is set twice", help="give --input, or input= in --set")
        axes[INPUT] = tuple(dict.fromkeys(sizes))
    if not axes:
        raise fail(
            "A403", "a sweep needs something to vary", help="--set NAME=VALUE,... or --input CxHxW,..."
        )
    return _bounded(Grid(tuple(axes.items())))


def _bounded(made: Grid) -> Grid:
    if len(made) > MOST_VARIANTS:
        sizes = " × ".join(str(len(values)) for _, values in made.axes)
        raise fail(
            "A103", "the grid has too many variants", notes=[f"{sizes} = {len(made):,} > {MOST_VARIANTS:,}"]
        )
    return made


def grid_of(settings: Mapping[str, Sequence[Any]], inputs: Sequence[Any] = ()) -> Grid:
    """`{"width": [0.5, 1]}` and `["3x192x192", (1, 3, 224, 224)]` to a grid.  Raises ArchinspectError (A103, A403)."""
    axes: dict[str, tuple[Any, ...]] = {}
    for name, values in settings.items():
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise fail("A403", f"{name} needs several values", help=f"{name}=[{values!r}, ...]")
        axes[name] = tuple(dict.fromkeys(values))
    sizes = [inputs] if isinstance(inputs, str) else inputs
    if sizes:
        axes[INPUT] = tuple(
            dict.fromkeys(size if isinstance(size, str) else "x".join(map(str, size)) for size in sizes)
        )
    empty = [name for name, values in axes.items() if not values]
    if empty or not axes:
        what = f"no value is given for {empty[0]}" if empty else "a sweep needs something to vary"
        raise fail("A403", what, help="sweep(num_classes=[10, 100], input=['3x192x192', '3x224x224'])")
    return _bounded(Grid(tuple(axes.items())))


def _values(name: str, text: str) -> Iterator[Any]:
    bounds = text.strip().split(":")
    if len(bounds) in (2, 3) and all(
        bound.isascii() and bound.isdigit() and len(bound) < 10 for bound in bounds
    ):
        first, last, step = int(bounds[0]), int(bounds[1]), int(bounds[2]) if len(bounds) == 3 else 1
        if step < 1 or last < first or (last - first) // step >= MOST_VARIANTS:
            raise fail(
                "A401", f"the range {text.strip()} of '{name}' cannot be counted", help=f"{name}=10:100:10"
            )
        yield from range(first, last + 1, step)
    else:
        yield parse_settings([f"{name}={text}"])[name]
