"""`python -m tests.latency.proof [CHECK...] [--quick]`: hold timing on this CPU to its demands, write findings.

A run of some checks replaces those of the last record of this machine and keeps the others.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from pathlib import Path

import torch

from archinspect.latency.measure import environment
from tests.latency.proof.checks import CHECKS, CPU, QUICK, full
from tests.latency.proof.finding import FAILED, Acceptance, Finding, merged, recorded
from tests.support import DOCS

STEM = "cpu-acceptance"


def main(arguments: list[str] | None = None) -> int:
    """Run the checks one after the other; 1 when one fails on a quiet machine."""
    options = _options(arguments)
    if options.quick and options.into is None:
        options.into = Path(tempfile.gettempdir())  # a short run is no record
    effort = QUICK if options.quick else full()
    machine = environment.environment(CPU, torch.get_num_threads())
    day = datetime.date.today().isoformat()
    command = "python -m tests.latency.proof" + (" --quick" if options.quick else "")
    title = f"CPU acceptance on {machine['processor']}, {machine['cores']} cores"
    findings: list[Finding] = []
    folder = options.into or DOCS / "measurements"
    folder.mkdir(parents=True, exist_ok=True)
    known = (
        recorded(folder / f"{STEM}.json", machine, ("processor", "cores", "torch")) if options.checks else []
    )
    for name in options.checks or CHECKS:
        begin = time.perf_counter()
        findings.append(CHECKS[name](effort))
        spent = time.perf_counter() - begin
        print(f"{findings[-1].outcome}: {findings[-1].name} ({spent:.0f} s)", file=sys.stderr, flush=True)
        # after each, so that what is known outlives what comes
        Acceptance(title, command, day, machine, merged(known, findings, [])).save(folder, STEM)
    print(folder / f"{STEM}.md")
    return 1 if any(finding.outcome == FAILED for finding in findings) else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.latency.proof", description=__doc__)
    parser.add_argument("checks", nargs="*", choices=[*CHECKS, []], metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--quick", action="store_true", help="a minute or two; into a temporary folder")
    parser.add_argument("--into", type=Path, help="the folder to write to; docs/measurements unless --quick")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
