"""Dimensions that a user numbers."""

from __future__ import annotations

from ..errors import OpError
from .base import Shape, show_shape


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
