"""The procedures of the proofs, held against truths that are known: a proof that cannot fail proves nothing."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.latency.proof.__main__ import main
from tests.latency.proof.checks import CHECKS
from tests.latency.proof.finding import FAILED, OPEN, SHOWN, Acceptance, Finding, merged
from tests.latency.proof.pairing import AGREE, DIFFER, UNDECIDED, Block, Pairing, take_turns
from tests.latency.proof.quiet import disturbance


class Machine:
    """Forwards that take a known time, on a clock of their own: noisy, now and then held up, slowing down."""

    def __init__(self, seed: int, noise: float = 0.01, held_up: float = 0.1, slowing: float = 0.0) -> None:
        self.random, self.now = random.Random(seed), 0.0
        self.noise, self.held_up, self.slowing = noise, held_up, slowing

    def block(self, seconds: float) -> Block:
        def timed(count: int) -> float:
            total = 0.0
            for _ in range(count):
                taken = seconds * self.random.lognormvariate(0, self.noise) * (1 + self.slowing * self.now)
                total += taken + (0.01 if self.random.random() < self.held_up else 0.0)
            self.now += total
            return total / count

        return timed

    def pairing(self, ratio: float, cap_s: float = 20.0) -> Pairing:
        ours, theirs = self.block(0.005 * ratio), self.block(0.005)
        return take_turns(ours, theirs, each=2, cap_s=cap_s, clock=lambda: self.now)


def test_equal_timers_agree_and_a_planted_bias_is_found_though_the_machine_holds_them_up() -> None:
    equal = [Machine(seed).pairing(1.0).verdict for seed in range(100)]
    assert equal.count(AGREE) >= 95
    assert DIFFER not in equal
    for ratio in (1.03, 0.97):
        biased = [Machine(seed).pairing(ratio).verdict for seed in range(100)]
        assert biased.count(DIFFER) >= 95
        assert AGREE not in biased


def test_taking_turns_cancels_a_machine_that_slows_down() -> None:
    found = Machine(1, slowing=0.2).pairing(1.0)
    assert found.verdict == AGREE
    assert found.ratio == pytest.approx(1.0, abs=0.005)


def test_too_restless_a_machine_gives_no_verdict() -> None:
    found = Machine(2, noise=0.3).pairing(1.0, cap_s=1.0)
    assert found.verdict == UNDECIDED
    assert Pairing(1.0, None, 3, 0.01).verdict == UNDECIDED


def test_a_disturbed_failure_is_open_and_a_disturbance_makes_no_success() -> None:
    assert Finding("a", True, "").outcome == SHOWN
    assert Finding("a", False, "").outcome == FAILED
    assert Finding("a", False, "", disturbed="others").outcome == OPEN


def test_what_is_written_names_every_check_its_figures_and_the_machine(tmp_path: Path) -> None:
    findings = [
        Finding("closure", True, "within 2 %", {"worst": 1.01234567, "raw": [1, 2]}),
        Finding("A/A", False, "5 in 100", {"alarms": 9}, "others used 1 core"),
        Finding("time", False, "20 s", {"longest s": 31.0}),
    ]
    found = Acceptance("CPU acceptance", "python -m it", "2030-01-01", {"torch": "9.9"}, findings)
    found.save(tmp_path, "cpu")
    page = (tmp_path / "cpu.md").read_text()
    assert "# CPU acceptance, 2030-01-01" in page
    assert "1 of 3 demands shown" in page
    assert "| closure | within 2 % | worst 1.012 | shown |" in page
    assert "| A/A | 5 in 100 | alarms 9 | not shown |" in page
    assert "| time | 20 s | longest s 31 | FAILED |" in page
    assert "- A/A: others used 1 core" in page
    assert "- torch: 9.9" in page
    document = json.loads((tmp_path / "cpu.json").read_text())
    assert [Finding.from_dict(each) for each in document["findings"]] == findings
    assert document["findings"][1]["outcome"] == OPEN


def test_a_later_run_of_one_check_replaces_it_and_keeps_the_others() -> None:
    earlier = [Finding("a", False, ""), Finding("b", True, "")]
    found = merged(earlier, [Finding("a", True, ""), Finding("c", True, "")], ["c", "b", "a"])
    assert [(each.name, each.passed) for each in found] == [("c", True), ("b", True), ("a", True)]


@pytest.mark.slow
def test_a_short_proof_runs_and_is_written_down(tmp_path: Path) -> None:
    code = main(["--quick", "--into", str(tmp_path), "marks_cost_little", "spinning_is_seen"])
    findings = json.loads((tmp_path / "cpu-acceptance.json").read_text())["findings"]
    assert code == (1 if any(each["outcome"] == FAILED for each in findings) else 0)
    assert [each["name"] for each in findings] == ["inflation", "contaminated"]
    assert findings[0]["figures"]["rows"] > 100


def test_every_check_says_what_it_does() -> None:
    assert all(check.__doc__ for check in CHECKS.values())


def test_processes_of_our_own_are_no_disturbance() -> None:
    spin = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.6: pass"
    for _ in range(4):  # others may disturb some of the tries
        with disturbance() as alone:
            time.sleep(0.7)
        with disturbance() as beside:
            subprocess.run([sys.executable, "-c", spin], check=True)
        if not beside:
            return
        if not alone:
            pytest.fail(f"our own process was taken for another: {beside}")
    pytest.skip("others use this machine")
