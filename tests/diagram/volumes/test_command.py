"""`archinspect diagram MODEL --style volume` in every format, theme and colouring."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from archinspect.diagram import draw
from archinspect.diagram.drawing import Text
from archinspect.diagram.theme import THEMES, contrast
from archinspect.frontends.spec import lay_out, load_graph
from archinspect.frontends.spec.load import read_text
from tests.support import run_cli

SVG = "{http://www.w3.org/2000/svg}"


def test_the_command_writes_each_format(tmp_path: Path) -> None:
    for ending, start in ((".svg", b"<svg"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        file = tmp_path / f"vgg16{ending}"
        done = run_cli("diagram", "vgg16", "--style", "volume", "-o", str(file))
        assert (done.returncode, done.stdout) == (0, "")
        assert file.read_bytes().startswith(start)


def test_the_same_bytes_every_time() -> None:
    graph = load_graph("googlenet")
    assert draw(graph, style="volume").svg() == draw(graph, style="volume").svg()


def test_text_stays_text_and_names_are_escaped() -> None:
    text = 'name: n\ntitle: "<b onload=\\"x\\">&"\ninput: 3x8x8\nlayers:\n  - conv: conv2d(4, 3)\n'
    svg = draw(lay_out(read_text(text, "n.yaml")), style="volume").svg()
    root = ET.fromstring(svg)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert '<b onload="x">&' in texts
    assert {"Conv 3×3, 4", "6×6"} <= set(texts)
    assert not list(root.iter(f"{SVG}b"))


def test_each_solid_says_what_it_is_when_hovered() -> None:
    root = ET.fromstring(draw(load_graph("vgg16"), style="volume").svg())
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "conv1_1 · Conv 3×3 · 3 → 64 · ReLU · 64×224×224 · 1.79 k params · 86.7 M MACs" in titles


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_in_every_theme(theme: str) -> None:
    picture = draw(load_graph("resnet50"), style="volume", theme=theme)
    fills = {item.fill for item in picture.drawing.flat() if isinstance(item, Text)}
    assert fills
    assert all(contrast(fill, picture.drawing.background) >= 4.5 for fill in fills)


@pytest.mark.parametrize("color", ["params", "macs", "memory"])
def test_heat_colours_the_solids_and_says_its_scale(color: str) -> None:
    svg = draw(load_graph("vgg16"), style="volume", color=color).svg()
    assert "#B41F1F" in svg  # the hottest
    words = {"params": "Parameters 0", "macs": "MACs 0", "memory": "Activations (fp32) 0"}[color]
    assert words in svg
    assert svg != draw(load_graph("vgg16"), style="volume").svg()
