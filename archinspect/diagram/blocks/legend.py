"""The legend at the foot of a picture: kinds of cards, the ramp of a heat map or marks; skips; folded repeats."""

from __future__ import annotations

from math import ceil

from ..colouring import Heat
from ..drawing import Box
from ..marking import STATES, Marks
from ..scene import LEGEND, Label, LegendEntry, Scene
from ..theme import KINDS
from ..typeface import text_width
from . import spacing as s

#: what a picture's colours mean, where not the kinds of layers
Key = Heat | Marks | None

_RAMP = 150.0  # width of a heat map's ramp
_GAP = 7.0  # between a sample and its words


def add_legend(scene: Scene, key: Key, width: float, y: float) -> int:
    """Samples and words in rows of the given width; returns the number of rows."""
    x, row = s.MARGIN, 0
    if isinstance(key, Heat):
        x = _ramp(scene, key, y)
    for kind, words in _entries(scene, key):
        need = 24 + text_width(words, LEGEND) + 18
        if x > s.MARGIN and x + need > s.MARGIN + width:
            x, row = s.MARGIN, row + 1
        top = y + 20 * row
        label = Label(x + 24, top + 10, words, LEGEND, "legend")
        scene.legend.append(LegendEntry(Box(x, top, 17, 12), kind, (label,)))
        x += need
    return row + 1


def _entries(scene: Scene, key: Key) -> list[tuple[str, str]]:
    """What is explained: kinds of cards in a fixed order, skips, folded repeats."""
    present = {card.card.kind for card in scene.cards} - {"io"}
    if isinstance(key, Marks):
        states = {key.state(card.card) for card in scene.cards if card.card.kind != "io"}
        entries = [entry for state, entry in STATES.items() if state in states]
    else:
        entries = [] if key else [(kind, words) for kind, words in KINDS.items() if kind in present]
    if any(edge.way == "skip" for edge in scene.edges):
        entries.append(("skip", "Skip connection"))
    if any(frame.pill for frame in scene.frames) or any(card.card.repeat > 1 for card in scene.cards):
        entries.append(("folded", "×N: N equal blocks in a row"))
    return entries


def _ramp(scene: Scene, heat: Heat, y: float) -> float:
    """`Parameters  0 [ramp] 2.36 M  square-root scale, middle 590 k`; returns where the next entry begins."""
    low, middle, high = heat.legend()
    x = s.MARGIN
    labels = [Label(x, y + 10, f"{heat.title}:", LEGEND, "legend", True)]
    labels.append(Label(labels[-1].box.right + _GAP, y + 10, low, LEGEND, "legend"))
    sample = Box(float(ceil(labels[-1].box.right + _GAP)), y, _RAMP, 12)
    labels.append(Label(sample.right + _GAP, y + 10, high, LEGEND, "legend"))
    words = f"(square-root scale, {middle} in the middle)"
    labels.append(Label(labels[-1].box.right + _GAP, y + 10, words, LEGEND, "legend"))
    scene.legend.append(LegendEntry(sample, "ramp", tuple(labels)))
    return labels[-1].box.right + 24
