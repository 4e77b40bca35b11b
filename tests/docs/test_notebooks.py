"""Notebooks run, and show what they store."""

from __future__ import annotations

from pathlib import Path

import pytest

from .notebooks import execute, notebooks, read, said


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
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
