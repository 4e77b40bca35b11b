"""`blocks_of`: the blocks that one spec takes from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from archinspect.errors import ArchinspectError, Diagnostic
from archinspect.frontends.spec import dump, load_graph
from archinspect.graph import Graph

from .support import graph_of, names

LENDER = """name: lender
input: 3x8x8
arguments: {norm: false}
blocks:
  unit(width):
    - conv: plain(width)
    - bn if norm: batch_norm2d()
  plain(width):
    - conv: conv2d(width, 3)
  other(width):
    - conv: conv2d(width, 3)
layers:
  - a: unit(4)
"""
BORROWER = (
    "name: net\ninput: 3x16x16\narguments: {norm: true}\nblocks_of: lender.yaml\nlayers:\n  - a: unit(8)\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lender.yaml").write_text(LENDER)
    return tmp_path


def load(folder: Path, text: str) -> Graph:
    (folder / "net.yaml").write_text(text)
    return load_graph(folder / "net.yaml")


def refused(folder: Path, text: str) -> Diagnostic:
    with pytest.raises(ArchinspectError) as caught:
        load(folder, text)
    (error,) = caught.value.diagnostics
    assert error.span is not None
    return error


def test_blocks_and_what_they_use_come_from_a_file_beside_the_spec(folder: Path) -> None:
    graph = load(folder, BORROWER)
    assert names(graph) == ["a.conv.conv", "a.bn"]
    assert graph.output_shape == (1, 8, 14, 14)
    assert graph_of(dump(graph)) == graph


def test_blocks_come_from_a_network_that_ships(folder: Path) -> None:
    text = "name: net\ninput: 3x32x32\narguments: {batch_norm: false}\nblocks_of: vgg16\n"
    text += "layers:\n  - inline: stage(7, 1, 8)\n"
    assert names(load(folder, text)) == ["conv7_1", "relu7_1", "pool7"]


def test_own_blocks_stand_beside_borrowed_ones(folder: Path) -> None:
    text = BORROWER.replace(
        "layers:", "blocks:\n  twice(w):\n    - one: unit(w)\n    - two: unit(w)\nlayers:"
    )
    assert names(load(folder, text.replace("a: unit", "a: twice"))) == [
        "a.one.conv.conv",
        "a.one.bn",
        "a.two.conv.conv",
        "a.two.bn",
    ]


def test_an_own_block_of_the_same_name_is_the_one_that_is_used(folder: Path) -> None:
    own = "blocks:\n  unit(w):\n    - c: conv2d(w, 1)\n    - bn if norm: plain(w)\nlayers:"
    assert names(load(folder, BORROWER.replace("layers:", own))) == ["a.c", "a.bn.conv"]


def test_an_own_block_cannot_slip_into_a_borrowed_one(folder: Path) -> None:
    own = "blocks:\n  plain(width):\n    - c: conv2d(width, 1)\nlayers:\n  - b: plain(3)"
    error = refused(folder, BORROWER.replace("layers:", own))
    assert (error.code, error.span and error.span.line) == ("A210", 6)


@pytest.mark.parametrize(
    ("lender", "code"),
    [
        ("lendr.yaml", "A102"),
        ("resnt50", "A101"),
        ("../lender.yaml", "A101"),
        ("/etc/passwd", "A101"),
        ("net.yaml", "A107"),  # itself
        ("resnet101", "A107"),  # has its blocks of resnet50
        ("alexnet", "A212"),  # has no block that is used
    ],
)
def test_lenders_that_cannot_be(folder: Path, lender: str, code: str) -> None:
    text = BORROWER.replace("lender.yaml", lender)
    if code == "A212":
        text = text.replace("unit(8)", "relu").replace("arguments: {norm: true}\n", "")
    (folder / "net.yaml").write_text(text)
    with pytest.raises(ArchinspectError) as caught:
        load_graph(folder / "net.yaml")
    first = next(error for error in caught.value.diagnostics if error.code == code)
    assert first.span is not None
    assert first.span.text.startswith("blocks_of:")


def test_an_error_in_a_borrowed_block_is_shown_where_it_stands_and_where_it_is_used(folder: Path) -> None:
    error = refused(folder, BORROWER.replace("16x16", "2x2"))
    assert (error.code, error.path) == ("A302", "a.conv.conv")
    assert error.span is not None
    assert (Path(error.span.file).name, error.span.line) == ("lender.yaml", 9)
    assert [(Path(span.file).name, span.line) for span, _ in error.related] == [
        ("lender.yaml", 6),
        ("net.yaml", 6),
    ]


def test_an_argument_that_a_borrowed_block_needs(folder: Path) -> None:
    error = refused(folder, BORROWER.replace("arguments: {norm: true}\n", ""))
    assert (error.code, error.span and Path(error.span.file).name) == ("A208", "lender.yaml")
    assert "net.yaml borrows this block" in error.help


def test_errors_of_the_lender_are_shown(folder: Path) -> None:
    (folder / "lender.yaml").write_text(
        LENDER.replace("    - bn if norm: batch_norm2d()", "    - bn: 'batch_norm2d('")
    )
    with pytest.raises(ArchinspectError) as caught:
        load(folder, BORROWER)
    assert "A201" in [error.code for error in caught.value.diagnostics]
