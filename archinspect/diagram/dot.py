"""The elements as a Graphviz file, for those who want to edit the picture or lay it out themselves."""

from __future__ import annotations

from html import escape

from .. import neutral
from .captions import shape_label
from .elements import Card, Element, Fork, Frame, Net, Outline, Side
from .theme import LIGHT, Theme, swatch


def to_dot(outlines: tuple[Outline, ...], theme: Theme = LIGHT) -> str:
    """A digraph: a node for each card, a cluster for each frame, shapes on the edges."""
    writer = _Writer(theme)
    titles = [f"{outline.title} {outline.scope}".strip() for outline in outlines]
    captions = [
        f"<b>{escape(title)}</b> · {escape(outline.figures.text())}"
        for title, outline in zip(titles, outlines, strict=True)
    ]
    lines = [
        "// archinspect; for Graphviz, version 2.38 or later: dot -Tsvg FILE.dot -o FILE.svg",
        f"digraph {_quote(', '.join(titles))} {{",
        f"  label=<{'<br/>'.join(captions)}>; labelloc=t; labeljust=l;",
        f'  graph [fontname="Arial", bgcolor="{theme.background}", rankdir=TB, compound=true, newrank=true];',
        '  node [fontname="Arial", fontsize=11, shape=box, style="rounded,filled", margin="0.15,0.08"];',
        f'  edge [fontname="Arial", fontsize=9, color="{theme.edge}", arrowsize=0.6];',
    ]
    for outline in outlines:
        writer.sequence(outline.body, None, "", "  ")
    return neutral.text("\n".join([*lines, *writer.lines, *writer.edges, "}", ""]))


class _Writer:
    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.lines: list[str] = []
        self.edges: list[str] = []
        self.count = 0
        self.made: list[str] = []  # names of nodes, in order
        self.beside: dict[int, tuple[str, str]] = {}  # ends of what a part of a net reads, by value

    def sequence(
        self, elements: tuple[Element, ...], source: str | None, label: str, indent: str
    ) -> tuple[str, str]:
        """Write elements in a row; returns the last node and what flows from it."""
        last = source or ""
        for element in elements:
            last = self._element(element, last, label, indent)
            label = shape_label(element.output_shape)
        return last, label

    def _element(self, element: Element, source: str, label: str, indent: str) -> str:
        if isinstance(element, Card):
            return self._node(element, [(source, label, False)], indent)
        if isinstance(element, Frame):
            self.count += 1
            times = f" ×{element.repeat}" if element.repeat > 1 else ""
            self.lines.append(f"{indent}subgraph cluster_{self.count} {{")
            caption = " · ".join(
                p for p in (element.label + times, element.block, element.figures.text()) if p
            )
            stroke = self.theme.folded_stroke if element.repeat > 1 else self.theme.frame_stroke
            style = f'style="rounded,filled", fillcolor="{self.theme.frame}", color="{stroke}", fontsize=11'
            self.lines.append(f"{indent}  graph [label={_quote(caption)}, labeljust=l, {style}];")
            last, _ = self.sequence(element.body, source, label, indent + "  ")
            self.lines.append(indent + "}")
            return last
        if isinstance(element, Net):
            return self._net(element, source, label, indent)
        ends = []
        for branch in element.branches:
            end, shape = self.sequence(branch.body, source, label, indent)
            ends.append((end, shape, not branch.body))
        if isinstance(element, Side):
            return source
        assert isinstance(element, Fork)
        return self._node(element.join, ends, indent)

    def _net(self, net: Net, source: str, label: str, indent: str) -> str:
        """The parts of a net, each behind the first that it reads; the others lead to where they are read in it."""
        outside = {value: self.beside.pop(value, (source, label)) for value in net.entries}
        ends: list[tuple[str, str]] = []
        for place, branch in enumerate(net.branches):
            reads = {
                link.value: ends[link.source] if link.source >= 0 else outside[link.value]
                for link in net.links
                if link.target == place
            }
            made = len(self.made)
            self.beside.update(reads)
            start, words = next(iter(reads.values()), (None, ""))
            ends.append(self.sequence(branch.body, start, words, indent))
            for end, words in [self.beside.pop(value) for value in list(reads)[1:] if value in self.beside]:
                if end:
                    style = f'label={_quote(words)}, color="{self.theme.skip}", penwidth=2, weight=1'
                    self.edges.append(f"  {end} -> {self.made[made]} [{style}];")
            for value in reads:
                self.beside.pop(value, None)
        return ends[-1][0]

    def _node(self, card: Card, sources: list[tuple[str, str, bool]], indent: str) -> str:
        self.count += 1
        name = f"n{self.count}"
        self.made.append(name)
        colours = swatch(self.theme, card.kind)
        times = f" ×{card.repeat}" if card.repeat > 1 else ""
        rows = [f"<b>{escape(card.title + times)}</b>"]
        rows += [
            f'<font point-size="10">{escape(text)}</font>'
            for text in (card.detail, card.figures.text())
            if text
        ]
        tip = f", tooltip={_quote(card.name)}"
        paint = f'fillcolor="{colours.fill}", color="{colours.stroke}", fontcolor="{colours.title}"'
        self.lines.append(f"{indent}{name} [label=<{'<br/>'.join(rows)}>, {paint}{tip}];")
        for source, label, skip in sources:
            if source:
                style = f', color="{self.theme.skip}", penwidth=2, weight=1' if skip else ", weight=8"
                self.edges.append(f"  {source} -> {name} [label={_quote(label)}{style}];")
        return name


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
