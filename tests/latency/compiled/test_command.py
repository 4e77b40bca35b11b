"""`archinspect latency --compile` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archinspect.frontends.spec import load_graph
from archinspect.latency.measure import measure
from archinspect.latency.plan import Options
from tests.support import run_cli, run_program

pytestmark = pytest.mark.slow  # compiling takes seconds

LINE = "conv2d(8, 3, padding=1) -> batch_norm2d -> relu -> dropout -> flatten -> linear(10)"
COMPILED = (LINE, "--input", "3x32x32", "--device", "cpu", "--threads", "1", "--time", "1", "--compile")


def run(*args: str, **options: Any) -> Any:
    result = run_cli("latency", *args, timeout=120, **options)
    assert result.returncode in (0, 1), result.stderr  # a busy machine may be called untrustworthy
    return result


def test_tables_json_and_pages_name_the_layers_of_each_kernel(tmp_path: Path) -> None:
    page, saved = tmp_path / "page.html", tmp_path / "run.json"
    run(*COMPILED, "--batch", "1,2", "-o", str(page), "--save", str(saved))
    found = json.loads(saved.read_text())
    assert [each["batch"] for each in found["runs"]] == [1, 2]
    for each in found["runs"]:
        assert each["options"] == {"compile": True}
        assert each["absorbed"] == ["dropout", "flatten"]
        assert [row["layers"] for row in each["layers"]] == [
            ["conv2d"],
            ["batch_norm2d", "relu"],
            ["linear"],
            [],
        ]
        assert each["layers"][1]["name"].startswith("batch_norm2d + relu")
        for row in each["layers"][:-1]:
            assert [name for group in row["fused"] for name in group["layers"]] == row["layers"]
            assert all(group["kernels"] for group in row["fused"])
        assert sum(row["macs"] for row in each["layers"]) == each["batch"] * (8 * 27 * 1024 + 8192 * 10)
        assert each["peak_memory_bytes"] is None
    text = page.read_text()
    assert "batch_norm2d + relu" in text
    assert "No kernel computes dropout, flatten" in text
    assert "layers under the roof" in text

    again = run("--against", str(saved), "--format", "json")
    changes = json.loads(again.stdout)["against"]["changes"]
    assert [change["batch"] for change in changes] == [1, 2]


def test_without_a_compiler_the_error_says_what_is_missing(tmp_path: Path) -> None:
    cache = {"CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    # A process of its own: this one may have found a compiler already.
    result = run_program("latency", *COMPILED, env=cache, timeout=120)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "error[A407]: torch.compile cannot compile the network here" in result.stderr
    assert "/nowhere/g++" in result.stderr
    assert "help: install a C++ compiler" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_progress_says_that_it_compiles() -> None:
    told: list[str] = []
    graph = load_graph(LINE, input="3x32x32")
    options = Options(threads=1, compile=True)
    measure(
        graph, device="cpu", options=options, time_s=0.3, progress=lambda _, phase, *__: told.append(phase)
    )
    phases = list(dict.fromkeys(told))
    assert phases.index("compiling") < phases.index("layers")
