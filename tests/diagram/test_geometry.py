"""No text leaves its card or meets another, no edge runs through anything, skips stay in their blocks."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.diagram.blocks import arrange
from archinspect.diagram.drawing import Box
from archinspect.diagram.elements import Card
from archinspect.diagram.fit import MARGIN, SCREEN, Medium, medium
from archinspect.diagram.options import Options
from archinspect.diagram.scene import Scene
from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from tests.diagram.geometry import faults
from tests.strategies_networks import networks
from tests.support import one_in

REQUESTS = {
    "default": Options(),
    "flat": Options(fold=False),
    "depth 1": Options(depth=1),
    "depth 2": Options(depth=2),
    "overview": Options(overview=True),
    "strip": Options(style="strip"),
    "memory": Options(color="memory"),
}


def scene(graph: Graph, options: Options) -> Scene:
    return arrange(graph, options)[0]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_every_shipped_network(name: str, request_: Options) -> None:
    assert list(faults(scene(load_graph(name), request_), insets=request_.overview)) == []


FITS = ("column", "1000px", "card")


def _text_in(medium: Medium, place: Scene) -> float:
    """How large the smallest text of a scene is in the medium, px."""
    spare = 2 * (MARGIN - medium.margin)
    scale = min(medium.width / (place.width - spare), medium.height / (place.height - spare))
    return scale * min(label.size for label in place.texts())


@pytest.mark.parametrize("name", one_in(6, shipped()))
def test_every_default_picture_can_be_read_on_a_screen(name: str) -> None:
    place = scene(load_graph(name), Options())
    assert _text_in(SCREEN, place) >= 0.995 * SCREEN.smallest


@pytest.mark.parametrize("case", one_in(16, [f"{name} {fit}" for fit in FITS for name in shipped()]))
def test_every_network_fits_its_medium_without_faults(case: str) -> None:
    name, fit = case.split()
    place = scene(load_graph(name), Options(fit=medium(fit)))
    assert _text_in(medium(fit), place) >= 0.995 * medium(fit).smallest
    assert list(faults(place)) == []


@pytest.mark.parametrize("name", ["lecture_inception", "senet154", "densenet121", "resnet50"])
def test_no_column_holds_a_few_cards_alone(name: str) -> None:
    cards = scene(load_graph(name), Options()).cards
    output = next(placed.box for placed in cards if placed.card.title == "output")
    above = [
        placed.box
        for placed in cards
        if placed.box.bottom < output.y and abs(placed.box.centre[0] - output.centre[0]) < 1
    ]
    assert len(above) >= 2


def test_the_layers_of_a_block_stay_in_one_column() -> None:
    """ViT's encoder layer was drawn over two columns, with a norm alone in a third."""
    place = scene(load_graph("vit_b_16"), Options())
    (block,) = (frame.box for frame in place.frames if frame.frame.repeat == 12)
    inside = [placed for placed in place.cards if block.contains(placed.box)]
    axes = {round(placed.box.centre[0], 1) for placed in inside}
    assert len(inside) == 7
    assert len(axes) == 1


def test_a_way_into_a_frame_runs_on_to_the_first_card() -> None:
    place = scene(load_graph("lecture_1_2"), Options())
    firsts = {frame.frame.body[0].name for frame in place.frames if isinstance(frame.frame.body[0], Card)}
    ends = {edge.points[-1] for edge in place.edges if edge.arrow}
    tops = [(placed.box.centre[0], placed.box.y) for placed in place.cards if placed.card.name in firsts]
    assert tops
    assert all(any(abs(x - a) < 0.01 and abs(y - b) < 0.01 for a, b in ends) for x, y in tops)


@given(networks(max_layers=40), st.sampled_from(list(REQUESTS.values())))
@settings(max_examples=25, deadline=None)
def test_random_networks(graph: Graph, options: Options) -> None:
    assert list(faults(scene(graph, options), insets=options.overview)) == []


@pytest.mark.slow
@given(networks(max_layers=120), st.sampled_from(list(REQUESTS.values())))
@settings(max_examples=250, deadline=None)
def test_many_and_larger_random_networks(graph: Graph, options: Options) -> None:
    assert list(faults(scene(graph, options), insets=options.overview)) == []


def _moved(place: Scene, kind: str) -> Scene:
    """The scene with one thing out of place."""
    changed = dataclasses.replace(place)
    if kind == "card":
        card = place.cards[5]
        shifted = dataclasses.replace(
            card, box=Box(card.box.x + 40, card.box.y, card.box.width, card.box.height)
        )
        changed.cards = [*place.cards[:5], shifted, *place.cards[6:]]
    elif kind == "edge":
        index = next(i for i, edge in enumerate(place.edges) if edge.way == "skip")
        edge = place.edges[index]
        points = tuple((x - 60, y) for x, y in edge.points)
        changed.edges = [
            *place.edges[:index],
            dataclasses.replace(edge, points=points),
            *place.edges[index + 1 :],
        ]
    elif kind == "label":
        label = next(label for label in place.labels if label.role == "shape")
        changed.labels = [dataclasses.replace(label, x=label.x - 20)]
    else:
        frame = place.frames[1]
        box = Box(frame.box.x, frame.box.y, frame.box.width / 2, frame.box.height)
        changed.frames = [place.frames[0], dataclasses.replace(frame, box=box), *place.frames[2:]]
    return changed


@pytest.mark.parametrize("kind", ["card", "edge", "label", "frame"])
def test_the_check_notices_what_is_out_of_place(kind: str) -> None:
    assert list(faults(_moved(scene(load_graph("resnet50"), Options()), kind)))
