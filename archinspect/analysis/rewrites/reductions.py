"""Networks without their 1×1 reductions, at the same widths or as Inception's naïve form.

Szegedy et al. 2014, arXiv:1409.4842, figure 2: (a) the naïve module, (b) the module with dimensionality reduction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...graph import Graph, Join, Scope
from ...ops.convolution import Conv2d
from .assemble import Part, indices
from .site import Options, Site, convolutions, kernel, trail


@dataclass(frozen=True)
class Reduction:
    """A 1×1 convolution that narrows the input of larger ones: its node, its norm and activation, and their readers."""

    index: int
    trail: tuple[int, ...]
    readers: tuple[int, ...]


def reductions(graph: Graph) -> Iterator[Reduction]:
    """Every 1×1 convolution with fewer outputs than inputs that only convolutions read, one of them larger."""
    for index, node, op in convolutions(graph):
        if op.kernel_size != (1, 1) or op.groups != 1 or op.out_channels >= node.input_shapes[0][1]:
            continue
        after = trail(graph, index)
        end = after[-1] if after else index
        readers = graph.consumers[end]
        if not readers or {index, *after} & set(graph.outputs):
            continue
        if all(_could_read(graph, reader, node.input_shapes[0][1]) for reader in readers) and any(
            _is_larger(graph, reader) for reader in readers
        ):
            yield Reduction(index, tuple(after), readers)


def _could_read(graph: Graph, index: int, channels: int) -> bool:
    op = graph.nodes[index].op
    return isinstance(op, Conv2d) and channels % op.groups == 0


def _is_larger(graph: Graph, index: int) -> bool:
    op = graph.nodes[index].op
    depthwise = isinstance(op, Conv2d) and 1 < op.groups == graph.nodes[index].input_shapes[0][1]
    return isinstance(op, Conv2d) and op.kernel_size != (1, 1) and not depthwise


def without(graph: Graph, reduction: Reduction) -> dict[int, tuple[Part, ...]]:
    """The changes that take a reduction out; its readers take its stride over."""
    changes: dict[int, tuple[Part, ...]] = {reduction.index: (), **dict.fromkeys(reduction.trail, ())}
    reduce = graph.nodes[reduction.index].op
    assert isinstance(reduce, Conv2d)
    if reduce.stride != (1, 1):
        for reader in reduction.readers:
            op = graph.nodes[reader].op
            assert isinstance(op, Conv2d)
            stride = op.stride[0] * reduce.stride[0], op.stride[1] * reduce.stride[1]
            changes[reader] = (Part("", changed(op, stride=stride)),)
    return changes


def changed(op: Conv2d, **attributes: object) -> Conv2d:
    """The convolution with some attributes changed."""
    return op.replace(**attributes)


def find_reductions(graph: Graph, options: Options) -> list[Site]:
    """Each reduction taken out, all widths else unchanged."""
    sites = []
    for reduction in reductions(graph):
        node = graph.nodes[reduction.index]
        ends = [graph.nodes[reader] for reader in reduction.readers]
        kernels = ", ".join(kernel(end.op) for end in ends if isinstance(end.op, Conv2d))
        outputs = " + ".join(str(end.output_shape[1]) for end in ends)
        wide, narrow = node.input_shapes[0][1], node.output_shape[1]
        sites.append(
            Site(
                path=node.name,
                before=f"1×1 {wide} → {narrow}, {kernels} → {outputs}",
                after=f"{kernels} {wide} → {outputs}",
                end_before=ends[-1].name,
                end_after=ends[-1].name,
                changes=without(graph, reduction),
            )
        )
    return sites


def find_naive_modules(graph: Graph, options: Options) -> list[Site]:
    """Inception modules without reductions and without the projection behind their pool."""
    found = {reduction.index: reduction for reduction in reductions(graph)}
    sites = []
    for path, item in graph.walk():
        if not isinstance(item, Join) or graph.nodes[item.index].op.type != "concat":
            continue
        changes: dict[int, tuple[Part, ...]] = {}
        projected = False
        for branch in item.branches:
            inside = indices(branch)
            projection = _projection(graph, inside) if isinstance(branch, Scope) else []
            projected |= bool(projection)
            changes.update(dict.fromkeys(projection, ()))
            for index in inside:
                if index in found and set(found[index].readers) <= set(inside):
                    changes.update(without(graph, found[index]))
        if projected:
            sites.append(_module(graph, path, item, changes))
    return sites


def _projection(graph: Graph, inside: list[int]) -> list[int]:
    """The layers of a branch that is a pool at stride 1 and a 1×1 convolution: what the naïve form has not."""
    if len(inside) < 2:
        return []
    pool, projection = graph.nodes[inside[0]], graph.nodes[inside[1]]
    keeps_size = pool.op.category == "pooling" and pool.output_shape == pool.input_shapes[0]
    pointwise = isinstance(projection.op, Conv2d) and projection.op.kernel_size == (1, 1)
    rest = [inside[1], *trail(graph, inside[1])]
    return rest if keeps_size and pointwise and inside[1:] == rest else []


def _module(graph: Graph, path: str, item: Join, changes: Mapping[int, tuple[Part, ...]]) -> Site:
    join = graph.nodes[item.index]
    taken_out = [i for i, parts in changes.items() if not parts and isinstance(graph.nodes[i].op, Conv2d)]
    return Site(
        path=path or join.name,
        before=f"{len(taken_out)} 1×1 convolutions that narrow",
        after="without them",
        end_before=join.name,
        end_after=join.name,
        changes=changes,
    )
