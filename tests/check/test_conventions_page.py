"""docs/conventions.md is what the conventions say."""

from __future__ import annotations

from archinspect.check.conventions.reference import document
from archinspect.ops import REGISTRY

from ..support import DOCS


def test_the_page_of_conventions_is_current() -> None:
    assert (DOCS / "conventions.md").read_text(encoding="utf-8") == document(), (
        "run: python -m archinspect.check.conventions.reference > docs/conventions.md"
    )


def test_every_op_has_a_row() -> None:
    text = document()
    assert all(f"\n| `{name}` | " in text for name, op in REGISTRY.items() if op.predicted)
    assert all(f"`{name}`" in text for name in REGISTRY)
