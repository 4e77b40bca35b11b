"""No text meets anything, nothing is too small or too large, larger tensors are drawn larger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.diagram.options import Options
from archinspect.diagram.volumes import arranged
from archinspect.diagram.volumes.compose import compose
from archinspect.diagram.volumes.prism import Prism, meet
from archinspect.diagram.volumes.scene import Placed, Scene, Words
from archinspect.frontends.spec import lay_out, load_graph, shipped
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from tests.diagram.volumes.faults import faults
from tests.strategies_networks import networks
from tests.support import one_in

REQUESTS = {"default": Options(style="volume"), "depth 1": Options(style="volume", depth=1)}


def scene(graph: Graph, options: Options = REQUESTS["default"]) -> Scene:
    return compose(arranged(graph, options))


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("name", one_in(2, shipped()))
def test_every_shipped_network(name: str, request_: Options) -> None:
    assert list(faults(scene(load_graph(name), request_))) == []


@given(networks(max_layers=40), st.sampled_from(list(REQUESTS.values())))
@settings(max_examples=20)
def test_random_networks(graph: Graph, options: Options) -> None:
    assert list(faults(scene(graph, options))) == []


@pytest.mark.slow
@given(networks(max_layers=150), st.sampled_from(list(REQUESTS.values())))
@settings(max_examples=250)
def test_many_and_larger_random_networks(graph: Graph, options: Options) -> None:
    assert list(faults(scene(graph, options))) == []


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("  - conv[1..400]: conv2d(64, 3, padding=1)", "3x32x32"),
        ("  - unit[1..60]: conv2d(8, 3, padding=1) -> upsample(scale_factor=2) -> max_pool2d(2)", "3x16x16"),
        ("  - fc[1..120]: linear(64)", "100"),
        ("  - a: conv2d(7, 1)\n  - b: conv2d(5000, 1)\n  - c: conv2d(1, 1)", "1x1x900"),
        ("  - a: linear(1)\n  - b: linear(1000000)\n  - c: linear(2)", "3"),
    ],
    ids=["400 convolutions", "up and down", "120 bars", "a line of pixels", "a million features"],
)
def test_extreme_networks(body: str, input: str) -> None:
    text = f"name: extreme\ninput: {input}\nlayers:\n{body}\n"
    assert list(faults(scene(lay_out(read_text(text, "extreme.yaml"))))) == []


PYRAMID = """
name: pyramid
input: 3x96x128
layers:
  - c2: conv2d(16, 3, stride=2, padding=1)
  - add:
      lateral2: conv2d(64, 1)
      top2:
        - side_output: {first: 'conv2d(3, 1)', second: adaptive_avg_pool2d(1) -> flatten -> linear(5)}
        - c3: conv2d(32, 3, stride=2, padding=1)
        - add:
            lateral3: conv2d(64, 1)
            top3:
              - c4: conv2d(64, 3, stride=2, padding=1)
              - side_output: {p4: 'conv2d(9, 3)', p5: max_pool2d(2)}
              - up: upsample(scale_factor=2)
        - side_output: {p3: 'conv2d(9, 3, padding=1)'}
        - up: upsample(scale_factor=2)
        - side_output: {p2: 'conv2d(9, 3)'}
"""


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_outputs_beside_branches_hang_below_them(request_: Options) -> None:
    drawn = scene(lay_out(read_text(PYRAMID, "pyramid.yaml")), request_)
    assert list(faults(drawn)) == []
    outputs = [placed for placed in drawn.placed() if placed.solid.kind == "output"]
    arrows = {line.points[-1]: line for line in drawn.lines() if line.arrow}
    for placed in outputs:
        prism = placed.prism
        reached = arrows[prism.x, prism.axis]
        assert reached.points[0][1] < prism.crest, "reached from above"
        leaving = [line for line in drawn.lines() if line.points[0] == prism.face_centre()]
        assert not leaving, "nothing flows out of an output"
    if request_ is REQUESTS["default"]:
        assert {placed.solid.name for placed in outputs} == {"first", "second", "p2", "p3", "p4", "p5"}


def test_long_names_and_foreign_letters() -> None:
    name = "convolution_of_a_very_long_name_that_no_caption_holds"
    text = f"name: n\ntitle: 'Ω 網路 {name * 3}'\ninput: 3x8x8\nlayers:\n  - {name}: conv2d(4, 3)\n  - relu: relu()\n"
    assert list(faults(scene(lay_out(read_text(text, "names.yaml"))))) == []


def test_a_fault_is_noticed() -> None:
    good = scene(load_graph("vgg16"))
    words = next(thing for thing in good.things if isinstance(thing, Words) and thing.role == "number")
    placed = [thing for thing in good.things if isinstance(thing, Placed)]
    x, y = placed[3].prism.face_centre()
    good.things.append(replace(words, x=x, y=y))
    assert any("covers" in fault for fault in faults(good))
    smallest = [thing for thing in placed if not thing.solid.extent.flat][-1]
    good.things[-1] = replace(smallest, prism=replace(smallest.prism, height=500.0))
    assert any("height" in fault for fault in faults(good))


@given(*[st.floats(-50, 50)] * 4, st.floats(1, 40), st.floats(1, 40))
def test_polygons_meet_where_they_share_a_point(
    a: float, b: float, c: float, d: float, w: float, h: float
) -> None:
    """Upright boxes are the case that can be told otherwise."""
    one = Prism(a, b, w, h, 0.0).front()
    other = Prism(c, d, h, w, 0.0).front()
    apart = abs((a + w / 2) - (c + h / 2)) - (w + h) / 2, abs(b - d) - (w + h) / 2
    if abs(max(apart)) > 0.1:
        assert meet(one, other) == (max(apart) < 0)
