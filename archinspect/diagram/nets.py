"""Flows that are not series-parallel as elements: their parts, the ways between them, and what folds.

A part is a layer or scope of the flow with what only follows it.  Parts in which nothing is drawn are left out, and
equal scopes in a row that all read the same beside the one before them are drawn once with ×N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..graph import Graph
from .bookkeeping import HIDDEN
from .elements import Branch, Card, Element, Figures, Fork, Frame, Link, Net, Side, repeated, total
from .repeats import Repeats, span_label


@dataclass
class Part:
    """Elements of a part of a flow, the nodes in it, and the nodes whose values it reads: of other parts or outside."""

    body: tuple[Element, ...]
    nodes: tuple[int, ...]
    reads: list[int] = field(default_factory=list)

    @property
    def hidden(self) -> bool:
        return not self.body or (
            len(self.body) == 1 and isinstance(self.body[0], Card) and self.body[0].kind == HIDDEN
        )


def parts_of(
    graph: Graph, live: set[int], bodies: Iterable[tuple[tuple[Element, ...], tuple[int, ...]]]
) -> list[Part]:
    """Parts with what they read of what depends on an input."""
    parts = []
    for body, nodes in bodies:
        own = set(nodes)
        reads = dict.fromkeys(
            value
            for index in nodes
            for value in graph.nodes[index].inputs
            if value in live and value not in own
        )
        parts.append(Part(body, nodes, list(reads)))
    return parts


def net(
    graph: Graph,
    parts: list[Part],
    repeats: Repeats | None,
    join: Callable[[list[Element]], tuple[Element, ...]],
) -> tuple[Element, ...]:
    """The parts as a net; as a sequence, where they are one once hidden parts are left out.

    `repeats` folds (None: nothing does); `join` makes the elements of a sequence, fused.
    """
    parts, dropped = _without_hidden(parts)
    if not parts:
        return ()
    if repeats:
        parts = _folded(parts, repeats)
    parts = _chained(parts, join)
    if len(parts) == 1 and len(parts[0].reads) < 2:
        return parts[0].body
    owner = {index: place for place, part in enumerate(parts) for index in part.nodes}
    entries: list[int] = []
    links = []
    for place, part in enumerate(parts):
        for value in part.reads:
            source = owner.get(value)
            if source is None:
                if value not in entries:
                    entries.append(value)
                source = -1 - entries.index(value)
            links.append(Link(source, place, value))
    branches = tuple(Branch(graph.nodes[part.nodes[-1]].name, part.body) for part in parts)
    nodes = tuple(sorted(index for part in (*parts, *dropped) for index in part.nodes))
    figures = sum((total(part.body) for part in (*parts, *dropped)), start=Figures())
    first = parts[0].body[0]
    return (Net(branches, tuple(links), tuple(entries), nodes, figures, first.input_shape),)


def _without_hidden(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """The parts that are drawn, reading past those that are not; and the others."""
    passed: dict[int, list[int]] = {}  # by node of a hidden part: what the part reads
    shown, dropped = [], []
    for part in parts:
        reads = [source for value in part.reads for source in passed.get(value, [value])]
        part.reads = list(dict.fromkeys(reads))
        if part.hidden:
            passed.update((index, part.reads) for index in part.nodes)
            dropped.append(part)
        else:
            shown.append(part)
    return shown, dropped


def _readers(parts: list[Part]) -> dict[int, list[int]]:
    """By node the places of the parts that read its value."""
    readers: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        for value in part.reads:
            readers.setdefault(value, []).append(place)
    return readers


def _folded(parts: list[Part], repeats: Repeats) -> list[Part]:
    """Runs of equal scopes, each of which reads the one before it and the same beside that, as one part."""
    readers = _readers(parts)
    result: list[Part] = []
    run: list[Part] = []

    def close() -> None:
        if len(run) > 1:
            elements = [part.body[0] for part in run]
            first, *_ = scopes = [one for one in elements if isinstance(one, (Card, Frame))]
            body = repeated(first, len(run), span_label(scopes))
            nodes = tuple(index for part in run for index in part.nodes)
            run[:] = [Part((body,), nodes, run[0].reads)]
        result.extend(run)
        run.clear()

    for place, part in enumerate(parts):
        if run and not _continues(run[-1], part, place, readers, repeats, len(run)):
            close()
        run.append(part)
    close()
    return result


def _continues(
    before: Part, part: Part, place: int, readers: dict[int, list[int]], repeats: Repeats, length: int
) -> bool:
    """Whether the part is one more of a row of equal scopes."""
    signatures = [repeats.signature(one.body[0]) if len(one.body) == 1 else None for one in (before, part)]
    if signatures[0] is None or signatures[0] != signatures[1]:
        return False
    own = set(before.nodes)
    handed = [value for value in part.reads if value in own]
    if len(handed) != 1 or any(readers.get(index, []) not in ([], [place]) for index in before.nodes):
        return False
    beside = {value for value in part.reads if value not in own}
    others = set(before.reads)
    return beside <= others and len(others - beside) == 1


def _chained(parts: list[Part], join: Callable[[list[Element]], tuple[Element, ...]]) -> list[Part]:
    """Parts that only follow each other as one."""
    readers = _readers(parts)
    owner: dict[int, Part] = {}
    result: list[Part] = []
    for part in parts:
        before = owner.get(part.reads[0]) if len(part.reads) == 1 else None
        outlets = {place for index in before.nodes for place in readers.get(index, ())} if before else set()
        if before and len(outlets) == 1:
            before.body = join([*before.body, *part.body])
            before.nodes = (*before.nodes, *part.nodes)
            target = before
        else:
            target = replace(part)
            result.append(target)
        owner.update((index, target) for index in part.nodes)
    return result


def with_inputs(first: tuple[Element, ...], inputs: list[Card], graph: Graph) -> Net:
    """The first element behind a card for each input that it reads; an element that is no net becomes one."""
    (element,) = first
    if isinstance(element, Net):
        branches, links, entries = element.branches, element.links, element.entries
    else:
        own = set(element.nodes)
        reads = dict.fromkeys(i for index in element.nodes for i in graph.nodes[index].inputs if i not in own)
        entries = tuple(i for i in reads if i < graph.inputs)
        branches = (Branch(graph.nodes[element.nodes[-1]].name, (element,)),)
        links = tuple(Link(-1 - place, 0, value) for place, value in enumerate(entries))
    cards = [card for card in inputs if card.nodes[0] in entries]
    places = {card.nodes[0]: place for place, card in enumerate(cards)}
    moved = tuple(
        Link(
            places[entries[-1 - link.source]] if link.source < 0 else link.source + len(cards),
            link.target + len(cards),
            link.value,
        )
        for link in links
    )
    branches = (*(Branch(card.name, (card,)) for card in cards), *branches)
    return Net(branches, moved, (), element.nodes, element.figures, element.input_shape)


def with_outputs(net: Net, outputs: list[tuple[Card, int]], graph: Graph) -> Net | None:
    """The net with a card for each output; None for one that ends in its last part alone."""
    found: list[tuple[Card, int, int]] = []
    aside = set(_aside((net,)))
    for card, index in outputs:
        for place, branch in enumerate(net.branches if index not in aside else ()):
            if any(index in element.nodes for element in branch.body):
                found.append((card, place, index))
    if len(found) < 2 or found[0][0] is not outputs[0][0]:
        return None
    count = len(net.branches)
    main, *others = found
    ordered = [*others, main]  # the way goes on from the last
    links = [Link(place, count + i, index) for i, (_, place, index) in enumerate(ordered)]
    branches = (*net.branches, *(Branch(card.name, (card,)) for card, _, _ in ordered))
    return replace(net, branches=branches, links=(*net.links, *links))


def _aside(elements: tuple[Element, ...]) -> Iterator[int]:
    """The nodes on ways to outputs that are drawn beside the main path."""
    for element in elements:
        if isinstance(element, Side):
            yield from element.nodes
        elif isinstance(element, Frame):
            yield from _aside(element.body)
        elif isinstance(element, (Fork, Net)):
            for branch in element.branches:
                yield from _aside(branch.body)
