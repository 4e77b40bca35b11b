"""No text leaves its card or meets another, no edge runs through anything, skips stay in their blocks."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.diagram.blocks import arrange
from archinspect.diagram.drawing import Box
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
