"""The source of our own modules, for programs that need them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

_FILE = Path(__file__).resolve().parent.parent / "modules.py"


def carried(names: Iterable[str]) -> tuple[list[str], set[str]]:
    """The classes of `modules.py` with these names, in its order, and the global names that they use."""
    wanted = set(names)
    if not wanted:
        return [], set()
    text = _FILE.read_text(encoding="utf-8")
    found = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name in wanted]
    assert {node.name for node in found} == wanted, "modules.py lacks a class that an op names"
    used = {name.id for node in found for name in ast.walk(node) if isinstance(name, ast.Name)}
    return [ast.get_source_segment(text, node) or "" for node in found], used
