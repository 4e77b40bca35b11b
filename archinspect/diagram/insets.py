"""The blocks worth a picture of their own in an overview: each kind once, with the names of those like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .captions import shape_label
from .elements import Card, Element, Figures, Fork, Frame, Net


@dataclass(frozen=True)
class Inset:
    """A block with cards for its input and output, its name, and where it stands in ever fewer words."""

    name: str
    where: tuple[str, ...]
    body: tuple[Element, ...]


def insets(elements: tuple[Element, ...]) -> list[Inset]:
    """One inset for each kind of block that branches or has a name of its own."""
    kinds: dict[Any, list[Frame]] = {}
    for frame in _blocks(elements):
        kinds.setdefault(_likeness(frame), []).append(frame)
    return [_inset(frames) for frames in kinds.values()]


def _inset(frames: list[Frame]) -> Inset:
    first = frames[0]
    places = [_place(frame) for frame in frames]
    count = sum(frame.repeat for frame in frames) - 1
    where = (", ".join(places), f"{places[0]} and {count} like it", f"{count + 1} of them")
    ends = [
        Card(title, "io", title, (shape_label(shape),), (), Figures(), shape, shape)
        for title, shape in (("input", first.input_shape), ("output", first.output_shape))
    ]
    name = first.name.rpartition(".")[2]
    alone = replace(first, repeat=1, label=first.label.partition("–")[0] if name.isdecimal() else name)
    return Inset(first.block or first.label, where, (ends[0], alone, ends[1]))


def _place(frame: Frame) -> str:
    if "." in frame.label and frame.label.rpartition(".")[2][0].isdecimal():  # `layer1.0–2` says where it is
        return frame.label
    return f"{frame.name.rpartition('.')[0]}.{frame.label}".strip(".") if "." in frame.name else frame.label


def _blocks(elements: tuple[Element, ...]) -> Iterator[Frame]:
    """Frames that are blocks: stages, which mostly consist of frames, are gone through."""
    for element in elements:
        if not isinstance(element, Frame):
            continue
        inner = [
            e for e in element.body if isinstance(e, Frame) or (isinstance(e, Card) and e.kind == "block")
        ]
        if 2 * len(inner) >= len(element.body):
            yield from _blocks(element.body)
        elif element.block or any(isinstance(e, (Fork, Net)) for e in element.body):
            yield element


def _likeness(element: Element) -> Any:
    """Equal for elements that have the same cards in the same arrangement, whatever their widths and strides."""
    if isinstance(element, Card):
        return element.title.split(",")[0], element.parts[1:]
    if isinstance(element, Frame):
        return element.block, tuple(map(_likeness, element.body))
    branches = tuple(tuple(map(_likeness, branch.body)) for branch in element.branches)
    return branches, _likeness(element.join) if isinstance(element, Fork) else None
