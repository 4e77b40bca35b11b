"""Derivations as exact arithmetic: `(3×3×64×128) + 128` is 73,856.

A derivation is text that people read; this module proves that it says what the cell beside it says.  It has
its own tokenizer and evaluates with integers and fractions only, so a text can neither run code nor round.

    sum     = product (("+" | "−") product)*
    product = power (("×" | "/") power)*
    power   = atom ("²" | "³" | "^" atom)*
    atom    = number | "−" power | "(" sum ")" | "(" sum "," ... ")" | "⌊" sum "⌋" | "⌈" sum "⌉"

`*` and `·` are read as `×`, `-` as `−`.  A number may have thousands commas (`73,856`); what separates the
items of a tuple is therefore a comma that is not followed by exactly three digits.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

Value = int | Fraction | tuple[int | Fraction, ...]

_TOKEN = re.compile(r"\s*(?:(\d{1,3}(?:,\d{3})+(?!\d)|\d+)|([-+−×*·/^²³(),⌊⌋⌈⌉]))", re.ASCII)
_SPELLING = {"-": "−", "*": "×", "·": "×"}
_CLOSING = {"⌊": "⌋", "⌈": "⌉"}
_SUPERSCRIPTS = {"²": 2, "³": 3}

# What a hostile text could ask for; a derivation of a real network stays far below.
_LONGEST = 10_000
_DEEPEST = 40
_LARGEST_EXPONENT = 64
_MOST_BITS = 4096
_MOST_DIGITS = 1000


class FormulaError(ValueError):
    """A text that is no derivation; the message ends with the 1-based column."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} at column {column}")
        self.column = column


def evaluate(text: str) -> Value:
    """The exact value of a derivation: an int, a Fraction where a division leaves a rest, a tuple of these.

    Raises FormulaError (a ValueError, with the column) for anything else.
    """
    if len(text) > _LONGEST:
        raise FormulaError(f"formula longer than {_LONGEST:,} characters", _LONGEST + 1)
    return _Parser(text).parse()


def equation(formula: str, value: int | tuple[int, ...]) -> str:
    """`formula = value` as it is printed; the value alone when the formula only repeats it."""
    shown = f"{value:,}" if isinstance(value, int) else f"({', '.join(map(str, value))})"
    same = formula.replace(",", "").replace(" ", "") == shown.replace(",", "").replace(" ", "")
    return shown if same or not formula else f"{formula} = {shown}"


class _Parser:
    """Recursive descent over the tokens of one text; every method leaves `position` after what it read."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.position = 0
        self.depth = 0

    def parse(self) -> Value:
        value = self._sum(tuple_allowed=True)
        if self._peek():
            raise self._unexpected("the end")
        return value if isinstance(value, tuple) else _plain(value)

    def _sum(self, *, tuple_allowed: bool = False) -> Value:
        value = self._product(tuple_allowed)
        while self._peek() in ("+", "−"):
            column = self._column()
            sign = self._take()
            left, right = _scalar(value, column), _scalar(self._product(False), column)
            value = self._bounded(left + right if sign == "+" else left - right, column)
        return value

    def _product(self, tuple_allowed: bool) -> Value:
        value = self._power(tuple_allowed)
        while self._peek() in ("×", "/"):
            column = self._column()
            operation = self._take()
            left, right = _scalar(value, column), _scalar(self._power(False), column)
            if operation == "/" and right == 0:
                raise FormulaError("division by zero", column)
            value = self._bounded(left * right if operation == "×" else left / right, column)
        return value

    def _power(self, tuple_allowed: bool) -> Value:
        value = self._atom(tuple_allowed)
        while self._peek() in ("^", "²", "³"):
            column = self._column()
            sign = self._take()
            base = _scalar(value, column)
            exponent = Fraction(_SUPERSCRIPTS[sign]) if sign != "^" else _scalar(self._atom(False), column)
            if exponent.denominator != 1 or not 0 <= exponent <= _LARGEST_EXPONENT:
                raise FormulaError(f"exponent must be an integer from 0 to {_LARGEST_EXPONENT}", column)
            value = self._bounded(base ** int(exponent), column)
        return value

    def _atom(self, tuple_allowed: bool) -> Value:
        token, column = self._peek(), self._column()
        if "0" <= token[:1] <= "9":
            self._take()
            if len(token) > _MOST_DIGITS:
                raise FormulaError("a number out of bounds", column)
            return Fraction(int(token.replace(",", "")))
        self.depth += 1
        if self.depth > _DEEPEST:
            raise FormulaError(f"nested deeper than {_DEEPEST}", column)
        if token == "−":
            self._take()
            value: Value = -_scalar(self._power(False), column)
        elif token == "(":
            self._take()
            value = self._parenthesis(tuple_allowed)
        elif token in _CLOSING:
            self._take()
            inner = _scalar(self._sum(), column)
            value = Fraction(math.floor(inner) if token == "⌊" else math.ceil(inner))
            self._expect(_CLOSING[token])
        else:
            raise self._unexpected("a number")
        self.depth -= 1
        return value

    def _parenthesis(self, tuple_allowed: bool) -> Value:
        column = self._column()
        items = [_scalar(self._sum(), column)]
        is_tuple = False
        while tuple_allowed and self._peek() == ",":
            is_tuple = True
            self._take()
            if self._peek() != ")":
                items.append(_scalar(self._sum(), column))
        self._expect(")")
        return tuple(map(_plain, items)) if is_tuple else items[0]

    @staticmethod
    def _bounded(value: Fraction, column: int) -> Fraction:
        if value.numerator.bit_length() > _MOST_BITS or value.denominator.bit_length() > _MOST_BITS:
            raise FormulaError("a number out of bounds", column)
        return value

    def _peek(self) -> str:
        return self.tokens[self.position][0]

    def _column(self) -> int:
        return self.tokens[self.position][1]

    def _take(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1][0]

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._unexpected(f"'{token}'")
        self._take()

    def _unexpected(self, wanted: str) -> FormulaError:
        found = f"'{self._peek()}'" if self._peek() else "the end"
        return FormulaError(f"expected {wanted}, found {found}", self._column())


def _tokens(text: str) -> list[tuple[str, int]]:
    """Tokens with their 1-based columns; an empty token stands for the end."""
    found: list[tuple[str, int]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            column = position + len(text[position:]) - len(text[position:].lstrip())
            raise FormulaError(f"unexpected character {text[column]!r}", column + 1)
        token = match[1] or match[2]
        found.append((_SPELLING.get(token, token), match.end() - len(token) + 1))
        position = match.end()
    return [*found, ("", end + 1)]


def _plain(value: int | Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value


def _scalar(value: Value, column: int) -> Fraction:
    if isinstance(value, tuple):
        raise FormulaError("a tuple cannot be calculated with", column)
    return Fraction(value)
