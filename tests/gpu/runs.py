"""Measurements on the GPU, in this process and in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from archinspect.frontends.spec import load_graph
from archinspect.latency.results import Run
from tests.support import ROOT


def first_run(model: str, **options: Any) -> Run:
    """The first run of a measurement on the GPU."""
    from archinspect.latency.measure import measure

    return measure(load_graph(model), device="cuda", **options).runs[0]


def command(*arguments: str) -> tuple[dict[str, Any], float]:
    """The JSON document of `archinspect latency ARGUMENTS --device cuda`, and the seconds from start to exit.

    That rows do not add up (1) is no failure of the command.  Raises RuntimeError with its errors otherwise.
    """
    whole = [sys.executable, "-m", "archinspect", "latency", *arguments, "--device", "cuda"]
    begin = time.perf_counter()
    done = subprocess.run([*whole, "--format", "json"], cwd=ROOT, capture_output=True, check=False)
    spent = time.perf_counter() - begin
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.decode()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found, spent


def codes(run: Run) -> list[str]:
    """The flags of a run."""
    return [flag.code for flag in run.flags]
