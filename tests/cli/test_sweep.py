"""`sweep` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archinspect.sweep import grid, run
from tests.support import ROOT, clean_environment, run_cli

GRID = ("sweep", "resnet50", "--set", "num_classes=10,1000", "--input", "3x192x192,3x224x224")


def test_json_has_every_variant() -> None:
    found = json.loads(run_cli(*GRID, "--format", "json").stdout)
    assert found["axes"] == {"num_classes": [10, 1000], "input": ["3x192x192", "3x224x224"]}
    assert found["complete"] is True
    assert len(found["variants"]) == 4
    last = found["variants"][-1]
    assert last["settings"] == {"num_classes": 1000, "input": "3x224x224"}
    assert (last["params"], last["macs"]) == (25_557_032, 4_089_184_256)
    assert [v["pareto"] for v in found["variants"]] == [True, False, True, False]


def test_a_model_may_carry_settings() -> None:
    model = "resnet50:num_classes=10,input=3x192x192"
    found = json.loads(run_cli("sweep", model, "--set", "stride_in_1x1=false", "--format", "json").stdout)
    assert (found["variants"][0]["params"], found["variants"][0]["input"]) == (23_528_522, [1, 3, 192, 192])
    found = json.loads(run_cli("sweep", model, "--input", "3x224x224", "--format", "json").stdout)
    assert (found["variants"][0]["params"], found["variants"][0]["input"]) == (23_528_522, [1, 3, 224, 224])


def test_csv_has_raw_numbers_and_the_front_alone_when_asked() -> None:
    rows = list(csv.DictReader(io.StringIO(run_cli(*GRID, "--format", "csv", "--front").stdout)))
    assert [(row["num_classes"], row["input"], row["params"]) for row in rows] == [
        ("10", "3x192x192", "23528522"),
        ("1000", "3x192x192", "25557032"),
    ]


def test_the_front_in_what_one_asks_for() -> None:
    found = json.loads(run_cli(*GRID, "--pareto", "macs,input:max", "--format", "json").stdout)
    assert [v["pareto"] for v in found["variants"]] == [True, True, False, False]
    assert found["objectives"] == [{"name": "macs", "best": "min"}, {"name": "input", "best": "max"}]


def test_a_variant_that_fails_is_told_beside_the_others() -> None:
    done = run_cli("sweep", "alexnet", "--input", "3x20x20,3x227x227")
    assert done.returncode == 0
    assert "A302: window of 3 does not fit" in done.stdout
    assert "62,378,344" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("resnet50",), "A403"),
        (("resnet50", "--set", "num_clases=1"), "A401"),
        (("resnet50", "--set", "num_classes=x"), "A401"),
        (("resnet50", "--input", "3x224x224", "--pareto", "beauty"), "A403"),
        (("resnet50", "--set", "stride_in_1x1=true,false", "--pareto", "stride_in_1x1"), "A403"),
        (("nothing", "--input", "3x224x224"), "A101"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], code: str) -> None:
    done = run_cli("sweep", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]: ")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_a_bar_shows_how_much_that_is(jobs: str) -> None:
    """The signal goes to the whole group, as a terminal sends it, as soon as the bar shows the first variants."""
    command = [sys.executable, "-m", "archinspect", "sweep", "alexnet", "--set", "num_classes=1:400000"]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*command, "--jobs", jobs, "--front", "--pareto", "params", "--format", "json"],
        cwd=ROOT,
        env=clean_environment({"TERM": "xterm", "COLUMNS": "100"}),
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while b"/400000" not in shown:
        shown += os.read(ours, 4096)
    os.killpg(process.pid, signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    os.close(ours)
    assert process.returncode == 130
    found = json.loads(out)
    assert found["complete"] is False
    assert found["variants"][0]["settings"] == {"num_classes": 1}


TWICE = """
name: twice
input: 3x16x16
arguments: {k: 3}
blocks:
  unit(k):
    - c: conv2d(4, k)
    - p: max_pool2d(k)
layers:
  - a: unit(k)
  - b: unit(k)
"""


def test_a_variant_may_fail_in_a_block_that_is_used_twice(tmp_path: Path) -> None:
    """Its error is said once, so the second use has no error of its own, and shapes that are guesses."""
    (tmp_path / "twice.yaml").write_text(TWICE)
    result = run_cli("sweep", "twice.yaml", "--set", "k=1,2,3,9", "--jobs", "999999", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "2 variants cannot be laid out." in result.stdout


def test_no_more_processes_than_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        run, "_in_parallel", lambda model, settings, grid, processes, *rest: asked.append(processes)
    )
    run.sweep("lenet5", grid(["num_classes=1:5000:1"], []), jobs=999_999)
    assert 1 < asked[0] <= min(20, 4 * run._cores())
