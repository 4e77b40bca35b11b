"""`archinspect latency` as a user meets it: predictions, measurements, pictures, the regression gate, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import run_cli

LINE = "conv2d(8, 3) -> relu -> flatten -> linear(10)"
QUICK = (LINE, "--input", "3x16x16", "--device", "cpu", "--threads", "1", "--time", "1")


def document(*args: str) -> dict[str, Any]:
    result = run_cli(*args, "--format", "json")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_prediction_is_a_range_of_the_closed_form() -> None:
    found = document("latency", "resnet50", "--predict", "h100,a100", "--batch", "1,8", "--dtype", "fp16")
    predictions = found["predictions"]
    assert [(each["device"], each["batch"]) for each in predictions] == [
        ("h100", 1),
        ("h100", 8),
        ("a100", 1),
        ("a100", 8),
    ]
    for each in predictions:
        assert 0 < each["low_ms"] < each["high_ms"]
        assert each["low_ms"] == pytest.approx(sum(layer["low_ms"] for layer in each["layers"]))
        assert each["high_ms"] == pytest.approx(sum(layer["high_ms"] for layer in each["layers"]))
        assert each["assumptions"]


def test_a_prediction_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')\n")
    result = run_cli("latency", "googlenet", "--predict", "h100", env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    measured = run_cli("latency", *QUICK, env={"PYTHONPATH": str(tmp_path)})
    assert measured.returncode == 2
    assert "error[A404]" in measured.stderr


def test_folding_a_prediction_keeps_its_sums() -> None:
    (whole,) = document("latency", "googlenet", "--predict", "t4")["predictions"]
    (folded,) = document("latency", "googlenet", "--predict", "t4", "--depth", "1")["predictions"]
    assert folded["high_ms"] == pytest.approx(whole["high_ms"])
    assert "inception_3a" in [layer["name"] for layer in folded["layers"]]
    assert sum(layer["macs"] for layer in folded["layers"]) == sum(layer["macs"] for layer in whole["layers"])


def test_a_device_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[toaster]\ntitle = "A toaster"\npeak = { fp32 = 0.5 }\nbandwidth = 10\n')
    result = run_cli("latency", "alexnet", "--predict", "toaster", "--devices", str(file))
    assert result.returncode == 0, result.stderr
    assert "toaster" in result.stdout


def test_a_measurement_saved_and_held_against(tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    first = run_cli("latency", *QUICK, "--batch", "1,2", "--save", str(saved), "--format", "json")
    assert first.returncode in (0, 1), first.stderr  # a busy machine may be called untrustworthy
    found = json.loads(first.stdout)
    assert [run["batch"] for run in found["runs"]] == [1, 2]
    assert found["environment"]["threads"] == 1
    assert first.stderr == ""  # no progress where nobody watches
    document = json.loads(saved.read_text())
    assert document["request"]["models"] == [LINE]
    assert document["runs"] == found["runs"]

    for run in document["runs"]:  # as if it had been a thousand times as fast
        for key in ("median_ms", "whole_ms"):
            run[key] /= 1000
        run["interval_ms"] = [run["median_ms"] * 0.99, run["median_ms"] * 1.01]
        run["samples_ms"] = [value / 1000 for value in run["samples_ms"]]
        run["noise"] = 0.01
    document["environment"]["python"] = "2.7"
    saved.write_text(json.dumps(document))
    for option in (("--batch", "7"), ("--no-layers",), ("--memory-format", "channels_last")):
        refused = run_cli("latency", "--against", str(saved), *option)
        assert refused.returncode == 2
        assert f"{option[0]} does not go with that" in refused.stderr
    gate = run_cli(
        "latency", "--against", str(saved), "--time", "1.5", "--max-regression", "5%", "--format", "json"
    )
    against = json.loads(gate.stdout)["against"]
    if any(change["interval"] is None or change["noise"] is None for change in against["changes"]):
        pytest.skip(
            "the machine is too busy for an interval; tests/latency/test_change.py has the rule alone"
        )
    assert gate.returncode == 1, gate.stderr
    assert [change["batch"] for change in against["changes"]] == [1, 2]
    assert all(change["ratio"] > 100 for change in against["changes"])
    assert {"what": "python", "before": "2.7"}.items() <= against["environment"][0].items()


@pytest.mark.slow
def test_networks_in_turn_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "curves.svg"
    run = tmp_path / "run.json"
    larger = LINE.replace("8", "64")
    result = run_cli(
        "latency", LINE, larger, *QUICK[1:], "--batch", "1,4", "-o", str(picture), "--save", str(run)
    )
    assert result.returncode in (0, 1), result.stderr  # a busy machine may be called untrustworthy
    text = picture.read_text()
    assert "Latency against batch" in text
    assert "Throughput against batch" in text
    found = json.loads(run.read_text())
    assert [each["model"] for each in found["models"]] == ["network", "network#2"]
    assert [contest["batch"] for contest in found["contests"]] == [1, 4]
    assert found["contests"][1]["pairs"][0]["ratio"] > 1
    assert found["request"]["depth"] == 1
    doubted = 0
    for each in found["models"]:
        for once in each["runs"]:
            assert [row["name"] for row in once["layers"]] == [
                "conv2d",
                "relu",
                "flatten",
                "linear",
                "(call)",
            ]
            assert once["closure"] == pytest.approx(
                sum(row["ms"] for row in once["layers"]) / once["whole_ms"]
            )
            assert once["inflation"] > 0.5
            doubted += abs(once["closure"] - 1) > 0.05
    assert result.returncode == (1 if doubted else 0)
    assert result.stderr.count("not trustworthy: ") == doubted


@pytest.mark.slow
def test_the_page_has_tables_and_the_roofline(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run_cli("latency", *QUICK, "--predict", "here", "-o", str(page))
    assert result.returncode in (0, 1), result.stderr
    text = page.read_text()
    assert "layers under the roof" in text
    assert "<svg" in text
    assert "Closure: the rows add up to" in text
    assert "measured and predicted" in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "no network to time"),
        (("alexnet", "--batch", "0"), "a batch of 0 holds no image"),
        (("alexnet", "--batch", "-1"), "no batch size"),
        (("alexnet", "--batch", "one"), "'one' is no batch size"),
        (("alexnet", "--batch", ","), "--batch names nothing"),
        (("alexnet", "--dtype", "fp23"), "did you mean 'fp32'"),
        (("alexnet", "--mode", "latancy"), "did you mean 'latency'"),
        (("alexnet", "--memory-format", "nhwc"), "no memory format 'nhwc'"),
        (("alexnet", "--time", "0"), "a time of 0 s"),
        (("alexnet", "--time", "nan"), "a time of nan s"),
        (("alexnet", "--threads", "0"), "0 threads"),
        (("alexnet", "--cold", "--mode", "throughput"), "--cold flushes the caches"),
        (("alexnet", "--predict", "h10"), "did you mean 'h100'"),
        (("alexnet", "--predict", "v100", "--dtype", "bf16"), "no bf16 arithmetic"),
        (("alexnet", "--dtype", "fp16", "--strict-fp32"), "--strict-fp32 says how fp32 is computed"),
        (("alexnet", "--max-regression", "5%"), "--max-regression needs a run"),
        (("--against", "no.json"), "cannot read 'no.json'"),
        (("--against", "pyproject.toml"), "'pyproject.toml' is no saved run"),
        (("alexnet", "--against", "x", "--max-regression", "five"), "'five' is no share"),
        (("alexnet", "--predict", "h100", "--save", "x.json"), "a prediction is no run to save"),
        (("alexnet", "-o", "/no/such/folder/page.html"), "the folder '/no/such/folder' does not exist"),
        (("alexnet", "--save", "/no/such/folder/run.json"), "the folder '/no/such/folder' does not exist"),
        (("alexnet", "-o", "x.png", "--format", "json"), "does not go with the picture 'x.png'"),
        (("alexnet", "-o", "x.svg", "--no-layers"), "there is nothing to draw"),
        (("alexnet", "-o", "x.nothing"), "x.nothing"),
        (("alexnet", "--device", "cuda:99"), "there is no device 'cuda:99' here"),
        (("alexnet", "--device", "cpu", "--mode", "graph"), "--mode graph needs a CUDA device"),
        (("alexnet", "--device", "cpu", "--dtype", "tf32"), "--dtype tf32 needs a CUDA device"),
    ],
)
def test_what_cannot_be_is_an_error_that_says_why(args: tuple[str, ...], message: str) -> None:
    result = run_cli("latency", *args)
    assert result.returncode == 2, result.stdout
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
