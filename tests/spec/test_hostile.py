"""Hostile specs end in an error within a second and 200 MB: never a traceback, never an outage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..support import run_python

MEBIBYTE = 1 << 20

#: Prints the errors' codes, processor time of loading, and the process's own peak of resident memory (getrusage would
#: count what the parent held before exec).
PROBE = r"""
import json, re, sys, time
from archinspect.errors import ArchinspectError
from archinspect.spec import load_graph
start = time.process_time()
try:
    load_graph(sys.argv[1])
    codes = None
except ArchinspectError as error:
    codes = [d.code for d in error.diagnostics]
    error.render()
seconds = time.process_time() - start
peak = int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(json.dumps([codes, seconds, peak]))
"""

HEAD = "name: net\ninput: 3x32x32\n"


def doubling(levels: int) -> str:
    blocks = ["  b0():\n    - conv: conv2d(8, 3, padding=1)\n"]
    blocks += [f"  b{i}():\n    - one: b{i - 1}()\n    - two: b{i - 1}()\n" for i in range(1, levels)]
    return f"{HEAD}blocks:\n{''.join(blocks)}layers:\n  - all: b{levels - 1}()\n"


def bomb() -> str:
    lines = ['a: &a ["x","x","x","x","x","x","x","x","x"]']
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(12)]
    return "\n".join(lines)


def chain_of_blocks(count: int) -> str:
    blocks = ["  b0():\n    - relu: relu()\n"] + [
        f"  b{i}():\n    - b: b{i - 1}()\n" for i in range(1, count)
    ]
    return f"{HEAD}blocks:\n{''.join(blocks)}layers:\n  - all: b{count - 1}()\n"


HOSTILE: dict[str, tuple[str, str]] = {
    "alias bomb": (bomb(), "A105"),
    "million repeats": (f"{HEAD}layers:\n  - c[1..1000000]: conv2d(8, 3, padding=1)\n", "A103"),
    "repeats of repeats": (
        f"{HEAD}layers:\n"
        + "".join(f"{'    ' * i}  - s{i}[1..99]:\n" for i in range(9))
        + "    " * 9
        + "  - r: relu\n",
        "A103",
    ),
    "repeats of nothing": (f"{HEAD}layers:\n  - c[1..1000000000]: []\n", "A103"),
    "doubling blocks": (doubling(40), "A103"),
    "long chain of blocks": (chain_of_blocks(20_000), "A103"),
    "deep lists": ("[" * 100_000, "A103"),
    "deep mappings": ("{a: " * 100_000, "A103"),
    "deep indentation": ("".join(f"{' ' * i}a:\n" for i in range(1200)), "A103"),
    "deep brackets in a call": (f"{HEAD}layers:\n  - c: conv2d({'(' * 1900}8{')' * 1900}, 3)\n", "A103"),
    "long sum in a call": (f"{HEAD}layers:\n  - c: conv2d({'1+' * 1900}1, 3)\n", "A103"),
    "many minus signs": (f"{HEAD}layers:\n  - c: conv2d({'-' * 3000}1, 3)\n", "A103"),
    "huge number": (f"{HEAD}layers:\n  - c: conv2d({'9' * 3000}, 3)\n", "A213"),
    "power": (f"{HEAD}layers:\n  - c: conv2d(9 ** 9 ** 9, 3)\n", "A213"),
    "string product": (f"{HEAD}layers:\n  - c: conv2d('a' * 1000000000, 3)\n", "A206"),
    "NUL": ("name: a\0b\n", "A102"),
    "python tag": ('name: !!python/object/apply:os.system ["true"]\n', "A105"),
    "custom tag": ("name: !anything 3\n", "A105"),
    "import in a call": (f"{HEAD}layers:\n  - c: conv2d(__import__('os').getpid(), 3)\n", "A213"),
    "lambda in a call": (f"{HEAD}layers:\n  - c: 'conv2d((lambda: 8)(), 3)'\n", "A213"),
    "two documents": (f"{HEAD}layers:\n  - r: relu\n---\nname: b\n", "A105"),
    "many values": ("- a\n" * 80_000, "A103"),
    "huge input": ("name: net\ninput: 99999999999x1x1\nlayers: [relu]\n", "A402"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text(case: str, tmp_path: Path) -> None:
    text, code = HOSTILE[case]
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    assert_refused(path, code)


def test_hundred_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.truncate(100 * MEBIBYTE)
    assert_refused(path, "A103")


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00n", b"\x80abc", b"\x89PNG\r\n\x1a\n"], ids=["utf-16", "latin-1", "png"]
)
def test_binary(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(data)
    assert_refused(path, "A102")


def assert_refused(path: Path, code: str) -> None:
    done = run_python("-c", PROBE, str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    codes, seconds, peak = json.loads(done.stdout)
    assert codes is not None, "the file was accepted"
    assert code in codes
    assert seconds < 1, f"{seconds:.2f} s of processor time"
    assert peak < 200 * MEBIBYTE
