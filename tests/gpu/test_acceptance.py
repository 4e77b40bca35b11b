"""The acceptance checks on a GPU, and what of their script can be tested without one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from tests.gpu.acceptance import CHECKS, Finding, document, page, paired
from tests.support import run_python


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_acceptance(check: Callable[[], Finding]) -> None:
    finding = check()
    assert finding.passed, finding


@pytest.mark.parametrize(("ours", "passed"), [(1.0, True), (1.009, True), (1.02, False), (0.98, False)])
def test_paired_figures_are_held_to_their_demand(ours: float, passed: bool) -> None:
    assert paired("it", ours, 1.0, 0.01).passed is passed


def test_what_is_written_names_every_check_its_result_and_the_machine() -> None:
    findings = [paired("it", 1.0, 1.0, 0.01), paired("them", 2.0, 1.0, 0.01)]
    environment = {"gpu": "NVIDIA TEST", "torch": "9.9"}
    text = page(findings, environment, "2030-01-01")
    assert "NVIDIA TEST, 2030-01-01" in text
    assert "| paired with it | ratio 1 ± 1% | passed |" in text
    assert "| paired with them | ratio 1 ± 1% | FAILED |" in text
    assert "- torch: 9.9" in text
    assert json.loads(json.dumps(document(findings, environment)))["findings"][1]["figures"]["ratio"] == 2.0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_the_script_says_so_and_writes_nothing() -> None:
    result = run_python("-m", "tests.gpu")
    assert result.returncode == 2
    assert result.stderr.startswith("no CUDA device")
