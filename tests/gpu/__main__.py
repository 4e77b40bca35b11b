"""`python -m tests.gpu`: run the GPU acceptance checks and write what they found."""

from __future__ import annotations

import datetime
import json
import sys

import torch

from archinspect.files import write
from archinspect.latency.measure import environment
from archinspect.latency.measure.runtime import find_device
from tests.gpu.acceptance import CHECKS, document, page
from tests.support import DOCS


def main() -> int:
    """Run all checks; 1 when one fails, 2 without a CUDA device."""
    if not torch.cuda.is_available():
        print("no CUDA device: torch.cuda.is_available() is False", file=sys.stderr)
        return 2
    found = environment.environment(find_device("cuda"), torch.get_num_threads())
    findings = []
    for check in CHECKS:
        findings.append(check())
        print(f"{'passed' if findings[-1].passed else 'FAILED'}: {findings[-1].name}", file=sys.stderr)
        # after each, so that what is known outlives a later failure
        day = datetime.date.today().isoformat()
        folder = DOCS / "measurements"
        write(json.dumps(document(findings, found), indent=1) + "\n", folder / "gpu-acceptance.json")
        write(page(findings, found, day), folder / "gpu-acceptance.md")
    return 0 if all(finding.passed for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
