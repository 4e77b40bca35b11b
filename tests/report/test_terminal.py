"""Terminal tables: alignment, and how they fold when the terminal is narrow."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archinspect.report import Column, Style, Table, render
from archinspect.report.style import style_of

from .tables import LAYERS


def lines(width: int | None, **options: bool) -> list[str]:
    return render(LAYERS, "table", Style(width, **options)).splitlines()


def test_numbers_stand_right_under_their_heading() -> None:
    text = lines(None)
    heading = next(line for line in text if line.startswith("Layer"))
    end = heading.index("Params") + len("Params")
    for part in ("1,792", "138,357,544", "unknown", "≥ 138,359,336"):
        line = next(line for line in text if line[:end].endswith(f" {part}"))
        assert line[end : end + 2] in ("  ", "")


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, lines(width))) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 140, None])
def test_numbers_are_never_cut(width: int | None) -> None:
    text = "\n".join(lines(width))
    for part in ("1,792", "138,357,544", "138,359,336", "1×128×112×112"):
        assert part in text


def test_wide_derivations_move_below_their_row() -> None:
    text = lines(80)
    row = next(i for i, line in enumerate(text) if "1,792" in line)
    assert text[row + 1] == "    (3×3×3×64) + 64 = 1,792"
    beside = next(line for line in lines(None) if line.startswith("conv1_1"))
    assert beside.endswith("(3×3×3×64) + 64 = 1,792")


def test_long_names_leave_their_scope_to_a_line_above() -> None:
    text = lines(80)
    assert "stage1.unit3.inception_3a.branch2.reduce.conv" in "\n".join(lines(None))
    row = next(i for i, line in enumerate(text) if "138,357,544" in line)
    assert text[row - 1] + "." + text[row].split()[0] == "stage1.unit3.inception_3a.branch2.reduce.conv"
    assert "…" not in "\n".join(text)


def test_a_scope_is_named_once_for_the_rows_that_share_it() -> None:
    names = ("a.b.long_long_long", "a.b.other", "a.c", "top", "a.b.again")
    columns = (Column("name", "Layer", "name"), Column("x", "X"))
    text = render(Table(columns, tuple((n, "x" * 24) for n in names)), "table", Style(40)).splitlines()
    assert [line.split()[0] for line in text[2:]] == [
        "a.b",
        "long_long_long",
        "other",
        "a",
        "c",
        "top",
        "a.b",
        "again",
    ]


def test_a_name_without_scopes_is_shortened_in_the_middle() -> None:
    columns = (Column("name", "Layer", "name"), Column("x", "X", "int"))
    text = render(Table(columns, (("start" + "_" * 90 + "end", 1_000_000),)), "table", Style(60))
    assert "start" in text
    assert "…" in text
    assert "end  1,000,000" in text


def test_an_equation_breaks_before_its_value() -> None:
    columns = (Column("name", "Layer", "name"), Column("d", "How", "formula"))
    text = render(
        Table(columns, (("a", "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 = (1, 2, 3, 4)"),)), "table", Style(40)
    )
    assert "    1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n      = (1, 2, 3, 4)\n" in text


def test_a_last_resort_goes_only_when_shortened_texts_do_not_fit() -> None:
    columns = (Column("n", "Layer", "name"), Column("t", "Type", optional=-1), Column("x", "MACs", "int"))
    table = Table(columns, (("conv1_1", "adaptive_avg_pool2d", 10**20),))
    assert "adap…ol2d" in render(table, "table", Style(47))
    narrow = render(table, "table", Style(40))
    assert "adap" not in narrow
    assert "Left out to fit 40 columns: Type" in narrow
    assert max(map(len, narrow.splitlines()[:3])) <= 40


def test_a_table_without_rows_has_no_heading() -> None:
    columns = (Column("n", "Layer", "name"), Column("x", "MACs", "int"))
    assert render(Table(columns, (), title="Nothing")) == "Nothing\n"
    assert render(Table(columns, (), title="Nothing", notes=("why",))) == "Nothing\n\nwhy\n"


def test_columns_left_out_are_named() -> None:
    text = "\n".join(lines(60))
    assert "Receptive field" not in text.split("Left out")[0]
    assert "Left out to fit 60 columns: Receptive field" in text


def test_the_total_stands_below_a_double_rule() -> None:
    text = lines(None)
    total = next(i for i, line in enumerate(text) if line.startswith("Total"))
    assert set(text[total - 1]) == {"═"}


def test_ascii_where_the_destination_knows_nothing_else() -> None:
    text = "\n".join(lines(80, unicode=False))
    assert text.isascii()
    assert "1x64x224x224" in text
    assert "floor((224 + 2x3 - 7)/2) + 1 = 112" in text
    assert ">= 138,359,336" in text


def test_signs_and_accents_have_ascii_of_their_own() -> None:
    table = Table((Column("a", "±"),), (("naïve ½·α ≈ √2 ÷ 3",), ("日",)))
    text = render(table, "table", Style(unicode=False))
    assert "+-" in text
    assert "naive 1/2*alpha ~ sqrt2 / 3" in text
    assert text.count("?") == 1


def test_colour_only_when_asked_for() -> None:
    assert "\x1b" not in "\n".join(lines(80))
    assert "\x1b[1mTotal" in "\n".join(lines(80, color=True))


def test_control_characters_do_not_reach_the_terminal() -> None:
    table = Table((Column("a", "A"),), (("x\x1b[31m\r\n\x07y",),), title="t\x1b]0;z")
    assert "\x1b" not in render(table)
    assert "\x07" not in render(table)


@given(
    names=st.lists(st.text("abc._", min_size=1, max_size=70), min_size=1, max_size=4),
    numbers=st.integers(0, 10**12),
    width=st.integers(40, 120),
)
def test_any_names_fold_into_the_width(names: list[str], numbers: int, width: int) -> None:
    columns = (Column("n", "Layer", "name"), Column("p", "Params", "int"), Column("d", "How", "formula"))
    rows = tuple((name, numbers, "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 = 55") for name in names)
    text = render(Table(columns, rows), "table", Style(width))
    assert max(map(len, text.splitlines())) <= width
    assert text.count(f"{numbers:,}") >= len(names)


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class _AsciiTerminal(_Terminal):
    encoding = "ascii"


def test_style_follows_the_stream_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "132")
    assert style_of(_Terminal()) == Style(132, color=True, unicode=True)
    assert not style_of(io.StringIO()).color
    assert not style_of(_AsciiTerminal()).unicode
    monkeypatch.setenv("NO_COLOR", "1")
    assert not style_of(_Terminal()).color
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not style_of(_Terminal()).color
