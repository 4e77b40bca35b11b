"""`compare` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import SPECS, run_cli


def document(*arguments: str) -> dict[str, Any]:
    done = run_cli("compare", *arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_alexnet_and_its_grouped_form() -> None:
    found = document("alexnet", "alexnet_grouped")
    assert [model["name"] for model in found["models"]] == ["alexnet", "alexnet_grouped"]
    totals = [model["totals"] for model in found["models"]]
    for key in ("params", "macs"):
        assert sum(d[key] for d in found["differences"]) == totals[1][key] - totals[0][key]
    assert found["unexplained"] == 0
    conv2 = next(d for d in found["differences"] if d["path_a"] == "conv2")
    assert (conv2["path_b"], conv2["change"], conv2["params"]) == ("conv2", "changed", -307_200)


def test_one_network_with_two_class_counts() -> None:
    found = document("resnet50", "resnet50:num_classes=10")
    assert [model["name"] for model in found["models"]] == ["resnet50", "resnet50:num_classes=10"]
    assert [(d["path_a"], d["what"], d["params"]) for d in found["differences"]] == [
        ("fc", "linear features out 1,000 → 10", -2_028_510)
    ]


def test_an_input_size_for_all_but_those_with_one_of_their_own() -> None:
    found = document("resnet50", "resnet50:input=3x192x192", "--input", "3x128x128")
    assert [model["input"] for model in found["models"]] == [[1, 3, 128, 128], [1, 3, 192, 192]]


def test_three_networks_are_held_against_the_first() -> None:
    found = document("vgg16", "resnet50", "googlenet")
    assert [model["name"] for model in found["models"]] == ["vgg16", "resnet50", "googlenet"]
    for model in found["models"][1:]:
        added = sum(d["params"] for d in found["differences"] if d["model"] == model["name"])
        assert added == model["totals"]["params"] - found["models"][0]["totals"]["params"]


def test_a_spec_before_and_after_an_edit(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    text = (SPECS / "alexnet.yaml").read_text(encoding="utf-8")
    old.write_text(text, encoding="utf-8")
    new.write_text(text.replace("- drop7: dropout(0.5)", "- drop7: dropout(0.4)"), encoding="utf-8")
    found = document(str(old), str(new))
    assert [model["name"] for model in found["models"]] == [str(old), str(new)]
    assert [(d["path_a"], d["what"], d["params"]) for d in found["differences"]] == [
        ("drop7", "dropout p 0.5 → 0.4", 0)
    ]
    shown = run_cli("compare", str(old), str(new)).stdout
    assert "1 of them changes neither" in shown
    assert "dropout p 0.5 → 0.4" in run_cli("compare", str(old), str(new), "--all").stdout


def test_the_table_shows_totals_stages_and_layers() -> None:
    text = run_cli("compare", "vgg16", "resnet50", "--depth", "1", env={"COLUMNS": "120"}).stdout
    text = " ".join(text.split())
    for part in (
        "vgg16 and resnet50, side by side",
        "138,357,544",
        "0.18×",
        "1/8 28×28",
        "-112,800,512",
        "17 added, 3 changed",
        "unexplained: 0",
    ):
        assert part in text, part


def test_a_scope_that_is_new_is_one_row_unless_every_layer_is_asked_for() -> None:
    text = run_cli("compare", "resnet50", "resnet101").stdout
    assert "conv4_x.block7 " in text
    assert "conv4_x.block7." not in text
    assert "conv4_x.block7." in run_cli("compare", "resnet50", "resnet101", "--all").stdout


def test_the_same_network_twice() -> None:
    assert "The two are the same, layer by layer." in run_cli("compare", "vgg16", "vgg16").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("vgg16",), "A403"),
        (("vgg16", "vgg61"), "A101"),
        (("resnet50", "resnet50:num_clases=10"), "A401"),
        (("resnet50", "resnet50:num_classes="), "A401"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], code: str) -> None:
    done = run_cli("compare", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]: ")
