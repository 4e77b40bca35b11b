"""What must hold of every picture of volumes, whatever the network: one sentence for each fault found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from archinspect.diagram.volumes.prism import meet
from archinspect.diagram.volumes.scene import Placed, Scene

LONGEST = 4000.0
SHORTEST_SIDE = 40.0


def faults(scene: Scene) -> Iterator[str]:
    """Every breach of the rules; none for a good picture."""
    if max(scene.width, scene.height) > LONGEST:
        yield f"the picture is {scene.width:.0f}×{scene.height:.0f}"
    yield from _texts(scene)
    placed = list(scene.placed())
    for one in placed:
        yield from _size(one)
    yield from _monotone(placed)


def _texts(scene: Scene) -> Iterator[str]:
    texts = list(scene.texts())
    for one, other in combinations(texts, 2):
        if meet(one.corners, other.corners):
            yield f"'{one.text}' meets '{other.text}'"
    for words in texts:
        if not all(0 <= x <= scene.width and 0 <= y <= scene.height for x, y in words.corners):
            yield f"'{words.text}' leaves the picture"
        for placed in scene.placed():
            if meet(words.corners, placed.corners, 0.3):
                yield f"'{words.text}' covers {placed.solid.name}"
        for line in scene.lines():
            ends = line.points[-1:] if not line.closed else line.points[:1]
            for a, b in zip(line.points, line.points[1:] + ends, strict=True):
                if a != b and meet((a, b), words.corners, 0.1):
                    yield f"a {line.way} line runs through '{words.text}'"


def _size(placed: Placed) -> Iterator[str]:
    """Nothing is too small to see, and a kind's own parts add up."""
    prism, extent = placed.prism, placed.solid.extent
    sides = [prism.height] if extent.flat else [prism.height, prism.depth]
    if min(sides) < SHORTEST_SIDE:
        yield f"{placed.solid.name} has a side of {min(sides):.1f} px"
    if placed.solid.bands and sum(band.channels for band in placed.solid.bands) != extent.channels:
        yield f"the bands of {placed.solid.name} have not its {extent.channels} channels"


def _monotone(placed: list[Placed]) -> Iterator[str]:
    """What is larger is drawn larger: height, width, channels, features."""
    maps = [one for one in placed if not one.solid.extent.flat]
    bars = [one for one in placed if one.solid.extent.flat]
    yield from _rises("height", [(one.solid.extent.height, one.prism.height) for one in maps], strict=True)
    yield from _rises("width", [(one.solid.extent.width, one.prism.depth) for one in maps], strict=True)
    yield from _rises("channels", [(one.solid.extent.channels, one.prism.thickness) for one in maps])
    yield from _rises(
        "features", [(one.solid.extent.channels, one.prism.height) for one in bars], strict=True
    )


def _rises(what: str, pairs: list[tuple[int, float]], *, strict: bool = False) -> Iterator[str]:
    ordered = sorted(pairs)
    for (small, short), (large, long) in pairwise(ordered):
        if long < short - 1e-9 or (strict and large > small and long <= short):
            yield f"{what} {large} is drawn {long:.2f} px, {small} {short:.2f} px"
