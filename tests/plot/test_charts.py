"""Charts: scales keep order, ticks are round and inside, labels hide nothing, bytes are the same every time."""

from __future__ import annotations

import math
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archinspect.diagram.drawing import Box, Text
from archinspect.plot import Axis, Chart, Line, Point, Points, draw, render
from archinspect.plot.labels import Wanted, place
from archinspect.plot.scale import scale

VALUES = st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20)


@given(VALUES, st.booleans())
def test_a_scale_shows_all_values_between_its_ends_and_keeps_their_order(
    values: list[float], log: bool
) -> None:
    made = scale(Axis("x", log=log), values, 0.0, 500.0)
    places = [made.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(-1e-6 <= at <= 500 + 1e-6 for at in places)
    for tick in made.ticks:
        assert -1e-3 <= made.place(tick.value) <= 500 + 1e-3


def test_ticks_are_round_numbers() -> None:
    assert [tick.text for tick in scale(Axis("x"), [0, 97], 0, 1).ticks][:3] == ["0", "20", "40"]
    assert [tick.text for tick in scale(Axis("x", log=True), [0.5, 3e4], 0, 1).ticks] == [
        "1",
        "10",
        "100",
        "1,000",
        "10,000",
    ]
    chosen = scale(Axis("x", log=True, ticks=(1, 8, 32)), [1, 8, 32], 0, 1)
    assert [tick.text for tick in chosen.ticks] == ["1", "8", "32"]


def test_labels_neither_hide_one_another_nor_leave_the_room_and_the_weightiest_come_first() -> None:
    room = Box(0, 0, 200, 100)
    wanted = [Wanted(100, 50, 4, f"layer {i}", weight=i) for i in range(40)]
    items = place(wanted, room, [Box(96, 46, 8, 8)], 12, "#000000", "#888888")
    texts = [item for item in items if isinstance(item, Text)]
    assert texts[0].text == "layer 39"
    assert 1 < len(texts) < 40
    assert not any(a.box.overlaps(b.box, slack=0.5) for a, b in combinations(texts, 2))
    assert all(room.contains(text.box, slack=0.5) for text in texts)


def chart(name: str = "a & <b>") -> Chart:
    line = Line(name, (Point(1, 2, "first"), Point(10, 20, title="second")))
    return Chart("Title", Axis("x", log=True), Axis("y"), (line, Points("marks", (Point(3, 4),))))


def test_an_svg_is_well_formed_and_the_same_every_time() -> None:
    text = render(chart(), "svg")
    assert text == render(chart(), "svg")
    root = ElementTree.fromstring(text)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Title", "a & <b>", "marks", "first", "x", "y"} <= set(words)


def test_everything_lies_inside_the_picture() -> None:
    drawing = draw(chart())
    page = Box(0, 0, drawing.width, drawing.height)
    for item in drawing.flat():
        if isinstance(item, Text) and not item.angle:
            assert page.contains(item.box), item.text


def test_png_is_a_png() -> None:
    assert render(chart(), "png").startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="no points"):
        Chart("empty", Axis("x"), Axis("y"), ())
    with pytest.raises(ValueError, match="not positive"):
        Chart("log", Axis("x", log=True), Axis("y"), (Points("", (Point(0.0, 1.0),)),))
    assert math.isfinite(draw(Chart("one", Axis("x"), Axis("y"), (Points("", (Point(5, 5),)),))).height)
