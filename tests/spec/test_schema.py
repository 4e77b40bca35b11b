"""The JSON Schema accepts what the loader does, and finds an editor's common mistakes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from archinspect.frontends.spec import shipped

from ..support import SPECS, run_cli

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def schema() -> Any:
    done = run_cli("schema")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("name", shipped())
def test_shipped_specs_are_valid(name: str, schema: Any) -> None:
    schema.validate(yaml.safe_load((SPECS / f"{name}.yaml").read_text()))


GOOD = """name: net
input: 3x32x32
arguments: {width: 8, norm: true}
init: {conv2d: "normal(std=0.01)"}
blocks:
  unit(width, stride=1):
    - conv: conv2d(width, 3, stride=stride)
layers:
  - stem: conv2d(8, 3) -> relu
  - unit[1..3]: unit(width)
  - bn if norm: batch_norm2d()
  - add:
      body: unit(8)
      shortcut:
  - side_output:
      aux: flatten
  - relu
"""


def test_every_construct_is_valid(schema: Any) -> None:
    schema.validate(yaml.safe_load(GOOD))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("name: net", "nme: net"),
        ("input: 3x32x32\n", ""),
        ("input: 3x32x32", "input: 3 by 32"),
        ("input: 3x32x32", "input: [3, 32, 32]"),
        ("name: net\n", ""),
        ("arguments: {width: 8, norm: true}", "arguments: [width]"),
        ("{width: 8,", "{width: {least: 8},"),
        ("{width: 8,", "{1width: 8,"),
        ("{conv2d: ", "{conv-2d: "),
        ("normal(", "nrmal("),
        ("unit(width, stride=1):", "unit(width, stride=1:"),
        ("- stem:", "- 1stem:"),
        ("unit[1..3]", "unit[1-3]"),
        ("bn if norm", "bn when norm"),
        ("      body: unit(8)\n      shortcut:\n", "      - body\n"),
        ("  - stem: conv2d(8, 3) -> relu\n", "  - [conv2d, relu]\n"),
        ("stem: conv2d(8, 3) -> relu", "stem: 5"),
        ("stem: conv2d(8, 3) -> relu", "stem: true"),
    ],
)
def test_common_mistakes_are_found(right: str, wrong: str, schema: Any) -> None:
    assert right in GOOD
    assert list(schema.iter_errors(yaml.safe_load(GOOD.replace(right, wrong, 1))))
