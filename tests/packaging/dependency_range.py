"""The commands with the oldest dependencies that are promised and with the newest: `python dependency_range.py`.

Each set is installed into an environment of its own, from the package registry: CI runs this, the default tests do not.
PyTorch's own packages are left out, of which each version takes gigabytes.  Exits 1 at the first thing that is not as
it should be.
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
    ("params", "lenet5", "--format", "rst"): (0, "61,706"),
    ("diagram", "lenet5", "-o", "lenet5.png"): (0, "lenet5.png"),
    ("diagram", "lenet5", "--engine", "graphviz-pure", "-o", "graph.svg"): (0, "graph.svg"),
}
#: extras whose packages are small
LIGHT = ("diagram",)
VERSIONS = (
    "import sys; from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in sys.argv[1:]))"
)
IMPORTED = (
    "import sys; from archinspect.cli.app import run; run(['params', 'lenet5']); print(*sorted(sys.modules))"
)


def expect(holds: bool, what: str) -> None:
    print(("ok    " if holds else "WRONG ") + what, flush=True)
    if not holds:
        sys.exit(1)


def promised() -> list[str]:
    """What pyproject.toml promises to run with: `name>=oldest`."""
    project = PYPROJECT["project"]
    extras = [line for extra in LIGHT for line in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *extras]


def check(wanted: list[str], folder: Path) -> None:
    """The commands with these versions."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT), *wanted], check=True)
    names = [re.split(r"[>=]", line)[0] for line in promised()]
    shown = subprocess.run([python, "-c", VERSIONS, *names], capture_output=True, text=True, check=True)
    print(shown.stdout.strip(), flush=True)
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


def main() -> None:
    oldest = [line.replace(">=", "==") for line in promised()]
    newest = [re.split(r"[>=]", line)[0] for line in promised()]
    with tempfile.TemporaryDirectory() as place:
        for number, wanted in enumerate((oldest, newest)):
            check(wanted, Path(place) / str(number))


if __name__ == "__main__":
    main()
