"""Hostile specs end in an error within a second and 200 MB: never a traceback, never an outage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archinspect.frontends.spec import load_graph

from ..support import run_python

MEBIBYTE = 1 << 20

#: Prints the errors' codes, processor time of loading, and the process's own peak of resident memory (getrusage would
#: count what the parent held before exec).
PROBE = r"""
import json, re, sys, time
from archinspect.errors import ArchinspectError
from archinspect.frontends.spec import load_graph
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
LAYERS = f"{HEAD}layers:\n"


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


def doubling_under_conditions(levels: int) -> str:
    """Blocks that each use the next twice, under a condition that only the layout can decide."""
    blocks = [f"  b{levels}():\n    - conv: conv2d(8, 1)\n"]
    blocks += [
        f"  b{i}():\n    - x if in_channels > 0: b{i + 1}()\n    - y if in_channels > 0: b{i + 1}()\n"
        for i in range(levels)
    ]
    return f"{HEAD}blocks:\n{''.join(blocks)}layers:\n  - all: b0()\n"


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
    "rounding to many digits": (f"{LAYERS}  - c: conv2d(4 + round(4, -99999999), 3)\n", "A213"),
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
    "rounds of a counted repeat": (f"{LAYERS}  - inline[i=1..100000000]:\n      - c{{i}}: relu\n", "A103"),
    "conditions that leave everything out": (
        f"{HEAD}blocks:\n  b(i):\n"
        + "".join(f"    - a{k} if i < 0: relu\n" for k in range(9000))
        + "layers:\n  - inline[i=1..9000]: b(i)\n",
        "A103",
    ),
    "long sums, often": (f"{LAYERS}  - c[i=1..90000]: conv2d(max({'1,' * 1900}i), 1)\n", "A103"),
    "inline blocks in inline blocks": (
        f"{HEAD}blocks:\n  b0():\n    - relu\n"
        + "".join(f"  b{i}():\n    - inline: b{i - 1}()\n" for i in range(1, 9_000))
        + "layers:\n  - inline: b8999()\n",
        "A103",
    ),
    "long names, nested": (
        LAYERS
        + "".join(f"{'    ' * k}  - {'n' * 90}{k}:\n" for k in range(40))
        + f"{'    ' * 40}  - r[1..90000]: relu\n",
        "A103",
    ),
    "a long name": (f"{LAYERS}  - {'n' * 1000}: relu\n", "A209"),
    "a chain without end": (f"{LAYERS}  - a: {' -> '.join(['relu'] * 12_000)}\n", "A103"),
    "a cycle of many blocks": (
        f"{HEAD}blocks:\n"
        + "".join(f"  b{i}():\n    - x: b{(i + 1) % 9_000}()\n" for i in range(9_000))
        + "layers:\n  - x: b0()\n",
        "A211",
    ),
    "more errors than anyone reads": (LAYERS + "".join(f"  - a{k}: cnv2d(8)\n" for k in range(9000)), "A103"),
    "many choices": (f"{LAYERS}  - a: {'relu if 1 else ' * 400}relu\n", "A103"),
    "deep flow mappings": ("{a: " * 300 + "1" + "}" * 300, "A103"),
    "a number without end": (f"name: net\ninput: {'9' * 100_000}\nlayers: [relu]\n", "A402"),
    "infinity": (f"{LAYERS}  - a: conv2d(int(1e999), 3)\n", "A213"),
    "shift": (f"{LAYERS}  - a: conv2d(1 << 999999, 3)\n", "A213"),
    "a class by its attributes": (f"{LAYERS}  - a: conv2d(().__class__.__base__, 3)\n", "A213"),
    "marks that turn the text": (f"{LAYERS}  - a: relu # \u202e\n", "A102"),
    "letters that look alike": (f"{LAYERS}  - \uff41: relu\n", "A209"),
    "a merge key": (f"{LAYERS}  - <<: relu\n", "A209"),
    "nothing": ("", "A107"),
    "a document mark": ("---\n", "A107"),
    "another YAML": (f"%YAML 3.0\n---\n{HEAD}", "A104"),
    "huge input": ("name: net\ninput: 99999999999x1x1\nlayers: [relu]\n", "A402"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text(case: str, tmp_path: Path) -> None:
    text, code = HOSTILE[case]
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    assert_refused(path, code)


def test_doubling_that_only_the_layout_can_count(tmp_path: Path) -> None:
    """It is refused once the largest number of layers is laid out, so it may cost what that many layers cost."""
    path = tmp_path / "hostile.yaml"
    path.write_text(doubling_under_conditions(40))
    assert_refused(path, "A103", seconds=3, mebibytes=400)


def test_hundred_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.truncate(100 * MEBIBYTE)
    assert_refused(path, "A103")


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ("  - c[1..30000]: conv2d(8, 3, padding=1)\n", (1, 8, 32, 32)),
        ("  - concat:\n      b[1..30000]: relu\n", (1, 90_000, 32, 32)),
        ("  - a: adaptive_avg_pool2d(2000000000)\n", (1, 3, 2_000_000_000, 2_000_000_000)),
    ],
    ids=["long", "wide", "large"],
)
def test_large_networks_take_little_memory(layers: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(LAYERS + layers)
    done = run_python("-c", PROBE, str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    codes, _, peak = json.loads(done.stdout)
    assert codes is None
    assert peak < 200 * MEBIBYTE
    assert load_graph(path).output_shape == shape


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00n", b"\x80abc", b"\x89PNG\r\n\x1a\n"], ids=["utf-16", "latin-1", "png"]
)
def test_binary(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(data)
    assert_refused(path, "A102")


def assert_refused(path: Path, code: str, seconds: float = 1, mebibytes: int = 200) -> None:
    done = run_python("-c", PROBE, str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    codes, took, peak = json.loads(done.stdout)
    assert codes is not None, "the file was accepted"
    assert code in codes
    assert took < seconds, f"{took:.2f} s of processor time"
    assert peak < mebibytes * MEBIBYTE
