"""A layer, and the difference between two, in the few words that a reader needs."""

from __future__ import annotations

from ...graph import Node
from ...ops import Op

_ARROW = " → "


def layer(node: Node) -> str:
    """`conv2d 3×3, 64 → 128 channels at 28×28`."""
    op = node.op
    words = [op.type]
    kernel = getattr(op, "kernel_size", None)
    if kernel is not None:
        words.append(_pair(kernel))
    text = " ".join(words)
    width = _width(node)
    if width:
        text += f", {width}"
    return text + _place(node)


def change(one: Node, other: Node) -> str:
    """What differs: `conv2d 5×5 → 3×3, 16 → 32 channels in`; attributes, then widths, then resolution."""
    parts = []
    if one.op.type != other.op.type:
        parts.append(f"{one.op.type}{_ARROW}{other.op.type}")
    parts += _attributes(one.op, other.op)
    parts += _widths(one, other)
    if _positions(one) != _positions(other):
        parts.append(f"at {_show(_positions(one))}{_ARROW}{_show(_positions(other))}")
    text = ", ".join(parts)
    return text if one.op.type != other.op.type or not text else f"{one.op.type} {text}"


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
            made.append(f"{_pair(mine)}{_ARROW}{_pair(theirs)}")
        elif attribute.name in ("out_channels", "out_features"):
            made.append(f"{attribute.name.removeprefix('out_')} out {mine:,}{_ARROW}{theirs:,}")
        elif isinstance(mine, bool):
            made.append(f"{'with' if theirs else 'without'} {attribute.name}")
        else:
            made.append(f"{attribute.name} {attribute.show(mine)}{_ARROW}{attribute.show(theirs)}")
    if one.type == other.type:
        return made
    return [part for part in made if "padding" not in part]


def _widths(one: Node, other: Node) -> list[str]:
    """Channels that come in, where the layer's weights or work follow them."""
    mine, theirs = _inputs(one), _inputs(other)
    if mine == theirs or not mine or not theirs:
        return []
    unit = "features" if one.op.category == "linear" else "channels"
    return [f"{unit} in {_sum(mine)}{_ARROW}{_sum(theirs)}"]


def _inputs(node: Node) -> list[int]:
    return [shape[-1] if len(shape) in (2, 3) else shape[1] for shape in node.input_shapes if len(shape) > 1]


def _sum(widths: list[int]) -> str:
    return f"{widths[0]:,}" if len(set(widths)) == 1 else " + ".join(f"{width:,}" for width in widths)


def _width(node: Node) -> str:
    inputs, shape = _inputs(node), node.output_shape
    outputs = shape[-1] if len(shape) in (2, 3) else shape[1]
    unit = "features" if node.op.category == "linear" else "channels"
    if node.op.category in ("convolution", "linear"):
        return f"{inputs[0]:,}{_ARROW}{outputs:,} {unit}"
    return f"{outputs:,} {unit}" if len(shape) == 4 else ""


def _place(node: Node) -> str:
    positions = _positions(node)
    return f" at {_show(positions)}" if positions and set(positions) != {1} else ""


def _positions(node: Node) -> tuple[int, ...]:
    shape = node.output_shape
    return shape[2:] if len(shape) == 4 else shape[1:2] if len(shape) == 3 else ()


def _show(positions: tuple[int, ...]) -> str:
    return "×".join(map(str, positions)) or "no positions"


def _pair(value: tuple[int, int]) -> str:
    return f"{value[0]}×{value[1]}"
