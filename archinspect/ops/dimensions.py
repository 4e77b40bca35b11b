"""Dimensions that a user numbers."""

from __future__ import annotations

from typing import Any

from ..errors import OpError
from .attributes import LARGEST, Kind
from .base import Axes, Shape, show_shape

#: what the dimensions of a tensor may be called
NAMES = ("batch", "channel", "sequence", "feature", "depth", "height", "width")
#: other words for them, and for several of them
_ALIASES = {"channels": "channel", "features": "feature", "tokens": "sequence", "length": "sequence"}
#: all words for dimensions
WORDS = frozenset({*NAMES, *_ALIASES})
_SPACE = {"depth": -3, "height": -2, "width": -1}


def dimension_of(word: Any, axes: Axes, shape: Shape) -> int | None:
    """The number of a dimension that is called by its name; None where the tensor has none of that name."""
    if not isinstance(word, str):
        return int(word)
    word = _ALIASES.get(word, word)
    space = axes.count("space")
    if word in _SPACE and -_SPACE[word] <= space:
        return len(axes) + _SPACE[word] if axes[-1] == "space" else axes.index("space") + space + _SPACE[word]
    if word == "sequence" and word not in axes and space == 1:
        word = "space"
    return axes.index(word) if axes.count(word) == 1 else None


def _parse(value: Any) -> int | str:
    if isinstance(value, str):
        if value not in NAMES and value not in _ALIASES:
            raise OpError("A207", f"{value!r} names no dimension", help=f"names are {', '.join(NAMES)}")
        return value
    if type(value) is not int:
        raise OpError("A206", f"expected a dimension, got {value!r}")
    if abs(value) > LARGEST:
        raise OpError("A207", f"{value} is out of range")
    return value


def _parse_several(value: Any) -> tuple[int | str, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if not values:
        raise OpError("A207", "expected one dimension or more, got none")
    return tuple(map(_parse, values))


#: a dimension by its number or name
DIMENSION = Kind("int, or " + " | ".join(NAMES), _parse, str)
#: one or several of them
DIMENSIONS = Kind(
    f"{DIMENSION.schema}, or several",
    _parse_several,
    lambda value: str(value[0]) if len(value) == 1 else f"({', '.join(map(str, value))})",
)


def numbered(dim: Any, x: Shape, attribute: str = "dim") -> int:
    """A dimension counted from the first.  Raises OpError for one that the shape does not have."""
    if isinstance(dim, str):
        raise OpError("A305", f"no dimension of {show_shape(x)} is known as '{dim}'", attribute=attribute)
    if not -len(x) <= dim < len(x):
        raise no_such_dimension(f"{attribute} {dim}", x, attribute)
    return int(dim) % len(x)


def no_such_dimension(what: str, x: Shape, attribute: str) -> OpError:
    """The error of a dimension beyond those of `x`."""
    rank = len(x)
    return OpError(
        "A305",
        f"{what} does not exist in {show_shape(x)}",
        notes=[f"{rank} dimensions: 0 … {rank - 1}, or from the last −1 … −{rank}"],
        help="the batch is 0, the channels are 1",
        attribute=attribute,
    )
