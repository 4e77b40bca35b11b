"""Laying out many variants of a network: each use of a block is laid out once per arguments and input shape.

`FoldingExpander` is the expander of specs, except that a block stands as one layer with its footprint.  What a block
lays out depends on its own arguments, on those of the network that it (or a block it uses) names, and on its input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from ..frontends.spec.calls import Call
from ..frontends.spec.document import Block, Document
from ..frontends.spec.expand import Environment, Expander
from ..frontends.spec.expressions import Expression
from ..frontends.spec.nodes import Scalar
from ..graph import Node, Scope
from ..ops import Shape
from .footprint import Folded, Footprints, combine


class Memory:
    """What one document's variants share: footprints of layers, and folded uses of blocks."""

    def __init__(self, document: Document) -> None:
        self.footprints = Footprints()
        self.folded: dict[Any, Folded] = {}
        self.reads = {name: _reads(document, name) for name in document.blocks}


class FoldingExpander(Expander):
    """An expander that folds blocks; `remembering` makes one that shares a memory with others."""

    memory: Memory

    @classmethod
    def remembering(cls, memory: Memory) -> type[FoldingExpander]:
        return type("RememberingExpander", (cls,), {"memory": memory})

    def _block(
        self,
        block: Block,
        call: Call,
        text: Scalar,
        name: str,
        path: str,
        env: Environment,
        current: int | None,
    ) -> tuple[Scope | None, int | None]:
        values = None if current is None else self._block_arguments(block, call, text, env, current)
        if values is None or current is None:
            return super()._block(block, call, text, name, path, env, current)
        shape = self.nodes[current].output_shape
        key = self._key(block, values, shape, path)
        folded = self.memory.folded.get(key)
        if folded is None:
            start, sides, errors = len(self.nodes), len(self.side_outputs), len(self.errors)
            scope, end = super()._block(block, call, text, name, path, env, current)
            changed = (len(self.side_outputs), len(self.errors)) != (sides, errors)
            # An error that was said before is not said again: `guessed` tells that shapes are no more than likely.
            if end is None or end < start or changed or self.guessed:
                return scope, end
            footprint = combine(self.nodes[start:], start, [end], self.memory.footprints)
            folded = self.memory.folded[key] = Folded(self.nodes[end].output_shape, footprint)
            del self.nodes[start:]
        self.nodes.append(Node(path, folded, (current,), (shape,), folded.__dict__["output"]))
        return Scope(name, ()), len(self.nodes) - 1

    def _key(self, block: Block, values: dict[str, Any], shape: Shape, path: str) -> Any:
        own = tuple(values.values())
        network = tuple([self._arguments[name] for name in self.memory.reads[block.name]])
        return block.name, own, network, tuple(map(type, own + network)), shape, path.count(".")


def _reads(document: Document, name: str) -> tuple[str, ...]:
    """The network's arguments that a block may read, itself or through the blocks it uses."""
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        block = document.blocks.get(waiting.pop())
        if block is None or block.name in seen:
            continue
        seen.add(block.name)
        for found in _inside(block):
            if isinstance(found, Call):
                waiting.append(found.name)
            else:
                names |= found.names
    return tuple(sorted(names & document.arguments.keys()))


def _inside(value: Any) -> Iterator[Expression | Call]:
    """Every expression and call inside a part of a document, whatever field it stands in."""
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _inside(item)
    elif is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Call):
            yield value
        for field in fields(value):
            yield from _inside(getattr(value, field.name))
