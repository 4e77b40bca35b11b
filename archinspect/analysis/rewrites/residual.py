"""Residual bottleneck blocks as blocks of two larger convolutions.

He et al. 2015, arXiv:1512.03385, figure 5: a basic block of two 3×3 convolutions, and a bottleneck block of 1×1, 3×3
and 1×1 that is as expensive and four times as wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...graph import Graph, Join, Leaf, Scope
from ...ops.convolution import Conv2d
from .assemble import Part, indices, rewrite
from .reductions import changed
from .site import Options, Site, kernel, trail


@dataclass(frozen=True)
class Block:
    """A bottleneck block: its join, its three convolutions, and those of its shortcut (none for an identity)."""

    path: str
    join: int
    convolutions: tuple[int, int, int]
    shortcut: tuple[int, ...]
    width: int


def blocks(graph: Graph) -> Iterator[Block]:
    """Residual additions with one branch of 1×1, k×k and 1×1 convolutions, and at most a projection beside it."""
    for path, item in graph.walk():
        if not isinstance(item, Join) or graph.nodes[item.index].op.type != "add":
            continue
        branches = [_convolutions(graph, branch) for branch in item.branches]
        main = [branch for branch in branches if _is_bottleneck(graph, branch)]
        rest = [branch for branch in branches if branch not in main]
        if (
            len(main) == 1
            and len(rest) == 1
            and all(_is_pointwise(graph, i) for i in rest[0])
            and len(rest[0]) < 2
        ):
            first, middle, last = main[0]
            yield Block(
                path, item.index, (first, middle, last), tuple(rest[0]), graph.nodes[last].output_shape[1]
            )


def _convolutions(graph: Graph, branch: Scope | Leaf) -> list[int]:
    return [i for i in indices(branch) if isinstance(graph.nodes[i].op, Conv2d)]


def _is_pointwise(graph: Graph, index: int) -> bool:
    op = graph.nodes[index].op
    return isinstance(op, Conv2d) and op.kernel_size == (1, 1) and op.groups == 1


def _is_bottleneck(graph: Graph, branch: Sequence[int]) -> bool:
    if len(branch) != 3 or not (_is_pointwise(graph, branch[0]) and _is_pointwise(graph, branch[2])):
        return False
    middle, last = graph.nodes[branch[1]].op, graph.nodes[branch[2]].op
    assert isinstance(middle, Conv2d)
    assert isinstance(last, Conv2d)
    narrow = middle.out_channels < last.out_channels
    return narrow and middle.kernel_size != (1, 1) and middle.groups == 1 and last.stride == (1, 1)


def find_full_width(graph: Graph, options: Options) -> list[Site]:
    """Two k×k convolutions at the width of the block's output in place of each bottleneck."""
    return [_site(graph, [block], block.path, block.width) for block in blocks(graph)]


def find_equal_macs(graph: Graph, options: Options) -> list[Site]:
    """Basic blocks, each stage as wide as its multiply-accumulates allow.

    A stage is a run of blocks of one width; its first block must have a projection, which then takes the new width.
    Stages are sized in order, since each reads what the one before it puts out.
    """
    sites: list[Site] = []
    for _, run in groupby(
        blocks(graph), key=lambda block: (block.width, graph.nodes[block.join].output_shape)
    ):
        stage = list(run)
        if stage[0].shortcut:
            width = _widest(graph, stage, sites)
            sites.append(_site(graph, stage, _common(stage), width))
    return sites


def _widest(graph: Graph, stage: Sequence[Block], before: Sequence[Site]) -> int:
    """The largest width at which the stage takes no more multiply-accumulates than it does now."""
    settled = {i: parts for site in before for i, parts in site.changes.items()}
    allowed = _macs(graph, stage)
    least, most = 1, stage[0].width
    while least < most:
        width = (least + most + 1) // 2
        tried = rewrite(graph, {**settled, **_changes(graph, stage, width)}, name="tried")
        if _macs(tried, stage) <= allowed:
            least = width
        else:
            most = width - 1
    return least


def _macs(graph: Graph, stage: Sequence[Block]) -> int:
    paths = tuple(f"{block.path}." for block in stage)
    costs = [node.cost for node in graph.nodes if node.name.startswith(paths)]
    return sum(cost.macs for cost in costs if cost is not None)


def _changes(graph: Graph, stage: Sequence[Block], width: int) -> dict[int, tuple[Part, ...]]:
    changes: dict[int, tuple[Part, ...]] = {}
    for block in stage:
        first, middle, last = (graph.nodes[i].op for i in block.convolutions)
        assert isinstance(first, Conv2d)
        assert isinstance(middle, Conv2d)
        assert isinstance(last, Conv2d)
        changes |= dict.fromkeys([block.convolutions[0], *trail(graph, block.convolutions[0])], ())
        stride = middle.stride[0] * first.stride[0], middle.stride[1] * first.stride[1]
        changes[block.convolutions[1]] = (Part("", changed(middle, out_channels=width, stride=stride)),)
        second = changed(middle, out_channels=width, stride=(1, 1), bias=last.bias)
        changes[block.convolutions[2]] = (Part("", second),)
        for index in block.shortcut:
            op = graph.nodes[index].op
            assert isinstance(op, Conv2d)
            changes[index] = (Part("", changed(op, out_channels=width)),)
    return changes


def _site(graph: Graph, stage: Sequence[Block], path: str, width: int) -> Site:
    first, middle, last = (graph.nodes[i] for i in stage[0].convolutions)
    assert isinstance(middle.op, Conv2d)
    times = f"{len(stage)} × " if len(stage) > 1 else ""
    narrow, wide = middle.output_shape[1], last.output_shape[1]
    end = graph.nodes[stage[-1].join].name
    return Site(
        path=path,
        before=f"{times}1×1 {first.input_shapes[0][1]} → {narrow}, {kernel(middle.op)}, 1×1 → {wide}",
        after=f"{times}2 × {kernel(middle.op)} at {width}",
        end_before=end,
        end_after=end,
        changes=_changes(graph, stage, width),
    )


def _common(stage: Sequence[Block]) -> str:
    """The path that all blocks of a stage share, or the first to the last."""
    paths = [block.path.split(".") for block in stage]
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared) or f"{stage[0].path} … {stage[-1].path}"
