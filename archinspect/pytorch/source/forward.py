"""The forward method of a class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...graph import Node
from ...ops import Shape
from .classes import Definition
from .expressions import WIDTH
from .plan import Child, Function, Merge, Module, Sides, Step

_BODY = "        "
_RESERVED = frozenset({"self", "x", "torch", "nn", "F", "math"})


def forward(definition: Definition, *, shapes: bool = False) -> list[str]:
    """The lines of the method; with `shapes`, each says its output shape for the spec's input."""
    writer = _Writer(definition, shapes)
    result = "tuple[Tensor, ...]" if definition.shape.sides else "Tensor"
    return [f"    def forward(self, x: Tensor) -> {result}:", *writer.body()]


def reference(name: str) -> str:
    """A submodule in forward.  Python would mangle `self.__name` inside a class."""
    return f'self.get_submodule("{name}")' if name.startswith("__") else f"self.{name}"


@dataclass
class _Writer:
    definition: Definition
    shapes: bool
    lines: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=lambda: set(_RESERVED))
    notes: dict[int, str] = field(default_factory=dict)

    def body(self) -> list[str]:
        module = self.definition.shape
        steps = [step for step in module.steps if not self._passes(step)]
        for step in steps:
            self._step(step, last=step is steps[-1] and not module.sides)
        if module.sides:
            self._line("return " + ", ".join(["x", *self.outputs]))
        elif not steps:
            self._line("return x")
        return self.lines

    def _passes(self, step: Step) -> bool:
        return isinstance(step, Child) and step.name not in self.definition.children

    def _step(self, step: Step, last: bool) -> None:
        start = "return " if last else "x = "
        if isinstance(step, Child):
            if step.sides:
                self._line(f"{', '.join(['x', *self._names(step)])} = {reference(step.name)}(x)")
            else:
                self._line(f"{start}{reference(step.name)}(x)", _end(step))
        elif isinstance(step, Function):
            self._line(f"{start}{self._function(step)}", step.node.output_shape)
        elif isinstance(step, Merge):
            self._merge(step, start)
        else:
            self._sides(step)

    def _sides(self, step: Sides) -> None:
        ends: list[str] = []
        for branch in step.branches:
            name = self._fresh(branch.name if isinstance(branch, Child) else _last(branch.node))
            if isinstance(branch, Child) and branch.sides:
                self._line(f"{', '.join([name, *self._names(branch)])} = {reference(branch.name)}(x)")
            else:
                self._line(f"{name} = {self._branch(branch)}")
            ends.append(name)
        self.outputs += ends

    def _merge(self, step: Merge, start: str) -> None:
        parts: list[str] = []
        for branch in step.branches:
            if isinstance(branch, Child) and branch.sides:
                name = self._fresh(branch.name)
                self._line(f"{', '.join([name, *self._names(branch)])} = {reference(branch.name)}(x)")
                parts.append(name)
            else:
                parts.append(self._branch(branch))
        call = step.node.op.torch_call(step.node.input_shapes)
        shape = step.node.output_shape
        operator = _OPERATORS.get(call.target)
        if call.fold and operator:
            inner = [f"({p})" if i and " * " in p and operator == "*" else p for i, p in enumerate(parts)]
            self._line(start + f" {operator} ".join(inner), shape)
            return
        assert call.as_list, f"no way to write {call.target}"
        after = "".join(
            f", {arg}" for arg in self.definition.arguments.get(step.node.name, map(str, call.args))
        )
        flat = f"{start}{call.target}([{', '.join(parts)}]{after})"
        if len(_BODY + flat) <= WIDTH:
            self._line(flat, shape)
            return
        name = self._fresh("branches")
        self.lines += [f"{_BODY}{name} = [", *(f"{_BODY}    {part}," for part in parts), f"{_BODY}]"]
        self._line(f"{start}{call.target}({name}{after})", shape)

    def _branch(self, branch: Child | Function) -> str:
        if isinstance(branch, Function):
            return self._function(branch)
        return f"{reference(branch.name)}(x)" if branch.name in self.definition.children else "x"

    def _function(self, step: Function) -> str:
        call = step.node.op.torch_call(step.node.input_shapes)
        args = self.definition.arguments[step.node.name]
        if call.target == "torch.mul" and len(args) == 1:
            return f"x * {args[0]}"
        return f"{call.target}({', '.join(['x', *args, *(f'{k}={v!r}' for k, v in call.kwargs.items())])})"

    def _names(self, child: Child) -> list[str]:
        """Variables for the side outputs inside a submodule."""
        assert isinstance(child.what, Module)
        names = [self._fresh(name) for name in _side_names(child.what)]
        self.outputs += names
        return names

    def _fresh(self, name: str) -> str:
        name = name.lstrip("_") or "side"
        stem, number = name, 1
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name

    def _line(self, text: str, shape: Shape | None = None) -> None:
        line = _BODY + text
        if self.shapes and shape is not None:
            line += f"  # {'×'.join(map(str, shape[1:]))}"
        self.lines.append(line)


_OPERATORS = {"torch.add": "+", "torch.mul": "*"}


def _end(child: Child) -> Shape | None:
    what = child.what
    if isinstance(what, Node):
        return what.output_shape
    return what.end.output_shape if what is not None else None


def _side_names(module: Module) -> Iterable[str]:
    """Names of a module's side outputs, in the order in which it returns them."""
    for step in module.steps:
        parts = step.branches if isinstance(step, (Merge, Sides)) else (step,)
        for part in parts:
            if isinstance(part, Child) and isinstance(part.what, Module):
                yield from _side_names(part.what)
        if isinstance(step, Sides):
            yield from (p.name if isinstance(p, Child) else _last(p.node) for p in step.branches)


def _last(node: Node) -> str:
    return node.name.rpartition(".")[2]
