"""A graph back to the text of a spec.

Of a spec's graph, blocks and repeats are laid out and every name is kept: `load_graph(dump(graph))` equals it.  Of a
captured one, modules that repeat become blocks (`captured`), and the text is read again before it is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import ArchinspectError, fail
from ...graph import Flow, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs, refuse_parameters_only
from ...initializers import called, initialization, starting_rules
from ...input_size import with_batch
from .document import JOINS, space_of
from .reader import METADATA

if TYPE_CHECKING:
    from .captured import Text
    from .weight_names import WeightName


def dump(graph: Graph) -> str:
    """The YAML text of a spec that says `graph`.  Raises ArchinspectError (A403) for what the language cannot say."""
    if graph.source is not None:
        return _captured(graph)
    lines = [f"name: {_scalar(graph.name)}"]
    lines += [f"{key}: {_scalar(graph.metadata[key])}" for key in METADATA if key in graph.metadata]
    by_values = any(node.outputs is not None for node in graph.nodes) or not _is_tree(graph.structure)
    if graph.inputs > 1:
        lines += ["inputs:", *(f"  {node.name}: {_size(graph, i)}" for i, node in enumerate(_inputs(graph)))]
    else:
        lines.append(f"input: {_size(graph, 0)}")
    # Branches alone say which ends are outputs; where values are read by name, side outputs are listed.
    if graph.output_names or (by_values and len(graph.outputs) > 1):
        ports = graph.output_ports or (0,) * len(graph.outputs)
        values = [_value(graph, i, port) for i, port in zip(graph.outputs, ports, strict=True)]
        names = [f"{name}:" for name in graph.output_names] or ["-"] * len(values)
        lines += ["outputs:", *(f"  {name} {value}" for name, value in zip(names, values, strict=True))]
    start = initialization(graph)
    if start.rules or start.source:
        lines.append("init:")
        if start.source:
            lines.append(f"  source: {_scalar(start.source)}")
        at_work = set(starting_rules(graph).values())  # others may be for layers that arguments left out
        for rule in [rule for rule in start.rules if rule in at_work]:
            text = called(rule.function, rule.written(graph.arguments))
            lines.append(f"  {_scalar(rule.target)}: {_scalar(text)}")
    rules: tuple[WeightName, ...] = graph.metadata.get("weights", ())
    if rules:
        lines += ["weights:", *(f"  {_scalar(rule.ours)}: {_scalar(rule.theirs)}" for rule in rules)]
    lines += ["layers:", *(_by_values(graph) if by_values else _sequence(graph, graph.structure.items, "  "))]
    return "\n".join(lines) + "\n"


def _inputs(graph: Graph) -> tuple[Node, ...]:
    return graph.nodes[: graph.inputs]


def _size(graph: Graph, index: int) -> str:
    """An input's size as a spec writes it, with its type where that is not float32."""
    node = graph.nodes[index]
    dtype = node.values[0].dtype
    if dtype == "float32" and graph.inputs == 1 and len(node.output_shape) != 3:
        return "x".join(map(str, _input(graph)))
    written = "x".join(map(str, node.output_shape[1:]))
    size = f"Nx{written}" if node.output_shape[0] == 1 else f"{node.output_shape[0]}x{written}"
    return size if dtype == "float32" else f"{size}x{dtype}"


def _is_tree(scope: Scope) -> bool:
    """Whether branches alone say how values flow, and each has a name."""
    for item in scope.items:
        if isinstance(item, Flow):
            return False
        inner = item.branches if isinstance(item, (Join, SideOutputs)) else (item,)
        if any(isinstance(one, Scope) and not (one.name and _is_tree(one)) for one in inner):
            return False
    return True


def _by_values(graph: Graph) -> Iterator[str]:
    """Every layer in its scope, with the values that it reads where these are not what the layer before makes."""
    open_scopes: list[str] = []
    closed: set[str] = set()
    for index in range(graph.inputs, len(graph.nodes)):
        node = graph.nodes[index]
        *scopes, name = node.name.split(".")
        shared = 0
        while shared < min(len(scopes), len(open_scopes)) and scopes[shared] == open_scopes[shared]:
            shared += 1
        for depth in range(len(open_scopes), shared, -1):
            closed.add(".".join(open_scopes[:depth]))
        for depth in range(shared, len(scopes)):
            if ".".join(scopes[: depth + 1]) in closed:
                raise fail("A403", f"the layers of '{'.'.join(scopes[: depth + 1])}' do not stand together")
            yield f"{'    ' * depth}  - {scopes[depth]}:"
        open_scopes = scopes
        indent = "    " * len(scopes) + "  "
        if name in JOINS:
            read = [_value(graph, i, port) for i, port in _places(node)]
            yield f"{indent}- {name}:"
            yield from (f"{indent}    - {value}" for value in read)
        else:
            yield f"{indent}- {name}: {_scalar(_call_of(graph, index))}"


def _places(node: Node) -> Iterator[tuple[int, int]]:
    return zip(node.inputs, node.ports or (0,) * len(node.inputs), strict=True)


def _value(graph: Graph, index: int, port: int) -> str:
    node = graph.nodes[index]
    return node.name if len(node.values) == 1 or not port else f"{node.name}[{port}]"


def _call_of(graph: Graph, index: int) -> str:
    """A layer as a call that says what it reads."""
    node = graph.nodes[index]
    read = [_value(graph, i, port) for i, port in _places(node)]
    follows = node.inputs[:1] == (max(index - 1, 0) if index > graph.inputs else 0,) and not node.ports
    if node.module:
        text = f"same_as({node.module})"
        return text if follows else f"{read[0]} -> {text}"
    head, _, arguments = str(node.op).partition("(")
    given = [arguments.removesuffix(")")] if arguments != ")" else []
    tied = [
        f"{name}={parameter.name.rpartition('.')[0]}"
        for name, parameter in (node.parameters or {}).items()
        if parameter.name.rpartition(".")[0] != node.name
    ]
    if node.op.arity == 1:
        extra = [f"{name}={value}" for name, value in zip(node.op.reads, read[1:], strict=False)]
        text = f"{head}({', '.join([*given, *extra, *tied])})"
        return text if follows else f"{read[0]} -> {text}"
    count = node.op.arity or len(read)
    extra = [f"{name}={value}" for name, value in zip(node.op.reads, read[count:], strict=False)]
    return f"{head}({', '.join([*read[:count], *given, *extra, *tied])})"


def _captured(graph: Graph) -> str:
    from .captured import refuse_differences, text_of
    from .load import lay_out, read_text

    refuse_parameters_only(graph, "a spec")
    try:
        said = text_of(graph)
    except ArchinspectError:  # branches that do not join again, several inputs, shared weights
        return _captured_by_values(graph)
    lines = [f"name: {_scalar(graph.name)}", "input: " + "x".join(map(str, _input(graph)))]
    text = _written(lines, said)
    refuse_differences(graph, lay_out(read_text(text, f"{graph.name}.yaml")), said.order)
    return text


def _captured_by_values(graph: Graph) -> str:
    from .captured_values import Writer, refuse_differences
    from .load import lay_out, read_text

    writer = Writer(graph)
    said = writer.text()
    if writer.inputs == ["input"]:
        lines = [f"input: {_size(graph, 0)}"]
    else:
        lines = ["inputs:", *(f"  {name}: {_size(graph, i)}" for i, name in enumerate(writer.inputs))]
    outputs = writer.outputs()
    if outputs:
        lines += ["outputs:", *(f"  {name}: {value}" for name, value in outputs)]
    text = _written([f"name: {_scalar(graph.name)}", *lines], said)
    refuse_differences(graph, lay_out(read_text(text, f"{graph.name}.yaml")), writer)
    return text


def _written(head: list[str], said: Text) -> str:
    lines = [*head]
    if said.weights:
        lines += ["weights:", *(f"  {_scalar(rule.ours)}: {_scalar(rule.theirs)}" for rule in said.weights)]
    if said.blocks:
        lines += ["blocks:", *said.blocks]
    return "\n".join([*lines, "layers:", *said.layers]) + "\n"


def _input(graph: Graph) -> tuple[int, ...]:
    """The input as a spec writes it: without a batch of one where it can be left out."""
    shape = graph.input_shape
    space = space_of(node.op.type for node in graph.layers)
    for written in (shape[1:], shape):
        if written and with_batch(written, space) == shape:
            return written
    sizes = "×".join(map(str, shape))
    raise fail(
        "A403",
        f"a spec cannot say an input of {sizes}: its layers do not work on {len(shape) - 2} dimensions",
    )


def _sequence(graph: Graph, items: tuple[Item, ...], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Layer):
            node = graph.nodes[item.index]
            yield f"{indent}- {node.name.rpartition('.')[2]}: {_scalar(str(node.op))}"
        elif isinstance(item, Scope):
            yield from _scope(graph, item, f"{indent}- ", indent + "    ")
        elif isinstance(item, Flow):
            raise fail("A403", "a spec says branches that join again, and this flow is none")
        else:
            keyword = graph.nodes[item.index].op.type if isinstance(item, Join) else "side_output"
            yield f"{indent}- {keyword}:"
            yield from _branches(graph, item, indent + "    ")


def _branches(graph: Graph, item: Join | SideOutputs, indent: str) -> Iterator[str]:
    for branch in item.branches:
        if isinstance(branch, Leaf):
            yield f"{indent}{branch.name}: {_scalar(str(graph.nodes[branch.index].op))}"
        elif branch.items:
            yield from _scope(graph, branch, indent, indent + "  ")
        else:
            yield f"{indent}{branch.name}: identity"


def _scope(graph: Graph, scope: Scope, start: str, indent: str) -> Iterator[str]:
    if scope.items:
        yield f"{start}{scope.name}:"
        yield from _sequence(graph, scope.items, indent)
    else:
        yield f"{start}{scope.name}: []"


def _scalar(value: Any) -> str:
    """A value as one YAML scalar: plain where that is safe, else in double quotes (JSON's strings are YAML's).

    JSON writes what lies beyond 16 bits as two halves, which YAML refuses: it is written as itself, or as `\\U...`.
    """
    if not isinstance(value, str):
        return str(value)
    plain = (
        value.isascii()
        and value.isprintable()
        and value[:1].isalpha()
        and ": " not in value
        and " #" not in value
        and not value.endswith((":", " "))
        and value.lower() not in ("true", "false", "null", "none")
    )
    if plain:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in quoted)
