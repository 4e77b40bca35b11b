"""Block diagrams: boxes that know their size, put beside and below each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...graph import Graph
from ..colouring import annotated, heat
from ..drawing import Drawing
from ..elements import Element, Outline, cards_of, nets_of, without_costs
from ..fit import SCREEN, Medium
from ..marking import Marks, marked, marks
from ..options import Options
from ..outline import Folding, outlines
from ..paint import Colouring, paint
from ..scene import Scene
from ..theme import Theme, swatch
from . import spacing as s
from .compose import compose, overview, strip
from .legend import Key
from .sheet import needed_scale

#: px² of a picture for each card, and px of its greater side for each part of a net, below which nothing can be
#: readable: it need not be laid out to know it
_LEAST_AREA, _LEAST_LENGTH = 6500.0, 18.0


@dataclass(frozen=True)
class Attempt:
    """How much to draw, and whether with costs."""

    folding: Folding
    costs: bool = True


def blocks(graph: Graph, options: Options) -> Drawing:
    """The block diagram, strip or overview that the options ask for."""
    theme = options.palette
    scene, key = arrange(graph, options)
    return paint(scene, theme, _colours(key, theme))


def arrange(graph: Graph, options: Options) -> tuple[Scene, Key]:
    """The picture with every place fixed, and what its colours mean.

    Of what was asked for, as much is drawn as can be read in the medium; the scene's note says what was left out.
    """
    differences = marks(graph, options.against) if options.against else None
    page = options.fit or SCREEN
    attempts = list(_attempts(options))
    best: tuple[Scene, Key] | None = None
    for number, attempt in enumerate(attempts):
        last = number == len(attempts) - 1
        folding = attempt.folding
        parts = outlines(
            graph, options, replace(folding, marks=differences.nodes) if differences else folding
        )
        if not (last and best is None) and any(_too_much(part.body, page) for part in parts):
            continue
        scene, key = _arranged(graph, options, parts, differences, attempt.costs, page)
        if number:
            scene.note = _left_out(scene, attempt, page)
        if best is None or _scale(scene, page) > _scale(best[0], page):
            best = scene, key
        if _scale(scene, page) >= 0.999 * needed_scale(page):
            break
    assert best is not None
    return best


def _attempts(options: Options) -> Iterator[Attempt]:
    """What was asked for, and then ever less of it; for no medium in particular, only where nothing was asked."""
    yield Attempt(asked := Folding(options.depth, options.expand, options.fold))
    free = options.fold and options.depth is None and not options.expand
    if not options.fit and (not free or options.style != "blocks" or options.overview):
        return
    yield Attempt(asked, costs=False)
    for folding in (
        (Folding(alike=True), *(Folding(depth, alike=True) for depth in (4, 3, 2, 1))) if free else ()
    ):
        yield Attempt(folding)
        yield Attempt(folding, costs=False)


def _too_much(body: tuple[Element, ...], page: Medium) -> bool:
    """Whether a picture of the elements cannot be readable, however they are laid out."""
    width, height = (side / needed_scale(page) for side in (page.width, page.height))
    return sum(1 for _ in cards_of(body)) > width * height / _LEAST_AREA or any(
        len(net.branches) > max(width, height) / _LEAST_LENGTH for net in nets_of(body)
    )


def _arranged(
    graph: Graph,
    options: Options,
    parts: tuple[Outline, ...],
    differences: Marks | None,
    costs: bool,
    page: Medium,
) -> tuple[Scene, Key]:
    key: Key = differences or heat(options, graph, parts)
    if isinstance(key, Marks):
        parts = marked(parts, key)
    elif key:
        parts = annotated(parts, key)
    if not costs:
        parts = tuple(
            replace(part, body=without_costs(part.body, notes=key is differences)) for part in parts
        )
    composer = overview if options.overview else strip if options.style == "strip" else compose
    return composer(parts, key, page), key


def _colours(key: Key, theme: Theme) -> Colouring | None:
    if isinstance(key, Marks):
        return lambda card: swatch(theme, key.kind(card))
    return (lambda card: key.swatch(theme, card)) if key else None


def _scale(scene: Scene, page: Medium) -> float:
    """How large the picture is on the page."""
    spare = 2 * (s.MARGIN - page.margin)
    return min(page.width / (scene.width - spare), page.height / (scene.height - spare))


def _left_out(scene: Scene, attempt: Attempt, page: Medium) -> str:
    """What an attempt leaves out, in words."""
    found = []
    if not attempt.costs:
        found.append("no costs on the cards")
    if attempt.folding.alike:
        closed = list(dict.fromkeys(card.card.name for card in scene.cards if card.card.kind == "block"))
        if closed:
            names = ", ".join(closed[:4]) + (", …" if len(closed) > 4 else "")
            found.append(f"{len(closed)} scope{'s' * (len(closed) > 1)} drawn as one card each ({names})")
    return f"to fit {page.name} with text of {page.smallest_words}: {'; '.join(found)}" if found else ""
