"""The examples of docs/findings.md still show what they say, with the versions that it names."""

from __future__ import annotations

import re

import pytest

from tests.support import DOCS, run_python

EXAMPLES = re.findall(r"```python\n(.*?)```", (DOCS / "findings.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.splitlines()[0])
def test_an_example_prints_what_stands_beside_it(code: str) -> None:
    (expected,) = re.findall(r"\)  # (\S+)$", code, re.MULTILINE)
    found = run_python("-W", "ignore", "-c", code)
    if "operator torchvision::nms does not exist" in found.stderr:
        pytest.skip("torchvision, which ptflops imports, is of another torch here")
    assert found.returncode == 0, found.stderr
    assert set(found.stdout.split()) == {expected}


def test_every_example_says_what_it_prints() -> None:
    assert len(EXAMPLES) > 8
    assert all(len(re.findall(r"\)  # \S+$", code, re.MULTILINE)) == 1 for code in EXAMPLES)
