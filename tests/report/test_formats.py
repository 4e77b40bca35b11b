"""Every format, on one table: what each must keep, escape and mark."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from archinspect.errors import ArchinspectError
from archinspect.report import FORMATS, Column, Report, Table, format_of, render

from .tables import LAYERS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_every_number_and_ends_with_one_newline(name: str) -> None:
    text = render(LAYERS, name)
    assert re.sub(r"\D", "", "138357544") in re.sub(r"[,{}]", "", text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"csv", "tsv", "json"}))
def test_formats_for_people_mark_what_is_unknown_and_the_total(name: str) -> None:
    text = render(LAYERS, name)
    assert "unknown" in text
    assert "Cannot be counted: strange" in text
    assert "≥ 138,359,336" in text.replace(r"$\geq$", "≥")


def test_csv_is_raw_and_has_data_rows_only() -> None:
    rows = list(csv.DictReader(io.StringIO(render(LAYERS, "csv"))))
    assert [row["params"] for row in rows] == ["1792", "138357544", ""]
    assert rows[0]["output_shape"] == "1x64x224x224"
    assert rows[1]["receptive_field"] == "3x5"
    assert rows[0]["derivation"] == "(3×3×3×64) + 64 = 1,792"


def test_json_keeps_types_and_writes_a_row_a_line() -> None:
    text = render(LAYERS, "json")
    document = json.loads(text)
    assert document["rows"][0]["output_shape"] == [1, 64, 224, 224]
    assert document["rows"][2]["params"] is None
    assert document["total"]["params"] == {"at_least": 138_359_336}
    assert sum('"name": ' in line for line in text.splitlines()) == 4


def test_json_prefers_the_reports_own_document() -> None:
    report = Report((LAYERS,), document=lambda: {"model": "x", "rows": [], "totals": {"params": 1}})
    assert json.loads(render(report, "json")) == {"model": "x", "rows": [], "totals": {"params": 1}}


def test_markdown_aligns_numbers_right_and_escapes() -> None:
    table = Table((Column("a", "A|B"), Column("n", "N", "int")), (("x|*y*_z", 12), ("conv1_1", 3)))
    header, rule, first, second = render(table, "markdown").splitlines()
    assert header == r"| A\|B        |   N |"
    assert rule == r"| ----------- | --: |"
    assert first == r"| x\|\*y\*\_z |  12 |"
    assert second == r"| conv1_1     |   3 |"


def test_latex_is_balanced_escaped_and_sets_formulas_in_math() -> None:
    text = render(LAYERS, "latex")
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    assert r"\toprule" in text
    assert r"\bottomrule" in text
    assert r"conv1\_1.conv" in text
    assert r"VGG-16 \& friends" in text
    assert r"$(3 \times 3 \times 3 \times 64) + 64 = 1{,}792$" in text
    assert r"$\lfloor (224 + 2 \times 3 - 7)/2 \rfloor + 1 = 112$" in text
    assert text.isascii()
    for line in text.splitlines():
        assert line.count("$") % 2 == 0
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(LAYERS.columns) - 1}


def test_latex_captions_end_each_sentence_once() -> None:
    table = Table((Column("a", "A"),), (("x",),), title="Net", notes=("First said.", "Then this."))
    assert r"\caption{Net. First said. Then this.}" in render(table, "latex")


def test_latex_breaks_long_tables_across_pages() -> None:
    rows = tuple((f"layer{i}", i) for i in range(60))
    text = render(Table((Column("a", "A"), Column("n", "N", "int")), rows, title="T"), "latex")
    assert r"\begin{longtable}{lr}" in text
    assert r"\endhead" in text
    assert "longtable" in text.splitlines()[0]


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":  # has no end tag
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_accessible_and_self_contained() -> None:
    text = render(LAYERS, "html")
    page = _Html()
    page.feed(text)
    assert page.open == []
    tags = [tag for tag, _ in page.seen]
    assert {"caption", "thead", "tbody", "tfoot", "main", "title"} <= set(tags)
    assert {"script", "link", "img"}.isdisjoint(tags)
    assert ("html", {"lang": "en"}) in page.seen
    scopes = [attributes["scope"] for tag, attributes in page.seen if tag == "th"]
    assert scopes.count("col") == len(LAYERS.columns)
    assert scopes.count("row") == len(LAYERS.rows) + 1
    assert "http" not in text


def test_html_escapes() -> None:
    table = Table((Column("a", "<b>"),), (("<script>alert(1)</script>",),), title="a & b")
    text = render(table, "html")
    assert "<script>" not in text
    assert "a &amp; b" in text
    assert "&lt;b&gt;" in text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("t.md", "markdown"),
        ("a/b.TEX", "latex"),
        ("t.html", "html"),
        ("t.csv", "csv"),
        ("t.json", "json"),
        ("t.txt", "table"),
    ],
)
def test_the_ending_picks_the_format(path: str, name: str) -> None:
    assert format_of(path) == name


@pytest.mark.parametrize("path", ["t.docx", "t", ".csv"])
def test_an_unknown_ending_is_refused(path: str) -> None:
    with pytest.raises(ArchinspectError) as caught:
        format_of(path)
    assert caught.value.diagnostics[0].code == "A403"
    assert ".md" in caught.value.diagnostics[0].help


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(ArchinspectError) as caught:
        render(LAYERS, "markdwon")
    assert "markdown" in caught.value.diagnostics[0].help


def test_a_row_of_another_width_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="2 cells in a table of 1 columns"):
        Table((Column("a", "A"),), ((1, 2),))
