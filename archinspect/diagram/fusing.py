"""Elements that become one: a layer and its tail, a frame around a frame, a scope drawn as a card."""

from __future__ import annotations

from dataclasses import replace

from .elements import Card, Element, Figures, Fork, Frame, Net

_HEADS = {"convolution", "linear", "merge", "normalisation", "attention"}
_TAILS = {"normalisation", "activation", "regularisation"}
_MOST_PARTS = 4


def fused(card: Element, tail: Element) -> Element | None:
    """The card with the tail in it, when the tail is a mere normalisation, activation, dropout or flattening."""
    if isinstance(card, Fork):
        join = fused(card.join, tail)
        if not isinstance(join, Card):
            return None
        figures = Figures() + card.figures + tail.figures
        return replace(card, join=join, nodes=card.nodes + tail.nodes, figures=figures)
    if isinstance(card, Net):
        *others, last = card.branches
        end = fused(last.body[-1], tail)
        if end is None:
            return None
        last = replace(last, body=(*last.body[:-1], end))
        figures = Figures() + card.figures + tail.figures
        return replace(card, branches=(*others, last), nodes=card.nodes + tail.nodes, figures=figures)
    if not isinstance(card, Card) or not isinstance(tail, Card):
        return None
    lead = card.kind in _HEADS and tail.kind in _TAILS and len(tail.nodes) == 1
    flat = card.kind == "pooling" and tail.title == "Flatten" and set(card.output_shape[2:]) == {1}
    dropped = card.kind in ("pooling", "shape") and tail.kind == "regularisation"
    if not (lead or flat or dropped) or len(card.parts) >= _MOST_PARTS:
        return None
    if card.kind == "normalisation" and tail.kind == "normalisation":
        return None
    return replace(
        card,
        parts=(*card.parts, tail.title),
        nodes=card.nodes + tail.nodes,
        figures=card.figures + tail.figures,
        output_shape=tail.output_shape,
    )


def thinned(frame: Frame) -> Frame:
    """A frame around a single frame is one, with both names."""
    inner = frame.body[0]
    if len(frame.body) > 1 or not isinstance(inner, Frame) or inner.repeat > 1:
        return frame
    both = inner.label.startswith(frame.label + ".")  # `layer1.0` says where it is
    return replace(
        frame,
        label=inner.label if both else f"{frame.label}.{inner.label}",
        block=inner.block or frame.block,
        body=inner.body,
    )


def collapsed(frame: Frame) -> Card:
    """A scope as one card."""
    layers = frame.figures.layers
    count = f"{layers} layer{'s' if layers > 1 else ''}"
    parts = (frame.block, count) if frame.block else (count,)
    return Card(
        frame.name,
        "block",
        frame.label,
        parts,
        frame.nodes,
        frame.figures,
        frame.input_shape,
        frame.output_shape,
    )
