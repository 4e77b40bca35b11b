"""`memory` as users ask for it: documents, fitting, freezing, language models; no torch."""

from __future__ import annotations

import json
from typing import Any

import pytest

import archinspect
from archinspect.analysis.kv_cache import Attention, Cache
from archinspect.errors import ArchinspectError
from tests.support import run_cli

KEYS = {
    "weight_bytes",
    "buffer_bytes",
    "gradient_bytes",
    "optimizer_bytes",
    "saved_bytes",
    "peak_bytes",
    "peak_at",
}


def document(*args: str) -> dict[str, Any]:
    result = run_cli("memory", *args, "--format", "json")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_document_has_the_keys_that_scripts_read() -> None:
    found = document("resnet18", "--train", "adam", "--batch", "4", "--fit", "2GiB")
    assert {"model", "batch", "dtype", "train", "rows", "totals", "fit"} <= found.keys()
    assert (found["model"], found["batch"], found["dtype"], found["train"]) == ("resnet18", 4, "fp32", "adam")
    assert KEYS | {"forward_macs", "backward_macs"} <= found["totals"].keys()
    row = found["rows"][0]
    assert {"name", "frozen", "temporary_bytes", *KEYS} - {"peak_bytes", "peak_at"} <= row.keys()
    for key in ("weight_bytes", "gradient_bytes", "optimizer_bytes", "saved_bytes", "backward_macs"):
        assert found["totals"][key] == sum(row[key] for row in found["rows"])
    assert found["fit"]["bytes"] == 2 << 30
    assert found["fit"]["batch"] > 4


def test_the_largest_batch_fits_and_the_next_one_does_not() -> None:
    network = archinspect.load("resnet18")
    limit = 1 << 30
    found = network.memory(train="momentum", fit="1GiB")
    assert found.fit is not None
    assert found.batch == found.fit.batch
    assert found.peak_bytes <= limit < network.memory(train="momentum", batch=found.batch + 1).peak_bytes


def test_what_does_not_fit_gets_ways_that_do() -> None:
    found = archinspect.load("resnet18").memory(train="adam", batch=256, fit="4GiB")
    assert found.fit is not None
    assert not found.fit.fits
    ways = {each.words: each for each in found.fit.suggestions if each.fits}
    assert {"bf16", "checkpoint every block"} <= ways.keys()
    assert all(each.memory.peak_bytes <= 4 << 30 for each in ways.values())
    assert ways["checkpoint every block"].memory.totals["step_macs"] > found.totals["step_macs"]


def test_transfer_learning() -> None:
    """ResNet-50 with a head of 10, all but the last stage frozen; parameters by torchvision's resnet50."""
    found = archinspect.load("resnet50").memory(train="sgd", head=10, freeze="conv1..conv4_x")
    stages = {row.name: row for row in found.fold(1).rows}
    assert found.totals["params"] == 23_528_522
    assert found.totals["trainable"] == stages["conv5_x"].params + 10 * 2049 == 14_964_736 + 20_490
    assert stages["conv4_x"].frozen
    assert stages["conv4_x"].backward_macs == stages["conv4_x"].saved_bytes == 0
    assert len(found.frozen_statistics) == 43
    # Gradients go through what is frozen above the lowest layer that is trained.
    middle = archinspect.load("resnet50").memory(train="sgd", freeze="conv3_x..conv5_x")
    assert {row.name: row for row in middle.fold(1).rows}["conv4_x"].input_gradient_macs > 0


def test_precisions() -> None:
    network = archinspect.load("vgg16")
    params = 138_357_544
    assert network.memory(dtype="tf32").totals["weight_bytes"] == 4 * params
    assert network.memory(dtype="bf16").totals["weight_bytes"] == 2 * params
    mixed = network.memory(dtype="bf16", train="adam").totals
    tensors = 32  # weights and biases of 16 layers, each with a counter of steps
    assert mixed["optimizer_bytes"] == (4 + 8) * params + 4 * tensors
    assert mixed["master_bytes"] == 4 * params
    assert network.memory(dtype="int4").totals["weight_bytes"] < params
    adapters = network.memory(dtype="int4", train="adamw", lora=8).totals
    assert adapters["trainable"] == 8 * (25088 + 4096 + 4096 + 4096 + 4096 + 1000)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"freeze": "conv9_x"}, "freeze='conv9_x' names no layer"),
        ({"lora": 4}, "help: e.g. train='adamw'"),
        ({"dtype": "int8", "train": "adam"}, "lora=16 trains adapters beside them, or dtype='bf16'"),
        ({"batch": 0}, "= batch=0"),
        ({"train": "adm"}, "train='adm' is not known"),
        ({"context": 8}, "language model"),
        ({"head": 0}, "at least 1"),
    ],
)
def test_options_that_do_not_suit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArchinspectError, match="A403") as caught:
        archinspect.load("resnet18").memory(**options)
    assert words in str(caught.value)
    assert "--" not in str(caught.value).replace("-->", "")


def test_a_cache_of_sliding_and_full_layers() -> None:
    """Keys and values of 2 heads of 16, fp16: a full layer keeps all tokens, a sliding one its window."""
    full = Attention("full", 4, 2, 16, 16)
    sliding = Attention("sliding", 4, 2, 16, 16, window=1024)
    linear = Attention("linear_attention", 4, 2, 16, 16)
    cache = Cache(8192, (full, sliding, sliding, linear), 2, token_macs=1000, weight_bytes=4000)
    token = 2 * (16 + 16) * 2
    assert cache.bytes(1) == (8192 + 2 * 1024) * token
    assert cache.bytes(3) == 3 * cache.bytes(1)
    assert cache.decode_macs == 1000 + 4 * 32 * (8192 + 2 * 1024)
    pairs = 8192 * 8193 // 2 + 2 * sum(min(at, 1024) for at in range(1, 8193))
    assert cache.prefill_macs == 8192 * 1000 + 4 * 32 * pairs


def test_a_picture_and_tables(tmp_path: Any) -> None:
    result = run_cli("memory", "lenet5", "--train", "sgd", "-o", str(tmp_path / "m.svg"))
    assert result.returncode == 0, result.stderr
    assert "peak: " in (tmp_path / "m.svg").read_text("utf-8")
    shown = run_cli("memory", "lenet5", "--train", "sgd").stdout
    assert "Layer by layer" in shown
    assert "rule of thumb says 3×" in shown


@pytest.mark.parametrize(
    ("name", "token", "layers"),
    [
        ("llama3_1b", 16 * 2 * 8 * 64 * 2, 16),  # 16 layers, 8 key-value heads of 64: its config.json
        ("gpt2", 12 * 2 * 12 * 64 * 2, 12),
        ("mixtral_8x7b", 32 * 2 * 8 * 128 * 2, 32),
    ],
)
def test_the_cache_of_language_models_that_ship(name: str, token: int, layers: int) -> None:
    found = archinspect.load(name).memory(context=8192, dtype="bf16")
    assert found.cache is not None
    assert len(found.cache.layers) == layers
    assert found.cache.bytes(1) == 8192 * token
    if name == "mixtral_8x7b":  # Jiang et al. 2024, arXiv:2401.04088: 47B parameters, 13B active
        assert found.totals["params"] == pytest.approx(47e9, rel=0.01)
        assert found.totals["active_params"] == pytest.approx(13e9, rel=0.01)


def test_tables_say_what_is_frozen() -> None:
    result = run_cli("summary", "resnet50", "--freeze", "conv1..conv4_x", "--format", "json")
    totals = json.loads(result.stdout)["totals"]
    assert (totals["trainable"], totals["non_trainable"]) == (17_013_736, 8_543_296)
    assert totals["params"] == 25_557_032
    refused = run_cli("params", "resnet50", "--freeze", "conv1", "--convention", "fvcore")
    assert (refused.returncode, "A403" in refused.stderr) == (2, True)


def test_what_nobody_has_a_rule_for_is_unknown_and_never_zero() -> None:
    network = archinspect.load("lstm_classifier")
    found = network.memory(train="adam")
    rows = {row.name: row for row in found.rows}
    assert (rows["lstm"].saved_bytes, rows["lstm"].temporary_bytes) == (None, None)
    assert rows["embedding"].saved_bytes
    assert not found.totals["complete"]
    (scope,) = [row for row in found.fold(1).rows if row.name == "lstm"]
    assert scope.saved_bytes is None
    text = str(found)
    peak = next(line for line in text.splitlines() if line.startswith("Peak"))
    assert "≥" in peak
    assert "saved activations at least" in text
    assert "at most" in str(network.memory(train="adam", fit="24GiB"))
    assert "peak at least" in str(network.summary())
    assert "at least" not in str(archinspect.load("lenet5").summary())
    assert "≥" not in str(archinspect.load("lenet5").memory(train="adam"))
