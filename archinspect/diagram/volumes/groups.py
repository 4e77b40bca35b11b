"""Stages: maps of one size and the pooling behind them, which share a caption."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .content import Aside, Gap, Part, Solid, result

_TITLE_LETTERS = 22


@dataclass(slots=True)
class Group:
    """Parts under one caption.  `closed` once a pooling layer has ended it; `drawn`: those that are not left out."""

    parts: list[Part] = field(default_factory=list)
    closed: bool = False
    drawn: list[Part] = field(default_factory=list)

    @property
    def results(self) -> list[Solid]:
        """What the parts leave on the main path."""
        return [solid for solid in map(result, self.parts) if solid]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the stage's maps; those of its pooling's input."""
        extent = self.results[0].extent
        return extent.height, extent.width


def grouped(parts: list[Part], *, fine: bool) -> list[Group]:
    """Parts by the size of their maps; `fine` also by name, so that conv3 and conv4 stand apart."""
    groups: list[Group] = []
    base = ""
    for part in parts:
        solid = result(part)
        if solid is None:  # an output aside, or a gap
            if groups:
                groups[-1].parts.append(part)
            continue
        own = _base(solid.name)
        current = groups[-1] if groups else None
        pools = solid.kind == "pooling" and not solid.extent.flat
        fits = current is not None and current.results and not current.closed and not _flat(current)
        extent = solid.extent
        if fits and current and pools and current.results[0].kind != "input":
            current.parts.append(part)
            current.closed = (extent.height, extent.width) != current.size
            continue
        same = current is not None and bool(fits) and (extent.height, extent.width) == current.size
        if current and same and current.results[0].kind != "input" and (not fine or own == base):
            current.parts.append(part)
            continue
        groups.append(Group([part]))
        base = own
    return groups


def elided(groups: list[Group], most: int, limit: int) -> list[Group | Gap]:
    """Long groups shortened to `most` parts, and no more than `limit` groups."""
    shown: list[Group | Gap] = [
        Group(group.parts, group.closed, _shortened(group.parts, most)) for group in groups
    ]
    if len(shown) <= limit:
        return shown
    head = limit // 2
    tail = limit - head - 1
    return [*shown[:head], Gap(len(shown) - head - tail), *shown[len(shown) - tail :]]


def _shortened(parts: list[Part], most: int) -> list[Part]:
    if len(parts) <= most:
        return parts
    parts = [part for part in parts if not isinstance(part, Aside)]
    if len(parts) <= most:
        return parts
    # what ends the stage stays: a pooling layer, and the solid before it
    tail = 2 if isinstance(parts[-1], Solid) and parts[-1].kind == "pooling" and most > 3 else 1
    head = most - tail
    return [*parts[:head], Gap(len(parts) - head - tail), *parts[len(parts) - tail :]]


def titles(groups: list[Group]) -> list[str]:
    """Names of groups: of their scopes, or a span such as `conv3_1–3`; scopes that several groups share are opened."""
    stages = [{_stage(solid.name) for solid in _named(group)} for group in groups]
    shared = {stage for i, own in enumerate(stages) for other in stages[i + 1 :] for stage in own & other}
    return [_title(group, shared) for group in groups]


def _named(group: Group) -> list[Solid]:
    return [solid for solid in group.results if solid.kind != "pooling"] or group.results


def _title(group: Group, shared: set[str]) -> str:
    names = list(dict.fromkeys(_stage(solid.name) for solid in _named(group)))
    if len(names) == 1 and names[0] in shared:
        names = list(dict.fromkeys(".".join(solid.name.split(".")[:2]) for solid in _named(group)))
    if len(names) == 1:
        return _cut(names[0])
    first, last = names[0], names[-1]
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    while common and first[common - 1].isdecimal() and (first[common:] + last[common:])[:1].isdecimal():
        common -= 1  # block9 and block10 share no digit
    rest = last[common:]
    if common and rest and len(rest) <= 4:
        return _cut(f"{first}–{rest}")
    return _cut(f"{first} – {last}") if len(first) + len(last) < _TITLE_LETTERS else _cut(f"{first} …")


def lines(group: Group) -> list[str]:
    """What the group computes: equal layers counted, at most three lines."""
    runs: list[tuple[str, list[int]]] = []
    for solid in group.results:
        if not solid.words:
            continue  # part of a block that another solid names
        pooled = solid.kind == "pooling"
        if runs and runs[-1][0] == solid.words and not pooled:
            runs[-1][1].append(solid.extent.channels)
        else:
            runs.append((solid.words, [] if pooled else [solid.extent.channels]))
    texts = []
    for words, channels in runs:
        times = f"{len(channels)} × " if len(channels) > 1 else ""
        span = _span(channels)
        texts.append(f"{times}{words}{', ' + span if span else ''}")
    if len(texts) > 3:
        rest = sum(max(len(channels), 1) for _, channels in runs[2:])
        texts = [*texts[:2], f"and {rest} more"]
    return texts


def _span(channels: list[int]) -> str:
    if not channels:
        return ""
    low, high = min(channels), max(channels)
    return str(low) if low == high else f"{low}–{high}"


def _flat(group: Group) -> bool:
    return group.results[0].extent.flat


def _stage(name: str) -> str:
    return name.partition(".")[0]


def _base(name: str) -> str:
    """What layers of one stage have in common: conv3 of conv3_1, inception_4 of inception_4a."""
    stage = _stage(name)
    match = re.fullmatch(r"(.*\d)(?:[_-]\d+|[a-z])", stage)
    return match[1] if match else stage


def _cut(text: str) -> str:
    return text if len(text) <= _TITLE_LETTERS else text[: _TITLE_LETTERS - 1] + "…"


def channels_text(solids: list[Solid]) -> str:
    """Channels of a run of solids in one text: `3 × 256`, or the first and the last."""
    channels = [solid.extent.channels for solid in solids]
    if len(set(channels)) == 1:
        return f"{len(channels)} × {channels[0]}" if len(channels) > 1 else str(channels[0])
    return f"{channels[0]} … {channels[-1]}"
