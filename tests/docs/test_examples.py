"""Every example of README and docs/ does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support import ROOT
from .examples import Page, pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_page(path: Path, tmp_path: Path) -> None:
    page = Page(path, tmp_path)
    assert page.run().splitlines() == page.text.splitlines(), "python -m tests.docs rewrites the page"
