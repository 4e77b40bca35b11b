"""`python -m tests.gpu [CHECK...]`: run the GPU acceptance checks, and write what they found.

Each check runs in a process of its own: one that breaks the device's state, or never ends, costs its own result only.
The page is written after each, and a later run of some checks replaces those and keeps the others.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.gpu.acceptance import CHECKS
from tests.latency.proof.finding import SHOWN, Acceptance, Finding, merged, recorded
from tests.support import DOCS, ROOT

STEM = "gpu-acceptance"
_MARK = "finding: "
#: no check is begun in less time
_LEAST_S = 15.0


def main(arguments: list[str] | None = None) -> int:
    """Run all checks, or those that are named; 1 when one fails, 2 without a CUDA device."""
    options = _options(arguments)
    if not torch.cuda.is_available():
        print("no CUDA device: torch.cuda.is_available() is False", file=sys.stderr)
        return 2
    if options.one:
        print(_MARK + json.dumps(CHECKS[options.one]().to_dict()))
        return 0
    if options.environment:
        print(_MARK + json.dumps(_environment()))
        return 0
    machine = _machine()
    findings: list[Finding] = []
    end = time.perf_counter() + 60 * options.minutes
    wanted = list(options.checks or CHECKS)
    for place, name in enumerate(wanted):
        begin = time.perf_counter()
        if end - begin < _LEAST_S:
            print(f"no time left for: {' '.join(wanted[place:])}", file=sys.stderr)
            return 1
        findings.append(alone(name, min(options.limit, end - begin)))
        spent = time.perf_counter() - begin
        print(f"{findings[-1].outcome}: {findings[-1].name} ({spent:.0f} s)", file=sys.stderr, flush=True)
        found = merged(earlier(options.into, machine), findings, [])
        day = datetime.date.today().isoformat()
        title = f"GPU acceptance on {machine['gpu']}"
        Acceptance(title, "python -m tests.gpu", day, machine, found).save(options.into, STEM)
    print(options.into / f"{STEM}.md")
    return 0 if all(finding.outcome == SHOWN for finding in findings) else 1


def _environment() -> dict[str, Any]:
    from archinspect.latency.measure import environment
    from archinspect.latency.measure.runtime import find_device

    return environment.environment(find_device("cuda"), torch.get_num_threads())


def _machine() -> dict[str, Any]:
    """The environment, looked at by another process: we must not be one of the GPU's processes ourselves."""
    command = [sys.executable, "-m", "tests.gpu", "--environment"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    found: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    return found


def alone(name: str, limit_s: float) -> Finding:
    """One check in a process of its own; what went wrong there is its finding."""
    command = [sys.executable, "-m", "tests.gpu", "--one", name]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return Finding(name, False, "ends", {"error": f"no result after {limit_s:g} s"})
    return finding_in(name, done.stdout, done.stderr)


def finding_in(name: str, output: str, errors: str) -> Finding:
    """The finding that a check printed; the end of its errors where it printed none."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            return Finding.from_dict(json.loads(line.removeprefix(_MARK)))
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return Finding(
        name, False, "runs", {"error": lines[-1][:70] if lines else "no output", "errors": lines[-30:]}
    )


def earlier(folder: Path, machine: dict[str, Any]) -> list[Finding]:
    """What was found before with the same GPU and torch."""
    return recorded(folder / f"{STEM}.json", machine, ("gpu", "torch", "gpu_driver_version"))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.gpu", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, []], metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--into", type=Path, default=DOCS / "measurements", help="the folder to write to")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="all checks together; those left out are named"
    )
    parser.add_argument("--limit", type=float, default=240.0, metavar="SECONDS", help="time of one check")
    parser.add_argument("--one", choices=list(CHECKS), help=argparse.SUPPRESS)
    parser.add_argument("--environment", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
