"""A network whose flow is not a tree of branches, as one class: its modules by scope, and a line for each call.

So are networks of several inputs, of values that are named and read far away, and of layers that are called again.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from ...graph import Flow, Graph, Join, Node, Scope, SideOutputs
from .expressions import WIDTH, Call, Expr, layout
from .layers import constructor

_BODY = "        "
_TAKEN = frozenset({"self", "x", "torch", "nn", "F", "math", "scope", "Tensor"})
_OPERATORS = {"torch.add": "+", "torch.mul": "*", "torch.sub": "-", "torch.div": "/"}

HELPER = '''def scope(**parts: nn.Module) -> nn.Module:
    """Modules side by side under one name."""
    made = nn.Module()
    for name, part in parts.items():
        made.add_module(name, part)
    return made'''


def is_straight(graph: Graph) -> bool:
    """Whether a graph is written line by line: branches alone do not say its flow."""
    if graph.inputs != 1 or any(node.outputs is not None for node in graph.nodes):
        return True
    return not _is_tree(graph.structure)


def _is_tree(scope: Scope) -> bool:
    """Whether every scope and branch has a name, and branches join where they are said to."""
    for item in scope.items:
        if isinstance(item, Flow):
            return False
        inner = item.branches if isinstance(item, (Join, SideOutputs)) else (item,)
        if any(isinstance(one, Scope) and not (one.name and _is_tree(one)) for one in inner):
            return False
    return True


def modules(graph: Graph) -> Iterator[str]:
    """The lines of `__init__` that make the modules, and let layers share tensors."""
    tree: dict[str, Any] = {}
    for node in graph.layers:
        if node.op.torch_call(node.input_shapes).is_module and not node.module:
            *scopes, name = node.name.split(".")
            holder = tree
            for each in scopes:
                holder = holder.setdefault(each, {})
            holder[name] = node
    for name, part in tree.items():
        yield from _assigned(name, _expression(part))
    for parameter in graph.parameters:
        for other in parameter.names[1:]:
            yield f"{_BODY}self.{other} = self.{parameter.name}"


def _assigned(name: str, expr: Expr) -> list[str]:
    if name.startswith("__"):  # Python would mangle it
        return layout(f'self.add_module("{name}", ', expr, _BODY, ")")
    return layout(f"self.{name} = ", expr, _BODY)


def _expression(part: Node | dict[str, Any]) -> Expr:
    if isinstance(part, Node):
        return constructor(part)
    return Call("scope", (), {name: _expression(inner) for name, inner in part.items()})


def forward(graph: Graph) -> Iterator[str]:
    """The lines of the method; each says its output shape for the spec's input."""
    names = _variables(graph)
    several = len(graph.outputs) > 1
    taken = ", ".join(f"{name}: Tensor" for name in names[: graph.inputs])
    yield f"    def forward(self, {taken}) -> {'tuple[Tensor, ...]' if several else 'Tensor'}:"
    for index, node in enumerate(graph.nodes):
        if index >= graph.inputs:
            ports = node.ports or (0,) * len(node.inputs)
            given = [_read(graph, names, *place) for place in zip(node.inputs, ports, strict=True)]
            note = "×".join(map(str, node.output_shape[1:]))
            yield from _line(f"{names[index]} = ", *_call(node, given), note)
    ports = graph.output_ports or (0,) * len(graph.outputs)
    ends = [_read(graph, names, *place) for place in zip(graph.outputs, ports, strict=True)]
    yield f"{_BODY}return {', '.join(ends)}"


def _variables(graph: Graph) -> list[str]:
    """A name for the value of each node: x where only the next line reads it."""
    taken, names = set(_TAKEN), list[str]()
    for index, node in enumerate(graph.nodes):
        passing = graph.consumers[index] == (index + 1,) and index not in graph.outputs
        if graph.inputs == 1 and index == 0 and 0 not in graph.outputs:
            name = "x" if passing else "input"
        elif passing and index >= graph.inputs:
            name = "x"
        else:
            stem = node.name.replace(".", "_").lstrip("_") or "value"
            name, number = stem, 1
            while name in taken or keyword.iskeyword(name):
                number += 1
                name = f"{stem}_{number}"
            taken.add(name)
        names.append(name)
    return names


def _read(graph: Graph, names: list[str], index: int, port: int) -> str:
    node = graph.nodes[index]
    call = node.op.torch_call(node.input_shapes) if index >= graph.inputs else None
    places = call.outputs[port] if call is not None and call.outputs else ()
    return names[index] + "".join(f"[{place}]" for place in places)


def _line(start: str, head: str, parts: list[str], between: str, end: str, note: str) -> Iterator[str]:
    """An assignment on one line, with its note where there is room, or over several lines."""
    flat = f"{_BODY}{start}{head}{between.join(parts)}{end}"
    if len(flat) <= WIDTH:
        noted = f"{flat}  # {note}"
        yield noted if len(noted) <= WIDTH + 10 else flat
        return
    if not head:  # a sum or product
        head, end = "(", ")"
    yield f"{_BODY}{start}{head}"
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        yield f"{_BODY}    {part}{'' if last and between != ', ' else between.rstrip()}"
    yield f"{_BODY}{end}"


def _call(node: Node, given: list[str]) -> tuple[str, list[str], str, str]:
    """A call: what stands before its parts, the parts, what stands between them, and behind."""
    call = node.op.torch_call(node.input_shapes)
    more = [*map(repr, call.args), *(f"{name}={value!r}" for name, value in call.kwargs.items())]
    if call.is_module:
        first, *rest = (node.module or node.name).split(".")
        path = f'self.get_submodule("{first}")' if first.startswith("__") else f"self.{first}"
        return f"{'.'.join([path, *rest])}(", given, ", ", ")"
    operator = _OPERATORS.get(call.target)
    if operator and not call.kwargs and len(given) + len(more) > 1:
        return "", [*given, *more], f" {operator} ", ""
    if call.as_list:
        return f"{call.target}([", given, ", ", f"]{''.join(f', {part}' for part in more)})"
    return f"{call.target}(", [*given, *more], ", ", ")"
