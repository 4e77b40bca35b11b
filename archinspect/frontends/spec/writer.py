"""A graph back to the text of a spec.

Of a spec's graph, blocks and repeats are laid out and every name is kept: `load_graph(dump(graph))` equals it.  Of a
captured one, modules that repeat become blocks (`captured`), and the text is read again before it is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import fail
from ...graph import Flow, Graph, Item, Join, Layer, Leaf, Scope, SideOutputs, refuse_parameters_only
from ...input_size import with_batch
from .document import Initializer, space_of
from .reader import METADATA

if TYPE_CHECKING:
    from .weight_names import WeightName


def dump(graph: Graph) -> str:
    """The YAML text of a spec that says `graph`.  Raises ArchinspectError (A403) for what the language cannot say."""
    if graph.source is not None:
        return _captured(graph)
    lines = [f"name: {_scalar(graph.name)}"]
    lines += [f"{key}: {_scalar(graph.metadata[key])}" for key in METADATA if key in graph.metadata]
    lines.append("input: " + "x".join(map(str, _input(graph))))
    initializers: tuple[Initializer, ...] = graph.metadata.get("init", ())
    if initializers:
        lines += ["init:", *(f"  {i.op}: {_scalar(_call(i))}" for i in initializers)]
    rules: tuple[WeightName, ...] = graph.metadata.get("weights", ())
    if rules:
        lines += ["weights:", *(f"  {_scalar(rule.ours)}: {_scalar(rule.theirs)}" for rule in rules)]
    lines += ["layers:", *_sequence(graph, graph.structure.items, "  ")]
    return "\n".join(lines) + "\n"


def _captured(graph: Graph) -> str:
    from .captured import refuse_differences, text_of
    from .load import lay_out, read_text

    refuse_parameters_only(graph, "a spec")
    said = text_of(graph)
    lines = [f"name: {_scalar(graph.name)}", "input: " + "x".join(map(str, _input(graph)))]
    if said.weights:
        lines += ["weights:", *(f"  {_scalar(rule.ours)}: {_scalar(rule.theirs)}" for rule in said.weights)]
    if said.blocks:
        lines += ["blocks:", *said.blocks]
    text = "\n".join([*lines, "layers:", *said.layers]) + "\n"
    refuse_differences(graph, lay_out(read_text(text, f"{graph.name}.yaml")), said.order)
    return text


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


def _call(initializer: Initializer) -> str:
    return f"{initializer.function}({', '.join(f'{k}={v!r}' for k, v in initializer.kwargs.items())})"


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
