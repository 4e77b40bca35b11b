"""Derivations as they are printed: `(1×1×192 + 1)×128 + (3×3×128 + 1)×128 = 16,512 + 147,584 = 164,096`.

`split` takes a chain of equations apart; `evaluate` computes a printed formula exactly, square brackets, `x` for `×`
and "5×5×128 convolution on 32×32×64" included; `terms` reads which layer each product describes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import prod

from ..formula import FormulaError
from ..formula import evaluate as evaluate_formula

_SIGNS = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "∗": "×", "✕": "×", "⋅": "·"})
_CONVOLUTION = r"(?P<filter>\d+\s*×\s*\d+\s*×\s*\d+)\s+convolution"
_ON = re.compile(_CONVOLUTION + r"\s+on\s+(?P<map>\d+\s*×\s*\d+\s*×\s*\d+)", re.IGNORECASE)
_APPLY = re.compile(r"(?P<map>\d+\s*×\s*\d+\s*×\s*\d+)\s*→\s*apply\s+" + _CONVOLUTION, re.IGNORECASE)


@dataclass(frozen=True)
class Weights:
    """What one product of a formula describes: a kernel's factors, the widths in and out, and whether there is a bias.

    A fully connected layer has no kernel, or its input's height and width.
    """

    kernel: tuple[int, ...]
    inputs: int
    outputs: int
    bias: bool

    @property
    def count(self) -> int:
        return prod((*self.kernel, self.inputs, self.outputs)) + (self.outputs if self.bias else 0)

    @property
    def text(self) -> str:
        factors = "×".join(map(str, (*self.kernel, self.inputs, self.outputs)))
        return f"({factors}) + {self.outputs}" if self.bias else factors


def normalise(text: str) -> str:
    """A printed formula with one sign for each operation."""
    plain = re.sub(r"(?<=[\d)\]\s])\s*[xX]\s*(?=[\d(\[\s])", "×", text.strip())
    plain = plain.translate(_SIGNS)
    words = _ON.search(plain) or _APPLY.search(plain)
    if words is not None:
        kernel, depth = _figures(words["filter"]), _figures(words["map"])[-1]
        return "×".join(map(str, (*kernel[:-1], depth, kernel[-1])))
    return plain


def evaluate(text: str) -> int | Fraction:
    """The exact value of a printed formula.  Raises FormulaError for anything else, tuples included."""
    value = _evaluate(normalise(text))
    if isinstance(value, tuple):
        raise FormulaError("a formula gives one number", 1)
    return value


@lru_cache(maxsize=4096)
def _evaluate(text: str) -> int | Fraction | tuple[int | Fraction, ...]:
    return evaluate_formula(text)


def split(text: str) -> tuple[str, ...]:
    """The members of a chain of equations."""
    return tuple(part.strip() for part in text.split("="))


def summands(text: str) -> tuple[str, ...]:
    """The summands of a formula that are not inside brackets, without their signs' spaces."""
    parts, depth, start = [], 0, 0
    plain = normalise(text)
    for index, sign in enumerate(plain):
        depth += (sign == "(") - (sign == ")")
        if sign == "+" and depth == 0:
            parts.append(plain[start:index])
            start = index + 1
    return tuple(part.strip() for part in (*parts, plain[start:]))


@lru_cache(maxsize=4096)
def terms(text: str) -> tuple[Weights, ...]:
    """The layers that a formula describes, one for each product of it; empty when it has another form.

    `(3×3×64 + 1)×128`, `(3×3×64×128) + 128` and `[(3×3×64) × 128] + 128` are one 3×3 convolution from 64 to 128
    channels with a bias.
    """
    try:
        evaluate(text)
    except FormulaError:
        return ()
    found: list[Weights] = []
    for factors in _products(text):
        last = found[-1] if found else None
        if last is not None and not last.bias and len(factors) <= 2 and prod(factors) == last.outputs:
            found[-1] = Weights(last.kernel, last.inputs, last.outputs, bias=True)
        elif len(factors) >= 2:
            found.append(Weights(factors[:-2], factors[-2], factors[-1], bias=False))
        else:
            return ()
    return tuple(found)


def _products(text: str) -> list[tuple[int, ...]]:
    """The formula multiplied out: factors of each product, in their printed order; empty for other operations."""
    tokens = re.findall(r"\d[\d,]*|[^\s]", normalise(text))
    if not all(token[0].isdigit() or token in "+×·*()" for token in tokens):
        return []
    tokens.append("")

    def total() -> list[tuple[int, ...]]:
        found = product()
        while tokens[0] == "+":
            tokens.pop(0)
            found = found + product()
        return found

    def product() -> list[tuple[int, ...]]:
        found = atom()
        while tokens[0] in ("×", "·", "*"):
            tokens.pop(0)
            right = atom()
            found = [a + b for a in found for b in right]
        return found

    def atom() -> list[tuple[int, ...]]:
        token = tokens.pop(0)
        if token == "(":
            found = total()
            tokens.pop(0)
            return found
        return [(int(token.replace(",", "")),)]

    return total()


def _figures(text: str) -> list[int]:
    return [int(digits.replace(",", "")) for digits in re.findall(r"\d[\d,]*", text)]
