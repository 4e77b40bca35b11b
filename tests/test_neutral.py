"""Hostile texts in everything that is written: no control character, no formula, no program that does not compile."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archinspect import neutral
from archinspect.diagram import draw
from archinspect.errors import fail
from archinspect.graph import Graph
from archinspect.pytorch.source import export_source
from archinspect.report import Column, Report, Table, render
from archinspect.report.formats import FORMATS

from .strategies_networks import graph_of

NET = graph_of("name: net\ninput: 3x8x8\nlayers:\n  - conv: conv2d(4, 3)\n  - relu: relu()\n")
PIECES = [
    "\x1b[31m",
    "\x00",
    "\\",
    '"',
    '"""',
    "\r",
    "\n",
    "\u202e",
    "\u2028",
    "\x9b",
    "=1+1",
    "@x",
    "|",
    "<b>",
    "]]>",
    "$",
    "}",
    "%",
]
texts = st.lists(
    st.sampled_from(PIECES) | st.text("ab \\'", min_size=1, max_size=40), min_size=1, max_size=6
).map("".join)
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]")


def named(title: str) -> Graph:
    return replace(NET, metadata={"title": title, "source": title * 3, "notes": title})


@settings(max_examples=40)
@given(texts)
def test_no_table_holds_what_moves_a_cursor(text: str) -> None:
    columns = (Column("name", text, "name"), Column("what", "What", "text"), Column("n", "N", "int"))
    report = Report((Table(columns, ((text, text, 3),), title=text, subtitle=text, notes=(text,)),))
    for format in sorted(set(FORMATS) - {"json"}):
        if FORMATS[format][0] in ("tabulated", "tree"):
            continue
        made = render(report, format)
        # A line break of a cell stands inside quotes in CSV, and is none of ours elsewhere.
        assert HARMFUL.search(made if format != "tsv" else made.replace("\t", "")) is None, format
    rows = [*csv.reader(io.StringIO(render(report, "csv")))]
    rows += [line.split("\t") for line in render(report, "tsv").splitlines()[1:]]
    for row in rows:
        assert not row[:1] or not re.match(r"\s*[=@]", row[0]) or row[0] == text.splitlines()[0]


@settings(max_examples=40)
@given(texts)
def test_every_program_compiles(title: str) -> None:
    source = export_source(named(title))
    compile(source, "net.py", "exec")
    assert HARMFUL.search(source) is None


@settings(max_examples=15, deadline=None)
@given(texts)
def test_pictures_are_sound(title: str) -> None:
    graph = named(title)
    ElementTree.fromstring(draw(graph).render("svg"))
    dot = draw(graph).render("dot")
    assert isinstance(dot, str)
    assert HARMFUL.search(dot) is None
    page = draw(graph).render("html")
    assert isinstance(page, str)
    assert HARMFUL.search(page) is None


@given(texts)
def test_errors_quote_without_harm(text: str) -> None:
    error = fail("A403", text, notes=[text], help=text)
    assert HARMFUL.search(error.render()) is None


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd", "'-cmd"),
        ("  =x", "'  =x"),
        ("-3.5", "-3.5"),
        ("+12%", "+12%"),
        ("conv1", "conv1"),
        ("1x3x224", "1x3x224"),
    ],
)
def test_cells_that_a_spreadsheet_would_run(cell: str, written: str) -> None:
    assert neutral.cell(cell) == written
