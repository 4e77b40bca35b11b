"""What a picture of volumes consists of, before it has places: solids, rows of them, and splits into branches.

A solid is one tensor drawn as a cuboid (a map of channels × height × width) or as a bar (a vector of features).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...ops.base import Shape
from ..elements import Card


@dataclass(frozen=True, slots=True)
class Band:
    """A part of a solid's thickness: the channels that one branch brings to a concatenation."""

    kind: str
    channels: int


@dataclass(frozen=True, slots=True)
class Extent:
    """A tensor as it is drawn: channels and the map's height and width; 1×1 for a vector of features."""

    channels: int
    height: int = 1
    width: int = 1

    @property
    def flat(self) -> bool:
        """Whether it is drawn as a bar."""
        return self.height == self.width == 1

    @property
    def text(self) -> str:
        return f"{self.height}×{self.width}"

    @classmethod
    def of(cls, shape: Shape, *, channels_last: bool = False) -> Extent:
        """Of a shape with the batch first.  A sequence of tokens is drawn as a map of as many positions."""
        rest = shape[1:]
        if not rest:
            return cls(1)
        if len(rest) == 1:
            return cls(rest[0])
        if len(rest) == 2:
            side = next(n for n in range(1, rest[0] + 1) if n * n >= rest[0])
            return cls(rest[1], side, side)
        if channels_last:
            return cls(rest[-1], rest[0], rest[1])
        return cls(rest[0], rest[1], rest[2])


@dataclass(frozen=True, slots=True)
class Solid:
    """One cuboid or bar: the output of a card, which may stand for a whole block.

    `words` say in a caption what computes it, `short` beside the solid; `kernel` is the window that slides over what
    came before; `skip`, "identity" or "projection", is a way around the whole block.
    """

    card: Card
    kind: str
    words: str
    short: str
    extent: Extent
    active: bool = False
    kernel: tuple[int, int] | None = None
    bands: tuple[Band, ...] = ()
    skip: str = ""
    size: str = ""  # where it differs from the extent's: "197 tokens"

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def size_text(self) -> str:
        return self.size or self.extent.text


@dataclass(frozen=True, slots=True)
class Gap:
    """Solids that are left out of a long run."""

    count: int


@dataclass(frozen=True, slots=True)
class Split:
    """Branches side by side.  The join is a solid, or a sign (+, ×); `straight` is the branch on the axis."""

    lanes: tuple[tuple[Part, ...], ...]
    identities: int
    join: Solid | None
    sign: str
    result: Solid
    straight: int | None

    @property
    def name(self) -> str:
        return self.result.name


@dataclass(frozen=True, slots=True)
class Aside:
    """An output beside the main one, drawn as a single bar."""

    result: Solid


Part = Solid | Gap | Split | Aside


def result(part: Part) -> Solid | None:
    """The tensor that leaves a part on the main path."""
    return part if isinstance(part, Solid) else part.result if isinstance(part, Split) else None


def solids(parts: tuple[Part, ...] | list[Part]) -> Iterator[Solid]:
    """Every solid that is drawn."""
    for part in parts:
        if isinstance(part, Solid):
            yield part
        elif isinstance(part, Aside):
            yield part.result
        elif isinstance(part, Split):
            for lane in part.lanes:
                yield from solids(lane)
            if part.join:
                yield part.join
