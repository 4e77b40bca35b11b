"""The page in use: folding, selecting, keys, search, sorting, colours, themes, paper, saving."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archinspect.analysis import analyse
from archinspect.diagram import draw
from archinspect.diagram.drawing import Text
from archinspect.frontends.spec import lay_out, load_graph, shipped
from archinspect.frontends.spec.load import read_text
from archinspect.graph import Graph
from tests.diagram.page.browser import Visit

Open = Callable[..., Visit]


def test_it_draws_what_the_static_picture_draws(visit: Open) -> None:
    """The same cards, figures, shapes on edges, folds and legend."""
    drawing = draw(load_graph("resnet50")).drawing
    static = [item.text for item in drawing.flat() if isinstance(item, Text)]
    assert sorted(visit("resnet50").texts()) == sorted(static)


@pytest.mark.parametrize("model", ["googlenet", "vgg16", "mobilenet_v2"])
def test_unfolded_it_has_every_card_of_the_static_picture(visit: Open, model: str) -> None:
    page = visit(model)
    page.page.click("#unfold")
    titles = {
        item.text
        for item in draw(load_graph(model)).drawing.flat()
        if isinstance(item, Text) and item.size == 12.5
    }
    assert titles <= set(page.texts())


def test_no_text_leaves_its_card_in_a_real_browser(visit: Open) -> None:
    page = visit("googlenet")
    outside = page.page.evaluate(
        """() => [...document.querySelectorAll('#world [data-id]')].flatMap(group => {
            const box = group.querySelector('rect').getBoundingClientRect();
            return [...group.querySelectorAll('text')].filter(text => {
                const own = text.getBoundingClientRect();
                return own.left < box.left - 0.5 || own.right > box.right + 0.5;
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


OVERLAPS = """() => {
    const box = element => {  // in px of the picture, whatever the zoom
        const { x, y, width, height } = element.getBBox();
        if (element.tagName !== 'text') return { left: x, right: x + width, top: y, bottom: y + height };
        // Chromium rounds a line's height up to whole px; the glyphs reach from 0.905 em above to 0.212 em below
        const [base, size] = [Number(element.getAttribute('y')), Number(element.getAttribute('font-size'))];
        return { left: x, right: x + width, top: base - 0.905 * size, bottom: base + 0.212 * size };
    };
    const meet = (a, b) => a.left < b.right - 0.6 && b.left < a.right - 0.6
        && a.top < b.bottom - 0.6 && b.top < a.bottom - 0.6;
    const found = [];
    const sweep = (all, name) => {
        all.sort((a, b) => a.box.left - b.box.left);
        all.forEach((one, i) => {
            for (let j = i + 1; j < all.length && all[j].box.left < one.box.right; j++) {
                if (meet(one.box, all[j].box)) found.push(name + ': ' + one.text + ' / ' + all[j].text);
            }
        });
    };
    const cards = document.getElementById('world').children[2];
    sweep([...cards.children].map(group => ({
        box: box([...group.querySelectorAll('rect')].find(r => r.getAttribute('rx') > 2)),
        text: group.querySelector('title').textContent,
    })), 'cards');
    sweep([...document.querySelectorAll('#world text')].map(element => (
        { box: box(element), text: element.textContent })), 'texts');
    return found.slice(0, 5);
}"""


@pytest.mark.slow
@pytest.mark.parametrize("model", shipped())
def test_nothing_overlaps_folded_or_unfolded(visit: Open, model: str) -> None:
    page = visit(model)
    assert page.page.evaluate(OVERLAPS) == []
    page.page.click("#fold")
    assert page.page.evaluate(OVERLAPS) == []
    page.page.click("#unfold")
    assert page.page.evaluate(OVERLAPS) == []


def test_fold_and_unfold(visit: Open) -> None:
    page = visit("resnet50")
    open_cards = len(page.cards())
    page.page.click("#fold")
    assert [text for text in page.cards() if text] == [
        "input", "Conv 7×7, stride 2", "conv2_x", "conv3_x", "conv4_x", "conv5_x", "Global AvgPool", "Linear", "output",
    ]  # fmt: skip
    page.page.locator("#world [data-toggle]").first.click()
    assert "block1" in page.texts()
    page.page.click("#unfold")
    assert len(page.cards()) == open_cards


def test_equal_blocks_unroll_and_fold_again(visit: Open) -> None:
    page = visit("resnet50")
    folded = page.texts()
    assert {"×2", "×3", "×5"} <= set(folded)
    page.page.locator("#world [data-roll]").last.click()
    unrolled = page.texts()
    assert {"1/2", "2/2"} <= set(unrolled)
    assert unrolled.count("block3") == 1
    page.page.locator("#world [data-roll]").last.click()
    assert page.texts() == folded


def test_keys_lead_from_the_first_layer_to_the_last(visit: Open) -> None:
    page = visit("vgg16")
    page.page.focus("#canvas")
    page.page.keyboard.press("Home")
    passed = [page.selected()]
    while True:
        page.page.keyboard.press("ArrowDown")
        if page.selected() == passed[-1]:
            break
        passed.append(page.selected())
    assert passed[0].startswith("input")
    assert passed[-1].startswith("output")
    assert len(passed) == 24  # input, 13 convolutions, 5 poolings, flatten, 3 fully connected, output
    page.page.keyboard.press("Home")
    assert page.selected() == passed[0]


def test_arrows_open_and_close_scopes(visit: Open) -> None:
    page = visit("resnet50")
    page.page.click("#fold")
    page.page.focus("#canvas")
    for key in ("Home", "ArrowDown", "ArrowDown"):
        page.page.keyboard.press(key)
    assert page.selected().startswith("conv2_x")
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowRight")
    assert page.selected().startswith("conv2_x.pool")
    page.page.keyboard.press("ArrowLeft")
    assert page.selected().startswith("conv2_x ·")
    page.page.keyboard.press("ArrowLeft")
    assert "conv2_x.pool" not in "".join(page.cards())
    assert len(page.cards()) == 9


def test_selecting_shows_in_picture_and_table(visit: Open) -> None:
    page = visit("vgg16")
    page.page.locator("#world [data-id]", has_text="64 → 64").first.click()
    marked = page.page.eval_on_selector_all(".row.selected", "all => all.map(e => e.children[0].textContent)")
    assert marked == ["conv1_2", "relu1_2"]
    page.page.locator(".row", has_text="conv2_1").first.click()
    assert page.selected().startswith("conv2_1")


def test_details_derive_each_figure(visit: Open) -> None:
    page = visit("vgg16")
    page.page.locator(".row", has_text="conv1_1").first.click()
    row = analyse(load_graph("vgg16")).rows[0]
    details = page.details()
    assert f"{row.params:,}" in details
    assert f"= {row.derivations['params']}" in details
    assert f"{row.macs:,}\n= {row.derivations['macs']}" in details
    assert f"{row.flops:,}\n= {row.derivations['flops']}" in details
    assert "3 px" in details


def test_every_derivation_reaches_the_page(visit: Open) -> None:
    """Texts travel as patterns and numbers; they arrive as they left, thousands commas and all."""
    graph = load_graph("lenet5")
    page = visit(graph)
    for row in analyse(graph).rows:
        page.page.locator(".row", has=page.page.locator(f"span:text-is('{row.name}')")).click()
        details = page.details()
        for key in ("params", "macs", "flops"):
            text = row.derivations[key]
            if not re.fullmatch(r"[\d,]*", text):
                assert f"= {text}" in details
    assert page.page.inner_text("#details code") == row.op or row.op in page.details()


def test_search_finds_folded_layers_and_opens_them(visit: Open) -> None:
    page = visit("resnet50")
    page.page.click("#fold")
    page.page.keyboard.press("/")
    page.page.keyboard.type("conv4_x block5 3×3 conv2d")
    assert page.page.inner_text("#found") == "1 of 176"
    assert page.rows() == ["conv4_x.block5.residual.conv2.conv"]
    page.page.keyboard.press("Enter")
    assert page.selected().startswith("conv4_x.block5.residual.conv2")
    page.page.keyboard.press("Escape")
    assert page.page.inner_text("#found") == ""
    assert len(page.rows()) > 10


def test_search_without_a_match_says_so(visit: Open) -> None:
    page = visit("vgg16")
    page.page.fill("#search", "no such layer")
    page.page.keyboard.press("Enter")
    assert page.page.inner_text("#found") == "0 of 40"
    assert page.rows() == []


def test_the_table_sorts_by_any_column(visit: Open) -> None:
    page = visit("vgg16")
    by_params = [row.name for row in sorted(analyse(load_graph("vgg16")).rows, key=lambda row: -row.params)][
        :3
    ]
    page.page.locator("#columns button", has_text="Params").click()
    assert page.rows()[:3] == by_params
    page.page.locator("#columns button", has_text="Params").click()
    column = [int(text.replace(",", "")) for text in page.rows(2)]
    assert column == sorted(column)
    page.page.locator("#columns button", has_text="Params").click()
    assert page.rows()[:2] == ["input", "conv1_1"]


def test_colour_by_cost_is_a_heat_map_of_what_is_visible(visit: Open) -> None:
    page = visit("vgg16")
    fill = "e => e.querySelector('rect').getAttribute('fill')"
    hottest = page.page.locator("#world [data-id]", has_text="25088 → 4096")
    before = hottest.evaluate(fill)
    page.page.select_option("#color", "params")
    assert hottest.evaluate(fill) == "#B41F1F" != before
    assert {"Parameters: 0", "25.7 M", "103 M"} <= set(page.texts())


def test_light_and_dark(visit: Open) -> None:
    dark = visit("vgg16", {"color_scheme": "dark"})
    light = visit("vgg16", {"color_scheme": "light"})
    asked = visit("vgg16", theme="dark")
    shade = "document.documentElement.dataset.theme"
    assert [one.page.evaluate(shade) for one in (dark, light, asked)] == ["dark", "light", "dark"]
    light.page.keyboard.press("t")
    assert light.page.evaluate(shade) == "dark"
    assert light.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 30)"


def test_zoom_and_fit(visit: Open) -> None:
    page = visit("vgg16")
    transform = "document.getElementById('world').getAttribute('transform')"
    fitted = page.page.evaluate(transform)
    page.page.mouse.move(300, 400)
    page.page.mouse.wheel(0, -400)
    page.page.wait_for_function(f"{transform} !== '{fitted}'")
    page.page.mouse.down()
    page.page.mouse.move(380, 460, steps=3)
    page.page.mouse.up()
    page.page.click("#fit")
    assert page.page.evaluate(transform) == fitted


def test_paper_has_the_picture_and_the_whole_table(visit: Open) -> None:
    page = visit("vgg16")
    page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.page.emulate_media(media="print")
    assert page.page.locator("#paper tbody tr").count() == 40
    assert not page.page.is_visible("header")
    assert page.page.is_visible("#canvas")
    page.page.emulate_media(media="screen")
    page.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.page.locator("#paper tbody tr").count() == 0
    assert page.page.pdf().startswith(b"%PDF")


def test_the_download_is_an_svg_of_what_is_shown(visit: Open, tmp_path: Path) -> None:
    page = visit("resnet50")
    with page.page.expect_download() as waiting:
        page.page.click("#save")
    assert waiting.value.suggested_filename == "resnet50.svg"
    waiting.value.save_as(tmp_path / "saved.svg")
    root = ET.parse(tmp_path / "saved.svg").getroot()
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(words) == sorted(page.texts())
    assert not re.search(r"data-|aria-|class=", (tmp_path / "saved.svg").read_text("utf-8"))


HOSTILE = """name: hostile
title: "</script><script>alert(1)</script><img src=x onerror=alert(1)>]]> ${alert(1)} <!-- #"
source: "<svg onload=alert(1)>"
input: 3x8x8
layers:
  - constructor: conv2d(4, 3)
  - toString: [{conv: "conv2d(4, 3)"}, max_pool2d(2)]
"""
TAG = "<img src=x onerror=alert(1)>"


def test_hostile_names_are_only_text(visit: Open) -> None:
    graph = lay_out(read_text(HOSTILE, "hostile.yaml"))
    # a spec cannot name a layer so, but a graph may come from elsewhere
    named = replace(graph, nodes=(graph.nodes[0], replace(graph.nodes[1], name=TAG), *graph.nodes[2:]))
    page = visit(named)
    assert page.page.inner_text("h1") == graph.metadata["title"]
    page.page.locator(".row", has_text=TAG).click()
    assert TAG in page.selected()
    assert TAG in page.details()
    page.page.locator(".row", has_text="toString.conv").click()
    assert page.selected().startswith("toString.conv")
    assert page.page.locator("img").count() == 0
    assert page.page.locator("script").count() == 2


def deep() -> Graph:
    blocks = "\n".join(
        f"  - stage{s}:\n"
        + "\n".join(f"    - block{b}: unit({8 + 30 * s + b}, {1 + 2 * (b % 2)})" for b in range(30))
        for s in range(24)
    )
    text = f"""name: deep
input: 3x64x64
blocks:
  unit(w, k):
    - add:
        residual:
          - conv1: conv2d(w, k, padding="same")
          - bn1: batch_norm2d()
          - relu1: relu()
          - conv2: conv2d(32, 1)
          - bn2: batch_norm2d()
        shortcut: identity
    - relu: relu()
layers:
  - stem: conv2d(32, 3, padding=1)
{blocks}
"""
    return lay_out(read_text(text, "deep.yaml"))


def test_five_thousand_layers_open_folded(visit: Open) -> None:
    """None of them equal, which is the largest that a page of so many can be."""
    graph = deep()
    assert len(graph.nodes) > 5000
    page = visit(graph)
    assert page.file.stat().st_size <= 800_000
    assert len(page.cards()) < 60
    assert page.page.locator(".row").count() < 80
    page.page.locator("#table").press("End")
    assert page.rows()[-1] == "stage23.block29.relu"
