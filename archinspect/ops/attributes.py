"""Kinds of attribute values: what a spec may write, what the op stores, and how to write it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import OpError


@dataclass(frozen=True, slots=True)
class Kind:
    """A set of values.

    `parse` turns what the spec wrote into what the op stores, or raises OpError (A206 wrong type, A207 wrong
    value); `show` writes it back as short as the language allows; `schema` names the values in documentation.
    """

    schema: str
    parse: Callable[[Any], Any]
    show: Callable[[Any], str] = repr


def _wrong_type(expected: str, value: Any) -> OpError:
    return OpError("A206", f"expected {expected}, got {_name(value)} {value!r}")


def _name(value: Any) -> str:
    names = {bool: "a truth value", int: "an integer", float: "a number", str: "a string", tuple: "a tuple"}
    return names.get(type(value), type(value).__name__ if value is not None else "nothing:")


#: no network has a layer this wide, and products of two such values stay quick to compute
LARGEST = 2**31 - 1


def integer(least: int) -> Kind:
    """An integer not below `least`."""

    def parse(value: Any) -> int:
        if type(value) is not int:
            if isinstance(value, float) and value.is_integer():
                raise OpError(
                    "A206", f"expected an integer, got the number {value!r}", help=f"write {int(value)}"
                )
            raise _wrong_type("an integer", value)
        if not least <= value <= LARGEST:
            bound = f"at least {least}" if value < least else f"at most {LARGEST}"
            raise OpError("A207", f"{value} is out of range", notes=[f"must be {bound}"])
        return value

    return Kind(f"int ≥ {least}", parse, str)


#: how documentation and messages speak of spatial dimensions, by their number
SPACES: dict[int, dict[str, str]] = {
    1: {
        "n": "1",
        "Number": "One",
        "layout": "(N, C, L)",
        "sides": "length",
        "lines": "elements",
        "border": "(left, right)",
        "window": "k",
        "side": "L",
        "map": "signal",
    },
    2: {
        "n": "2",
        "Number": "Two",
        "layout": "(N, C, H, W)",
        "sides": "height and width",
        "lines": "rows and columns",
        "border": "(left, right, top, bottom)",
        "window": "k_h·k_w",
        "side": "H",
        "map": "image",
    },
    3: {
        "n": "3",
        "Number": "Three",
        "layout": "(N, C, D, H, W)",
        "sides": "depth, height and width",
        "lines": "planes, rows and columns",
        "border": "(left, right, top, bottom, front, back)",
        "window": "k_d·k_h·k_w",
        "side": "D",
        "map": "volume",
    },
}
_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six"}


@cache
def sizes(dimensions: int, least: int) -> Kind:
    """An integer for each of so many spatial dimensions, or one for all of them: stride, padding, dilation."""
    return _repeated(dimensions, least, f"({SPACES[dimensions]['sides'].replace(' and', ',')})")


@cache
def kept_sizes(dimensions: int) -> Kind:
    """A size for each spatial dimension, or one for all; None in a list of them keeps the input's."""
    plain, one = sizes(dimensions, 1), integer(1)
    if dimensions == 1:
        return plain

    def parse(value: Any) -> tuple[int | None, ...]:
        if not isinstance(value, tuple) or None not in value:
            return plain.parse(value)  # type: ignore[no-any-return]
        if len(value) != dimensions:
            raise OpError("A207", f"expected {_COUNTS[dimensions]} sizes, got {len(value)}")
        return tuple([None if size is None else one.parse(size) for size in value])

    def show(value: tuple[int | None, ...]) -> str:
        return f"({', '.join(map(str, value))})" if None in value else plain.show(value)

    return Kind(f"{plain.schema}; None in a list keeps a size", parse, show)


@cache
def borders(dimensions: int, least: int) -> Kind:
    """Widths before and after each spatial dimension, the last one first as PyTorch has it, or one for all."""
    kind = _repeated(2 * dimensions, least, SPACES[dimensions]["border"])
    return Kind(f"int or {SPACES[dimensions]['border']} ≥ {least}", kind.parse, kind.show)


def _repeated(count: int, least: int, names: str) -> Kind:
    """One integer, stored as often as `count` says, or as many integers."""
    one = integer(least)

    def parse(value: Any) -> tuple[int, ...]:
        if not isinstance(value, tuple):
            return (one.parse(value),) * count
        if len(value) != count:
            several = f" or {_COUNTS[count]} {names}" if count > 1 else ""
            raise OpError("A207", f"expected one integer{several}, got {len(value)}")
        return tuple(map(one.parse, value))

    def show(value: tuple[int, ...]) -> str:
        return str(value[0]) if len(set(value)) == 1 else f"({', '.join(map(str, value))})"

    several = f" or ({', '.join(['int'] * count)})" if count > 1 else ""
    return Kind(f"int{several} ≥ {least}", parse, show)


def several(least: int) -> Kind:
    """One integer for all dimensions, stored as a tuple of one, or an integer for each of any number of them."""
    one = integer(least)

    def parse(value: Any) -> tuple[int, ...]:
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise OpError("A207", "expected one integer or more, got none")
        return tuple(map(one.parse, values))

    return Kind(
        f"int or (int, ...) ≥ {least}", parse, lambda value: str(value[0]) if len(value) == 1 else str(value)
    )


def optional(kind: Kind) -> Kind:
    """The kind, or None."""
    return Kind(
        f"{kind.schema}, or None",
        lambda value: None if value is None else kind.parse(value),
        lambda value: "None" if value is None else kind.show(value),
    )


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong_type("one of " + ", ".join(map(repr, words)), value)
        if value not in words:
            raise OpError("A207", f"{value!r} is not one of " + ", ".join(map(repr, words)))
        return value

    return Kind(" | ".join(map(repr, words)), parse)


def either(words: Kind, kind: Kind) -> Kind:
    """A word of `words`, or a value of `kind`."""
    return Kind(
        f"{kind.schema}, or {words.schema}",
        lambda value: words.parse(value) if isinstance(value, str) else kind.parse(value),
        lambda value: words.show(value) if isinstance(value, str) else kind.show(value),
    )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type("True or False", value)
    return value


FLAG = Kind("True | False", _flag, str)


def number(least: float | None = None, most: float | None = None) -> Kind:
    """A real number within closed bounds."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong_type("a number", value)
        if value != value or value in (float("inf"), float("-inf")):
            raise OpError("A207", f"{value} is not a finite number")
        if (least is not None and value < least) or (most is not None and value > most):
            bounds = f"between {least} and {most}" if most is not None else f"at least {least}"
            raise OpError("A207", f"{value} is out of range", notes=[f"must be {bounds}"])
        return float(value)

    bounds = {(True, True): "", (False, True): f" ≥ {least}"}.get(
        (least is None, most is None), f" {least}…{most}"
    )
    return Kind(
        f"number{bounds}", parse, lambda value: f"{value:g}" if float(f"{value:g}") == value else repr(value)
    )
