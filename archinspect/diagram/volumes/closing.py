"""A whole block as one solid: what its outside tells of the branches within."""

from __future__ import annotations

from typing import Any

from ...graph import Graph
from ..elements import Branch, Card, Element, Fork, Frame
from .content import Band, Extent, Solid


def closed(graph: Graph, frame: Frame) -> Solid:
    """A scope as one solid: residual with a way around it, concatenated with bands, or plain."""
    card = Card(
        frame.name, "block", frame.label, (frame.block,) if frame.block else (), frame.nodes,
        frame.figures, frame.input_shape, frame.output_shape,
    )  # fmt: skip
    words = frame.block or frame.label
    forks = [element for element in frame.body if isinstance(element, Fork)]
    added = [fork for fork in forks if _join(graph, fork) == "add"]
    joined = [fork for fork in forks if _join(graph, fork) == "concat"]
    extent = Extent.of(frame.output_shape)
    size = tokens(card)
    if added:
        identity = any(not branch.body for fork in added for branch in fork.branches)
        skip = "identity" if identity else "projection"
        return Solid(card, "residual", words, words, extent, skip=skip, size=size)
    if joined and frame.body[-1] is joined[-1]:
        fork = joined[-1]
        skip = "identity" if any(not branch.body for branch in fork.branches) else ""
        return Solid(card, "concat", words, words, extent, bands=_bands(graph, fork), skip=skip)
    return Solid(card, "block", words, words, extent, size=size)


def closed_fork(graph: Graph, fork: Fork, name: str) -> Solid:
    """Branches and their join as one solid."""
    label = name.rpartition(".")[2]
    nodes, figures = fork.nodes, fork.figures
    return closed(graph, Frame(name, label, "", (fork,), nodes, figures, fork.input_shape, fork.output_shape))


def solid_of(card: Card, kind: str, words: str, extent: Extent) -> Solid:
    """A solid of which nothing more is to say."""
    return Solid(card, kind, words, words, extent, size=tokens(card))


def tokens(card: Card) -> str:
    """What stands for the size of a sequence of tokens, which has no height and width."""
    return f"{card.output_shape[1]} tokens" if len(card.output_shape) == 3 else ""


def _join(graph: Graph, fork: Fork) -> str:
    return graph.nodes[fork.join.nodes[0]].op.type


def _bands(graph: Graph, fork: Fork) -> tuple[Band, ...]:
    """Each branch's share of the channels, in the order of concatenation."""
    ends = [branch.body[-1].output_shape if branch.body else fork.input_shape for branch in fork.branches]
    return tuple(
        Band(_branch_kind(graph, branch), Extent.of(end).channels)
        for branch, end in zip(fork.branches, ends, strict=True)
    )


def _branch_kind(graph: Graph, branch: Branch) -> str:
    """What marks a branch: "pool" where it only pools and projects, else how large its kernels are: "1" ... "7"."""
    ops: list[Any] = [graph.nodes[i].op for card in _cards(branch.body) for i in card.nodes]
    if not ops:
        return "identity"
    longest = max((max(op.kernel_size) for op in ops if op.category == "convolution"), default=0)
    if longest <= 1 and any(op.category == "pooling" for op in ops):
        return "pool"
    return next((str(most) for most in (1, 3, 5) if 0 < longest <= most), "7" if longest else "other")


def _cards(elements: tuple[Element, ...]) -> list[Card]:
    found: list[Card] = []
    for element in elements:
        if isinstance(element, Card):
            found.append(element)
        elif isinstance(element, Frame):
            found += _cards(element.body)
        else:
            for branch in element.branches:
                found += _cards(branch.body)
    return found
