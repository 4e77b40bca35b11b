"""Several drawings below one another as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..diagram.drawing import Box, Disc, Drawing, Group, Item, Path, Rect


def stack(drawings: Sequence[Drawing], title: str = "") -> Drawing:
    """One drawing, as wide as the widest; a single one stays as it is.  Raises ValueError for none."""
    if not drawings:
        raise ValueError("there is nothing to stack")
    first = drawings[0]
    if len(drawings) == 1:
        return first
    items: list[Item] = []
    height = 0.0
    for drawing in drawings:
        items += [moved(item, height) for item in drawing.items]
        height += drawing.height
    return Drawing(
        width=max(drawing.width for drawing in drawings),
        height=height,
        background=first.background,
        items=tuple(items),
        title=title or first.title,
        description=" ".join(drawing.description for drawing in drawings),
    )


def moved(item: Item, down: float) -> Item:
    """The item, so many px further down."""
    if isinstance(item, Group):
        return replace(item, items=tuple(moved(inner, down) for inner in item.items))
    if isinstance(item, Rect):
        return replace(item, box=Box(item.box.x, item.box.y + down, item.box.width, item.box.height))
    if isinstance(item, Disc):
        return replace(item, centre=(item.centre[0], item.centre[1] + down))
    if isinstance(item, Path):
        return replace(item, points=tuple((x, y + down) for x, y in item.points))
    return replace(item, y=item.y + down)
