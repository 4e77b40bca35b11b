"""Expressions of the exported program, and how they are laid out on lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

WIDTH = 100
_INDENT = "    "


@dataclass(frozen=True)
class Literal:
    """A number, truth value, word, None, or a tuple of these."""

    value: Any

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return json.dumps(self.value)
        if isinstance(self.value, tuple):
            parts = ", ".join(str(Literal(v)) for v in self.value)
            return f"({parts},)" if len(self.value) == 1 else f"({parts})"
        return repr(self.value)

    def __eq__(self, other: object) -> bool:
        # As written: 1, 1.0 and True are three values.
        return isinstance(other, Literal) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True)
class Name:
    """A parameter of the class, or arithmetic on one: `width`, `4 * width`."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Call:
    """A constructor call.

    `defaults` are the values at which a keyword is left out, `words` what the positional arguments are called.
    """

    head: str
    args: tuple[Expr, ...] = ()
    kwargs: Mapping[str, Expr] = field(default_factory=dict)
    defaults: Mapping[str, Expr] = field(default_factory=dict, compare=False)
    words: tuple[str, ...] = field(default=(), compare=False)

    def __hash__(self) -> int:
        return hash((self.head, self.args, tuple(self.kwargs.items())))

    def written(self) -> list[tuple[str, Expr]]:
        """The arguments as they stand in the brackets, with what is written before each."""
        given = [("", arg) for arg in self.args]
        return given + [(f"{k}=", v) for k, v in self.kwargs.items() if self.defaults.get(k) != v]


@dataclass(frozen=True)
class Sequential:
    """Modules one after another by name, as the program's own helper `sequential` makes them."""

    layers: tuple[tuple[str, Expr], ...]


Expr = Literal | Name | Call | Sequential


def identity() -> Call:
    return Call("nn.Identity")


def layout(prefix: str, expr: Expr, indent: str = "", suffix: str = "") -> list[str]:
    """`prefix` and the expression on one line if it fits, else its arguments on a line of their own, or on one each."""
    flat = f"{indent}{prefix}{inline(expr)}{suffix}"
    if len(flat) <= WIDTH or not isinstance(expr, (Call, Sequential)):
        return [flat]
    parts = _parts(expr)
    if not parts:
        return [flat]
    head = expr.head if isinstance(expr, Call) else "sequential"
    lines = [f"{indent}{prefix}{head}("]
    together = f"{indent}{_INDENT}{', '.join(before + inline(part) for before, part in parts)}"
    if isinstance(expr, Call) and len(together) <= WIDTH:
        return [*lines, together, f"{indent}){suffix}"]
    for before, part in parts:
        if isinstance(part, _Loop):
            lines += part.layout(indent + _INDENT)
        else:
            lines += layout(before, part, indent + _INDENT, ",")
    return [*lines, f"{indent}){suffix}"]


def inline(expr: Expr) -> str:
    """The expression on one line."""
    if isinstance(expr, Call):
        return f"{expr.head}({', '.join(before + inline(part) for before, part in expr.written())})"
    if isinstance(expr, Sequential):
        parts = (p.inline() if isinstance(p, _Loop) else before + inline(p) for before, p in _parts(expr))
        return f"sequential({', '.join(parts)})"
    return str(expr)


@dataclass(frozen=True)
class _Loop:
    """`**{f"block{i}": Bottleneck(1024, 256) for i in range(2, 7)}`"""

    stem: str
    first: int
    last: int
    expr: Expr

    def _ends(self) -> tuple[str, str]:
        taken = _words(self.expr)
        names = chain(("i", "n", "number"), (f"number{k}" for k in count(2)))
        variable = next(name for name in names if name not in taken)
        return (
            f'**{{f"{self.stem}{{{variable}}}": ',
            f" for {variable} in range({self.first}, {self.last + 1})}}",
        )

    def inline(self) -> str:
        start, end = self._ends()
        return start + inline(self.expr) + end

    def layout(self, indent: str) -> list[str]:
        flat = f"{indent}{self.inline()},"
        if len(flat) <= WIDTH:
            return [flat]
        start, end = self._ends()
        body = layout(start[3:], self.expr, indent + _INDENT)
        return [f"{indent}**{{", *body, f"{indent}{_INDENT}{end[1:-1]}", f"{indent}}},"]


_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def _words(expr: Expr) -> set[str]:
    """The names of parameters in an expression."""
    if isinstance(expr, Name):
        return set(_IDENTIFIER.findall(expr.text))
    if isinstance(expr, Call):
        return set().union(*map(_words, expr.args), *map(_words, expr.kwargs.values()))
    if isinstance(expr, Sequential):
        return set().union(*(_words(layer) for _, layer in expr.layers))
    return set()


def _parts(expr: Call | Sequential) -> list[tuple[str, Any]]:
    """The arguments of a call; layers of a sequence that repeat, three or more, are one loop."""
    if isinstance(expr, Call):
        return list(expr.written())
    parts: list[tuple[str, Any]] = []
    layers = expr.layers
    index = 0
    while index < len(layers):
        run = _run(layers, index)
        name, layer = layers[index]
        if run >= 3:
            stem, number = _numbered(name)
            parts.append(("", _Loop(stem, number, number + run - 1, layer)))
        elif name.startswith("__"):  # inside a class Python would mangle it
            parts += [("", Name(f'**{{"{n}": {inline(e)}}}')) for n, e in layers[index : index + run]]
        else:
            parts += [(f"{n}=", e) for n, e in layers[index : index + run]]
        index += run
    return parts


def _run(layers: tuple[tuple[str, Expr], ...], start: int) -> int:
    """How many layers from `start` on are equal but for consecutive numbers at the end of their names."""
    name, expr = layers[start]
    stem, number = _numbered(name)
    count = 1
    while (
        number >= 0
        and start + count < len(layers)
        and layers[start + count] == (f"{stem}{number + count}", expr)
    ):
        count += 1
    return count if count >= 3 else 1


def _numbered(name: str) -> tuple[str, int]:
    """`block12` is ("block", 12); a name without a number, or one with leading zeros, ends in −1."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits)) if digits and str(int(digits)) == digits else (name, -1)
