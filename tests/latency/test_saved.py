"""Saved runs that were damaged or written by something else: one error each, which says what is wrong and where."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archinspect.diagram.colouring import read_latency
from archinspect.errors import ArchinspectError
from archinspect.latency.saved import read

LAYER = {
    "name": "conv", "layers": ["conv"], "ms": 0.5, "share": 1.0, "macs": 10, "bytes": 40, "floor_ms": 0.1,
    "efficiency": 0.2, "gflops_per_s": 0.04, "gb_per_s": 0.08, "bound": "memory", "fused": [],
}  # fmt: skip
RUN = {
    "batch": 1, "dtype": "fp32", "label": "fp32", "mode": "latency", "options": {"cold": True}, "status": "ok",
    "median_ms": 0.6, "interval_ms": [0.5, 0.7], "p90_ms": None, "p99_ms": None, "n": 2, "samples_ms": [0.5, 0.7],
    "images_per_s": 1666.7, "noise": 0.01, "first_ms": 3.0, "enqueue_ms": None, "peak_memory_bytes": None,
    "reserved_memory_bytes": None, "predicted_memory_bytes": 120, "floor_ms": 0.1, "layers": [LAYER], "absorbed": [],
    "whole_ms": 0.6, "closure": -0.01, "inflation": 0.0, "flags": [{"code": "one-off", "message": "", "remedy": ""}],
}  # fmt: skip
ROOFS = {
    "name": "CPU",
    "tflops": {"fp32": 0.5},
    "bandwidth_gb_s": 20.0,
    "launch_us": 1.0,
    "origin": "measured",
}
DOCUMENT = {
    "model": "net",
    "device": "CPU",
    "environment": {"torch": "2.13", "threads": 2, "cores": 2, "load_before": 0.1, "governor": None},
    "ceilings": {"measured": ROOFS, "looks": [ROOFS], "datasheet": None},
    "runs": [RUN],
    "interrupted": False,
    "request": {"models": ["net"], "input": None, "set": [], "batch": [1], "dtype": ["fp32"], "time_s": 20.0},
}


def saved(tmp_path: Path, document: Any) -> Path:
    file = tmp_path / "run.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with another value at a path; `...` takes the key away."""
    document: Any = copy.deepcopy(DOCUMENT)
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    at = document
    for part in way:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return document  # type: ignore[no-any-return]


def test_the_run_itself_is_read(tmp_path: Path) -> None:
    found = read(saved(tmp_path, DOCUMENT))
    (measurement,) = found.measurements
    assert measurement.runs[0].median_ms == 0.6
    assert read_latency(saved(tmp_path, DOCUMENT)) == {"conv": 0.0005}
    both = {"models": [DOCUMENT, DOCUMENT], "contests": [], "request": DOCUMENT["request"]}
    assert len(read(saved(tmp_path, both)).measurements) == 2


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (changed("runs/0/median_ms", 0), "runs[0].median_ms is 0, not a number above 0"),
        (changed("runs/0/batch", "1"), "runs[0].batch is '1', not a whole number"),
        (changed("runs/0/interval_ms", [1.0]), "runs[0].interval_ms is [1.0], not a list of 2"),
        (changed("runs/0/flags/0/code", "so-so"), "runs[0].flags[0].code is 'so-so', which no run has"),
        (changed("runs/0/extra", 1), "runs[0] has 'extra', which no run has"),
        (changed("runs", {}), "runs is {}, not a list"),
        (changed("ceilings/measured/tflops/fp32", -1), "ceilings.measured.tflops.fp32 is -1, not a number above 0"),
        (changed("request/threads", 0), "request.threads is 0, not a whole number from 1 on"),
        (changed("environment", ...), "environment is missing"),
        (changed("runs/0/layers/0/ms", float("nan")), "runs[0].layers[0].ms is nan, not a number of at least 0"),
        ([], "the document is [], not a mapping"),
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"model": 1' + "0" * 5000 + "}", "it has a number of thousands of digits"),
        (json.dumps(changed("runs/0/batch", 10**4000)), "runs[0].batch is a number of many digits"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(document: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ArchinspectError) as caught:
        read(saved(tmp_path, document))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "A403"
    assert diagnostic.notes[0].startswith(reason)


def places(value: Any, path: str = "") -> list[str]:
    """The paths of all values of a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    return found + [
        place for key, item in inside for place in places(item, f"{path}/{key}" if path else str(key))
    ]


ODD = st.sampled_from(
    [..., None, 0, -1, 1.5, 10**30, 1e308, float("inf"), "", "x", True, [], {}, [[]], [None]]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(places(DOCUMENT)), value=ODD)
def test_any_other_value_anywhere_is_read_or_refused(place: str, value: Any, tmp_path: Path) -> None:
    """What is read can be shown: every derived figure is computed."""
    file = saved(tmp_path, changed(place, value))
    with suppress(ArchinspectError):
        for measurement in read(file).measurements:
            measurement.to_dict()
            for run in measurement.runs:
                assert run.precision != 0
    with suppress(ArchinspectError):
        assert sum(read_latency(file).values()) >= 0
