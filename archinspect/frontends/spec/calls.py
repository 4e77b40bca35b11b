"""Calls as a spec's texts say them: `conv2d(64, 3, padding=1)`, `projection(256) if project else identity`.

They know nothing of ops, blocks or places in a file; offsets are columns in the text, so equal texts are read once.
Nothing changes them, though they are not frozen: that would make reading a call half as slow again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .expressions import Expression


@dataclass(slots=True, eq=False)
class Argument:
    """One argument of a call; `name` is None for a positional one."""

    name: str | None
    value: Expression
    column: int
    length: int


@dataclass(slots=True, eq=False)
class Call:
    """An op or block by name, with its arguments."""

    name: str
    arguments: tuple[Argument, ...]
    column: int
    length: int
    name_length: int
    text: str

    @property
    def work(self) -> int:
        return sum([argument.value.work for argument in self.arguments])


@dataclass(slots=True, eq=False)
class Choice:
    """`then if condition else otherwise`."""

    condition: Expression
    then: Part
    otherwise: Part

    @property
    def work(self) -> int:
        return self.condition.work + self.then.work + self.otherwise.work


Part = Call | Choice
Chain = tuple[Part, ...]


def calls(chain: Chain) -> Iterator[Call]:
    """Every call of a chain, both sides of a choice."""
    for part in chain:
        if isinstance(part, Call):
            yield part
        else:
            yield from calls((part.then, part.otherwise))


def conditions(chain: Chain) -> Iterator[Expression]:
    """The condition of every choice of a chain."""
    for part in chain:
        if isinstance(part, Choice):
            yield part.condition
            yield from conditions((part.then, part.otherwise))
