"""Predictions: ranges from the closed form, the table of devices, and a user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
from archinspect.latency.ceilings import PRECISIONS
from archinspect.latency.devices import device, devices, recognise
from archinspect.latency.memory import peak_memory
from archinspect.latency.predict import predict
from tests.support import run_cli

OWN = """
[toaster]
peak = { fp32 = 0.5 }
bandwidth = 10
dispatch_us = 100

[t4]
peak = { fp32 = 1 }
bandwidth = 1
"""


def test_a_layer_by_hand() -> None:
    graph = load_graph("conv2d(64, 3, padding=1)", input="64x56x56")
    made = predict(graph, device("v100"), batch=8, precision=PRECISIONS["fp32"])
    macs = 8 * 64 * 56 * 56 * 64 * 9
    (layer,) = made.layers
    assert layer.low_ms == pytest.approx(1000 * 2 * macs / 15.7e12)
    assert layer.high_ms == pytest.approx(1000 * 2 * macs / (0.8 * 15.7e12) + 0.020)
    assert layer.bound == "compute-bound"
    assert made.low_ms <= made.high_ms


def test_resnet50_at_batch_1_is_launch_bound_and_at_256_is_not() -> None:
    graph = load_graph("resnet50")
    assert predict(graph, device("a100"), 1, PRECISIONS["fp16"]).bound == "launch-bound"
    assert predict(graph, device("a100"), 256, PRECISIONS["fp16"]).bound != "launch-bound"


@pytest.mark.parametrize("name", sorted(devices()))
def test_every_device_that_ships_is_sound(name: str) -> None:
    entry = device(name)
    peak = entry.peak
    assert entry.source
    assert entry.match
    assert peak["fp32"] <= peak.get("tf32", peak["fp32"]) <= peak["fp16"]
    assert peak.get("bf16", peak["fp16"]) == peak["fp16"]
    # so many FLOPs per byte: a slip of a factor of a thousand would stand out
    assert 5 < peak["fp32"] * 1e3 / entry.bandwidth < 200


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("Tesla V100-SXM2-32GB", "v100"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA GeForce RTX 3090", "rtx3090"),
    ],
)
def test_drivers_names_are_recognised(driver: str, name: str) -> None:
    found = recognise(driver)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("driver", ["NVIDIA GeForce RTX 3090 Ti", "NVIDIA L40S", "Quadro T400", "AMD MI300X"])
def test_other_devices_are_not_taken_for_these(driver: str) -> None:
    assert recognise(driver) is None


def test_a_users_file_adds_devices_and_wins(tmp_path: Path) -> None:
    file = tmp_path / "devices.toml"
    file.write_text(OWN)
    assert device("toaster", file).dispatch_us == 100
    assert device("t4", file).bandwidth == 1
    assert device("h100", file) == device("h100")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x]\nbandwidth = 1", "'peak' is missing"),
        ("[x]\npeak = {fp32 = 1}", "'bandwidth' is missing"),
        ("[x]\npeak = {fp31 = 1}\nbandwidth = 1", "not a table of TFLOP/s"),
        ("[x]\npeak = {fp32 = -1}\nbandwidth = 1", "not a positive number"),
        ("[x]\npeak = {fp32 = true}\nbandwidth = 1", "not a positive number"),
        ("[x]\npeak = {fp32 = inf}\nbandwidth = 1", "not a positive number"),
        ("[x]\npeak = {fp32 = 1}\nbandwidth = 1\nbandwith = 2", "did you mean 'bandwidth'"),
        ("[x]\npeak = {fp32 = 1}\nbandwidth = 1\nmatch = ['(']", "regular expressions"),
        ("x = 1", "it is no table"),
        ("[x", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_what(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "devices.toml"
    file.write_text(text)
    with pytest.raises(ArchinspectError) as error:
        devices(file)
    assert message in error.value.render()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchinspectError, match="cannot read"):
        devices(tmp_path / "none.toml")


def test_a_misspelt_device() -> None:
    with pytest.raises(ArchinspectError, match="did you mean 'rtx4090'"):
        device("rtx409")


def test_assumptions_are_stated() -> None:
    made = predict(load_graph("conv2d(8, 3)", input="3x32x32"), device("h100"), 1, PRECISIONS["fp32"])
    text = " ".join(made.assumptions)
    assert "20 µs" in text
    assert "whitepaper" in text
    assert made.to_dict()["label"] == "fp32 (conv TF32)"


def test_memory_of_a_chain_by_hand() -> None:
    graph = load_graph(
        "conv2d(8, 3, padding=1, bias=False) -> relu -> flatten -> linear(10, bias=False)", input="4x8x8"
    )
    weights = 8 * 4 * 9 + 512 * 10
    # the most is alive while relu runs: its input and its output, and the image that the caller holds
    assert peak_memory(graph, 1, 4) == (weights + 512 + 512 + 256) * 4
    assert peak_memory(graph, 3, 4) == (weights + 3 * (512 + 512 + 256)) * 4


def test_a_batch_that_does_not_fit_is_said_so() -> None:
    made = predict(load_graph("vgg16"), device("t4"), 4096, PRECISIONS["fp32"])
    assert made.fits is False
    assert predict(load_graph("vgg16"), device("t4"), 1, PRECISIONS["fp32"]).fits is True


def test_a_network_in_which_nothing_runs_takes_no_time() -> None:
    done = run_cli("latency", "identity()", "--input", "1x4x4", "--predict", "a100", "--format", "json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["predictions"]
    assert (found["low_ms"], found["high_ms"]) == (0, 0)
    assert found["images_per_s"] is None
    assert found["bound"] == "no work"
