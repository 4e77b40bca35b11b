"""Flows that are not series-parallel on the page: drawn open, in rows, with no way through a card.

The page lays out in the browser; where Node is at hand, its scripts run here without one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archinspect.diagram.options import Options
from archinspect.diagram.page import _FOLDER
from archinspect.diagram.page.pack import pack
from archinspect.frontends.torch import load_module

NODE = shutil.which("node")

SCENE = """
const scene = layOut(PANELS, 900, 60);
const cards = scene.cards.map(({ card, box }) => ({ title: card.title, box }));
console.log(JSON.stringify({ edges: scene.edges, cards }));
"""


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.c, self.d = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(24, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(a)
        c = self.c(torch.cat([a, b], 1))
        return self.d(torch.cat([a, b * c.mean(), c], 1)).relu()


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return pack(load_module(Dense(), [(1, 3, 8, 8)]), Options())


def nets(items: list[Any]) -> list[Any]:
    found = []
    for item in items:
        if item[0] == "n":
            found.append(item)
        for branch in item[1] if item[0] in "nks" else ():
            found += nets(branch[1])
        if item[0] == "f":
            found += nets(item[4])
    return found


def test_a_net_is_packed_with_its_parts_and_ways(data: dict[str, Any]) -> None:
    ((_, branches, ways, _),) = nets(data["panels"][0]["body"])
    assert len(branches) > 2
    assert all(source < target for source, target in ways)
    assert {target for _, target in ways} == set(range(len(branches)))


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_no_way_leads_through_a_card(data: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps(json.dumps(data))
    browser = (
        f"const document = {{ getElementById: () => ({{ textContent: {text} }}), createElement: () => ({{"
        " getContext: () => ({ measureText: (words) => ({ width: 55 * words.length }) }) }) };\n"
    )
    scripts = [(_FOLDER / f"{name}.js").read_text("utf-8") for name in ("model", "boxes", "layout")]
    script = tmp_path / "page.js"
    script.write_text(browser + "\n".join(scripts).replace('"use strict";', "") + SCENE, encoding="utf-8")
    assert NODE
    done = subprocess.run([NODE, str(script)], capture_output=True, text=True, timeout=60, check=True)
    scene = json.loads(done.stdout)
    boxes = [card["box"] for card in scene["cards"]]
    assert len(boxes) == len({(box["x"], box["y"]) for box in boxes}) > 8
    for edge in scene["edges"]:
        for (x0, y0), (x1, y1) in zip(edge["points"], edge["points"][1:], strict=False):
            for box in boxes:
                inside_x = max(x0, x1) > box["x"] + 2 and min(x0, x1) < box["x"] + box["width"] - 2
                low, high = box["y"] + 0.3 * box["height"], box["y"] + 0.7 * box["height"]
                assert not (inside_x and max(y0, y1) > low and min(y0, y1) < high), (edge, box)


def test_a_scalar_has_a_shape_to_explain() -> None:
    graph = load_module(Dense(), [(1, 3, 8, 8)])
    scalar = next(node for node in graph.layers if node.output_shape == ())
    assert scalar.op.derive_shape(scalar.input_shapes, scalar.output_shape) == "()"
