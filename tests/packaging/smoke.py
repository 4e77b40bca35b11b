"""A user's first minutes with an installed archinspect, without development extras and away from the checkout.

Run by CI with the interpreter of an environment into which only the wheel was installed:
`python -P smoke.py` (-P: no folder of ours on the path).  Exits 1 at the first thing that is not as it should be.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

#: Parameters and MACs (VGG-16: Simonyan & Zisserman 2014, Table 2, configuration D, counted layer by layer).
VGG16 = (138_357_544, 15_470_264_320)
LINE = "conv2d(8, 3, padding=1) -> relu -> flatten -> linear(10)"


def expect(holds: bool, what: str) -> None:
    print(("ok    " if holds else "WRONG ") + what, flush=True)
    if not holds:
        sys.exit(1)


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """The installed script, as a shell would find it."""
    script = Path(sys.executable).with_name("archinspect")
    result = subprocess.run([script, *args], capture_output=True, text=True, encoding="utf-8", check=False)
    expect("Traceback" not in result.stdout + result.stderr, f"no traceback: archinspect {' '.join(args)}")
    return result


def succeed(*args: str) -> str:
    result = run(*args)
    expect(result.returncode == 0, f"exit 0: archinspect {' '.join(args)}\n{result.stderr}".rstrip())
    return result.stdout


def main() -> None:
    package = importlib.util.find_spec("archinspect")
    expect(
        package is not None and "site-packages" in str(package.origin),
        f"installed: {package and package.origin}",
    )
    expect(importlib.util.find_spec("torch") is None, "torch is not installed here")

    expect("vgg16" in succeed("list"), "list names vgg16")
    for model in ("alexnet", "alexnet_grouped", "vgg16", "googlenet", "resnet50"):
        document = json.loads(succeed("params", model, "--format", "json"))
        rows, total = document["rows"], document["totals"]["params"]
        expect(
            total == sum(row["params"] for row in rows) > 0,
            f"{model}: {total:,} parameters are the rows' sum",
        )
    expect("138,357,544" in succeed("params", "vgg16"), "the table's total")
    totals = json.loads(succeed("summary", "vgg16", "--format", "json"))["totals"]
    expect((totals["params"], totals["macs"]) == VGG16, "VGG-16's parameters and MACs")
    line = json.loads(succeed("flops", LINE, "--input", "3x8x8", "--format", "json"))
    expect(line["totals"]["macs"] == 8 * 3 * 9 * 64 + 512 * 10, "a one-line network's MACs")
    for command in ("shapes", "flops", "summary"):
        succeed(command, "resnet50")
    expect("conv2d" in succeed("ops", "conv2d"), "the op reference")
    expect(json.loads(succeed("schema"))["type"] == "object", "the JSON Schema")
    expect("class " in succeed("export", "alexnet"), "source is written without torch")

    wrong = run("params", "vgg61")
    expect(wrong.returncode == 2 and "vgg16" in wrong.stderr, "a typo exits 2 and names the nearest network")
    needy = run("verify", "alexnet")
    expect(
        needy.returncode == 2 and "torch" in needy.stderr,
        "verify without torch exits 2 and says what to install",
    )


if __name__ == "__main__":
    main()
