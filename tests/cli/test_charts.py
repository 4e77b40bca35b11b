"""Charts that bottleneck, compare and sweep write."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support import run_cli

CURVE = ("bottleneck", "256x32x32", "--out", "128", "--kernel", "5", "--reduce")
COMMANDS = {
    "one": (*CURVE, "64"),
    "curve": (*CURVE, "8:256:8", "--mark", "64"),
    "network": ("bottleneck", "googlenet"),
    "rewrite": ("bottleneck", "vgg16", "--rewrite", "global-pool"),
    "compare": ("compare", "vgg16", "resnet50"),
    "sweep": ("sweep", "mobilenet_v2", "--set", "width_multiplier=0.5,1.0", "--input", "3x96x96,3x128x128"),
}


def written(path: Path, *arguments: str) -> bytes:
    done = run_cli(*arguments, "-o", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {path}\n")
    return path.read_bytes()


def texts(svg: bytes) -> list[str]:
    return [
        "".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_svg_png_and_html(name: str, tmp_path: Path) -> None:
    svg = written(tmp_path / "chart.svg", *COMMANDS[name])
    assert texts(svg)
    png = written(tmp_path / "chart.png", *COMMANDS[name])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    page = written(tmp_path / "page.html", *COMMANDS[name]).decode()
    assert page.count("<svg") == page.count("<figure>") >= 1
    assert "<table>" in page
    assert not re.search(r"(?:src|href)=\"http", page), "a page needs nothing from elsewhere"


def test_the_curve_marks_break_even_direct_line_and_the_chosen_point(tmp_path: Path) -> None:
    for name in ("one", "curve"):
        found = texts(written(tmp_path / f"{name}.svg", *COMMANDS[name]))
        assert found.count("break-even: 237 channels") == 2
        assert "directly: 819,200" in found
        assert "directly: 838,860,800" in found
        assert "64 channels: 221,184, 3.70× fewer" in found
        assert "64 channels: 226,492,416, 3.70× fewer" in found


def test_accuracy_stands_against_cost_with_its_sources(tmp_path: Path) -> None:
    found = texts(written(tmp_path / "cost.svg", *COMMANDS["compare"]))
    assert "vgg16 7.32%" in found
    assert "googlenet 6.67%" in found
    assert "arXiv:1409.4842 table 2" in " ".join(found)


def test_networks_without_a_published_result_have_bars_only(tmp_path: Path) -> None:
    found = texts(written(tmp_path / "bars.svg", "compare", "resnet50", "resnet50:num_classes=10"))
    assert "Parameters by resolution" in found
    assert not any("Top-5" in text for text in found)


def test_a_format_beside_a_picture_is_refused(tmp_path: Path) -> None:
    done = run_cli("compare", "vgg16", "resnet50", "--format", "csv", "-o", str(tmp_path / "x.svg"))
    assert done.returncode == 2
    assert "leave one out" in done.stderr
