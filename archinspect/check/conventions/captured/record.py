"""What a counting tool can see of a module while it runs: calls of modules, of Python functions, and of operators.

Tools count on one of three levels.  Hooks (torchinfo, thop, ptflops) see calls of modules, with their classes and
attributes; patches (ptflops) see calls of functions by the names under which Python code reaches them, so that
`torch.add(x, y)` is counted and `x + y` is not; a trace (fvcore) sees PyTorch's operators.  `Record` holds all three,
as plain data: `check.witnesses.watch` makes one from a captured module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ....graph import Parameter
from ....ops import Shape


class Sized(NamedTuple):
    """A tensor among arguments: of what a tool can see of it the rules need the shape alone."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Module:
    """A module of the network: its class by full name, plain attributes, own parameters, and children by name.

    `holds` is the module's truth value in Python: an empty `Sequential` or `ModuleList` is false.
    """

    kind: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    children: tuple[tuple[str, Module], ...] = ()
    holds: bool = True

    @property
    def class_name(self) -> str:
        return self.kind.rpartition(".")[2]

    @property
    def distinct_children(self) -> tuple[tuple[str, Module], ...]:
        """As `named_children` gives them: a child that has two names here comes once."""
        return tuple({id(child): (name, child) for name, child in reversed(self.children)}.values())[::-1]

    @cached_property
    def all_parameters(self) -> tuple[tuple[str, Parameter], ...]:
        """Parameters here and below, each once, by their names as seen from here."""
        found: dict[int, tuple[str, Parameter]] = {}
        for path, module in self.walk():
            for name, parameter in module.parameters.items():
                found.setdefault(id(parameter), (f"{path}.{name}" if path else name, parameter))
        return tuple(found.values())

    @property
    def size(self) -> int:
        """The number of distinct parameters here and below."""
        return sum(parameter.numel for _, parameter in self.all_parameters)

    def walk(self) -> Iterator[tuple[str, Module]]:
        """This module and those below, each once, by their paths as seen from here."""
        yield from _walk("", self, set())

    def visits(self) -> dict[int, int]:
        """How often a walk from parent to child comes to each module, by identity: a shared one has several parents."""
        counts: dict[int, int] = {}
        pending = [self]
        while pending:
            module = pending.pop()
            counts[id(module)] = counts.get(id(module), 0) + 1
            pending += [child for _, child in module.distinct_children]
        return counts


def _walk(path: str, module: Module, seen: set[int]) -> Iterator[tuple[str, Module]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    yield path, module
    for name, child in module.children:
        yield from _walk(f"{path}.{name}" if path else name, child, seen)


@dataclass(frozen=True, eq=False)
class ModuleCall:
    """One call of a module: shapes of its positional arguments (None: no tensor) and of the tensors that it returned.

    `name` is that of the scope in the graph: the path, with the number of the call from the second on.
    """

    name: str
    path: str
    module: Module
    inputs: tuple[Shape | None, ...] = ()
    outputs: tuple[Shape, ...] = ()

    @property
    def input(self) -> Shape:
        """The shape of the first positional argument, which is the one that hooks look at; () if it is no tensor."""
        return (self.inputs[0] if self.inputs else None) or ()

    @property
    def output(self) -> Shape:
        return self.outputs[0] if self.outputs else ()

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute of the module."""
        return self.module.attributes.get(name, default)

    def has(self, parameter: str) -> bool:
        return parameter in self.module.parameters


@dataclass(frozen=True, eq=False)
class FunctionCall:
    """One call of a function that a tool patches, and the call of a module that it was made in (an index)."""

    name: str
    within: int
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        return (
            self.arguments[position] if position < len(self.arguments) else self.keywords.get(name, default)
        )


@dataclass(frozen=True, eq=False)
class OperatorCall:
    """One call of an ATen operator: arguments in the order of its schema, and the shapes of its results."""

    name: str
    within: int
    arguments: tuple[Any, ...]
    results: tuple[Shape, ...]

    def shape(self, position: int) -> Shape | None:
        """The shape of an argument; None where no tensor was given."""
        given = self.arguments[position] if position < len(self.arguments) else None
        return given.shape if isinstance(given, Sized) else None


@dataclass(frozen=True, eq=False)
class Record:
    """One forward pass in evaluation; `calls` are in the order of their beginning, the network's own first.

    `batch` is the first dimension of the network's one positional argument; 1 where arguments are given by name, as
    tools see it.
    """

    module: Module
    calls: tuple[ModuleCall, ...]
    functions: tuple[FunctionCall, ...]
    operators: tuple[OperatorCall, ...]
    batch: int = 1
