"""Disturbances: from counters whose truth is known, and from real spinning processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from archinspect.latency.conditions import Counters, busy_before, counters, disturbances, gpu_flags, others
from archinspect.latency.flags import NOTES, REMEDIES, Flag
from archinspect.latency.measure import environment

QUIET = Counters(wall=10.0, own=5.0, busy=100.0, stolen=1.0, waiting=0.5, quota=0.0)


def _after(**more: float) -> Counters:
    """Ten seconds later, in which we used 15 core seconds and nobody else anything."""
    values = {"wall": 20.0, "own": 20.0, "busy": 115.0, "stolen": 1.0, "waiting": 0.5, "quota": 0.0}
    return Counters(**{name: value + more.get(name, 0.0) for name, value in values.items()})


def test_a_quiet_machine_has_no_flag() -> None:
    assert disturbances(QUIET, _after(), cores=4) == []


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"busy": 20.0}, "contaminated", "other processes used 2.0 of 4 cores"),
        ({"waiting": 1.0}, "contaminated", "waited for a core 10% of the time"),
        ({"stolen": 5.0}, "contaminated", "the hypervisor gave 0.5 cores to others"),
        ({"quota": 2.0}, "throttled", "held this process back 20% of the time"),
    ],
)
def test_each_disturbance_is_seen_and_has_a_remedy(more: dict[str, float], code: str, words: str) -> None:
    (flag,) = disturbances(QUIET, _after(**more), cores=4)
    assert flag.code == code
    assert words in flag.message
    assert flag.remedy
    assert flag.doubtful


def test_where_nothing_is_counted_nothing_is_claimed() -> None:
    blind = counters(lambda path: None)
    assert (blind.busy, blind.waiting, blind.quota) == (None, None, None)
    assert disturbances(blind, blind, 2) == []
    zeros = counters(lambda path: "cpu 0 0 0 0 0 0 0 0\n" if path == "/proc/stat" else None)
    assert zeros.busy is None


def test_linux_files_are_read() -> None:
    files = {
        "/proc/stat": "cpu  100 0 100 500 5 0 0 300 0 0\ncpu0 1 2 3\n",
        "/proc/thread-self/schedstat": "796116 2000000000 2\n",
        "/sys/fs/cgroup/cpu.stat": "usage_usec 5\nnr_throttled 2\nthrottled_usec 3000000\n",
    }
    seen = counters(files.get)
    tick = os.sysconf("SC_CLK_TCK")
    assert (seen.busy, seen.stolen, seen.waiting, seen.quota) == (200 / tick, 300 / tick, 2.0, 3.0)


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="needs Linux's counters")
def test_one_spinning_process_per_core_is_seen() -> None:
    cores = len(os.sched_getaffinity(0))
    spin = "import time; t = time.time()\nwhile time.time() - t < 20: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(cores)]
    try:
        time.sleep(0.3)
        before = counters()
        if before.busy is None and before.waiting is None:
            pytest.skip("this system counts nothing")
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            pass
        codes = [flag.code for flag in disturbances(before, counters(), cores)]
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert "contaminated" in codes


def test_gpu_conditions() -> None:
    idle = {"gpu_utilization.gpu": "0", "gpu_clocks_throttle_reasons.active": "0x0000000000000001"}
    assert gpu_flags(idle, []) == []
    assert busy_before(idle) == []
    hot = idle | {
        "gpu_clocks_throttle_reasons.active": "0x0000000000000044",
        "gpu_clocks.sm": "1200",
        "gpu_clocks.max.sm": "1980",
    }
    (flag,) = gpu_flags(hot, [])
    assert flag.code == "slowed-clock"
    assert flag.message == "power cap, hardware thermal slowdown: 1200 of 1980 MHz"
    (flag,) = gpu_flags(idle, ["4242, python", "4242, python"])  # before and after
    assert flag.code == "contaminated"
    assert flag.message == "1 other processes compute on the GPU (4242, python)"
    (flag,) = busy_before(idle | {"gpu_utilization.gpu": "63"})
    assert flag.code == "contaminated"
    assert "63 % busy" in flag.message
    assert gpu_flags({"gpu_clocks_throttle_reasons.active": "[Not Supported]"}, []) == []
    assert busy_before({"gpu_utilization.gpu": "[N/A]"}) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        (["17, python"], []),
        (["17, python", "18, python"], ["18, python"]),
        (["99000, [Not Found]"], []),  # the host's pid of ourselves
        (["99000, [Not Found]", "99001, [Not Found]"], ["99001, [Not Found]"]),
        (["18, python", "99000, [Not Found]"], ["18, python"]),
        (["17, python", "99000, [Not Found]"], ["99000, [Not Found]"]),
        (["No devices were found"], []),
    ],
)
def test_we_are_not_among_the_others_on_a_gpu(lines: list[str], expected: list[str]) -> None:
    assert others(lines, 17, lambda pid: pid < 100) == expected


def test_every_flag_has_a_remedy_and_notes_cast_no_doubt() -> None:
    assert set(REMEDIES) >= NOTES
    assert not Flag("launch-bound", "").doubtful
    assert Flag("nan", "").to_dict() == {"code": "nan", "message": "", "remedy": REMEDIES["nan"]}


_SMI = """#!/bin/sh
case "$*" in
  *"clocks_throttle_reasons"*) {old} ;;
  *"--query-gpu"*"--id=GPU-7"*) echo "570.1, 1755, 1980, 2619, 700.00, 41, 3, 0x0000000000000004" ;;
  *"--query-compute-apps"*"--id=GPU-7"*) printf '%s, python\\n999999, other\\n' "$PPID" ;;
  *) exit 9 ;;
esac
"""


@pytest.mark.parametrize(
    "old", ["exit 2", 'echo "570.1, 1755, 1980, 2619, 700.00, 41, 3, 0x0000000000000004"'], ids=["new", "old"]
)
def test_nvidia_smi_is_asked_under_the_names_that_its_driver_knows(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(_SMI.format(old=old))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(environment, "_smi_id", lambda device: "GPU-7")
    device = torch.device("cuda")
    state = environment.gpu_state(device)
    assert state["gpu_driver_version"] == "570.1"
    assert state["gpu_clocks.max.sm"] == "1980"
    assert environment.gpu_processes(device) == [
        "999999, other"
    ]  # we started nvidia-smi, and are none of the others
    (flag,) = gpu_flags(state, [])
    assert flag.message == "power cap: 1755 of 1980 MHz"


def test_without_nvidia_smi_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(environment, "_smi_id", lambda device: "0")
    device = torch.device("cuda")
    assert environment.gpu_state(device) == {}
    assert environment.gpu_processes(device) == []
    assert gpu_flags({}, []) == busy_before({}) == []
