"""Windows and macOS, as far as Linux can stand in for them: encodings, consoles, paths, and processes started anew."""

from __future__ import annotations

import ast
import multiprocessing
import re
from pathlib import Path

import pytest

import archinspect
from archinspect.frontends.models import kind_of
from archinspect.sweep import run as sweep_run
from tests.support import ROOT, run_python

#: modules that Windows' standard library lacks
NOT_ON_WINDOWS = "fcntl|grp|pwd|resource|termios"
_TEXT = {"read_text": 0, "write_text": 1}  # method → place of its encoding


def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "archinspect").rglob("*.py"))}


def test_text_files_are_opened_with_an_encoding() -> None:
    for path, text in sources().items():
        if not re.search(r"\b(open|read_text|write_text)\(", text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            keywords = {keyword.arg for keyword in node.keywords}
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in _TEXT and len(node.args) <= _TEXT[name]:
                assert "encoding" in keywords, f"{path}:{node.lineno}"
            if isinstance(node.func, ast.Name) and node.func.id == "open":
                mode = node.args[1] if len(node.args) > 1 else None
                binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
                assert binary or "encoding" in keywords, f"{path}:{node.lineno}"


def test_nothing_is_imported_that_windows_lacks() -> None:
    for path, text in sources().items():
        assert not re.search(rf"^\s*(import|from) ({NOT_ON_WINDOWS})\b", text, re.MULTILINE), path


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_of_another_encoding_shows_every_table(encoding: str) -> None:
    code = "import archinspect\nprint(archinspect.load('alexnet').params(explain=True))"
    shown = run_python("-c", code, env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    assert shown.returncode == 0, shown.stderr
    assert "62,378,344" in shown.stdout


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (r"C:\nets\net.py:Net", "named"),
        (r"C:\nets\net.py:make(width=64)", "named"),
        (r"C:\nets\net.yaml", "spec"),
        ("C:/nets/net.yaml", "spec"),
        (r"C:\nets\net.onnx", "onnx"),
        (r"C:\nets\model.safetensors", "checkpoint"),
        (r"C:\nets\config.json", "configuration"),
    ],
)
def test_a_path_with_a_drive_is_a_path(model: str, kind: str) -> None:
    assert kind_of(model) == kind


@pytest.mark.slow
def test_a_sweep_runs_in_processes_that_are_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(sweep_run, "get_context", lambda method: spawn)
    network = archinspect.load("vgg11", input="3x64x64")
    assert (
        network.sweep(num_classes=[10, 20, 30], jobs=2).to_dict()
        == network.sweep(num_classes=[10, 20, 30]).to_dict()
    )
