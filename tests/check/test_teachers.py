"""Tables that are not the lecture's: papers' own, and small ones with mistakes planted in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import DOCS, run_cli

EXAMPLES = DOCS / "examples" / "claims"


def judged(path: Path) -> dict[str, dict[str, Any]]:
    done = run_cli("check", "--claims", str(path), "--format", "json")
    assert done.stderr == ""
    return {claim["id"]: claim for claim in json.loads(done.stdout)["claims"]}


def test_googlenets_own_table() -> None:
    """Szegedy et al. 2014, table 1: K is 1024; conv1 and 5a do not follow from their own columns."""
    claims = judged(EXAMPLES / "googlenet_table1.yaml")
    wrong = {id for id, claim in claims.items() if claim["wrong"]}
    assert {
        f"table1.{row}.{what}" for row in ("convolution", "inception_5a") for what in ("weights", "macs")
    } <= wrong
    shapes = [
        claim for claim in claims.values() if claim["quantity"] in ("output_shape", "out_channels", "depth")
    ]
    assert len(shapes) > 60
    assert not any(claim["wrong"] for claim in shapes), "the columns themselves are the network's"
    assert claims["table1.inception.weights"]["verdicts"] == ["rounded"]
    assert any("1024" in note for note in claims["table1.inception.weights"]["notes"])


def test_mobilenets_tables() -> None:
    """Howard et al. 2017, tables 6 to 9: their own networks are right, VGG-16's cost is without its linear layers."""
    claims = judged(EXAMPLES / "mobilenet.yaml")
    own = [claim for claim in claims.values() if str(claim["model"]).startswith("mobilenet")]
    assert len(own) == 14
    assert not any(claim["wrong"] for claim in own)
    vgg = next(c for c in claims.values() if c["model"] == "vgg16" and c["quantity"] == "macs")
    assert vgg["cause"] == "linear is left out (123,633,664)"


def planted(tmp_path: Path, row: str, layer: str = "conv1_1") -> dict[str, Any]:
    (tmp_path / "t.yaml").write_text(
        "source: a slide\nmodel: vgg16\nsections:\n  - section: '1'\n    title: t\n    items:\n      - table: t\n"
        "        columns: {Layer: layer, From: formula, Params: params}\n        rows:\n"
        f"          - {layer}: {row}\n",
        encoding="utf-8",
    )
    (claim,) = judged(tmp_path / "t.yaml").values()
    return claim


@pytest.mark.parametrize(
    ("row", "layer", "verdicts", "words"),
    [
        ("Conv1_1 | (3×3×3×64) + 64 | 1,792", "conv1_1", ["exact"], ""),
        ("Conv1_1 | (3×3×3×64) + 64 | 1,728", "conv1_1", ["slip"], "64 biases"),
        ("Conv2_1 | (3×3×64×128) + 128 | 73,586", "conv2_1", ["slip"], "swapped"),
        ("Conv2_1 | (3×3×64×128) + 128 | 147,712", "conv2_1", ["slip"], "gives 147,712"),
        ("Conv2_1 | (1×1×64×128) + 128 | 8,320", "conv2_1", ["differs"], "1×1 kernel, not 3×3"),
        ("Conv2_1 | (3×3×128×128) + 128 | 147,584", "conv2_1", ["differs"], "input width 128, not 64"),
        ("FC6 | (7×7×512×4096) + 4096 | 10,276,454", "fc6", ["slip"], "lost"),
    ],
)
def test_planted_mistakes_are_judged_and_explained(
    tmp_path: Path, row: str, layer: str, verdicts: list[str], words: str
) -> None:
    claim = planted(tmp_path, row, layer)
    assert claim["verdicts"] == verdicts
    assert words in (claim["cause"] or "")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("claims: 3\n", "A107", "a list is expected"),
        (
            "model: vgg16\nclaims:\n  - {id: a, stated: '1', quantity: parms}\n",
            "A207",
            "did you mean 'params'?",
        ),
        ("model: vgg61\nclaims:\n  - {id: a, stated: '1', quantity: params}\n", "A101", "vgg16"),
        ("model: vgg16\nclaims:\n  - {id: a, stated: many, quantity: params}\n", "A207", "is not a number"),
        ("model: vgg16\nclaims:\n  - {id: a, quantity: params}\n", "A109", "'stated'"),
        (
            "model: vgg16\nclaims:\n  - {id: a, stated: '1', quantity: params, layer: conv9}\n",
            "A208",
            "conv9",
        ),
        (
            "model: vgg16\nclaims:\n  - {id: a, stated: '1', quantity: params, formula: 3×}\n",
            "A213",
            "cannot evaluate",
        ),
        (
            "model: vgg16\nclaims:\n  - {id: a, stated: '1', quantity: params, sum: b}\n",
            "A208",
            "which is no claim",
        ),
        (
            "model: vgg16\nclaims:\n  - &x {id: a, stated: '1', quantity: params}\n  - *x\n",
            "A105",
            "anchors",
        ),
        ("[1, 2\n", "A104", ""),
    ],
)
def test_errors_of_a_file_name_their_place(tmp_path: Path, text: str, code: str, words: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    done = run_cli("check", "--claims", "bad.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error[{code}]" in done.stderr
    assert "bad.yaml:" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def stated_of_lenet(tmp_path: Path, quantity: str, printed: str) -> dict[str, Any]:
    (tmp_path / "t.yaml").write_text(
        "source: a slide\nmodel: lenet5\nclaims:\n"
        f"  - {{id: c, layer: C3, quantity: {quantity}, stated: '{printed}'}}\n",
        encoding="utf-8",
    )
    (claim,) = judged(tmp_path / "t.yaml").values()
    return claim


@pytest.mark.parametrize(
    "printed",
    [
        "10×10×16",
        "16×10×10",
        "10x10",
        "10",
        "16@10×10",
        "(None, 10, 10, 16)",
        "[-1, 16, 10, 10]",
        "[1, 16, 10, 10]",
    ],
)
def test_shapes_are_right_in_every_way_that_people_print_them(tmp_path: Path, printed: str) -> None:
    assert stated_of_lenet(tmp_path, "output_shape", printed)["verdicts"] == ["exact"]


@pytest.mark.parametrize("printed", ["10×11", "6@10×10", "14", "[1, 10, 16, 10]", "16×10"])
def test_another_shape_is_wrong_however_it_is_printed(tmp_path: Path, printed: str) -> None:
    assert stated_of_lenet(tmp_path, "output_shape", printed)["verdicts"] == ["differs"]


def test_a_fraction_is_not_cut_down_to_the_integer_that_would_be_right(tmp_path: Path) -> None:
    assert stated_of_lenet(tmp_path, "stride", "1.5")["verdicts"] == ["differs"]


@pytest.mark.parametrize(
    ("model", "quantity", "printed", "verdict", "words"),
    [
        ("alexnet", "weight_bytes", "249.5 MB", "rounded", None),
        ("alexnet", "weight_bytes", "475.9 MB", "differs", "475.9 MB is twice 237.954 MB"),
        # B is a billion wherever it is not bytes.
        ("efficientnet_b0", "macs", "0.39B", "rounded", None),
        ("efficientnet_b0", "params", "0.0053B", "rounded", None),
        (
            "vgg16",
            "flops",
            "15.5B FLOPs",
            "convention",
            "these are multiply-accumulates, of which it has 15,470,264,320",
        ),
        # BatchNorm's 53,120 or a bias apiece would move these by half a printed digit: that proves nothing.
        (
            "resnet50",
            "params",
            "25.5M",
            "differs",
            "cut off instead of rounded: 25,557,032 is 25.6 M to the nearest",
        ),
        ("resnet101", "params", "44.6M", "differs", "no cause found; 0.1 % too large"),
        (
            "resnet18",
            "flops",
            "1.8 GFLOPs",
            "convention",
            "these are multiply-accumulates, of which it has 1,814,073,344",
        ),
    ],
)
def test_totals_in_running_text(
    tmp_path: Path, model: str, quantity: str, printed: str, verdict: str, words: str | None
) -> None:
    (tmp_path / "t.yaml").write_text(
        f"source: a slide\nmodel: {model}\nclaims:\n  - {{id: c, quantity: {quantity}, stated: '{printed}'}}\n",
        encoding="utf-8",
    )
    (claim,) = judged(tmp_path / "t.yaml").values()
    assert (claim["verdicts"], claim["cause"], claim["notes"]) == ([verdict], words, [])


def judged_rows(tmp_path: Path, model: str, *rows: str, quotes: str = "") -> dict[str, dict[str, Any]]:
    lines = "".join(f"          - {row}\n" for row in rows)
    (tmp_path / "t.yaml").write_text(
        f"source: a slide\nmodel: {model}\nsections:\n  - section: '1'\n    title: t\n    items:\n      - table: t\n"
        f"        columns: {{Layer: layer, From: formula, Params: params}}\n        rows:\n{lines}{quotes}",
        encoding="utf-8",
    )
    return judged(tmp_path / "t.yaml")


@pytest.mark.parametrize(
    ("model", "row", "words"),
    [
        (
            "mobilenet_v1",
            "separable2.dw.conv: dw | 3×3×64×64 | 36,864",
            "separable2.dw.conv: without its 64 groups",
        ),
        (
            "vit_b_16",
            "encoder.layer1.attention.self_attention: MHA | 4×768×768 | 2,359,296",
            "biases are left out",
        ),
        (
            "vit_b_16",
            "encoder.layer1.mlp: MLP | 768×3072 + 3072 + 3072×768 + 768 | 4,722,432",
            "layer_norm is left out (1,536)",
        ),
        ("vit_b_16", "pos_embedding: positions | 196×768 | 150,528", None),
    ],
)
def test_layers_beyond_plain_convolutions(tmp_path: Path, model: str, row: str, words: str | None) -> None:
    (claim,) = judged_rows(tmp_path, model, row).values()
    assert claim["verdicts"] == ["differs"]
    assert (words or "no cause found") in (claim["cause"] or "no cause found")


def test_rows_are_named_by_id_or_label(tmp_path: Path) -> None:
    claims = judged_rows(
        tmp_path,
        "squeezenet1_0",
        "fire2.squeeze: fire2 squeeze | 96×16 + 16 | 1,536",
        "fire2.expand1x1: fire2 expand 1×1 | 16×64 + 64 | 1,088",
        "fire2.expand3x3: fire2 expand 3×3 | 3×3×16×64 + 64 | 9,280",
        "{row: 'fire2 | - | 11,904', layer: fire2, sum: [fire2 squeeze, fire2_expand_1x1, t.fire2_expand_3x3]}",
    )
    assert claims["t.fire2.params"]["verdicts"] == ["carried"]
    assert claims["t.fire2.params"]["cause"] == "carries 1,536 for 1,552; mended it is 11,920"


def test_a_product_names_the_part_that_is_not_like_the_others(tmp_path: Path) -> None:
    quotes = (
        "      - quote: 3 blocks of 70,400 are 211,200.\n        claims:\n"
        "          - {id: n, stated: '3', quantity: count, layer: 'conv2_x.block*'}\n"
        "          - {id: each, stated: '70,400', quantity: params, layer: conv2_x.block2}\n"
        "          - {id: all, stated: '211,200', quantity: params, layer: conv2_x, product: [n, each]}\n"
    )
    claims = judged_rows(tmp_path, "resnet50", "conv2_x | - | 215,808", quotes=quotes)
    assert claims["all"]["verdicts"] == ["differs"]
    assert claims["all"]["cause"] == "conv2_x.block1 has 75,008, not 70,400"


def test_macs_of_another_variant(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "source: a slide\nmodel: resnet50\nclaims:\n  - {id: c, quantity: macs, stated: '3.86 GMACs'}\n",
        encoding="utf-8",
    )
    (claim,) = judged(tmp_path / "t.yaml").values()
    assert claim["cause"] == "it is resnet50 with stride_in_1x1, which has 3,857,973,248"


def test_cells_of_other_layers_are_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "source: a slide\nmodel: vgg16\nsections:\n  - section: '1'\n    items:\n      - table: t\n"
        "        columns: {Layer: layer, Params: params}\n        rows:\n"
        "          - {row: conv1_1 | 1792, cells: [a, b]}\n",
        encoding="utf-8",
    )
    done = run_cli("check", "--claims", str(tmp_path / "t.yaml"))
    assert done.returncode == 2
    assert "cells is a mapping" in done.stderr
