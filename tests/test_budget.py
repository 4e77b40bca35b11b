"""Budgets: limits, the layer to blame, locks and what they say of an edit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archinspect
from archinspect.budget import amount, lock_of, read_lock
from archinspect.errors import ArchinspectError
from tests.support import run_cli

SMALL = """name: small
input: 3x8x8
layers:
  - conv1: conv2d(8, 3, padding=1)
  - relu1: relu
  - flatten: flatten
  - fc: linear(10)
"""


@pytest.mark.parametrize(
    ("quantity", "given", "exact"),
    [
        ("params", "25M", 25_000_000),
        ("macs", "4.2G", 4_200_000_000),
        ("params", "25_557_032", 25_557_032),
        ("params", "25,557,032", 25_557_032),
        ("flops", "1.5e9", 1_500_000_000),
        ("params", 7e9, 7_000_000_000),
        ("params", "7B", 7_000_000_000),
        ("memory", "2GiB", 2 << 30),
        ("memory", "553 MB", 553_000_000),
        ("memory", "1024", 1024),
    ],
)
def test_amounts_are_read_exactly(quantity: str, given: str | float, exact: int) -> None:
    assert amount(quantity, given) == exact


@pytest.mark.parametrize(
    ("quantity", "given"), [("params", "2GiB"), ("memory", "2G"), ("macs", "-1"), ("macs", "")]
)
def test_an_amount_in_another_unit_is_refused(quantity: str, given: str) -> None:
    with pytest.raises(ArchinspectError) as raised:
        amount(quantity, given)
    assert raised.value.diagnostics[0].code == "A403"


def test_an_exceeded_limit_exits_1_and_names_the_layers() -> None:
    done = run_cli("budget", "vgg16", "--max-params", "100M", "--max-macs", "20G", "--format", "json")
    document = json.loads(done.stdout)
    params, macs = document["limits"]
    assert (done.returncode, document["ok"], params["ok"], macs["ok"]) == (1, False, False, True)
    assert params["blame"][0] == {"name": "fc6", "what": "linear(4096)", "figure": 102_764_544}
    assert "over by 38,357,544" in run_cli("budget", "vgg16", "--max-params", "100M").stdout


def test_limits_that_are_kept_exit_0() -> None:
    done = run_cli("budget", "resnet18", "--max-params", "12M", "--max-memory", "1GiB")
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_is_weights_and_peak_activations() -> None:
    network = archinspect.load("alexnet")
    totals = network.analyse().totals
    assert lock_of(network.graph).totals["memory"] == totals.weight_bytes + totals.peak_activation_bytes


def write(folder: Path, text: str) -> str:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_lock_pins_the_network_and_says_what_an_edit_did(tmp_path: Path) -> None:
    lock = tmp_path / "net.lock.json"
    made = archinspect.load(write(tmp_path, SMALL)).budget(lock=lock, update=True, max_params="10k")
    assert made.ok
    assert len(read_lock(lock).layers) == 4
    assert archinspect.load(write(tmp_path, SMALL)).budget(lock=lock)

    wider = SMALL.replace("conv2d(8, 3", "conv2d(16, 3")
    found = archinspect.load(write(tmp_path, wider)).budget(lock=lock)
    assert not found
    [limit] = found.findings
    assert (limit.limit, limit.blame[0].name) == (10_000, "fc")
    assert {edit.name: edit.params for edit in found.edits or ()} == {
        "conv1": 224,
        "relu1": 0,
        "flatten": 0,
        "fc": 5120,
    }
    assert (
        sum(edit.params for edit in found.edits or ()) == found.moved["params"][1] - found.moved["params"][0]
    )


def test_renamed_added_and_rewired_layers_are_told_apart(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    archinspect.load(write(tmp_path, SMALL)).budget(lock=lock, update=True)
    edited = SMALL.replace("fc:", "head:").replace("  - flatten", "  - bn: batch_norm2d\n  - flatten")
    found = archinspect.load(write(tmp_path, edited)).budget(lock=lock)
    assert [(edit.name, edit.change) for edit in found.edits or ()] == [
        ("bn", "added"),
        ("flatten", "changed"),
        ("head", "renamed"),
    ]
    assert "reads bn instead of relu1" in (found.edits or ())[1].what


def test_every_figure_that_moved_is_explained_by_the_edits(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    archinspect.load("resnet18").budget(lock=lock, update=True)
    found = archinspect.load("resnet34", num_classes=10).budget(lock=lock)
    for key in ("params", "macs", "flops"):
        old, new = found.moved[key]
        assert new - old == sum(getattr(edit, key) for edit in found.edits or ())


def test_an_update_keeps_the_limits_of_the_file(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    network = archinspect.load("lenet5")
    network.budget(lock=lock, update=True, max_params="1M")
    network.budget(lock=lock, update=True, max_macs="1G")
    assert read_lock(lock).limits == {"params": 1_000_000, "macs": 1_000_000_000}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["budget", "vgg16"], "--max-params 25M"),
        (["budget", "vgg16", "--update"], "--lock FILE --update"),
        (["budget", "vgg16", "--lock", "missing.json"], "--lock FILE --update"),
        (["budget", "vgg16", "--max-memory", "2G"], "--max-memory needs an amount"),
    ],
)
def test_what_cannot_be_held_is_refused_with_a_way_out(words: list[str], says: str) -> None:
    done = run_cli(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_file_that_is_no_lock_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text('{"archinspect_lock": 1, "model": 3}', encoding="utf-8")
    done = run_cli("budget", "lenet5", "--lock", str(path))
    assert done.returncode == 2
    assert "model is 3, not a text" in done.stderr


def test_memory_that_nobody_has_a_rule_for_is_kept_as_far_as_counted() -> None:
    (unknown,) = archinspect.load("lstm_classifier").budget(max_memory="2GiB").findings
    (known,) = archinspect.load("lenet5").budget(max_memory="2GiB").findings
    assert (unknown.complete, known.complete) == (False, True)
