"""Print the figures of docs/performance.md as Markdown: `python -m tests.benchmarks`.  Exit 1 if a bound is broken."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from .figures import FIGURES, Figure, growth
from .zoo import networks, zoo

PACKAGES = ("typer", "PyYAML", "torch", "torchinfo")


def machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}, {packages}"


def row(figure: Figure) -> str:
    value = f"{figure.value:.1f}{'' if figure.unit == '×' else ' '}{figure.unit}"
    bound = (
        f"{'≥' if figure.at_least else '≤'} {figure.bound:g}{'' if figure.unit == '×' else ' '}{figure.unit}"
    )
    verdict = "" if figure.holds else " **broken**"
    return f"| {figure.what} | {figure.ours} | {figure.theirs} | {value} | {bound}{verdict} |"


def main() -> int:
    print(f"Measured on {machine()}; medians of rounds in turn.\n")
    print("| what | ours | theirs | figure | bound |\n| --- | ---: | ---: | ---: | ---: |")
    broken = 0
    for measure in (*FIGURES.values(), zoo):
        for figure in measure():
            print(row(figure), flush=True)
            broken += not figure.holds
    print("\n| layers | load | analyse | per layer |\n| ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for size in growth(Path(folder)):
            times = (
                f"{size.load * 1e3:,.1f} ms | {size.analyse * 1e3:,.1f} ms | {size.per_layer * 1e6:.1f} µs"
            )
            print(f"| {size.layers:,} | {times} |", flush=True)
    print("\n| network | layers | load | analyse | per layer |\n| --- | ---: | ---: | ---: | ---: |")
    for name, size in networks():
        times = f"{size.load * 1e3:.1f} ms | {size.analyse * 1e3:.1f} ms | {size.per_layer * 1e6:.1f} µs"
        print(f"| {name} | {size.layers:,} | {times} |", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
