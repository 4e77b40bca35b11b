"""Notebooks run, and show what they store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .notebooks import execute, notebooks, read, said

#: these train a network, or run a large one
SLOW = {"fine_tuning", "signal"}


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A notebook that trains sets PyTorch's threads."""
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    yield
    torch = sys.modules.get("torch")
    if torch is not None and before is not None:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=pytest.mark.slow if p.stem in SLOW else ()) for p in notebooks()],
)
def test_notebook(path: Path) -> None:
    stored = read(path)
    assert said(execute(stored)) == said(stored), "python -m tests.docs.notebooks stores what the cells show"


def test_there_is_one() -> None:
    assert notebooks()


def test_an_output_that_is_not_what_a_cell_shows_is_seen() -> None:
    stored = read(notebooks()[0])
    shown = [cell for cell in stored["cells"] if cell.get("outputs")]
    shown[0]["outputs"][0] = {"output_type": "stream", "name": "stdout", "text": ["something else\n"]}
    assert said(execute(stored)) != said(stored)


def test_a_word_of_a_table_that_is_not_shown_is_seen() -> None:
    stored = read(notebooks()[0])
    outputs = [output for cell in stored["cells"] for output in cell.get("outputs", [])]
    table = next(output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {}))
    index = next(i for i, line in enumerate(table) if "819,200" in line)
    table[index] = table[index].replace("819,200", "819,201")
    assert said(execute(stored)) != said(stored)
