"""A graph's scopes as the modules of a program: what each holds, in order, and which of them are alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import fail
from ...graph import BlockUse, Flow, Graph, Join, Layer, Leaf, Node, Scope, width_dimension

#: names that `nn.Sequential` needs itself
_OF_SEQUENTIAL = frozenset({"append", "extend", "insert", "pop"})


@dataclass(frozen=True)
class Child:
    """A submodule: a layer, a scope, or nothing where a branch passes its input on."""

    name: str
    what: Node | Module | None

    @property
    def sides(self) -> int:
        return self.what.sides if isinstance(self.what, Module) else 0


@dataclass(frozen=True)
class Function:
    """A layer that is a function call in forward."""

    node: Node


@dataclass(frozen=True)
class Merge:
    """Branches and the function that joins them."""

    node: Node
    branches: tuple[Child | Function, ...]


@dataclass(frozen=True)
class Sides:
    """Branches whose ends are outputs of their own."""

    branches: tuple[Child | Function, ...]
    ends: tuple[int, ...]


Step = Child | Function | Merge | Sides


@dataclass(frozen=True, eq=False)
class Module:
    """One scope of the network.

    `within` is the name of the block around it, if any; `input` and `end` are the nodes that it reads and returns,
    `width` the channels or features that come in, `outputs` the nodes of the side outputs inside, `height` how deep
    modules nest in it.
    """

    name: str
    block: BlockUse | None
    within: str
    steps: tuple[Step, ...]
    input: Node
    width: int
    end: Node
    height: int
    outputs: tuple[int, ...]

    @property
    def sides(self) -> int:
        """How many side outputs it returns after its own."""
        return len(self.outputs)

    @property
    def sequential(self) -> bool:
        """Whether it is nothing but submodules one after another."""
        return all(
            isinstance(step, Child) and step.name not in _OF_SEQUENTIAL and not step.sides
            for step in self.steps
        )

    def children(self) -> Iterator[Child]:
        for step in self.steps:
            for part in step.branches if isinstance(step, (Merge, Sides)) else (step,):
                if isinstance(part, Child):
                    yield part

    def descend(self) -> Iterator[Module]:
        """Every module inside, and this one last."""
        for child in self.children():
            if isinstance(child.what, Module):
                yield from child.what.descend()
        yield self


def plan(graph: Graph) -> Module:
    """The network as one module."""
    return _Planner(graph).module(graph.structure, 0, "")[0]


class _Planner:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def module(self, scope: Scope, current: int, within: str) -> tuple[Module, int]:
        nodes = self.graph.nodes
        inner = scope.block.name if scope.block else within
        steps: list[Step] = []
        start = current
        outputs: list[int] = []
        for item in scope.items:
            if isinstance(item, Layer):
                steps.append(self.layer(nodes[item.index]))
                current = item.index
            elif isinstance(item, Scope):
                child, current, nested = self.child(item, current, inner)
                steps.append(child)
                outputs += nested
            elif isinstance(item, Join):
                branches, _, nested = self.branches(item.branches, current, inner)
                outputs += nested
                steps.append(Merge(nodes[item.index], branches))
                current = item.index
            elif isinstance(item, Flow):
                raise fail("A403", "source is written from branches that join again, and this flow is none")
            else:
                branches, ends, nested = self.branches(item.branches, current, inner)
                outputs += [*nested, *ends]
                steps.append(Sides(branches, ends))
        heights = [c.what.height for s in steps for c in _children(s) if isinstance(c.what, Module)]
        height = 1 + max(heights, default=0)
        module = Module(
            scope.name,
            scope.block,
            within,
            tuple(steps),
            nodes[start],
            self.width(start),
            nodes[current],
            height,
            tuple(outputs),
        )
        return module, current

    def width(self, index: int) -> int:
        shape = self.graph.nodes[index].output_shape
        return shape[width_dimension(self.graph.axes[index], shape)]

    def layer(self, node: Node) -> Child | Function:
        name = node.name.rpartition(".")[2]
        return Child(name, node) if node.op.torch_call(node.input_shapes).is_module else Function(node)

    def child(self, scope: Scope, current: int, within: str) -> tuple[Child, int, list[int]]:
        if not scope.items:
            return Child(scope.name, None), current, []
        module, end = self.module(scope, current, within)
        return Child(scope.name, module), end, list(module.outputs)

    def branches(
        self, branches: tuple[Scope | Leaf, ...], current: int, within: str
    ) -> tuple[tuple[Child | Function, ...], tuple[int, ...], list[int]]:
        parts: list[Child | Function] = []
        ends: list[int] = []
        nested: list[int] = []
        for branch in branches:
            if isinstance(branch, Leaf):
                parts.append(self.layer(self.graph.nodes[branch.index]))
                ends.append(branch.index)
            else:
                child, end, outputs = self.child(branch, current, within)
                parts.append(child)
                ends.append(end)
                nested += outputs
        return tuple(parts), tuple(ends), nested


def _children(step: Step) -> Iterator[Child]:
    for part in step.branches if isinstance(step, (Merge, Sides)) else (step,):
        if isinstance(part, Child):
            yield part
