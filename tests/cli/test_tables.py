"""The table commands on the networks that ship, at a user's level; facts are asserted on JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from archinspect.formula import evaluate
from tests.support import run_cli

# Parameters and MACs: AlexNet as lecture 6, section 4.2.2, has it, and as Krizhevsky et al. 2012 (two GPUs);
# VGG-16 and ResNet-50 as torchvision's modules count; GoogLeNet as BVLC's Caffe model.
KNOWN = {
    "alexnet": (62_378_344, 1_135_256_096),
    "alexnet_grouped": (60_965_224, 724_406_816),
    "vgg16": (138_357_544, 15_470_264_320),
    "googlenet": (6_998_552, 1_582_671_872),
    "resnet50": (25_557_032, 4_089_184_256),
}
ROW_KEYS = {
    "name",
    "op",
    "output_shape",
    "params",
    "trainable",
    "macs",
    "flops",
    "activation_bytes",
    "receptive_field",
    "derivation",
}
TOTAL_KEYS = {
    "params",
    "trainable",
    "non_trainable",
    "buffers",
    "macs",
    "flops",
    "weight_bytes",
    "complete",
}


def document(*arguments: str) -> Any:
    done = run_cli(*arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("model", KNOWN)
@pytest.mark.parametrize("command", ["params", "shapes", "flops", "summary"])
def test_json_keeps_the_contract(command: str, model: str) -> None:
    found = document(command, model)
    assert {"model", "input", "rows", "totals"} <= set(found)
    assert found["model"] == model
    assert set(found["totals"]) >= TOTAL_KEYS
    assert all(set(row) >= ROW_KEYS for row in found["rows"])
    assert (found["totals"]["params"], found["totals"]["macs"]) == KNOWN[model]
    assert found["totals"]["complete"] is True
    for key in ("params", "macs", "flops", "activation_bytes"):
        if key in found["totals"]:
            assert sum(row[key] for row in found["rows"]) == found["totals"][key]


@pytest.mark.parametrize("model", KNOWN)
@pytest.mark.parametrize("depth", [1, 2])
def test_folding_changes_rows_and_no_total(model: str, depth: int) -> None:
    folded, whole = document("params", model, "--depth", str(depth)), document("params", model)
    assert folded["totals"] == whole["totals"]
    assert len(folded["rows"]) <= len(whole["rows"])
    assert all(row["name"].count(".") < depth for row in folded["rows"])
    assert sum(row["params"] for row in folded["rows"]) == folded["totals"]["params"]


def test_csv_rows_sum_to_the_total() -> None:
    done = run_cli("params", "vgg16", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert sum(int(row["params"]) for row in rows) == KNOWN["vgg16"][0]
    assert rows[0] == {"name": "conv1_1", "op": "conv2d", "output_shape": "1x64x224x224", "params": "1792"}


def test_the_table_says_what_it_counts() -> None:
    text = run_cli("params", "vgg16").stdout
    assert text.startswith("vgg16: VGG-16\nInput 1×3×224×224")
    (total,) = [line for line in text.splitlines() if line.startswith("Total")]
    assert total.split()[-1] == "138,357,544"
    assert "527.79 MiB" in text
    flops = run_cli("flops", "vgg16").stdout
    assert "MACs" in flops
    assert "15.47 GMACs" in flops
    assert "batch of 1" in flops


def test_explained_parameters_read_like_the_lecture() -> None:
    """Lecture 6, section 4.2.2: `(11 × 11 × 3 × 96) + 96 = 34,944` and the seven lines below it."""
    text = run_cli("params", "alexnet", "--explain").stdout
    for line in (
        "(11×11×3×96) + 96 = 34,944",
        "(5×5×96×256) + 256 = 614,656",
        "(3×3×256×384) + 384 = 885,120",
        "(3×3×384×384) + 384 = 1,327,488",
        "(3×3×384×256) + 256 = 884,992",
    ):
        assert line in text


@pytest.mark.parametrize("command", ["params", "shapes", "flops", "summary"])
@pytest.mark.parametrize("model", ["alexnet", "googlenet", "resnet50"])
def test_every_printed_derivation_evaluates_to_its_value(command: str, model: str) -> None:
    done = run_cli(command, model, "--explain", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    columns = [key for key in rows[0] if key.endswith("derivation")]
    assert columns
    checked = 0
    for row in rows:
        for column in columns:
            formula, equals, value = row[column].rpartition(" = ")
            if equals:
                assert evaluate(formula) == evaluate(value), row[column]
                checked += 1
    assert checked >= len(rows) / 4


def test_batch_scales_cost_and_not_parameters() -> None:
    one, four = document("flops", "alexnet"), document("flops", "alexnet", "--input", "4x3x227x227")
    assert four["input"] == [4, 3, 227, 227]
    assert four["totals"]["macs"] == 4 * one["totals"]["macs"]
    assert four["totals"]["flops"] == 4 * one["totals"]["flops"]
    assert four["totals"]["params"] == one["totals"]["params"]


def test_set_changes_an_argument() -> None:
    found = document("params", "vgg16", "--set", "num_classes=10")
    assert found["totals"]["params"] == KNOWN["vgg16"][0] - 990 * 4097
    aux = document("params", "googlenet", "--set", "aux=true")
    assert aux["totals"]["params"] == 13_378_280  # Szegedy et al. 2014, with both auxiliary classifiers


def test_a_one_line_network() -> None:
    chain = "conv2d(96, 11, stride=4) -> relu -> max_pool2d(3, stride=2)"
    found = document("shapes", chain, "--input", "3x227x227")
    assert [row["output_shape"][1:] for row in found["rows"]] == [[96, 55, 55], [96, 55, 55], [96, 27, 27]]


# Lecture 6, section 4.2.2, the Keras summary.
LECTURE = [
    ("Conv2D", "(None, 55, 55, 96)", "34,944"),
    ("MaxPooling2D", "(None, 27, 27, 96)", "0"),
    ("Conv2D", "(None, 27, 27, 256)", "614,656"),
    ("MaxPooling2D", "(None, 13, 13, 256)", "0"),
    ("Conv2D", "(None, 13, 13, 384)", "885,120"),
    ("Conv2D", "(None, 13, 13, 384)", "1,327,488"),
    ("Conv2D", "(None, 13, 13, 256)", "884,992"),
    ("MaxPooling2D", "(None, 6, 6, 256)", "0"),
    ("Flatten", "(None, 9216)", "0"),
    ("Dense", "(None, 4096)", "37,752,832"),
    ("Dropout", "(None, 4096)", "0"),
    ("Dense", "(None, 4096)", "16,781,312"),
    ("Dropout", "(None, 4096)", "0"),
    ("Dense", "(None, 1000)", "4,097,000"),
]


def test_keras_style_is_the_lectures_table() -> None:
    text = run_cli("summary", "alexnet", "--style", "keras").stdout
    lines = text.splitlines()
    assert lines[0] == 'Model: "alexnet"'
    assert re.fullmatch(r"Layer \(type\) +Output Shape +Param #", lines[2])
    assert re.findall(r"^\w+ \((\w+)\) +(\(None, .*\)) +([\d,]+)$", text, re.M) == LECTURE
    assert lines[-3:] == [
        "Total params: 62,378,344 (237.95 MB)",
        "Trainable params: 62,378,344 (237.95 MB)",
        "Non-trainable params: 0 (0.00 B)",
    ]


def test_keras_counts_running_statistics_as_non_trainable() -> None:
    """Keras Applications' ResNet50 has 53,120 non-trainable parameters: two per channel of its 53 normalisations."""
    text = run_cli("summary", "resnet50", "--style", "keras").stdout
    assert "Non-trainable params: 53,120 (207.50 KB)" in text
    assert "Trainable params: 25,557,032" in text


def test_list_shows_every_network_and_sorts() -> None:
    found = json.loads(run_cli("list", "--format", "json").stdout)["networks"]
    by_name = {network["name"]: network for network in found}
    assert {name: (by_name[name]["params"], by_name[name]["macs"]) for name in KNOWN} == KNOWN
    assert by_name["vgg16"]["year"] == 2014
    assert "1409.1556" in by_name["vgg16"]["source"]
    names = [network["name"] for network in found]
    assert names == sorted(names)
    for key in ("year", "params", "macs", "depth"):
        ordered = json.loads(run_cli("list", "--sort", key, "--format", "json").stdout)["networks"]
        values = [network[key] for network in ordered]
        known = [value for value in values if value is not None]
        assert values == sorted(known) + [None] * (len(values) - len(known))  # unknown years come last
    for other, known in (("vgg16", "7.32%"), ("googlenet", "6.67%"), ("vgg11", None)):
        assert (by_name[other]["ilsvrc"] or {}).get("top5_error") == known
    assert by_name["googlenet"]["ilsvrc"]["source"].startswith("arXiv:1409.4842")


def test_list_of_one_family() -> None:
    found = json.loads(run_cli("list", "--family", "alexnet", "--format", "json").stdout)["networks"]
    assert {"alexnet", "alexnet_grouped"} <= {network["name"] for network in found}
    assert {network["family"] for network in found} == {"AlexNet"}


def test_ops_documents_every_attribute() -> None:
    from archinspect.ops import REGISTRY

    text = run_cli("ops").stdout
    for name in REGISTRY:
        assert name in text
    page = run_cli("ops", "conv2d").stdout
    for attribute in REGISTRY["conv2d"].attributes:
        assert attribute.name in page
    assert "(11×11×3×96) + 96 = 34,944" in page
    record = json.loads(run_cli("ops", "conv2d", "--format", "json").stdout)
    assert record["attributes"][2] == {
        "name": "stride",
        "values": "int or (int, int) ≥ 1",
        "required": False,
        "default": [1, 1],
        "doc": "step of the window",
    }


def test_schema_is_a_json_schema_that_the_shipped_specs_satisfy() -> None:
    import jsonschema
    import yaml

    from archinspect.frontends.spec import shipped
    from tests.support import SPECS

    schema = json.loads(run_cli("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in shipped():
        spec = yaml.safe_load((SPECS / f"{name}.yaml").read_text(encoding="utf-8"))
        jsonschema.validate(spec, schema)
