"""`python -m tests.packaging.beside`: whether pip finds one environment for archinspect and what people have beside it.

Resolves and installs nothing; needs the package index, so it is run by hand and before a release.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support import ROOT

BESIDE = ["transformers", "huggingface_hub", "fastapi[standard]", "lightning", "timm", "torchvision"]


def main() -> int:
    """Exit status 0 where pip resolves them together."""
    words = [
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--report",
        "-",
        f"{ROOT}[all]",
        *BESIDE,
    ]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        return 1
    found = sorted(
        (item["metadata"]["name"], item["metadata"]["version"]) for item in json.loads(done.stdout)["install"]
    )
    print("one environment:", ", ".join(f"{name} {version}" for name, version in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
