"""Modules that are alike become one class; each of them is a call of it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...graph import Node
from .alike import alike
from .expressions import Call, Expr, Literal, Sequential, identity
from .layers import constructor
from .plan import Child, Function, Merge, Module, Sides, Step
from .unify import Parameter, Unifier, Vector

#: parts of class names that are not written as plain words
_CAPITALS = {"bn": "BN", "ln": "LN", "relu": "ReLU", "relu6": "ReLU6", "se": "SE"}


@dataclass(frozen=True)
class Definition:
    """A class of the program.

    `children` are its submodules in order, with how they are constructed; `stored` are values that its forward needs,
    by attribute; `arguments` the arguments of the function layers of `shape`, by node name.  `shape` is one of its
    instances, and stands for the wiring of all.
    """

    name: str
    shape: Module
    parameters: list[Parameter]
    children: dict[str, Expr]
    stored: dict[str, Expr]
    arguments: dict[str, tuple[str, ...]]
    of_block: str


class Classes:
    """All classes of a program, inner ones first."""

    def __init__(self, root: Module, name: str, taken: Iterable[str]) -> None:
        self.names = {*taken, *keyword.kwlist, *dir(builtins)}
        self.root_name = self._free(name)
        self.definitions: list[Definition] = []
        self._calls: dict[Module, Expr] = {}
        for modules in alike(root):
            self._define(modules)
        self.root = self._definition([root], self.root_name)

    def construct(self, what: Node | Module | None) -> Expr:
        """The expression that constructs a child."""
        if what is None:
            return identity()
        if isinstance(what, Node):
            return constructor(what)
        if what not in self._calls:
            self._calls[what] = Sequential(
                tuple(
                    (child.name, self.construct(child.what))
                    for child in what.children()
                    if child.what is not None
                )
            )
        return self._calls[what]

    def _define(self, modules: list[Module]) -> None:
        first = modules[0]
        scope = first.name if len(modules) == 1 else first.name.rstrip("0123456789_")
        name = first.block.name if first.block else f"{first.within}_{scope}"
        made = self._definition(modules, self._free(class_name(name)))
        self.definitions.append(made)
        required = [p for p in made.parameters if p.default is None]
        optional = [p for p in made.parameters if p.default is not None]
        for index, module in enumerate(modules):
            self._calls[module] = Call(
                made.name,
                tuple(p.values[index] for p in required),
                {p.name: p.values[index] for p in optional},
                {p.name: p.default for p in optional if p.default is not None},
                tuple(p.name for p in required),
            )

    def _definition(self, modules: list[Module], name: str) -> Definition:
        unifier = Unifier(_known(modules), frozenset(self.names))
        children: dict[str, Expr] = {}
        stored: dict[str, Expr] = {}
        arguments: dict[str, tuple[str, ...]] = {}
        for steps in zip(*(list(_leaves(module.steps)) for module in modules), strict=True):
            first = steps[0]
            if isinstance(first, Child):
                exprs = [self.construct(step.what) for step in steps if isinstance(step, Child)]
                if any(step.what is not None for step in steps if isinstance(step, Child)):
                    children[first.name] = unifier.unify(exprs, first.name)
            else:
                nodes = [step.node for step in steps if not isinstance(step, Child)]
                arguments[nodes[0].name] = _arguments(nodes, unifier, stored)
        free = {name: f"{name}_" if name in children else name for name in stored}
        return Definition(
            name,
            modules[0],
            unifier.ordered(),
            children,
            {free[name]: expr for name, expr in stored.items()},
            {
                node: tuple(f"self.{free[a]}" if a in free else a for a in args)
                for node, args in arguments.items()
            },
            modules[0].block.name if modules[0].block else "",
        )

    def _free(self, name: str) -> str:
        stem, number = name, 1
        while name in self.names:
            number += 1
            name = f"{stem}_{number}" if stem[-1].isdigit() else f"{stem}{number}"
        self.names.add(name)
        return name


def class_name(name: str) -> str:
    """`conv_relu` is `ConvReLU`."""
    words = [_CAPITALS.get(word, word[:1].upper() + word[1:]) for word in re.split("_+", name) if word]
    joined = "".join(words)
    return joined if joined[:1].isalpha() else f"Scope{joined}"


def _leaves(steps: Iterable[Step]) -> Iterable[Child | Function]:
    for step in steps:
        if isinstance(step, (Merge, Sides)):
            yield from step.branches
        else:
            yield step


def _known(modules: list[Module]) -> dict[str, Vector]:
    """What the instances have names for: the arguments of their block, and the width of what comes in."""
    known: dict[str, Vector] = {}
    blocks = [module.block for module in modules if module.block is not None]
    if blocks:
        for name in blocks[0].arguments:
            known[name] = tuple(Literal(block.arguments[name]) for block in blocks)
    widths = tuple(Literal(module.width) for module in modules)
    return {"in_channels": widths, **known} if widths not in known.values() else known


def _arguments(nodes: list[Node], unifier: Unifier, stored: dict[str, Expr]) -> tuple[str, ...]:
    """The literal arguments of a function layer, as its forward writes them."""
    calls = [node.op.torch_call(node.input_shapes) for node in nodes]
    written: list[str] = []
    layer = nodes[0].name.rpartition(".")[2]
    words = _FUNCTION_ARGUMENTS.get(calls[0].target, ())
    for index, column in enumerate(zip(*(call.args for call in calls), strict=True)):
        values = [Literal(value) for value in column]
        name = f"{layer}_{words[index] if index < len(words) else index}"
        expr = unifier.unify(values, name)
        if isinstance(expr, Literal):
            written.append(str(expr))
        else:
            stored[name] = expr
            written.append(name)
    return tuple(written)


_FUNCTION_ARGUMENTS = {
    "torch.mean": ("dim",),
    "torch.mul": ("factor",),
    "torch.narrow": ("dim", "start", "length"),
    "torch.permute": ("dims",),
    "torch.select": ("dim", "index"),
}
