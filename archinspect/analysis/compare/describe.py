"""A layer, and the difference between two, in the few words that a reader needs."""

from __future__ import annotations

from typing import NamedTuple

from ...graph import Graph, Node, position_dimensions, width_dimension
from ...ops import Op
from ...ops.base import Axes

_ARROW = " → "


class Placed(NamedTuple):
    """A layer, and what the dimensions of its inputs and of its output mean."""

    node: Node
    inputs: tuple[Axes, ...]
    output: Axes


def placed(graph: Graph, index: int) -> Placed:
    node, axes = graph.nodes[index], graph.axes
    return Placed(node, tuple([axes[source] for source in node.inputs]), axes[index])


def layer(one: Placed) -> str:
    """`conv2d 3×3, 64 → 128 channels at 28×28`."""
    op = one.node.op
    words = [op.type]
    kernel = getattr(op, "kernel_size", None)
    if kernel is not None:
        words.append(_sides(kernel))
    text = " ".join(words)
    width = _width(one)
    if width:
        text += f", {width}"
    return text + _place(one)


def change(one: Placed, other: Placed) -> str:
    """What differs: `conv2d 5×5 → 3×3, 16 → 32 channels in`; attributes, then widths, then resolution."""
    parts = []
    mine, theirs = one.node.op, other.node.op
    if mine.type != theirs.type:
        parts.append(f"{mine.type}{_ARROW}{theirs.type}")
    parts += _attributes(mine, theirs)
    parts += _widths(one, other)
    if _positions(one) != _positions(other):
        parts.append(f"at {_show(_positions(one))}{_ARROW}{_show(_positions(other))}")
    text = ", ".join(parts)
    return text if mine.type != theirs.type or not text else f"{mine.type} {text}"


def same(one: Node, other: Node) -> bool:
    """Whether the two are the same layer on the same input."""
    return one.op == other.op and one.input_shapes == other.input_shapes


def _attributes(one: Op, other: Op) -> list[str]:
    shared = [a for a in one.attributes if a.name in {b.name for b in other.attributes}]
    made = []
    for attribute in sorted(shared, key=lambda a: a.name != "kernel_size"):  # what the eye looks for first
        mine, theirs = getattr(one, attribute.name), getattr(other, attribute.name)
        if mine == theirs:
            continue
        if attribute.name == "kernel_size":
            made.append(f"{_sides(mine)}{_ARROW}{_sides(theirs)}")
        elif attribute.name in ("out_channels", "out_features"):
            made.append(f"{attribute.name.removeprefix('out_')} out {mine:,}{_ARROW}{theirs:,}")
        elif isinstance(mine, bool):
            made.append(f"{'with' if theirs else 'without'} {attribute.name}")
        else:
            made.append(f"{attribute.name} {attribute.show(mine)}{_ARROW}{attribute.show(theirs)}")
    if one.type == other.type:
        return made
    return [part for part in made if "padding" not in part]


def _widths(one: Placed, other: Placed) -> list[str]:
    """Channels that come in, where the layer's weights or work follow them."""
    mine, theirs = _inputs(one), _inputs(other)
    if mine == theirs or not mine or not theirs:
        return []
    return [f"{_unit(one)} in {_sum(mine)}{_ARROW}{_sum(theirs)}"]


def _inputs(one: Placed) -> list[int]:
    """The width of each input."""
    shapes = zip(one.inputs, one.node.input_shapes, strict=True)
    if _unit(one) == "features":  # whatever they mean, they are the last dimension
        return [shape[-1] for _, shape in shapes if len(shape) > 1]
    return [shape[width_dimension(axes, shape)] for axes, shape in shapes if len(shape) > 1]


def _unit(one: Placed) -> str:
    return "features" if one.node.op.category == "linear" else "channels"


def _sum(widths: list[int]) -> str:
    return f"{widths[0]:,}" if len(set(widths)) == 1 else " + ".join(f"{width:,}" for width in widths)


def _width(one: Placed) -> str:
    inputs, shape, unit = _inputs(one), one.node.output_shape, _unit(one)
    if not inputs or len(shape) < 2:
        return ""
    outputs = shape[-1] if unit == "features" else shape[width_dimension(one.output, shape)]
    if one.node.op.category in ("convolution", "linear"):
        return f"{inputs[0]:,}{_ARROW}{outputs:,} {unit}"
    return f"{outputs:,} {unit}" if "channel" in one.output and "space" in one.output else ""


def _place(one: Placed) -> str:
    positions = _positions(one)
    return f" at {_show(positions)}" if positions and set(positions) != {1} else ""


def _positions(one: Placed) -> tuple[int, ...]:
    return tuple([one.node.output_shape[dim] for dim in position_dimensions(one.output)])


def _show(positions: tuple[int, ...]) -> str:
    return "×".join(map(str, positions)) or "no positions"


def _sides(value: tuple[int, ...]) -> str:
    return "×".join(map(str, value))
