"""`archinspect diagram` as users meet it."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import pytest

from tests.support import run_cli, run_python

SVG = "{http://www.w3.org/2000/svg}"


def test_without_o_an_svg_is_written_here_and_its_path_printed(tmp_path: Path) -> None:
    done = run_cli("diagram", "alexnet", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alexnet.svg\n", "")
    assert os.listdir(tmp_path) == ["alexnet.svg"]
    assert "laid out by archinspect" in (tmp_path / "alexnet.svg").read_text("utf-8")


def test_text_stays_text_in_the_svg(tmp_path: Path) -> None:
    run_cli("diagram", "resnet50", "-o", "r.svg", cwd=tmp_path)
    texts = [text.text for text in ET.parse(tmp_path / "r.svg").iter(f"{SVG}text")]
    assert {
        "ResNet-50",
        "Conv 7×7, stride 2",
        "3 → 64 · BN · ReLU",
        "9.54 k params · 118 M MACs",
        "×5",
    } <= set(texts)
    assert "25.6 M params · 4.09 G MACs · input 3×224×224 · output 1000" in texts


def test_png_has_the_width_or_density_asked_for(tmp_path: Path) -> None:
    sizes = {}
    for name, options in {"w": ("--width", "800"), "d": ("--dpi", "96"), "n": ()}.items():
        assert run_cli("diagram", "alexnet", "-o", f"{name}.png", *options, cwd=tmp_path).returncode == 0
        sizes[name] = struct.unpack(">II", (tmp_path / f"{name}.png").read_bytes()[16:24])
    assert sizes["w"][0] == 800
    assert abs(sizes["n"][0] - 2 * sizes["d"][0]) <= 1


def test_pdf_text_can_be_selected(tmp_path: Path) -> None:
    run_cli("diagram", "alexnet", "-o", "a.pdf", cwd=tmp_path)
    data = (tmp_path / "a.pdf").read_bytes()
    streams = [zlib.decompress(s) for s in re.findall(rb"stream\n(.*?)\nendstream", data, re.S)]
    content = next(s for s in streams if b" Tj ET" in s).decode()
    maps: dict[str, dict[str, str]] = {}
    for number, stream in enumerate(s for s in streams if b"beginbfchar" in s):
        pairs = re.findall(rb"<(\w{4})> <(\w+)>", stream.partition(b"beginbfchar")[2])
        maps[f"F{number + 1}"] = {a.decode(): bytes.fromhex(b.decode()).decode("utf-16-be") for a, b in pairs}
    words = {
        "".join(maps[font][code] for code in re.findall("....", codes))
        for font, codes in re.findall(r"/(F\d) [\d.]+ Tf [^<]*<(\w+)> Tj", content)
    }
    assert {"AlexNet (single tower)", "Conv 11×11, stride 4", "3 → 96 · ReLU", "96×55×55"} <= words


@pytest.mark.parametrize("ending", ["svg", "png", "pdf", "dot"])
def test_equal_requests_give_equal_bytes(tmp_path: Path, ending: str) -> None:
    for name, seed in (("a", "1"), ("b", "77")):
        file = f"{name}.{ending}"
        run_cli("diagram", "googlenet", "-o", file, cwd=tmp_path, env={"PYTHONHASHSEED": seed, "LC_ALL": "C"})
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


HOSTILE = """\
name: hostile
title: '<script>alert("1")</script> & "quotes" \\ ]]>'
input: 3x8x8
layers:
  - a: conv2d(4, 3)
"""


@pytest.mark.parametrize("ending", ["svg", "dot", "pdf", "png"])
def test_names_are_escaped(tmp_path: Path, ending: str) -> None:
    (tmp_path / "h.yaml").write_text(HOSTILE, "utf-8")
    done = run_cli("diagram", "h.yaml", "-o", f"h.{ending}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if ending == "svg":
        root = ET.parse(tmp_path / "h.svg").getroot()
        assert not list(root.iter(f"{SVG}script"))
        assert """<script>alert("1")</script> & "quotes" \\ ]]>""" in [
            t.text for t in root.iter(f"{SVG}text")
        ]
    if ending == "dot":
        done = run_cli("diagram", "h.yaml", "--engine", "graphviz-pure", "-o", "g.svg", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "<script>" not in (tmp_path / "g.svg").read_text("utf-8")


def test_only_draws_a_block_alone_and_several_side_by_side(tmp_path: Path) -> None:
    only = ("--only", "conv3_x.block1", "--only", "conv3_x.block2")
    run_cli("diagram", "resnet50", *only, "-o", "r.svg", cwd=tmp_path)
    texts = [text.text for text in ET.parse(tmp_path / "r.svg").iter(f"{SVG}text")]
    assert "(a) ResNet-50 · conv3_x.block1" in texts
    # The second drawing is narrower, and its title is on two lines.
    assert "(b) ResNet-50 · conv3_x.block2" in " ".join(texts)
    assert "MaxPool 3×3, stride 2" not in texts


def test_depth_counts_from_the_scope_that_is_drawn_alone(tmp_path: Path) -> None:
    run_cli("diagram", "resnet50", "--only", "conv3_x", "--depth", "1", "-o", "r.svg", cwd=tmp_path)
    texts = [text.text for text in ET.parse(tmp_path / "r.svg").iter(f"{SVG}text")]
    assert {"block1", "block2–4", "×3"} <= set(texts)
    assert "Conv 1×1" not in texts


def test_depth_and_expand(tmp_path: Path) -> None:
    run_cli("diagram", "googlenet", "--depth", "1", "--expand", "inception_3a", "-o", "g.svg", cwd=tmp_path)
    texts = [text.text for text in ET.parse(tmp_path / "g.svg").iter(f"{SVG}text")]
    assert texts.count("Concat") == 1
    assert "inception_5b" in texts


def test_a_heat_map_of_latency_reads_a_saved_run(tmp_path: Path) -> None:
    rows = [
        {"name": "conv1 … pool1", "layers": ["conv1", "relu1", "pool1"], "ms": 2.5},
        {"name": "fc6", "layers": ["fc6"], "ms": 0.5},
        {"name": "(call)", "layers": [], "ms": 9.0},
    ]
    (tmp_path / "run.json").write_text(json.dumps({"runs": [{"layers": rows}]}))
    done = run_cli(
        "diagram", "alexnet", "--color", "latency", "--run", "run.json", "-o", "a.svg", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    texts = [text.text for text in ET.parse(tmp_path / "a.svg").iter(f"{SVG}text")]
    assert {"Latency:", "2.50 ms", "500.00 µs"} <= set(texts)


def test_against_marks_what_differs(tmp_path: Path) -> None:
    done = run_cli(
        "diagram", "resnet50", "--against", "resnet50:stride_in_1x1=true", "-o", "r.svg", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    texts = [text.text or "" for text in ET.parse(tmp_path / "r.svg").iter(f"{SVG}text")]
    assert {"Changed", "Same in both", "conv2d stride 1 → 2"} <= set(texts)
    assert any("against ResNet-50 (stride_in_1x1=True): 12 changed" in text for text in texts)


@pytest.mark.parametrize(
    ("fit", "width", "height"),
    [
        ("85mm", "85mm", None),
        ("1000px", "1000", None),
        ("card", "1200", "675"),
        ("16:9", "1600", "900"),
        ("A4", "210mm", "297mm"),
    ],
)
def test_a_picture_has_the_size_of_its_medium(
    tmp_path: Path, fit: str, width: str, height: str | None
) -> None:
    done = run_cli("diagram", "resnet18", "--fit", fit, "-o", "r.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    root = ET.parse(tmp_path / "r.svg").getroot()
    assert root.attrib["width"] == width
    assert height is None or root.attrib["height"] == height
    _, _, across, _ = map(float, root.attrib["viewBox"].split())
    px = 85 / 25.4 * 96 if fit == "85mm" else 210 / 25.4 * 96 if fit == "A4" else float(width)
    smallest = min(float(text.attrib["font-size"]) for text in root.iter(f"{SVG}text")) * px / across
    assert smallest >= (7.95 if "mm" in width else 8.95)  # 6 pt on paper, 9 px on a screen


def test_what_is_left_out_to_fit_is_said(tmp_path: Path) -> None:
    done = run_cli("diagram", "resnet50", "--fit", "column", "-o", "r.svg", cwd=tmp_path)
    assert "note: to fit column with text of 6 pt: " in done.stderr
    assert "scopes drawn as one card each (" in done.stderr
    flat = run_cli("diagram", "resnet50", "--fit", "column", "--no-fold", "-o", "f.svg", cwd=tmp_path)
    assert "its smallest text is " in flat.stderr
    assert ", and should be 6 pt" in flat.stderr


def test_a_card_and_a_page_have_their_pixels(tmp_path: Path) -> None:
    for fit, size in (("card", (1200, 675)), ("85mm", (1004, None))):  # 85 mm at 300 dpi
        assert run_cli("diagram", "alexnet", "--fit", fit, "-o", "a.png", cwd=tmp_path).returncode == 0
        width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
        assert abs(width - size[0]) <= 1
        assert size[1] is None or height == size[1]


@pytest.mark.parametrize(
    ("arguments", "message", "help"),
    [
        (("--fit", "huge"), "'huge' is no size of a picture", "for example 85mm"),
        (("--fit", "0px"), "a picture of 0px has no room", "at least 40 px"),
        (
            ("--fit", "A4", "-o", "a.html"),
            "a medium is for SVG, PNG and PDF, not for HTML",
            "leave out --fit",
        ),
        (("--only", "layer2"), "'layer2' is no scope of alexnet", "archinspect summary"),
        (("--color", "latency"), "needs a saved run", "archinspect latency"),
        (("-o", "a.bmp"), "the ending '.bmp' does not say", ".svg"),
        (("-o", "a.svg", "--width", "900"), "a width or dpi is for PNG", ""),
        (("-o", "a.png", "--width", "99999"), "the picture would be 99,999 px", "another size"),
        (("--color", "heat"), "heat", "macs"),
        (("--overview", "--style", "strip"), "an overview is of one whole network", "leave out"),
        (("--color", "latency", "--run", "none.json"), "cannot read 'none.json'", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_requests(tmp_path: Path, arguments: tuple[str, ...], message: str, help: str) -> None:
    done = run_cli("diagram", "alexnet", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert help in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_missing_or_failing_engine_leaves_the_dot(tmp_path: Path) -> None:
    # No system Graphviz on this PATH.
    missing = run_cli("diagram", "alexnet", "--engine", "dot", "-o", "a.svg", cwd=tmp_path, env={"PATH": ""})
    failing = run_cli("diagram", "alexnet", "--engine", "graphviz-pure", "-o", "b.pdf", cwd=tmp_path)
    assert (missing.returncode, failing.returncode) == (2, 2)
    assert "error[A404]: this needs the engine 'dot'" in missing.stderr
    assert "error[A405]: the engine 'graphviz-pure' could not write PDF" in failing.stderr
    assert "its input is in b.dot" in failing.stderr
    assert sorted(os.listdir(tmp_path)) == ["a.dot", "b.dot"]
    assert (tmp_path / "a.dot").read_text("utf-8") == (tmp_path / "b.dot").read_text("utf-8")


def test_the_engine_is_named_in_the_file(tmp_path: Path) -> None:
    run_cli("diagram", "resnet50", "--engine", "graphviz-pure", "-o", "r.svg", cwd=tmp_path)
    assert "laid out by graphviz-pure" in (tmp_path / "r.svg").read_text("utf-8")


def test_every_static_picture_needs_nothing_but_pip(tmp_path: Path) -> None:
    """An empty PATH but the interpreter's own folder, no home, no fonts of the system."""
    bare = {"PATH": str(Path(sys.executable).parent), "HOME": str(tmp_path), "FONTCONFIG_FILE": os.devnull}
    usual, alone = tmp_path / "usual", tmp_path / "alone"
    for folder, env in ((usual, {}), (alone, bare)):
        folder.mkdir()
        for ending in ("svg", "png", "pdf"):
            done = run_cli("diagram", "resnet50", "-o", f"r.{ending}", cwd=folder, env=env)
            assert done.returncode == 0, done.stderr
    for ending in ("svg", "png", "pdf"):
        assert (usual / f"r.{ending}").read_bytes() == (alone / f"r.{ending}").read_bytes()


def test_an_svg_imports_nothing_slow() -> None:
    done = run_python(
        "-c",
        "import sys; from archinspect.cli.app import run; run(['diagram', 'resnet50', '-o', '-']);"
        "print(sorted({'torch', 'numpy', 'resvg_py', 'graphviz', 'rich'} & set(sys.modules)), file=sys.stderr)",
    )
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("<svg")
