"""The gallery shows what its commands draw."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.diagram.gallery import IMAGES, PAGE, SECTIONS, page
from tests.support import DOCS, run_cli

SHOWN = [shown for pictures in SECTIONS.values() for shown in pictures]


def test_the_page_is_what_its_maker_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.diagram.gallery"


def test_every_picture_is_there_and_on_a_page() -> None:
    files = {file.name for file in IMAGES.iterdir()}
    assert {shown.file for shown in SHOWN} | {"contact-sheet.png"} <= files
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    assert [name for name in sorted(files) if f"images/{name}" not in pages] == []


@pytest.mark.slow
@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.file)
def test_every_picture_is_what_its_command_draws(tmp_path: Path, shown: object) -> None:
    command = shlex.split(shown.command)[1:]  # type: ignore[attr-defined]
    assert run_cli(*command, cwd=tmp_path).returncode == 0
    file = shown.file  # type: ignore[attr-defined]
    assert (tmp_path / file).read_bytes() == (IMAGES / file).read_bytes(), "python -m tests.diagram.gallery"
