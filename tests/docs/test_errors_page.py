"""docs/errors.md lists every code, each with an example that shows it."""

from __future__ import annotations

import re

import pytest

from archinspect.errors import CODES

from ..support import DOCS

SECTIONS = dict(
    re.findall(r"^## (A\d+) [^\n]*\n(.*?)(?=^## |\Z)", (DOCS / "errors.md").read_text(), re.M | re.S)
)


def test_lists_every_code_in_order() -> None:
    assert list(SECTIONS) == list(CODES)


@pytest.mark.parametrize("code", CODES)
def test_example_shows_the_code(code: str) -> None:
    assert f"error[{code}]" in SECTIONS[code], "the example prints another error"
