"""Colours: light for screens, dark for dark screens, print for paper and grey-scale printers.

Every text colour has a contrast of at least 4.5:1 on what it stands on (WCAG 2, tested), in the heat maps too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Swatch:
    """Colours of one kind of card: fill, outline and stripe, title, second line."""

    fill: str
    stroke: str
    title: str
    detail: str


@dataclass(frozen=True)
class Theme:
    """All colours of a picture."""

    name: str
    background: str
    heading: str
    text: str
    muted: str
    edge: str
    skip: str
    frame: str
    frame_stroke: str
    inner: str
    inner_stroke: str
    folded: str
    folded_stroke: str
    pill: str
    pill_text: str
    swatches: Mapping[str, Swatch]
    heat: tuple[str, ...]
    heat_dark_text: str = "#000000"  # and white: only these two read on every colour between them
    heat_light_text: str = "#FFFFFF"


#: kinds of cards, with the words of the legend
KINDS = {
    "io": "Input, output",
    "convolution": "Convolution",
    "pooling": "Pooling",
    "linear": "Fully connected",
    "activation": "Activation",
    "normalisation": "Normalisation",
    "merge": "Add, concatenate, multiply",
    "attention": "Attention",
    "sequence": "Recurrent",
    "shape": "Rearranging",
    "regularisation": "Dropout",
    "block": "Block, drawn as one card",
}

_LIGHT = {
    "io": Swatch("#F1F4F8", "#64748B", "#1E293B", "#46536A"),
    "convolution": Swatch("#E3EEFC", "#2F6FC1", "#14396B", "#3D5A80"),
    "pooling": Swatch("#E2F5E9", "#2E9A60", "#0F4A2C", "#2F6349"),
    "linear": Swatch("#FCE6EC", "#C8456F", "#6D1735", "#84405A"),
    "activation": Swatch("#FEF0DE", "#DB8A2E", "#6B3A06", "#7E542A"),
    "normalisation": Swatch("#EFEAFB", "#7A5CC4", "#3B2478", "#5A4A8A"),
    "merge": Swatch("#FFF6CF", "#C79A00", "#574300", "#6B5A1E"),
    "attention": Swatch("#E0F5F5", "#1C8F92", "#0B4648", "#2B6264"),
    "sequence": Swatch("#ECF3DC", "#7A9A2E", "#38480F", "#4A5A30"),
    "shape": Swatch("#F3F4F6", "#8A94A6", "#374151", "#515C6E"),
    "block": Swatch("#EAF0FA", "#4A68A8", "#1B2F5C", "#44547A"),
}
_DARK = {
    "io": Swatch("#273142", "#8B9BB4", "#E7ECF4", "#B4C0D2"),
    "convolution": Swatch("#1B3150", "#5C9BE8", "#DCEAFE", "#A9C6EC"),
    "pooling": Swatch("#173A2A", "#4CC38A", "#D6F6E5", "#9FD6B9"),
    "linear": Swatch("#43202F", "#EB7BA0", "#FDE0EA", "#E3AFC2"),
    "activation": Swatch("#41301A", "#EBA654", "#FDEBD3", "#DFBF95"),
    "normalisation": Swatch("#2F2750", "#A68BEE", "#EAE2FE", "#C3B5EA"),
    "merge": Swatch("#3D3613", "#DDB82B", "#FFF3C2", "#D9C983"),
    "attention": Swatch("#163B3D", "#45C2C6", "#D2F5F6", "#97D2D4"),
    "sequence": Swatch("#2A3414", "#A9CB58", "#EEF7D8", "#C3D69A"),
    "shape": Swatch("#2B323D", "#8A97AB", "#E2E7EE", "#B3BDCB"),
    "block": Swatch("#222E4A", "#7C98D8", "#DFE8FC", "#AFC0E4"),
}
_PRINT = {
    kind: Swatch("#FFFFFF", stroke, "#000000", "#2B2B2B")
    for kind, stroke in (
        ("io", "#555555"),
        ("convolution", "#1F5FB4"),
        ("pooling", "#1D8550"),
        ("linear", "#B0305B"),
        ("activation", "#B86B12"),
        ("normalisation", "#6547B4"),
        ("merge", "#8F6F00"),
        ("attention", "#0F7A7D"),
        ("sequence", "#5E7A1C"),
        ("shape", "#777777"),
        ("block", "#34538F"),
    )
}

LIGHT = Theme(
    name="light",
    background="#FFFFFF",
    heading="#0F172A",
    text="#1E293B",
    muted="#55617A",
    edge="#64748B",
    skip="#D97706",
    frame="#F6F8FC",
    frame_stroke="#A9B5C9",
    inner="#FFFFFF",
    inner_stroke="#C9D3E2",
    folded="#FFFCF2",
    folded_stroke="#DFA63A",
    pill="#B45309",
    pill_text="#FFFFFF",
    swatches=_LIGHT,
    heat=("#FFF9ED", "#FDE6B5", "#FBB86C", "#EE7440", "#B41F1F"),
)
DARK = Theme(
    name="dark",
    background="#10151E",
    heading="#F3F6FB",
    text="#E2E8F2",
    muted="#9DABC2",
    edge="#8A9AB4",
    skip="#F2A33A",
    frame="#18202D",
    frame_stroke="#3E4B61",
    inner="#131A25",
    inner_stroke="#354156",
    folded="#231F15",
    folded_stroke="#A87B24",
    pill="#F2A33A",
    pill_text="#20160A",
    swatches=_DARK,
    heat=("#2A2320", "#5A3A22", "#9A5620", "#DB8433", "#FFD089"),
)
PRINT = Theme(
    name="print",
    background="#FFFFFF",
    heading="#000000",
    text="#000000",
    muted="#3F3F3F",
    edge="#333333",
    skip="#A85400",
    frame="#FFFFFF",
    frame_stroke="#8A8A8A",
    inner="#FFFFFF",
    inner_stroke="#B0B0B0",
    folded="#FFFFFF",
    folded_stroke="#A85400",
    pill="#7A3D00",
    pill_text="#FFFFFF",
    swatches=_PRINT,
    heat=("#FFFFFF", "#F1E3CF", "#DDB888", "#B3763C", "#6E3A10"),
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK, PRINT)}


def swatch(theme: Theme, kind: str) -> Swatch:
    """Colours of a kind of card; kinds of ops to come are drawn neutrally."""
    return theme.swatches.get(kind) or theme.swatches["shape"]


def heated(theme: Theme, share: float) -> Swatch:
    """Colours for a share of the greatest value, 0 to 1, on the heat ramp; text dark or light, whichever reads."""
    position = min(max(share, 0.0), 1.0) * (len(theme.heat) - 1)
    low = min(int(position), len(theme.heat) - 2)
    fill = blend(theme.heat[low], theme.heat[low + 1], position - low)
    dark, light = theme.heat_dark_text, theme.heat_light_text
    text = dark if contrast(dark, fill) >= contrast(light, fill) else light
    return Swatch(fill, blend(fill, text, 0.45), text, text)


def blend(first: str, second: str, share: float) -> str:
    """The colour at `share` of the way from the first to the second."""
    mixed = (round(a + (b - a) * share) for a, b in zip(_rgb(first), _rgb(second), strict=True))
    return "#" + "".join(f"{value:02X}" for value in mixed)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    low, high = sorted(map(_luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in _rgb(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
