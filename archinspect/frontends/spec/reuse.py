"""Blocks that are used again with the same arguments on the same shape: their layers are copied, not laid out anew.

A ResNet's stages are made of a few such blocks; the copy differs in its names and indices only.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...graph import Flow, Item, Join, Layer, Leaf, Node, Scope, SideOutputs
from .document import Block


@dataclass(slots=True)
class _Known:
    """A block's layers at `path`, the index of the first, what they form, and the work it was."""

    path: str
    start: int
    nodes: tuple[Node, ...]
    items: Sequence[Item]
    end: int | None
    work: int


class Reuse:
    """Remembers the blocks of one network; `nodes` are the network's layers so far."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self._known: dict[Hashable, _Known] = {}

    def key(self, block: Block, values: dict[str, Any], current: int) -> Hashable:
        """What tells one use of a block from another: its arguments and the shape that it reads."""
        given = values.values()
        node = self.nodes[current]
        dtype = node.outputs[0].dtype if node.outputs else "float32"
        return block.name, node.output_shape, dtype, *given, *map(type, given)

    def find(self, key: Hashable, path: str) -> _Known | None:
        """The same block on the same shape, at most as deep as the place where it is wanted."""
        known = self._known.get(key)
        # Scopes have a greatest depth, which only laying out can check.
        return known if known is not None and path.count(".") <= known.path.count(".") else None

    def keep(
        self, key: Hashable, path: str, start: int, items: Sequence[Item], end: int | None, work: int
    ) -> None:
        """Remember a block laid out without an error: its layers are those from `start` on.  A key of None: none."""
        if key is not None:
            self._known[key] = _Known(path, start, tuple(self.nodes[start:]), items, end, work)

    def again(self, known: _Known, path: str, current: int) -> tuple[Sequence[Item], int | None]:
        """Append the block's layers under another path, reading layer `current`."""
        nodes = self.nodes
        start, cut = known.start, len(known.path)
        shift = len(nodes) - start
        for node in known.nodes:
            before = node.inputs
            if len(before) == 1:
                inputs: tuple[int, ...] = (before[0] + shift if before[0] >= start else current,)
            else:
                inputs = tuple([i + shift if i >= start else current for i in before])
            name = path + node.name[cut:]
            if node.outputs is None:
                nodes.append(Node(name, node.op, inputs, node.input_shapes, node.output_shape, node.span))
            else:
                memory = inputs[0] if node.memory is not None else None
                nodes.append(replace(node, name=name, inputs=inputs, memory=memory))
        end = known.end
        if end is not None:
            end = end + shift if end >= start else current
        return _shifted(known.items, shift), end


def _shifted(items: Sequence[Item], shift: int) -> tuple[Item, ...]:
    return tuple([_shifted_item(item, shift) for item in items])


def _shifted_item(item: Item, shift: int) -> Item:
    if isinstance(item, Layer):
        return Layer(item.index + shift)
    if isinstance(item, Scope):
        return Scope(item.name, _shifted(item.items, shift), item.block)
    if isinstance(item, Flow):
        raise TypeError("a spec has no Flow")
    branches = tuple([_shifted_branch(branch, shift) for branch in item.branches])
    return Join(item.index + shift, branches) if isinstance(item, Join) else SideOutputs(branches)


def _shifted_branch(branch: Scope | Leaf, shift: int) -> Scope | Leaf:
    if isinstance(branch, Leaf):
        return Leaf(branch.name, branch.index + shift)
    return Scope(branch.name, _shifted(branch.items, shift), branch.block)
