"""`archinspect check` as a user meets it: the lecture judged, other people's tables judged, errors, formats."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support import DOCS, SPECS, run_cli

CLAIM_KEYS = {
    "id",
    "section",
    "quote",
    "model",
    "quantity",
    "stated",
    "formula",
    "formula_value",
    "computed",
    "verdicts",
    "cause",
    "source",
}


def judged(*arguments: str) -> Any:
    done = run_cli("check", *arguments, "--format", "json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == (1 if any(claim["wrong"] for claim in found["claims"]) else 0)
    return found


@cache
def lecture() -> dict[str, dict[str, Any]]:
    return {claim["id"]: claim for claim in judged()["claims"]}


def test_json_keeps_the_contract() -> None:
    found = judged()
    assert {"source", "claims", "counts"} <= set(found)
    assert all(set(claim) >= CLAIM_KEYS for claim in found["claims"])
    assert len({claim["id"] for claim in found["claims"]}) == len(found["claims"])
    for verdict, count in found["counts"].items():
        assert count == sum(verdict in claim["verdicts"] for claim in found["claims"])
    for claim in found["claims"]:
        assert claim["quote"]
        assert not claim["wrong"] or claim["cause"], (
            "every wrong claim says its cause, or that none was found"
        )


# What is wrong in the lecture: (printed, its formula's value, the network's, verdicts), by arithmetic and the papers.
KNOWN = {
    "googlenet.initial.conv1.params": (9_664, 9_472, 9_472, {"slip"}),
    "googlenet.initial.total": (124_608, None, 124_416, {"carried"}),
    "googlenet.inception_3a.3x3_conv.params#1": (16_512, 24_704, 18_528, {"slip", "differs"}),
    "googlenet.inception_3a.3x3_conv.params": (164_096, 172_288, 129_248, {"carried", "differs"}),
    "googlenet.inception_3a.5x5_conv.params": (31_808, 31_808, 15_920, {"differs"}),
    "googlenet.inception_3a.total": (214_432, None, 163_696, {"carried", "differs"}),
    "googlenet.modules.params": (5_000_000, None, 5_849_136, {"differs"}),
    "googlenet.components.full_connected_output_layers.params": (102_500, None, 1_025_000, {"contradiction"}),
    "example.conv.params": (102_400, 204_800, 204_800, {"slip"}),
    "example.params": (118_784, None, 221_184, {"carried"}),
    "resnet50.conv5.conv5_1.params": (526_848, 524_800, 524_288, {"slip", "differs"}),
    "resnet50.conv5.conv5_3.params": (1_051_648, 1_050_624, 1_048_576, {"slip", "differs"}),
    "resnet50.conv5.block.params": (3_938_304, None, 3_932_160, {"carried", "differs"}),
    "resnet50.conv5.stage.params": (11_814_912, None, 14_964_736, {"carried", "differs"}),
    "resnet50.components.total.params": (25_000_000, None, 25_557_032, {"contradiction", "differs"}),
}


@pytest.mark.parametrize("id", KNOWN)
def test_what_is_wrong_is_found(id: str) -> None:
    claim = lecture()[id]
    found = (claim["stated"], claim["formula_value"], claim["computed"], set(claim["verdicts"]))
    assert found == KNOWN[id]


# A cause reproduces the printed digits; here are its decisive words.
CAUSES = {
    "googlenet.inception_3a.3x3_conv.params#1": ("input width 128", "instead of 192 gives 16,512"),
    "googlenet.inception_3a.3x3_conv.in_channels": ("128 is inception_3b", "here it is 96"),
    "googlenet.inception_3a.5x5_conv.in_channels": ("32 is inception_3b", "here it is 16"),
    "googlenet.inception_3a.total": ("164,096 for 172,288",),
    "googlenet.components.full_connected_output_layers.params": ("1,025,000",),
    "example.params": ("102,400 for 204,800", "221,184"),
    "resnet50.initial.conv1.params": ("64 biases", "it has none"),
    "resnet50.conv5.block.params": ("526,848 for 524,800", "1,051,648 for 1,050,624"),
    "resnet50.conv2.stage.params": (
        "input widths of the later blocks +24,576",
        "projection shortcuts +16,384",
    ),
    "resnet50.components.total.params": ("the rows sum to 20,940,136", "BatchNorm +53,120"),
}


@pytest.mark.parametrize("id", CAUSES)
def test_causes_say_what_happened(id: str) -> None:
    for words in CAUSES[id]:
        assert words in lecture()[id]["cause"]


def test_no_cause_is_stated_where_none_reproduces_the_number() -> None:
    assert lecture()["googlenet.initial.conv1.params"]["cause"] == "no cause found"


def test_a_subtotal_of_convolutions_is_held_against_convolutions() -> None:
    for id in ("resnet50.initial.total.params", "resnet50.components.initial.params"):
        assert lecture()[id]["computed"] == 9_408


def test_figures_that_are_the_same_have_one_verdict() -> None:
    five = [lecture()[id] for id in ("googlenet.modules.params", "googlenet.components.modules.params")]
    assert [claim["verdicts"] for claim in five] == [["differs"], ["differs"]]


def test_batch_norm_over_the_inputs_is_found_in_both_rows() -> None:
    for row, width in (("conv5_1", "1,024"), ("conv5_3", "512")):
        assert f"for each of {width} input channels" in lecture()[f"resnet50.conv5.{row}.params"]["cause"]


def test_right_tables_raise_no_alarm() -> None:
    """VGG-16's table and AlexNet's are right to the last digit."""
    for model in ("vgg16", "alexnet"):
        claims = judged(model)["claims"]
        assert len(claims) > 40
        assert not [claim["id"] for claim in claims if claim["wrong"]]


def test_figures_rounded_in_print_are_called_rounded() -> None:
    by_text = {claim["stated_text"].strip(): claim for claim in lecture().values()}
    assert by_text["820,000"]["verdicts"] in (["exact"], ["rounded"])
    assert by_text["237.95 MB"]["verdicts"] in (["exact"], ["rounded"])
    sixty = next(claim for text, claim in by_text.items() if text.startswith("≈ 60 Mil"))
    assert not sixty["wrong"]
    assert any("alexnet_grouped" in note for note in sixty["notes"]), sixty["notes"]


def test_verdicts_are_not_written_in_the_ledger() -> None:
    for path in sorted((SPECS / "lecture").glob("*.yaml")):
        assert "verdict" not in path.read_text(encoding="utf-8")


def test_exit_codes() -> None:
    assert run_cli("check", "vgg16").returncode == 0
    assert run_cli("check", "resnet50").returncode == 1
    assert run_cli("check", "resnet50", "--exit-zero").returncode == 0
    assert run_cli("check", "vgg61").returncode == 2
    assert run_cli("check", "--only", "slyp").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg61",), ["error[A101]", "did you mean 'vgg16'?"]),
        (("--only", "slyp"), ["error[A403]", "did you mean 'slip'?"]),
        (("--claims", "nowhere.yaml"), ["error[A102]"]),
    ],
)
def test_bad_usage_is_explained(arguments: tuple[str, ...], words: list[str]) -> None:
    done = run_cli("check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    for word in words:
        assert word in done.stderr


def test_only_keeps_verdicts() -> None:
    claims = judged("--only", "slip,carried")["claims"]
    assert {claim["id"] for claim in claims} == {
        id for id, claim in lecture().items() if {"slip", "carried"} & set(claim["verdicts"])
    }
    wrong = judged("--only", "wrong")["claims"]
    assert {claim["id"] for claim in wrong} == {id for id, claim in lecture().items() if claim["wrong"]}


@pytest.mark.parametrize("name", ["4.3.4", "inception_3a", "googlenet.inception_3a"])
def test_names_are_sections_layers_and_ids(name: str) -> None:
    claims = judged(name)["claims"]
    assert "googlenet.inception_3a.total" in {claim["id"] for claim in claims}
    assert len(claims) < len(lecture())


def test_csv_has_a_row_for_each_claim_and_markdown_a_table() -> None:
    done = run_cli("check", "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == len(lecture())
    assert run_cli("check", "resnet50", "--format", "markdown").stdout.count("\n| ") > 20
    assert r"\begin{" in run_cli("check", "resnet50", "--format", "latex").stdout


def test_the_page_is_self_contained_and_shows_every_printed_number(tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    done = run_cli("check", "-o", str(page))
    assert done.returncode == 1
    text = page.read_text(encoding="utf-8")
    for foreign in ("http://", "https://", "<script src", "<link", "@import", "url("):
        assert foreign not in text.replace("http://www.w3.org/2000/svg", "")
    for number in ("214,432", "163,696", "138,357,544", "20,940,136"):
        assert number in text


# Reconciliations: named steps that sum to the difference, with nothing left over.
RECONCILED = [
    ("resnet50", [25_000_000, 20_940_136, 20_930_920, 20_908_200, 22_735_016, 25_503_912, 25_557_032]),
    ("inception_3a", [214_432, 222_624, 213_360, 163_696]),
    ("googlenet.components", [6_000_000, 5_227_108, 6_149_608, 6_149_416, 6_998_552]),
    ("with_reduction", [118_784, 221_184]),
]


@pytest.mark.parametrize(("name", "sums"), RECONCILED)
def test_reconciliations_begin_in_print_and_end_in_the_graph(name: str, sums: list[int]) -> None:
    done = run_cli("check", name, "--reconcile", "--format", "json")
    (found,) = json.loads(done.stdout)["waterfalls"]
    assert [step["sum"] for step in found["steps"]] == sums
    amounts = [step["amount"] for step in found["steps"][1:]]
    assert amounts == [after - before for before, after in pairwise(sums)]
    assert "nothing is left over" in run_cli("check", name, "--reconcile").stdout


def test_alexnet_is_reconciled_with_its_two_gpu_form() -> None:
    text = run_cli("check", "alexnet", "--reconcile").stdout
    for figure in ("62,378,344", "60,965,224", "1,413,120"):
        assert figure in text


def test_where_nothing_is_wrong_the_printed_numbers_are_shown() -> None:
    assert json.loads(run_cli("check", "vgg16", "--reconcile", "--format", "json").stdout) == {
        "waterfalls": []
    }
    lines = run_cli("check", "vgg16", "--reconcile").stdout.splitlines()
    assert any(line.split() == ["Total", "params", "138,357,544", "138,357,544", "exact"] for line in lines)


def test_a_network_that_nothing_is_printed_about() -> None:
    done = run_cli("check", "resnet18", "--reconcile")
    assert done.returncode == 2
    assert "--claims FILE" in done.stderr
    assert "archinspect compare resnet18" in done.stderr


def test_the_page_of_errata_is_what_the_command_says() -> None:
    """`archinspect check --errata -o docs/lecture-errata.md --exit-zero` writes it."""
    done = run_cli("check", "--errata", "--exit-zero")
    assert done.returncode == 0
    assert (DOCS / "lecture-errata.md").read_text(encoding="utf-8") == done.stdout


@pytest.mark.parametrize("path", sorted((SPECS / "lecture").glob("*.yaml")), ids=lambda path: str(path.stem))
def test_each_file_of_the_ledger_can_be_judged_alone(path: Path) -> None:
    alone = {claim["id"]: claim["verdicts"] for claim in judged("--claims", str(path))["claims"]}
    assert len(alone) > 10
    assert alone == {id: lecture()[id]["verdicts"] for id in alone}
