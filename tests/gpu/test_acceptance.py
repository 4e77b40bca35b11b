"""The acceptance checks on a GPU, and what of their script can be tested without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.gpu.__main__ import STEM, earlier, finding_in
from tests.gpu.acceptance import CHECKS
from tests.latency.proof.finding import Acceptance, Finding
from tests.support import run_python


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_acceptance(check: Callable[[], Finding]) -> None:
    finding = check()
    assert finding.passed, finding


def test_a_check_that_raises_is_a_finding_that_says_so() -> None:
    found = Finding("closure", True, "within 2 %", {"worst": 1.01})
    printed = f"warning: something\nfinding: {json.dumps(found.to_dict())}\n"
    assert finding_in("rows_add_up", printed, "") == found
    broken = finding_in("rows_add_up", "nothing", "Traceback ...\n  File\nRuntimeError: CUDA error\n")
    assert (broken.name, broken.passed) == ("rows_add_up", False)
    assert broken.figures["error"] == "RuntimeError: CUDA error"
    assert finding_in("rows_add_up", "", "").figures["error"] == "no output"


def test_what_another_machine_found_is_not_mixed_in(tmp_path: Path) -> None:
    machine = {"gpu": "A", "torch": "9.9", "gpu_driver_version": "1"}
    assert earlier(tmp_path, machine) == []
    finding = Finding("closure", True, "")
    Acceptance("GPU", "it", "2030-01-01", machine, [finding]).save(tmp_path, STEM)
    assert earlier(tmp_path, machine) == [finding]
    assert earlier(tmp_path, machine | {"gpu": "B"}) == []
    assert earlier(tmp_path, machine | {"torch": "10"}) == []


def test_every_check_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert all(check.__doc__ for check in CHECKS.values())
    assert len(CHECKS) == 15


def test_the_run_ends_in_time_and_names_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With CUDA mocked: checks run in the order of their worth, each is recorded, and the clock ends the run."""
    from tests.gpu import __main__ as script

    now = [0.0]
    limits: list[float] = []

    def alone(name: str, limit_s: float) -> Finding:
        now[0] += 100.0
        limits.append(limit_s)
        return Finding(name, True, "")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(script.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(script, "alone", alone)
    monkeypatch.setattr(script, "_machine", lambda: {"gpu": "A", "torch": "9", "gpu_driver_version": "1"})
    assert script.main(["--into", str(tmp_path), "--minutes", "4"]) == 1
    first, *others = CHECKS
    assert limits == [240.0, 140.0, 40.0]
    assert f"no time left for: {others[2]}" in capsys.readouterr().err
    record = json.loads((tmp_path / f"{STEM}.json").read_text())
    assert len(record["findings"]) == 3
    assert first in json.dumps(record)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_the_script_says_so_and_writes_nothing(tmp_path: Path) -> None:
    result = run_python("-m", "tests.gpu", "--into", str(tmp_path))
    assert result.returncode == 2
    assert result.stderr.startswith("no CUDA device")
    assert list(tmp_path.iterdir()) == []
