"""The page as a file: one, small, closed to everything outside, the same every time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from archinspect.analysis import analyse
from archinspect.diagram import draw
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph, shipped
from tests.support import run_cli


def data_of(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_command_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "resnet50.html"
    done = run_cli("diagram", "resnet50", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert file.stat().st_size <= 200_000


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_networks_page_holds_all_its_layers(name: str) -> None:
    graph = load_graph(name)
    html = draw(graph).html()
    data = data_of(html)
    assert len(data["layers"]) == len(graph.nodes)
    names = ""
    for layer, node in zip(data["layers"], graph.nodes, strict=True):
        names = names[: layer[0]] + layer[1]
        assert names == node.name
    kinds = [data["types"][layer[2]] for layer in data["layers"][graph.inputs :]]
    rows = analyse(graph).rows
    assert [kind[4:9] for kind in kinds] == [
        [row.params, row.macs, row.flops, row.activation_bytes, row.buffers] for row in rows
    ]


def test_the_policy_allows_only_what_the_page_contains() -> None:
    html = draw(load_graph("vgg16")).html()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    for kind, text in (
        ("style", re.search(r"<style>(.*?)</style>", html, re.DOTALL)),
        ("script", re.search(r"</script>\n<script>(.*?)</script>", html, re.DOTALL)),
    ):
        assert text
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", html)
    assert "unsafe" not in policy[1]


def test_the_same_bytes_every_time() -> None:
    graph = load_graph("googlenet")
    assert draw(graph).html() == draw(graph).html()


def test_options_reach_the_page() -> None:
    data = data_of(draw(load_graph("resnet50"), color="macs", theme="dark", depth=1, fold=False).html())
    assert data["start"] == {"color": "macs", "theme": "dark", "depth": 1, "expand": [], "fold": False}
    scope = data_of(draw(load_graph("resnet50"), only="conv3_x").html())
    assert scope["title"] == "ResNet-50 · conv3_x"


def test_a_page_is_of_one_network() -> None:
    with pytest.raises(ArchinspectError) as caught:
        draw(load_graph("alexnet"), beside=load_graph("vgg16")).html()
    assert caught.value.diagnostics[0].code == "A403"
