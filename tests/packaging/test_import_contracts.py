"""The import contracts of pyproject.toml hold, and would notice if they did not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", IMPORT_LINTER, "--no-cache", "--no-logo"]
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("geometry.py", "from .graph import Graph", "Imports go only downward BROKEN"),
        (
            "attic.py",
            "",
            "Imports go only downward BROKEN",
        ),  # a room that the plan of the house does not know
        ("graph.py", "def device() -> object:\n    import torch\n\n    return torch", "torch and the tools"),
    ],
    ids=["upward import", "unknown room", "torch below"],
)
def test_a_breach_is_noticed(tmp_path: Path, file: str, line: str, broken: str) -> None:
    shutil.copytree(
        ROOT / "archinspect", tmp_path / "archinspect", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "archinspect" / file).open("a", encoding="utf-8") as changed:
        changed.write(f"\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert any(broken in text and "BROKEN" in text for text in result.stdout.splitlines()), result.stdout
