"""A network as the data of its page: compact, because a page of 5,000 layers has to open at once.

What repeats is written once and referred to by number: shapes, kinds of layers with their figures and derivations,
cards.  A run of equal blocks is its first block, and the names and first layers of all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from ...analysis import Analysis, Row, analyse
from ...graph import Graph, Node
from ...ops.base import Shape
from ..captions import ends_text, shape_label
from ..elements import Card, Element, Figures, Fork, Frame, Net, Outline, Side
from ..options import Options
from ..outline import Folding, outline, outlines
from ..row import net_card
from ..theme import KINDS, THEMES, Theme

_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d+", re.ASCII)
_FIGURES = ("shape", "params", "macs", "flops")
_PLAIN = re.compile(r"[\d,]*|\(\d+(, \d+)*,?\)", re.ASCII)  # derivations that say no more than the figure
_PLACE, _GROUPED = "\x01", "\x02"  # where a number stood, without and with commas; no text of a spec has them
_PARTS = 80  # of a net that is drawn open
_SIGNS = {"Add": "+", "Multiply": "×"}


def pack(graph: Graph, options: Options) -> dict[str, Any]:
    """The page's data, ready for JSON.  Raises ArchinspectError (A403) for a scope that there is not."""
    asked = outlines(graph, options)  # every name is a scope of the network
    packer = _Packer(graph, analyse(graph))
    panels = [packer.panel(only) for only in options.only or (None,)]
    layers = [packer.layer(i, node) for i, node in enumerate(graph.nodes)]
    first = asked[0]
    latency = options.latency
    return {
        "title": _title(asked),
        "subtitle": _subtitle(first),
        "file": graph.name,
        "source": str(graph.metadata.get("source") or ""),
        "totals": packer.analysis.totals.to_dict(),
        "panels": panels,
        "layers": layers,
        "types": packer.types.values,
        "cards": packer.cards.values,
        "shapes": packer.shapes.values,
        "categories": packer.categories.values,
        "patterns": packer.patterns.values,
        "names": packer.names.values,
        "latency": [latency.get(node.name) for node in graph.nodes] if latency else None,
        "kinds": dict(KINDS),
        "themes": {name: _theme(theme) for name, theme in THEMES.items()},
        "start": {
            "color": options.color,
            "theme": options.theme,
            "depth": options.depth,
            "expand": list(options.expand),
            "fold": options.fold,
        },
    }


class _Table:
    """Values by number, each once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.numbers: dict[Any, int] = {}

    def number(self, key: Any, value: Any) -> int:
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = len(self.values)
            self.values.append(value)
        return found


class _Packer:
    def __init__(self, graph: Graph, analysis: Analysis) -> None:
        self.graph = graph
        self.analysis = analysis
        self.rows = {row.name: row for row in analysis.rows}
        self.shapes, self.types, self.cards = _Table(), _Table(), _Table()
        self.categories, self.patterns, self.names = _Table(), _Table(), _Table()
        self.before = ""

    def shape(self, shape: Shape) -> int:
        text = shape_label(shape)
        return self.shapes.number(text, text)

    # Layers

    def layer(self, index: int, node: Node) -> list[Any]:
        """Letters shared with the name before, the rest of the name, type, receptive field, distances of inputs."""
        row = self.rows.get(node.name)
        shared = _shared(self.before, node.name)
        self.before = node.name
        key = (node.op, node.input_shapes, node.output_shape, row.params if row else 0)
        kind = self.types.numbers.get(key)
        if kind is None:
            kind = self.types.number(key, self._type(node, row))
        field = _finite(row.receptive_field) if row else 1
        sources = [index - source for source in node.inputs]
        packed = [shared, node.name[shared:], kind, field]
        return packed if sources == [1] else [*packed, sources]  # most read the layer before them

    def _type(self, node: Node, row: Row | None) -> list[Any]:
        """What layers of equal ops and shapes have in common."""
        value = [
            self.text(str(node.op) if row else "input"),
            self.categories.number(node.op.category, node.op.category),
            [self.shape(shape) for shape in node.input_shapes],
            self.shape(node.output_shape),
        ]
        if row:
            why = [
                self.text(text) if _PLAIN.fullmatch(text) is None else 0
                for text in (row.derivations[key] for key in _FIGURES)
            ]
            value += [row.params, row.macs, row.flops, row.activation_bytes, row.buffers, why]
        return value

    def text(self, text: str) -> list[Any]:
        """A text as the number of its pattern and the numbers in it: patterns repeat, texts seldom do."""
        numbers = [
            int(part.replace(",", "")) if part == "0" or part[0] != "0" else part
            for part in _DIGITS.findall(text)
        ]
        pattern = _DIGITS.sub(lambda found: _GROUPED if "," in found[0] else _PLACE, text)
        return [self.patterns.number(pattern, pattern), *numbers]

    # Elements

    def panel(self, only: str | None) -> dict[str, Any]:
        """One picture: the network or a scope of it, with all repeats folded."""
        folded = outline(self.graph, Folding(), only)
        flat = outline(self.graph, Folding(repeats=False), only)
        return {"title": only or "", "path": "", "body": self.elements(folded.body, flat.body, "")}

    def elements(self, folded: Sequence[Element], flat: Sequence[Element], path: str) -> list[Any]:
        """Elements beside those of the outline without folding, which knows the names of what is folded."""
        packed: list[Any] = []
        i = 0
        for element in folded:
            count = element.repeat if isinstance(element, Frame) else 1
            packed.append(self.element(element, flat[i : i + count], path))
            i += count
        return packed

    def element(self, element: Element, same: Sequence[Element], path: str) -> list[Any]:
        first = same[0]
        if isinstance(element, Card):
            return self.card(element, path)
        if isinstance(element, Frame):
            return self.frame(element, [one for one in same if isinstance(one, Frame)], path)
        if isinstance(element, Net):
            return self.net(element, first, path)
        assert isinstance(first, (Fork, Side))
        branches = [
            [branch.name, self.elements(branch.body, other.body, path)]
            for branch, other in zip(element.branches, first.branches, strict=True)
        ]
        if isinstance(element, Side):
            return ["s", branches, self.shape(element.output_shape)]
        return ["k", branches, self.card(element.join, path)]

    def net(self, net: Net, flat: Element, path: str) -> list[Any]:
        """The parts of a net and the ways between them; one card where there are more than a picture has room for."""
        if not isinstance(flat, Net):
            return self.card(net_card(net), path)
        if len(net.branches) != len(flat.branches):
            net = flat  # equal parts in a row were folded, and each has a name of its own
        if len(net.branches) > _PARTS:
            return self.card(net_card(net), path)
        branches = [
            [branch.name, self.elements(branch.body, other.body, path)]
            for branch, other in zip(net.branches, flat.branches, strict=True)
        ]
        ways = sorted({(link.target, link.source) for link in net.links})
        return ["n", branches, [[source, target] for target, source in ways], self.shape(net.output_shape)]

    def card(self, card: Card, path: str) -> list[Any]:
        sign = _SIGNS.get(card.title, "") if card.kind == "merge" else ""
        number = self._card(
            card.kind, card.title, card.parts, card.figures, card.input_shape, card.output_shape, sign
        )
        return ["c", number, self.under(path, card.name), _spans(card.nodes)]

    def frame(self, frame: Frame, same: list[Frame], path: str) -> list[Any]:
        label = same[0].label
        layers = frame.figures.layers
        parts = (*((frame.block,) if frame.block else ()), f"{layers} layer{'s' if layers > 1 else ''}")
        number = self._card("block", label, parts, frame.figures, frame.input_shape, frame.output_shape, "")
        body = self.elements(frame.body, same[0].body, frame.name)
        packed = ["f", number, self.under(path, frame.name), frame.block, body, _spans(frame.nodes)]
        if frame.repeat > 1:
            names = [one.name.rpartition(".")[2] for one in same]
            packed.append({"label": frame.label, "names": names, "starts": [one.nodes[0] for one in same]})
        return packed

    def under(self, path: str, name: str) -> int:
        """Number of the name below its scope; a colon stands before a whole one."""
        inside = name.startswith(path + ".") if path else True
        rest = (name[len(path) + 1 :] if path else name) if inside else ":" + name
        return self.names.number(rest, rest)

    def _card(
        self,
        kind: str,
        title: str,
        parts: tuple[str, ...],
        figures: Figures,
        before: Shape,
        after: Shape,
        sign: str,
    ) -> int:
        value = [
            self.categories.number(kind, kind), self.text(title), self.text(" · ".join(parts)),
            self.text(figures.text()), figures.params, figures.macs, 4 * figures.activations, figures.layers,
            self.shape(before), self.shape(after), sign,
        ]  # fmt: skip
        return self.cards.number((kind, title, parts, figures, before, after), value)


def _title(asked: tuple[Outline, ...]) -> str:
    scopes = ", ".join(outline.scope for outline in asked if outline.scope)
    return f"{asked[0].title} · {scopes}" if scopes else asked[0].title


def _subtitle(first: Outline) -> str:
    parts = [first.figures.text(), *ends_text(first.inputs, first.outputs)]
    return " · ".join(part for part in parts if part)


def _theme(theme: Theme) -> dict[str, Any]:
    names = {
        "background": theme.background, "heading": theme.heading, "text": theme.text, "muted": theme.muted,
        "edge": theme.edge, "skip": theme.skip, "frame": theme.frame, "frameStroke": theme.frame_stroke,
        "inner": theme.inner, "innerStroke": theme.inner_stroke, "folded": theme.folded,
        "foldedStroke": theme.folded_stroke, "pill": theme.pill, "pillText": theme.pill_text,
        "heat": list(theme.heat), "heatDark": theme.heat_dark_text, "heatLight": theme.heat_light_text,
    }  # fmt: skip
    swatches = {kind: [s.fill, s.stroke, s.title, s.detail] for kind, s in theme.swatches.items()}
    return {**names, "swatches": swatches}


def _finite(field: Any) -> Any:
    """A receptive field as JSON has it: a number, or two; None for one without end."""
    if isinstance(field, tuple):
        return [_finite(side) for side in field]
    return None if isinstance(field, float) and not math.isfinite(field) else field


def _shared(before: str, name: str) -> int:
    count = 0
    for a, b in zip(before, name, strict=False):
        if a != b:
            break
        count += 1
    return count


def _spans(nodes: tuple[int, ...]) -> list[int]:
    """Indices as first and count of each run."""
    spans: list[int] = []
    for node in nodes:
        if spans and node == spans[-2] + spans[-1]:
            spans[-1] += 1
        else:
            spans += [node, 1]
    return spans
