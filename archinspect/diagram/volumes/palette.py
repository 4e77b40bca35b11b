"""Colours of solids: a front, a lighter lid, a darker side."""

from __future__ import annotations

from dataclasses import dataclass

from ..theme import Theme, blend
from .content import Band

#: kinds of solids, with the words of the legend
KINDS = {
    "input": "input",
    "convolution": "convolution",
    "active": "activation",
    "pooling": "pooling",
    "residual": "residual block",
    "concat": "concatenated branches",
    "1": "1×1 branch",
    "3": "branch up to 3×3",
    "5": "branch up to 5×5",
    "7": "branch with larger kernels",
    "pool": "pooling branch",
    "identity": "passed on",
    "other": "other branch",
    "block": "block",
    "attention": "attention",
    "linear": "fully connected",
    "shape": "rearranging",
    "output": "output",
}

_LIGHT = {
    "input": "#B9C4D6",
    "convolution": "#F3C972",
    "pooling": "#DD7069",
    "residual": "#8FAFE2",
    "concat": "#A9C7B5",
    "1": "#F8DE9C",
    "3": "#EDB458",
    "5": "#D98A3D",
    "7": "#B4632B",
    "pool": "#DD7069",
    "identity": "#C6CEDC",
    "other": "#B7A6DC",
    "block": "#A4BBDD",
    "attention": "#7FC4C6",
    "linear": "#9A86CC",
    "shape": "#C9CED8",
    "output": "#66B093",
}
_KIND_OF = {"upsample": "shape", "merge": "concat", "normalisation": "shape", "regularisation": "shape"}


@dataclass(frozen=True)
class Faces:
    """Colours of the visible faces and their edges."""

    front: str
    lid: str
    side: str
    edge: str


def kind_of(kind: str) -> str:
    """The kind of the legend that a card's kind belongs to."""
    kind = _KIND_OF.get(kind, kind)
    return kind if kind in _LIGHT else "shape"


def faces(theme: Theme, kind: str) -> Faces:
    """Faces of a kind of solid in a theme."""
    front = _LIGHT[kind_of(kind)]
    if theme.name == "dark":
        front = blend(front, theme.background, 0.18)
    if theme.name == "print":
        front = blend(front, "#FFFFFF", 0.35)
    return shaded(front)


def shaded(front: str) -> Faces:
    """Lid and side of a front's colour."""
    return Faces(
        front, blend(front, "#FFFFFF", 0.34), blend(front, "#000000", 0.13), blend(front, "#1A1410", 0.62)
    )


def band(front: str) -> Faces:
    """The darker band of an activation."""
    return shaded(blend(front, "#8A3A00", 0.42))


def mixed(theme: Theme, bands: tuple[Band, ...]) -> Faces:
    """The side of a concatenation: its bands' colours by their share of the channels."""
    total, colour = 0, "#000000"
    for part in bands:
        total += part.channels
        colour = blend(colour, faces(theme, part.kind).front, part.channels / total)
    return shaded(colour)
