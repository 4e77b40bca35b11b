"""Likely shapes behind a layer with an error, so that one run finds independent errors and reports no echoes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...ops import Op, Shape, Shapes


class Guess(NamedTuple):
    """A layer's output shape is a guess: whether its width is one too, and the layer whose error it goes back to."""

    width: bool
    origin: int


#: errors that a guessed size may cause by itself, and those of a guessed width
_SIZE = {"A302", "A304", "A305"}
_WIDTH = {"A303"}
_SAME_WIDTH = {"activation", "normalisation", "pooling", "regularisation"}


def is_echo(op: Op, code: str, guesses: Sequence[Guess | None]) -> bool:
    """Whether an error of a layer whose inputs are (or are no) guesses may be an echo of another one."""
    found = [guess for guess in guesses if guess is not None]
    if not found:
        return False
    if len(guesses) > 1 and len({guess and guess.origin for guess in guesses}) == 1:
        # All branches start at the same guess: the sizes that tell them apart are their own.
        return op.type != "concat" and len({guess.width for guess in found}) > 1
    return code in _SIZE or (code in _WIDTH and any(guess.width for guess in found))


def passed_on(op: Op, guesses: Sequence[Guess | None]) -> Guess | None:
    """What a layer makes of guesses; its width is none where the op says it."""
    found = [guess for guess in guesses if guess is not None]
    if not found:
        return None
    known = hasattr(op, "out_channels") or hasattr(op, "out_features")
    return Guess(not known and any(guess.width for guess in found), max(guess.origin for guess in found))


def likely_shape(op: Op, inputs: Shapes) -> tuple[Shape, bool] | None:
    """The shape that a layer with an error was probably meant to have, and whether its width is a guess too."""
    first = inputs[0]
    features = getattr(op, "out_features", None)
    if features is not None:
        return (first[0], features), False
    if any(len(shape) != len(first) for shape in inputs):
        return None
    channels = getattr(op, "out_channels", None)
    if channels is not None:
        return ((first[0], channels, *first[2:]), False) if len(first) == 4 else None
    if op.type == "concat":
        return (first[0], sum(shape[1] for shape in inputs), *first[2:]), False
    if len(inputs) > 1:
        return first, len({shape[1] for shape in inputs}) > 1
    return (first, op.category not in _SAME_WIDTH) if len(first) == 4 else None
