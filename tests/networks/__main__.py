"""`python -m tests.networks` writes docs/networks.md."""

from __future__ import annotations

from tests.support import DOCS

from .page import page

(DOCS / "networks.md").write_text(page(), encoding="utf-8")
