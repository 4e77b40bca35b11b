"""`bottleneck` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import run_cli

ONE = ("bottleneck", "256x32x32", "--out", "128", "--kernel", "5")


def document(*arguments: str) -> dict[str, Any]:
    done = run_cli(*arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_lectures_example() -> None:
    found = document(*ONE, "--reduce", "64")
    assert found["direct"] == {"params": 819_200, "macs": 838_860_800, "activation_bytes": 524_288}
    assert found["reduced"] == {"params": 221_184, "macs": 226_492_416, "activation_bytes": 786_432}
    assert round(found["saving"]["params_ratio"], 2) == round(found["saving"]["macs_ratio"], 2) == 3.70
    assert found["break_even"] == 237


def test_the_table_shows_the_derivation_and_checks_the_break_even() -> None:
    text = run_cli(*ONE, "--reduce", "64", env={"COLUMNS": "120"}).stdout
    text = " ".join(text.split())
    for part in (
        "(5×5×256×128) = 819,200",
        "(1×1×256×64)×32×32 = 16,777,216",
        "16,384 + 204,800 = 221,184",
        "3.70×",
        "256.00 KiB more",
        "(5×5×256×128)/(256 + 5×5×128) = 819,200/3,456 = 237.04",
        "819,072 < 819,200 at 237",
        "822,528 > 819,200 at 238",
    ):
        assert part in text, part


def test_biases_count_when_asked_for() -> None:
    found = document(*ONE, "--reduce", "64", "--bias")
    assert found["direct"]["params"] == 819_200 + 128
    assert found["reduced"]["params"] == 221_184 + 64 + 128
    assert found["reduced"]["macs"] == 226_492_416


def test_stride_padding_groups_and_batch() -> None:
    found = document(
        *("bottleneck", "2x8x9x11", "--out", "12", "--kernel", "3x5", "--reduce", "4"),
        *("--stride", "2x1", "--padding", "0x2", "--groups", "4"),
    )
    positions = 2 * 4 * 11
    assert found["direct"]["params"] == 15 * 2 * 12
    assert found["direct"]["macs"] == 15 * 2 * 12 * positions
    assert found["reduced"]["params"] == 8 * 4 + 15 * 1 * 12
    assert found["reduced"]["macs"] == 8 * 4 * 2 * 9 * 11 + 15 * 12 * positions


def test_a_range_and_a_list_of_widths() -> None:
    found = document(*ONE, "--reduce", "8:256:8")
    widths = [point["reduce"] for point in found["curve"]]
    assert widths == list(range(8, 257, 8))
    assert [p["reduced"]["params"] < 819_200 for p in found["curve"]] == [w <= 237 for w in widths]
    assert [p["reduce"] for p in document(*ONE, "--reduce", "64,16,32")["curve"]] == [16, 32, 64]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("bottleneck", "256x32x32"), "A403", "--out"),
        ((*ONE,), "A403", "--reduce"),
        ((*ONE, "--reduce", "0"), "A403", "at least 1"),
        ((*ONE, "--reduce", "8:4"), "A403", "8:256:8"),
        ((*ONE, "--reduce", "1:9:0"), "A403", "8:256:8"),
        ((*ONE, "--reduce", "1:999999"), "A403", "larger steps"),
        ((*ONE, "--reduce", "x"), "A403", "at least 1"),
        ((*ONE, "--reduce", "6", "--groups", "4"), "A303", "groups"),
        ((*ONE, "--reduce", "6", "--kernel", "five"), "A403", "--kernel"),
        ((*ONE, "--reduce", "6", "--kernel", "99", "--padding", "0"), "A302", "99"),
        (("bottleneck", "256x0x32", "--out", "8", "--kernel", "3", "--reduce", "4"), "A402", "size"),
        (("bottleneck", "resnet5"), "A101", "resnet50"),
        (("bottleneck", "vgg16", "--rewrite", "naive"), "A403", "nothing to rewrite"),
        (("bottleneck", "vgg16", "--rewrite", "depthwize"), "A403", "did you mean 'depthwise'?"),
        (("bottleneck", "vgg16", "--save", "x.yaml"), "A403", "--rewrite"),
        (("bottleneck", "vgg16", "--reduce", "64"), "A403", "belongs to one convolution"),
        ((*ONE, "--reduce", "64", "--rewrite", "naive"), "A403", "belongs to a network"),
        (("bottleneck", "alexnet", "--rewrite", "grouped", "--site", "conv7"), "A403", "conv2, conv3"),
        (("bottleneck", "alexnet", "--rewrite", "two-3x3", "--mid", "0"), "A403", "--mid"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], code: str, words: str) -> None:
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]: ")
    assert words in done.stderr


def test_a_network_shows_its_counterfactuals() -> None:
    found = document("bottleneck", "googlenet")
    forms = {form["rewrite"]: form for form in found["counterfactuals"]}
    assert found["totals"]["params"] == 6_998_552
    assert forms["no-reductions"]["totals"]["params"] == 25_305_944
    assert forms["naive"]["totals"]["params"] == 97_526_008
    sites = forms["no-reductions"]["sites"]
    assert len(sites) == 18
    assert sum(site["params"] for site in sites) == 25_305_944 - 6_998_552
    assert {"full-width", "basic-blocks"} & forms.keys() == set()
    text = run_cli("bottleneck", "googlenet", env={"COLUMNS": "120"}).stdout
    assert "256 → 416 out" in text
    assert "widths grow from module to module" in text


def test_a_rewritten_network_can_be_saved_inspected_and_compared(tmp_path: Path) -> None:
    path = str(tmp_path / "new.yaml")
    done = run_cli("bottleneck", "vgg16", "--rewrite", "depthwise", "--save", path)
    assert done.returncode == 0
    assert done.stderr == f"wrote {path}\n"
    assert "Together" in done.stdout
    saved = document("params", path)
    assert saved["totals"]["params"] == 125_320_232
    compared = document("compare", "vgg16", path)
    assert compared["unexplained"] == 0
    assert sum(d["params"] for d in compared["differences"]) == 125_320_232 - 138_357_544


@pytest.mark.slow
def test_predicted_saving_stands_beside_measured_time() -> None:
    """What is timed are the real modules; how long they take is not asserted."""
    done = run_cli(*ONE, "--reduce", "64", "--measure", "cpu", "--time", "2", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["direct"]["macs"] == 838_860_800
    direct, reduced = found["measured"]["forms"]
    assert (direct["name"], reduced["name"]) == ("direct", "reduced_to_64")
    assert reduced["macs_ratio"] == pytest.approx(0.27)
    assert direct["median_ms"] > 0
    assert reduced["time"]["rounds"] > 0
    assert "MACs" in reduced["verdict"] or "too few rounds" in reduced["verdict"]


def test_a_device_that_is_not_there_and_a_time_that_cannot_be() -> None:
    for arguments, words in ((("--measure", "tpu"), "tpu"), (("--measure", "cpu", "--time", "0"), "--time")):
        done = run_cli(*ONE, "--reduce", "64", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error[A4")
        assert words in done.stderr
