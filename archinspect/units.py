"""The one place that rounds and adds units.  Everything else keeps exact integers.

Decimal prefixes (k, M, G) are powers of 1000 and binary ones (Ki, Mi, Gi) powers of 1024, IEC 80000-13.
Keras and many lectures write MB where they mean MiB; `keras_bytes` repeats that where their look is wanted.
All roundings are of the exact quotient, half to even.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "RB", "QB")
_KERAS = ("B", "KB", "MB", "GB", "TB", "PB")
_SI = ("", " k", " M", " G", " T", " P", " E", " Z", " Y", " R", " Q")
_TYPES = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_TIME = ((10**9, "ns"), (10**6, "µs"), (10**3, "ms"), (1, "s"))


def signed(change: int) -> str:
    """A difference with its sign: +1,826,816 or −9,216."""
    return f"{'+' if change > 0 else '−' if change < 0 else '±'}{grouped(abs(change))}"


def grouped(number: int) -> str:
    """138357544 → `138,357,544`."""
    return f"{number:,}"


def fixed(numerator: int, denominator: int, places: int = 2) -> str:
    """The quotient with a fixed number of decimals and thousands commas: `fixed(2, 3)` → `0.67`."""
    scaled = _round(numerator * 10**places, denominator)
    whole, rest = divmod(abs(scaled), 10**places)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole:,}.{rest:0{places}d}" if places else f"{sign}{whole:,}"


def binary_bytes(count: int) -> str:
    """553430176 → `527.79 MiB`; below 1024 an exact `12 B`."""
    return _scaled(count, 1024, _BINARY, gap=" ")


def decimal_bytes(count: int) -> str:
    """553430176 → `553.43 MB`, with MB = 10⁶ bytes."""
    return _scaled(count, 1000, _DECIMAL, gap=" ")


def keras_bytes(count: int) -> str:
    """249513376 → `237.95 MB`, 0 → `0.00 B`: what Keras' summary prints, where MB means MiB."""
    if count < 1024:
        return f"{count}.00 B"
    return _scaled(count, 1024, _KERAS, gap=" ")


def si(count: int, unit: str = "") -> str:
    """15470264320 → `15.47 G`, or `15.47 GMACs` with a unit; below 1000 the exact number."""
    text = _scaled(count, 1000, _SI, gap="")
    return f"{text} {unit}" if unit and abs(count) < 1000 and " " not in text else text + unit


def shape_text(shape: Sequence[int]) -> str:
    """(1, 64, 224, 224) → `1×64×224×224`."""
    return "×".join(map(str, shape))


def percent(part: int, whole: int, places: int = 1) -> str:
    """`percent(1, 8)` → `12.5 %`; nothing of nothing is `0.0 %`."""
    return f"{fixed(100 * part, whole, places) if whole else fixed(0, 1, places)} %"


def ratio(value: float, places: int = 2) -> str:
    """2.4142 → `2.41×`."""
    return f"{value:,.{places}f}×"


def significant(value: float, digits: int = 3) -> str:
    """1234.5 → `1,234`, 0.012345 → `0.0123`: so many digits, and all those before the point."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    places = digits - 1 - int(f"{rounded:e}".partition("e")[2])
    return f"{value:,.{max(places, 0)}f}"


def scientific(value: float) -> str:
    """0.01234 → `0.0123`, 4.5e-9 → `4.50e−9`: three digits, with a power of ten where there would be many zeros."""
    if math.isinf(value) or math.isnan(value):
        return "∞" if value > 0 else "nan"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return significant(value)
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{'−' if exponent[0] == '-' else ''}{exponent[1:].lstrip('0')}"


def seconds(duration: float) -> str:
    """0.00123 → `1.23 ms`; the unit in which the number reads from 1 to 999 (ns to s)."""
    for scale, unit in _TIME:
        if abs(duration) * scale < 999.995 or unit == "s":
            return f"{duration * scale:.2f} {unit}"
    raise AssertionError("the last unit takes every duration")


def dtype(name: str) -> str:
    """PyTorch's name of a type as tables write it: float32 → `fp32`, bfloat16 → `bf16`; others as they are."""
    return _TYPES.get(name, name)


def _scaled(count: int, base: int, units: tuple[str, ...], *, gap: str) -> str:
    """`count` in the largest unit of which it is at least one, after rounding."""
    if abs(count) < base:
        return f"{count}{gap}{units[0]}"
    for power, unit in enumerate(units[1:], 1):
        # 1,048,575 B would round to 1024.00 KiB: that is 1.00 MiB
        if abs(_round(count * 100, base**power)) < base * 100:
            return f"{fixed(count, base**power)}{gap}{unit}"
    return f"{_scientific(count)}{gap}{units[0]}"


def _scientific(count: int) -> str:
    """A count beyond all prefixes: 10⁴⁰ → `1.00e+40`."""
    power = int((abs(count).bit_length() - 1) * 0.30102999566)  # log10(2): at most one too small
    power += abs(count) >= 10 ** (power + 1)
    mantissa = _round(count * 100, 10**power)
    if abs(mantissa) >= 1000:  # 9.999 rounds to 10
        power, mantissa = power + 1, mantissa // 10
    return f"{fixed(mantissa, 100)}e+{power}"


def _round(numerator: int, denominator: int) -> int:
    """The integer nearest to the quotient; a tie goes to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def brief(count: int) -> str:
    """147968 → `148 k`, 25557032 → `25.6 M`: three significant digits, for pictures; below 1000 the exact number."""
    power = 0
    while power < len(_SI) - 1 and abs(count) * 2 >= 1999 * 1000**power:
        power += 1  # 999,500 is 1.00 M when rounded to three digits
    if not power:
        return str(count)
    scale = 1000**power
    places = next(
        places for places in (2, 1, 0) if abs(_round(count * 10**places, scale)) < 1000 or not places
    )
    text = fixed(count, scale, places)
    return (text.rstrip("0").rstrip(".") if "." in text else text) + _SI[power]
