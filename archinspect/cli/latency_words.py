"""The words of `latency`'s options as values.  Each raises ArchinspectError (A403) for what it cannot read."""

from __future__ import annotations

from ..errors import fail


def batches(text: str) -> tuple[int, ...]:
    """`1,8,32`."""
    found = words(text, "--batch")
    for word in found:
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise fail("A403", f"'{word}' is no batch size", help="--batch 1,8,32")
    return tuple(int(word) for word in found)


def precisions(text: str, strict: bool) -> tuple[str, ...]:
    """`fp32,fp16`; `strict` says how fp32 is computed."""
    found = words(text, "--dtype")
    if strict and "fp32" not in found:
        raise fail("A403", "--strict-fp32 says how fp32 is computed", help="--dtype fp32 --strict-fp32")
    return tuple("strict-fp32" if strict and word == "fp32" else word for word in found)


def channels_last(text: str) -> bool:
    """`contiguous` or `channels_last`."""
    if text not in ("contiguous", "channels_last"):
        raise fail("A403", f"there is no memory format '{text}'", help="contiguous or channels_last")
    return text == "channels_last"


def fraction(text: str) -> float:
    """`5%` or `0.05`."""
    number, percent = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        value = float(number) / percent
    except ValueError:
        value = -1.0
    if not 0 <= value < 10:
        raise fail("A403", f"'{text}' is no share", help="--max-regression 5%")
    return value


def words(text: str, option: str) -> tuple[str, ...]:
    """What stands between commas."""
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise fail("A403", f"{option} names nothing")
    return found
