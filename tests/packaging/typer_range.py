"""The commands with the oldest typer that is promised and the newest there is: `python typer_range.py [VERSION...]`.

Each version is installed with what plain archinspect needs into an environment of its own, from the package registry:
CI runs this, the default tests do not.  Exits 1 at the first thing that is not as it should be.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: command line → (exit code, what it must say)
SAYS: dict[tuple[str, ...], tuple[int, str]] = {
    ("--version",): (0, "archinspect "),
    ("--help",): (0, "Numbers of a network"),
    ("params", "--help"): (0, "--depth N"),
    ("--show-completion", "bash"): (0, "_ARCHINSPECT_COMPLETE"),
    ("params", "vgg16", "--depth", "1"): (0, "138,357,544"),
    ("summary", "lenet5", "--format", "json"): (0, '"macs"'),
    ("flops", "conv2d(8, 3) -> relu", "--input", "3x8x8", "--explain"): (0, "7,776"),
    ("compare", "alexnet", "vgg16"): (0, "Total"),
    ("check", "vgg16", "--exit-zero"): (0, "138,357,544"),
    ("latency", "vgg16", "--predict", "h100", "--batch", "1,8", "--no-layers"): (0, "h100"),
    ("bottleneck", "256x32x32", "--out", "128", "--kernel", "5", "--reduce", "64"): (0, "Direct"),
    ("list", "--sort", "params"): (0, "vgg16"),
    ("ops", "conv2d"): (0, "kernel"),
    ("schema",): (0, '"object"'),
    ("params",): (2, "missing argument 'MODEL'"),
    ("params", "vgg16", "--depth", "0"): (2, "--depth"),
    ("params", "vgg16", "--depth", "x"): (2, "'x' is not a"),
    ("params", "vgg16", "--fromat", "csv"): (2, "did you mean '--format'?"),
    ("params", "vgg16", "--format", "cvs"): (2, "did you mean 'csv'?"),
    ("parmas", "vgg16"): (2, "did you mean 'params'?"),
}
IMPORTED = (
    "import sys; from archinspect.cli.app import run; run(['params', 'lenet5']); print(*sorted(sys.modules))"
)


def expect(holds: bool, what: str) -> None:
    print(("ok    " if holds else "WRONG ") + what, flush=True)
    if not holds:
        sys.exit(1)


def oldest() -> str:
    """The oldest version of typer that pyproject.toml promises."""
    [line] = [line for line in PYPROJECT["project"]["dependencies"] if line.startswith("typer")]
    return re.findall(r">=([\d.]+)", line)[0] + ".0"


def check(version: str | None, folder: Path) -> None:
    """The commands with this version of typer; None is the newest."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    wanted = "typer" if version is None else f"typer=={version}"
    subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT), wanted], check=True)
    shown = subprocess.run(
        [python, "-c", "import typer; print(typer.__version__)"], capture_output=True, text=True
    )
    print(f"typer {shown.stdout.strip()}", flush=True)
    for words, (status, says) in SAYS.items():
        done = subprocess.run(
            [python, "-P", "-m", "archinspect", *words],
            capture_output=True,
            encoding="utf-8",
            cwd=folder,
            check=False,
        )
        said = done.stdout + done.stderr
        right = done.returncode == status and says in said and "Traceback" not in said
        expect(right, f"archinspect {' '.join(words)}" + ("" if right else f"\n{said}"))
    done = subprocess.run(
        [python, "-P", "-c", IMPORTED], capture_output=True, encoding="utf-8", cwd=folder, check=False
    )
    heavy = {"pydantic", "rich"} & set(done.stdout.splitlines()[-1].split())
    expect(not heavy, f"a command imports neither pydantic nor rich {heavy or ''}")


def main(versions: list[str]) -> None:
    wanted: list[str | None] = [*versions] or [oldest(), None]
    with tempfile.TemporaryDirectory() as place:
        for number, version in enumerate(wanted):
            check(version, Path(place) / str(number))


if __name__ == "__main__":
    main(sys.argv[1:])
