"""Boxes of single cards: layers, folded scopes, and joins drawn as a sign."""

from __future__ import annotations

from ..drawing import Box
from ..elements import Card
from ..scene import DETAIL, FIGURES, PILL, TITLE, Label, PlacedCard, Scene
from ..typeface import text_width
from . import spacing as s

_SIGNS = {"Add": "+", "Multiply": "×"}


class CardBox:
    """A card centred on its axis.  `left` and `right` are its extents from the axis, stacked cards included."""

    out = 0.0
    arrow = True  # an edge that comes in ends with an arrowhead

    def __init__(self, card: Card) -> None:
        self.card = card
        self.sign = _SIGNS.get(card.title, "") if card.kind == "merge" else ""
        self.figures = _each(card) if card.costs and not self.sign else ""
        self.details = [] if self.sign or not card.parts else [card.detail]
        if self.details and not card.costs and text_width(card.detail, DETAIL) > s.LONG:
            self.details = _halves(card.parts)
        self.lines = 1 + len(self.details) + bool(self.figures)
        self.stack = self.lift = 2 * s.STACK if card.repeat > 1 else 0.0
        self.width = self.natural = self._natural_width()
        single = self.lines == 1
        self.body = s.THIN if single else 2 * s.CARD_MARGIN + sum(s.LINES[: self.lines])
        if self.sign:
            self.body = s.PILL
        self.height = self.body + self.stack

    @property
    def left(self) -> float:
        return self.width / 2

    @property
    def right(self) -> float:
        return self.width / 2 + self.stack

    @property
    def stretches(self) -> bool:
        """Whether the card takes the common width of its sequence."""
        return not self.sign and self.card.kind != "io"

    def place(self, scene: Scene, x: float, y: float, owner: str, level: int) -> None:
        box = Box(x - self.width / 2, y + self.stack, self.width, self.body)
        scene.cards.append(PlacedCard(self.card, box, self._labels(box), self.sign))

    def _natural_width(self) -> float:
        card = self.card
        if self.sign:
            return s.PILL + (text_width(card.detail, DETAIL, True) + 8 if card.parts else 0.0)
        widths = [text_width(card.title, TITLE, True) + self._badge_room()]
        widths += [text_width(detail, DETAIL) for detail in self.details]
        widths.append(text_width(self.figures, FIGURES))
        return max(widths) + 2 * s.CARD_PAD + s.STRIPE

    def _badge_room(self) -> float:
        """A folded card's ×N stands behind its title."""
        return text_width(self._badge(), PILL, True) + 22 if self.card.repeat > 1 else 0.0

    def _badge(self) -> str:
        return f"×{self.card.repeat}"

    def _labels(self, box: Box) -> tuple[Label, ...]:
        card = self.card
        if self.sign:
            if not card.parts:
                return ()
            x = box.x + s.PILL + (self.width - s.PILL) / 2 - 3
            return (Label(x, box.y + s.PILL / 2 + 4, card.detail, DETAIL, "title", True, "middle"),)
        centre = box.x + s.STRIPE + (box.width - s.STRIPE) / 2
        texts = [card.title]
        texts += self.details
        texts += [self.figures] if self.figures else []
        labels = []
        y = box.y + (self.body - sum(s.LINES[: self.lines])) / 2
        for i, text in enumerate(texts):
            role = "title" if i == 0 else "figures" if text == self.figures else "detail"
            size = {"title": TITLE, "detail": DETAIL, "figures": FIGURES}[role]
            y += s.LINES[i]
            x = centre - (self._badge_room() / 2 if i == 0 else 0)
            labels.append(Label(x, y - 4, text, size, role, i == 0, "middle"))  # type: ignore[arg-type]
        if card.repeat > 1:
            x = labels[0].box.right + self._badge_room() / 2 + 2
            labels.append(Label(x, labels[0].y - 0.5, self._badge(), PILL, "pill", True, "middle"))
        return tuple(labels)


def _halves(parts: tuple[str, ...]) -> list[str]:
    """The parts in two lines of about the same length, where there are several."""
    ways = [(" · ".join(parts[:i]) + " ·", " · ".join(parts[i:])) for i in range(1, len(parts))]
    if not ways:
        return list(parts)
    return list(min(ways, key=lambda lines: max(text_width(line, DETAIL) for line in lines)))


def _each(card: Card) -> str:
    text = card.note or card.figures.text()
    return f"each {text}" if card.repeat > 1 and text else text
