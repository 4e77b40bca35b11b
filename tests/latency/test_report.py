"""What a reader of a measurement is told: each doubt once, and never a comparison that means nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS, Ceilings
from archinspect.latency.change import Changes
from archinspect.latency.devices import device, device_here
from archinspect.latency.flags import Flag
from archinspect.latency.interleaved import Pair
from archinspect.latency.layers import LayerTiming
from archinspect.latency.predict import predict
from archinspect.latency.results import Comparison, Contest, Measurement, Run
from archinspect.report.latency import measurement
from archinspect.report.latency_change import changes
from archinspect.report.latency_charts import measured
from archinspect.report.latency_comparison import comparison
from archinspect.report.latency_prediction import beside, record
from archinspect.report.latency_words import flags

ROOFS = Ceilings("NVIDIA H100 80GB HBM3", {"fp32": 6e13}, 3e12, 2e-6, "measured")
ENVIRONMENT = {"threads": 1, "cores": 2, "torch": "9.9"}
ROWS = (
    LayerTiming("conv", ("conv",), 6.0, 0.75, macs=10**9, bytes=10**6, floor_ms=3.0, bound="compute-bound"),
    LayerTiming("(call)", (), 2.0, 0.25),
)
RUN = Run(
    "net",
    1,
    "fp32",
    "fp32",
    "latency",
    median_ms=8.0,
    interval_ms=(7.9, 8.1),
    samples_ms=(8.0,) * 70,
    noise=0.01,
    layers=ROWS,
    whole_ms=8.0,
    closure=1.0,
    inflation=1.0,
)


def found(*runs: Run, name: str = "net", on: str = "NVIDIA H100 80GB HBM3") -> Measurement:
    return Measurement(name, on, ENVIRONMENT, tuple(replace(run, model=name) for run in runs), ROOFS)


def test_a_doubt_of_many_runs_is_told_once_with_how_many_it_concerns() -> None:
    runs = [
        replace(RUN, batch=batch, flags=(Flag("imprecise", f"±{batch}.0% at the cap"),))
        for batch in (1, 2, 4)
    ]
    runs[1] = replace(runs[1], flags=(*runs[1].flags, Flag("drifting", "the second half took +9.0%")))
    first, second = flags(runs)
    assert first.startswith("imprecise [batch 1 fp32; 3 of 3 runs]: ±1.0% at the cap. Give it more time")
    assert second.startswith("drifting [batch 2 fp32]: The second half took +9.0%.")
    assert flags([runs[0]])[0].startswith("imprecise: ±1.0% at the cap.")


def test_options_stand_above_the_table_once() -> None:
    table = measurement(found(replace(RUN, options={"channels_last": True}))).tables[0]
    assert table.subtitle is not None
    assert table.subtitle.endswith("torch 9.9; channels last")
    assert table.rows[0][1] == "fp32"


def test_several_networks_are_compared_first_and_then_have_their_rows() -> None:
    pair = Pair("a", "b", 1.5, (1.4, 1.6), 0.001, 0.01, 30)
    contests = tuple(Contest(batch, "fp32", "latency", (pair,), 30) for batch in (1, 2))
    doubted = replace(
        RUN, closure=1.2, flags=(Flag("not-trustworthy", "the rows add up to 120.0% of the whole"),)
    )
    report = comparison(Comparison((found(RUN, name="a"), found(doubted, name="b")), contests))
    titles = [table.title for table in report.tables]
    assert titles == [
        "Forward passes",
        "Which differences are real",
        "Which differences are real",
        "a: where the time goes",
        "b: where the time goes",
        "Roofs of NVIDIA H100 80GB HBM3",
    ]
    assert [bool(table.notes) for table in report.tables[1:3]] == [True, False]  # how to read it, once
    assert report.tables[4].notes[0].startswith("NOT TRUSTWORTHY")
    assert not report.tables[3].notes[0].startswith("NOT TRUSTWORTHY")


def test_a_picture_carries_what_speaks_against_it() -> None:
    (clean,) = measured([found(RUN)])
    doubts = (Flag("low-roofs", "the roofs may be too low"), Flag("one-off", "the first forward took 9 ms"))
    (doubted,) = measured([found(replace(RUN, flags=doubts))])
    assert doubted.notes == ("low-roofs: the roofs may be too low.", *clean.notes)


@pytest.mark.parametrize(
    ("target", "on", "told"),
    [
        ("h100", "NVIDIA H100 80GB HBM3", "slower than its upper end"),
        ("t4", "NVIDIA H100 80GB HBM3", "another device"),
        ("h100", "AMD EPYC", "another device"),
        ("here", "AMD EPYC", "slower than its upper end"),
    ],
)
def test_a_prediction_is_held_against_its_own_device_only(target: str, on: str, told: str) -> None:
    graph = load_graph("conv2d(8, 3)", input="3x16x16")
    chosen = device_here(ROOFS) if target == "here" else device(target)
    made = predict(graph, chosen, 1, PRECISIONS["fp32"])
    measurement = found(RUN, on=on)
    table = beside(measurement, [made])
    assert told in str(table.rows[0][-1])
    assert any("another device" in note for note in table.notes) is (told == "another device")
    (entry,) = record(measurement, [made])
    assert (entry["error"] is None) is (told == "another device")


def test_assumptions_name_the_roofs_they_are_of() -> None:
    graph = load_graph("conv2d(8, 3)", input="3x16x16")
    sheet = " ".join(predict(graph, device("t4"), 1, PRECISIONS["fp32"]).assumptions)
    here = " ".join(predict(graph, device_here(ROOFS), 1, PRECISIONS["fp32"]).assumptions)
    assert "the sheet's dense peak" in sheet
    assert "the peak measured" in here
    assert "sheet" not in here


def test_a_gate_says_what_it_could_not_judge() -> None:
    few = replace(RUN, batch=2, interval_ms=None, noise=None)
    before, after = found(RUN, few), found(replace(RUN, median_ms=16.0, interval_ms=(15.9, 16.1)), few)
    notes = changes([Changes(before, after)], 0.05).tables[0].notes
    assert "1 of 2 configurations is more than 5% slower beyond the noise." in notes
    assert "Too few samples to judge 1 of 2: give them more time (--time)." in notes


def test_the_roofline_says_what_was_measured() -> None:
    layer = LayerTiming("conv", ("conv",), 1.0, 1.0, 10**9, 10**6, 0.5, "compute-bound")
    run = replace(RUN, options={"compile": True}, layers=(layer,))
    (chart, *_) = measured([found(run)])
    assert f"batch {run.batch}, {run.label}, compiled" in chart.subtitle
