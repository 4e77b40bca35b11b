"""The form that a JSON document must have: a check for each key, and the place of what is wrong in words.

A form is a function of a value and its place (`runs[0].median_ms`).  It returns nothing and raises `FormError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Form = Callable[[Any, str], None]

_LONGEST = 60  # of a value that is quoted
_MOST_DIGITS = 2**63  # as far as any count or size of ours goes


class FormError(ValueError):
    """What of a document has another form than it must have."""


def _refuse(value: Any, place: str, what: str) -> FormError:
    # Python does not write integers of more than 4,300 digits.
    long = isinstance(value, int) and abs(value) > _MOST_DIGITS
    shown = "a number of many digits" if long else repr(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return FormError(f"{place or 'the document'} is {shown}, not {what}")


def text(value: Any, place: str) -> None:
    if not isinstance(value, str):
        raise _refuse(value, place, "a text")


def truth(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise _refuse(value, place, "true or false")


def scalar(value: Any, place: str) -> None:
    """A text, number, truth value or null."""
    if isinstance(value, int) and abs(value) > _MOST_DIGITS:
        raise _refuse(value, place, "a number within 64 bits")
    if value is not None and not isinstance(value, (str, int, float)):
        raise _refuse(value, place, "a text, number, true, false or null")


def number(value: Any, place: str, *, above: float | None = None, least: float | None = None) -> None:
    """A finite number."""
    what = "a number"
    if above is not None:
        what = f"a number above {above:g}"
    elif least is not None:
        what = f"a number of at least {least:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e300 < value < 1e300:
        raise _refuse(value, place, what)
    if (above is not None and not value > above) or (least is not None and not value >= least):
        raise _refuse(value, place, what)


def positive(value: Any, place: str) -> None:
    number(value, place, above=0)


def no_less_than_zero(value: Any, place: str) -> None:
    number(value, place, least=0)


def count(value: Any, place: str) -> None:
    """A whole number from 0 on, of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST_DIGITS:
        raise _refuse(value, place, "a whole number")


def one_or_more(value: Any, place: str) -> None:
    """A whole number from 1 on, of 64 bits."""
    count(value, place)
    if not value:
        raise _refuse(value, place, "a whole number from 1 on")


def optional(form: Form) -> Form:
    """That form, or null."""
    return lambda value, place: None if value is None else form(value, place)


def listed(form: Form, length: int | None = None) -> Form:
    """A list whose items have that form."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise _refuse(value, place, "a list" if length is None else f"a list of {length}")
        for index, item in enumerate(value):
            form(item, f"{place}[{index}]")

    return check


def named(form: Form) -> Form:
    """A mapping of any names to values of that form."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _refuse(value, place, "a mapping")
        for key, item in value.items():
            form(item, _inside(place, key))

    return check


def mapping(needed: Mapping[str, Form], also: Mapping[str, Form] | None = None) -> Form:
    """A mapping with all the keys of `needed` and perhaps some of `also`; others are let pass."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _refuse(value, place, "a mapping")
        for key, form in needed.items():
            if key not in value:
                raise FormError(f"{_inside(place, key)} is missing")
            form(value[key], _inside(place, key))
        for key, form in (also or {}).items():
            if key in value:
                form(value[key], _inside(place, key))

    return check


def _inside(place: str, key: str) -> str:
    key = key if len(key) <= _LONGEST else f"{key[: _LONGEST - 1]}…"
    return f"{place}.{key}" if place else key
