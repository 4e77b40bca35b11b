"""What pictures say: folded totals are flat totals, sizes are those of a page, colours can be read."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect.analysis import analyse
from archinspect.diagram import draw
from archinspect.diagram.blocks import arrange
from archinspect.diagram.elements import Figures, cards_of
from archinspect.diagram.options import Options
from archinspect.diagram.outline import Folding, outline
from archinspect.diagram.scene import SMALLEST
from archinspect.diagram.theme import THEMES, contrast, heated
from archinspect.diagram.typeface import FAMILY, typeface
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph, shipped
from archinspect.graph import Graph
from tests.strategies_networks import networks

FOLDINGS = [Folding(), Folding(repeats=False), Folding(depth=1), Folding(depth=2), Folding(alike=True)]


def check_totals(graph: Graph, folding: Folding) -> None:
    totals = analyse(graph).totals
    figures = outline(graph, folding).figures
    assert (figures.params, figures.macs) == (totals.params, totals.macs)
    assert 4 * figures.activations == totals.activation_bytes
    assert figures.complete == totals.complete


@pytest.mark.parametrize("folding", FOLDINGS, ids=str)
@pytest.mark.parametrize("name", shipped())
def test_folded_totals_are_flat_totals(name: str, folding: Folding) -> None:
    check_totals(load_graph(name), folding)


@given(networks(max_layers=30), st.sampled_from(FOLDINGS))
@settings(max_examples=25, deadline=None)
def test_folded_totals_of_random_networks(graph: Graph, folding: Folding) -> None:
    check_totals(graph, folding)


@given(networks(max_layers=30))
@settings(max_examples=40, deadline=None)
def test_every_layer_that_works_is_on_a_card(graph: Graph) -> None:
    drawn = {i for card in cards_of(outline(graph, Folding(repeats=False)).body) for i in card.nodes}
    assert {i for i, node in enumerate(graph.nodes) if Figures.of(graph, i).params} <= drawn


def test_repeats_fold_only_when_structure_and_shapes_match() -> None:
    same = load_graph("conv2d(8, 3, padding=1) -> conv2d(8, 3, padding=1)", input="8x8x8")
    assert all(card.repeat == 1 for card in cards_of(outline(same).body))  # layers are no blocks
    frames = {
        frame.label: frame
        for frame in arrange(load_graph("resnet50"), Options())[0].frames
        for frame in [frame.frame]
    }
    assert {label: frames[label].repeat for label in ("block2–4", "block2–6", "block1")} == {
        "block2–4": 3,
        "block2–6": 5,
        "block1": 1,
    }


def test_the_default_picture_of_resnet50_fits_a_page() -> None:
    scene, _ = arrange(load_graph("resnet50"), Options())
    assert SMALLEST * min(1600 / scene.width, 1000 / scene.height) >= 9
    assert min(label.size for label in scene.texts()) == SMALLEST


@pytest.mark.parametrize("name", THEMES)
def test_words_have_a_contrast_of_4_5(name: str) -> None:
    theme = THEMES[name]
    pairs = [
        (swatch.fill, text) for swatch in theme.swatches.values() for text in (swatch.title, swatch.detail)
    ]
    grounds = (theme.background, theme.frame, theme.inner, theme.folded)
    pairs += [*product(grounds, (theme.text, theme.muted)), (theme.background, theme.heading)]
    pairs += [(theme.pill, theme.pill_text)]
    for step in range(201):
        swatch = heated(theme, step / 200)
        pairs += [(swatch.fill, swatch.title), (swatch.fill, swatch.detail)]
    assert min(contrast(*pair) for pair in pairs) >= 4.5


@pytest.mark.parametrize("color", ["params", "macs", "memory"])
def test_heat_is_greatest_where_the_figure_is(color: str) -> None:
    graph = load_graph("vgg16")
    scene, key = arrange(graph, Options(color=color))
    cards = {key.share(placed.card): placed.card.title for placed in scene.cards if placed.card.kind != "io"}
    assert max(cards) == 1.0
    assert cards[1.0] == {"params": "Linear", "macs": "Conv 3×3", "memory": "Conv 3×3"}[color]


def test_a_notebook_shows_a_picture() -> None:
    picture = draw(load_graph("alexnet"), theme="dark")
    assert picture._repr_svg_() == picture.svg()
    assert picture.svg().startswith("<svg")


def test_unknown_options_name_the_nearest() -> None:
    with pytest.raises(ArchinspectError, match="did you mean 'theme'"):
        draw(load_graph("alexnet"), themes="dark")


def test_the_shipped_typeface_has_every_sign_we_write() -> None:
    for bold in (False, True):
        assert FAMILY in str(typeface(bold).path)
        assert all(ord(sign) in typeface(bold).glyphs for sign in "×→·–≥…+≈")
