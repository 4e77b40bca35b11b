"""`python -m tests.harness [--minutes N] [--seed S]`; `--faults` plants faults and writes docs/harness.md."""

from __future__ import annotations

import argparse
import secrets
import sys

from .checks import CHECKS
from .run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to try (10)")
    parser.add_argument("--seed", type=int, default=None, help="what an earlier run printed")
    parser.add_argument("--only", action="append", choices=[check.name for check in CHECKS], default=[])
    parser.add_argument("--faults", action="store_true", help="print the page of planted faults")
    options = parser.parse_args()
    if options.faults:
        from .faults import page

        print(page(), end="")
        return 0
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    tried, found = run(seed, 60 * options.minutes, options.only)
    for name, count in sorted(tried.items()):
        print(f"{count:>6} {name}")
    for finding in found:
        print(f"\n{finding.check} (seed {finding.seed}):\n{finding.error}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
