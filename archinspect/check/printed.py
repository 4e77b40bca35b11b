"""Numbers as they are printed: `34,944`, `≈ 60 Mil`, `3.8×10⁹`, `1,025,00`, `11×11×3`, `(None, 55, 55, 96)`.

A printed number keeps its text, its value and its precision, so that a judgement can tell "equal", "equal as far as it
is printed" and "wrong" apart.  Nothing here knows networks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from .. import units

Form = Literal["number", "shape", "product", "sequence", "words"]
Agreement = Literal["exact", "rounded"]

_ABOUT = (
    *("≈", "~", "≃", "≅"),
    *(
        "about ",
        "approximately ",
        "approx. ",
        "approx ",
        "roughly ",
        "circa ",
        "ca. ",
        "ca ",
        "c. ",
        "nearly ",
        "around ",
    ),
)
_OVER = ("over ", "more than ", "at least ", ">", "≥")
_UNDER = ("≤", "<=", "at most ")
_NAMES = "zero one two three four five six seven eight nine ten eleven twelve"
_WORDS = {word: value for value, word in enumerate(_NAMES.split(" "))}
_SCALES: dict[str, tuple[int, ...]] = {
    "": (1,),
    **dict.fromkeys(("k", "thousand"), (10**3,)),
    **dict.fromkeys(("m", "mil", "mio", "million", "millions"), (10**6,)),
    **dict.fromkeys(("g", "bn", "billion", "billions"), (10**9,)),
    **dict.fromkeys(("t", "trillion"), (10**12,)),
    "b": (1,),  # bytes
    "byte": (1,),
    "bytes": (1,),
    "ki": (2**10,),
    "mi": (2**20,),
    "gi": (2**30,),
    "kib": (2**10,),
    "mib": (2**20,),
    "gib": (2**30,),
    # Keras and many lectures write MB for MiB; either reading may be meant.
    "kb": (2**10, 10**3),
    "mb": (2**20, 10**6),
    "gb": (2**30, 10**9),
}
_NUMBER = re.compile(
    r"(?P<digits>-?\d[\d,]*(?:, \d{3})*(?:\.\d+)?)"
    r"(?:[eE]\+?(?P<exponent>-?\d{1,2})|\s?[×x]\s?10\^?(?P<power>\d{1,2})(?!\d))?"
    r"\s*(?P<unit>%|[A-Za-z]*)\.?(?P<rest>[\sA-Za-z./()+-]*)\Z"
)
_COUNTED = re.compile(
    r"(params?|parameters?|weights?|macs?|flops?|ops|mult-?adds?|multiply-?adds?|layers?|neurons|filters|images)?",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+\Z")
_TUPLE = re.compile(
    r"[(\[]\s*(?:None|N|B|\?|-1|\d+)\s*(?:,\s*\d+\s*)+,?\s*[)\]]\Z|[(\[]\s*\d+\s*,?\s*[)\]]\Z"
)
_PRODUCT = re.compile(r"\d+\s*[@×xX*]\s*\d+(\s*[×xX*]\s*\d+)*\Z")  # 6@28×28: LeNet's way of writing 6 maps
_BRACKETS = re.compile(r"[\[(]\s*(\d+(?:\s*[×xX*]\s*\d+)+)\s*[\])]\Z")  # [224x224x64], as cs231n's notes
#: Keras' (527.79 MB), and a share
_BEHIND = re.compile(r"(?<=[\dKMGkmg])\s*\(\s*[\d.,]+\s*(?:[KMGT]?i?B|%)\s*\)\Z", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d{1,2}|\d{4,})(?=\s?[A-Za-z%]|×10)")  # 1,2 GB
_SIZE_CALL = re.compile(r"\A(?:torch\.Size|TensorShape|tuple)\((.*)\)\Z")
_ANY_BATCH = re.compile(r"\A[?NB]\s*[×xX*]\s*(?=\d+\s*[×xX*])")
_SQUARE = re.compile(r"(?<!\d)(?!10²)(\d+)²")  # 112²×64
_RANGE = re.compile(r"(?P<low>\d[\d,.]*)\s*(?:–|—|-|\bto\b)\s*(?P<high>\d[\d,.]*\s*[A-Za-z%]*)\Z")
#: digits in a group may be parted by a space of any width, an apostrophe, or a dot
_PARTED = re.compile(r"(?<![\d.,])(\d{1,3})((?:[\u2009\u202f\u00a0\u2007 ']\d{3})+|(?:\.\d{3}){2,})(?![\d.])")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER = re.compile(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2})")
_POWER_ALONE = re.compile(r"10\^(\d{1,2})(?=\D|\Z)")
_LONGEST = 80  # characters that can be a number


@dataclass(frozen=True)
class Printed:
    """A number in print.

    `values` holds one value for a number, several for a shape (without batch), a product such as 11×11×3, or a
    sequence such as 192 → 128.  `step` is the distance between neighbouring numbers of this precision; 1 for an
    integer that claims all its digits.  `scales` are the readings of its unit (MB: 2²⁰ or 10⁶), `mantissa` what stands
    before it.  `misprint` says what is wrong with the text itself.  Words (a layer's type) stand for themselves.
    """

    text: str
    form: Form
    values: tuple[Fraction, ...]
    step: Fraction = Fraction(1)
    mantissa: Fraction = Fraction(0)
    unit: str = ""
    scales: tuple[int, ...] = (1,)
    about: bool = False
    over: bool = False
    misprint: str = ""
    top: Fraction | None = None  # the end of a range
    under: bool = False  # a bound: ≤ 140

    @property
    def value(self) -> Fraction:
        return self.values[0]

    @property
    def claims_all_digits(self) -> bool:
        """Whether the text gives every digit, so that only the very number agrees with it."""
        return self.form != "number" or (
            self.step == 1 and not (self.about or self.over or self.under) and self.top is None
        )

    def cut_off(self, true: int | Fraction) -> bool:
        """Whether the text is the true figure with its digits cut off instead of rounded."""
        bound = self.over or self.under or self.top is not None
        if self.claims_all_digits or bound or not true or not self.step:
            return False
        down = (Fraction(true) // self.step) * self.step
        return self.value == down != round(Fraction(true) / self.step) * self.step

    def agrees(self, true: int | Fraction) -> Agreement | None:
        """How a true figure agrees with the printed one, or None.

        Within the printed precision means: half a unit of the last printed digit, also where the text says "about".
        """
        if self.top is not None:
            return "rounded" if self.value - self.step / 2 <= true <= self.top + self.step / 2 else None
        for scale in self.scales:
            value, step = self.mantissa * scale, self.step * scale / self.scales[0]
            if self.over or self.under:
                if value <= true < 2 * value if self.over else value / 2 < true <= value:
                    return "rounded"
            elif value == true and not self.about:
                return "exact"
            elif not self.claims_all_digits and abs(true - value) <= step / 2:
                return "rounded"
        return None

    def meant(self, true: int | Fraction) -> int:
        """The reading of its unit by which the text agrees with a true figure; the usual one where none does."""
        return next((scale for scale in self.scales if self.rescaled(scale).agrees(true)), self.scales[0])

    def rescaled(self, scale: int) -> Printed:
        """The same text with its unit read as another factor (K as 1024)."""
        ratio = Fraction(scale, self.scales[0])
        return replace(
            self,
            values=tuple(value * ratio for value in self.values),
            step=self.step * ratio,
            scales=(scale,),
            top=None if self.top is None else self.top * ratio,
            misprint="",
        )


class NotANumberError(ValueError):
    """The text is no number that this module knows."""


def words(text: str) -> Printed:
    """Words in print: the type of a layer."""
    return Printed(text, "words", (Fraction(0),))


def parse(text: str) -> Printed:
    """The number that a text prints.  Raises NotANumberError."""
    body = _plain(text.strip())
    if len(body) > _LONGEST:
        raise NotANumberError(f"'{body[:30]}…' is too long for a number")
    for sign in _UNDER:
        if body.lower().startswith(sign):
            return replace(parse(body[len(sign) :]), text=text, under=True)
    if "→" in body or "->" in body:
        parts = [part.strip() for part in re.split(r"→|->", body)]
        inner = [parse(part) for part in parts]
        return Printed(text, "sequence", tuple(value for p in inner for value in p.values))
    bracketed = _BRACKETS.match(body)
    if bracketed is not None:
        body = bracketed[1]
    if _TUPLE.match(body):
        figures = tuple(Fraction(d) for d in re.findall(r"(?<!-)\b\d+", body))
        return Printed(text, "shape", figures)
    if _PRODUCT.match(body):
        return Printed(text, "product", tuple(Fraction(d) for d in re.findall(r"\d+", body)))
    limits = _RANGE.match(body)
    if limits is not None:
        return _range(text, limits["low"], limits["high"])
    return _number(text, body)


def _plain(text: str) -> str:
    """The text with its digits grouped by commas, points for decimals, powers as `10^9`, and nothing behind it."""
    plain = _POWER.sub(lambda match: "^" + match[1].translate(_SUPERSCRIPTS), text)
    plain = _SIZE_CALL.sub(r"\1", _BEHIND.sub("", plain))
    plain = _DECIMAL_COMMA.sub(r"\1.\2", _ANY_BATCH.sub("", _SQUARE.sub(r"\1×\1", plain)))
    plain = re.sub(r"(?<=\d)_(?=\d{3})", ",", plain)
    plain = _PARTED.sub(lambda match: re.sub(r"[^\d]", ",", match[0]), plain)
    return re.sub(r"[\u2009\u202f\u00a0\u2007]", " ", plain).replace("·10^", "×10^").replace("*10^", "×10^")


def _range(text: str, low: str, high: str) -> Printed:
    """`3.4–3.5 M`: any figure between the two."""
    end = _number(text, high)
    unit = re.sub(r"[\d.,\s]", "", high)
    start = _number(text, low + unit)
    if end.value <= start.value:
        raise NotANumberError(f"'{text}' is not a range")
    return replace(start, text=text, top=end.value, step=min(start.step, end.step))


def _number(text: str, body: str) -> Printed:
    about, over = False, False
    lowered = body.lower()
    for sign in _ABOUT:
        if lowered.startswith(sign):
            about, body = True, body[len(sign) :].strip()
    for sign in _OVER:
        if lowered.startswith(sign):
            over, body = True, body[len(sign) :].strip()
    for end in (" or more", "+"):
        if lowered.endswith(end):
            over, body = True, body[: -len(end)]
    power = _POWER_ALONE.match(body)
    if power is not None:  # 10⁹
        body = f"1×{body}"
    word = _WORDS.get(body.lower())
    if word is not None:
        body = str(word)
    match = _NUMBER.match(body)
    if match is None or not _COUNTED.fullmatch(match["rest"].strip()):
        raise NotANumberError(f"'{text}' is not a number")
    unit, scales = _unit(match["unit"], text)
    digits = match["digits"].replace(", ", ",")
    whole, point, decimals = digits.replace(",", "").partition(".")
    exponent = int(match["exponent"] or match["power"] or 0)
    mantissa = Fraction(f"{whole}{point}{decimals}" if decimals else whole) * Fraction(10) ** exponent
    scale = scales[0]
    if decimals:
        step = Fraction(10) ** (exponent - len(decimals))
    else:
        step = Fraction(10) ** exponent
        if scale > 1 or exponent or about or _is_round(whole):
            step *= 10 ** _trailing_zeros(whole)
    misprint = "" if "," not in digits or _GROUPED.match(digits.partition(".")[0]) else _grouping(digits)
    return Printed(
        text, "number", (mantissa * scale,), step * scale, mantissa, unit, scales, about, over, misprint
    )


def _unit(word: str, text: str) -> tuple[str, tuple[int, ...]]:
    if word == "%":
        return "%", (1,)
    known = _SCALES.get(word.lower())
    if known is not None and word != "B":
        return word, known
    if word == "B":
        return "B", (1,)
    for name in sorted(_SCALES, key=len, reverse=True):  # GMACs, MFLOPs
        if name and word.lower().startswith(name) and _COUNTED.fullmatch(word[len(name) :]):
            return word[: len(name)], _SCALES[name]
    if _COUNTED.fullmatch(word):
        return "", (1,)
    raise NotANumberError(f"'{text}' has an unknown unit '{word}'")


def _is_round(digits: str) -> bool:
    """820,000 and 138,400,000 are round figures; 4,097,000 and 1,790 claim all their digits."""
    zeros = _trailing_zeros(digits)
    return zeros >= 3 and len(digits) - zeros <= max(2, zeros - 1)


def _trailing_zeros(digits: str) -> int:
    stripped = digits.rstrip("0")
    return len(digits) - len(stripped) if stripped else 0


def _grouping(digits: str) -> str:
    return f"thousands are grouped as '{digits}'"


def show(value: int | Fraction) -> str:
    """A figure as people write it: thousands commas, at most three decimals."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return units.grouped(exact.numerator)
    return units.fixed(exact.numerator, exact.denominator, 3).rstrip("0").rstrip(".")
