"""Elements for one row: cards, and frames around chains of cards; what branches becomes one card."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from .elements import Card, Element, Fork, Frame, Net, Side

_LONGEST_CHAIN = 12  # cards of a frame that a row still opens


def as_row(elements: tuple[Element, ...], *, chains: bool) -> tuple[tuple[Card | Frame, ...], str]:
    """The elements for a row, and a note on what it cannot show.  With `chains`, frames of cards stay open."""
    row: list[Card | Frame] = []
    sides = 0
    for element in elements:
        if isinstance(element, Side):
            sides += len(element.branches)
        elif isinstance(element, Card):
            row.append(element)
        elif isinstance(element, Frame):
            body = _chain(element) if chains else None
            row.append(replace(element, body=body) if body else as_card(element))
        else:
            row.append(_joined(element) if isinstance(element, Fork) else net_card(element))
    return tuple(row), f"without {sides} side output{'s' * (sides > 1)}" if sides else ""


def as_card(frame: Frame) -> Card:
    """A frame as one card that says what it holds: `MaxPool · 3 bottleneck`."""
    return Card(
        frame.name,
        "block",
        frame.label,
        (contents(frame),),
        frame.nodes,
        frame.figures,
        frame.input_shape,
        frame.output_shape,
        frame.repeat,
    )


def contents(frame: Frame) -> str:
    """The frame's blocks by name and its layers by kind, each with its number; the frame's own block if it is one."""
    counts: Counter[str] = Counter()
    for element in frame.body:
        if isinstance(element, Frame):
            counts[element.block or element.label] += element.repeat
        elif isinstance(element, Card) and element.kind == "block":
            counts[element.parts[0]] += element.repeat
    if not counts or any(isinstance(element, (Fork, Net)) for element in frame.body):
        layers = frame.figures.layers
        return frame.block or f"{layers} layer{'s' * (layers > 1)}"
    cards = [
        re.sub(r" \d+×\d+$", "", e.title.split(",")[0])
        for e in frame.body
        if isinstance(e, Card) and e.kind != "block"
    ]
    if len(cards) > 2:
        cards = [f"{len(cards)} layers"]
    return " · ".join([*cards, *(f"{count} {name}" if count > 1 else name for name, count in counts.items())])


def _chain(frame: Frame) -> tuple[Card | Frame, ...] | None:
    """The frame's cards, when it is a short chain of them."""
    body: list[Card | Frame] = []
    for element in frame.body:
        if isinstance(element, Frame):
            inner = _chain(element)
            if inner is None:
                return None
            body.append(replace(element, body=inner))
        elif isinstance(element, Card):
            body.append(element)
        else:
            return None
    return tuple(body) if 0 < sum(map(_count, body)) <= _LONGEST_CHAIN else None


def _count(element: Card | Frame) -> int:
    return (
        1
        if isinstance(element, Card)
        else sum(_count(e) for e in element.body if isinstance(e, (Card, Frame)))
    )


def net_card(net: Net) -> Card:
    """A net as one card."""
    layers = f"{net.figures.layers} layers"
    last = net.branches[-1].body[-1]
    title = last.label if isinstance(last, Frame) else last.title if isinstance(last, Card) else "Net"
    parts = (f"{len(net.branches)} parts", layers)
    return Card(net.name, "block", title, parts, net.nodes, net.figures, net.input_shape, net.output_shape)


def _joined(fork: Fork) -> Card:
    """Branches and their join as one card."""
    branches = f"{len(fork.branches)} branches"
    return Card(
        fork.name,
        "block",
        fork.join.title,
        (branches, *fork.join.parts[1:]),
        fork.nodes,
        fork.figures,
        fork.input_shape,
        fork.output_shape,
    )
