"""`python -m tests.coverage`: capture every model of the installed libraries and print a table of what came of it.

    python -m tests.coverage                        # all libraries that are installed
    python -m tests.coverage timm --only 'timm:vit*'
    python -m tests.coverage timm --json timm.json  # also keeps every trial
    python -m tests.coverage --kept timm.json torchvision.json --write  # no new trial: docs/coverage.md of those

Each model is built without weights, captured, analysed, and held against the sum of its parameters and against
FlopCounterMode on the meta device.  A model that takes longer than `--limit` seconds is stopped, and said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.support import DOCS

from .libraries import LIBRARIES, installed, models
from .trial import Trial, attempt

_BATCH = (
    24  # models that one process tries before a fresh one takes over: modules of many models stay imported
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "libraries", nargs="*", choices=[*LIBRARIES, []], help="all that are installed unless named"
    )
    parser.add_argument("--only", default="*", help="a pattern that names must match")
    parser.add_argument("--every", type=int, default=1, help="try only every so many of a library's models")
    parser.add_argument("--first", type=int, default=0, help="the place of the first of these")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=120, help="seconds that one model may take")
    parser.add_argument("--json", type=Path, help="also keep every trial in this file")
    parser.add_argument("--kept", type=Path, nargs="+", default=(), help="try none; read what --json kept")
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md")
    parser.add_argument(
        "--try", dest="trials", nargs="+", help=argparse.SUPPRESS
    )  # what a worker is called with
    asked = parser.parse_args()
    if asked.trials:
        for model in asked.trials:
            print(json.dumps(asdict(attempt(model))), flush=True)
        return 0
    found: list[Trial] = []
    start, before = time.monotonic(), 0.0
    for file in asked.kept:
        kept = json.loads(file.read_text(encoding="utf-8"))
        before += kept["seconds"]
        found += [Trial(**trial) for trial in kept["trials"]]
    libraries = dict.fromkeys(t.model.partition(":")[0] for t in found) or asked.libraries or installed()
    offered: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for library in libraries:
            names = list(models(library, Path(folder)))
            offered[library] = len(names)
            if not asked.kept:
                names = [name for name in names if fnmatch(name, asked.only)]
                found += _tried(names[asked.first :: asked.every], asked.jobs, asked.limit)
    seconds = before + time.monotonic() - start
    text = page(found, seconds, offered)
    print(text)
    if asked.json:
        trials = {"seconds": seconds, "trials": [asdict(trial) for trial in found]}
        asked.json.write_text(json.dumps(trials, indent=1), encoding="utf-8")
    if asked.write:
        (DOCS / "coverage.md").write_text(text, encoding="utf-8")
    return int(any("TRACEBACK" in trial.reason or trial.verdict == "differs" for trial in found))


def _tried(names: Sequence[str], jobs: int, limit: float) -> list[Trial]:
    """All trials, in the order of the names, each batch in a process of its own."""
    batches = [names[i : i + _BATCH] for i in range(0, len(names), _BATCH)]
    with ThreadPoolExecutor(jobs) as pool:
        return [
            trial for batch in pool.map(lambda names: list(_batch(names, limit)), batches) for trial in batch
        ]


def _batch(names: Sequence[str], limit: float) -> Iterator[Trial]:
    """The trials of one process.  A model that ends it, or that is too slow, is said to, and the rest goes on."""
    rest = list(names)
    while rest:
        command = [sys.executable, "-m", "tests.coverage", "--try", *rest]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as worker:
            assert worker.stdout is not None
            timer = _Deadline(worker, limit + 30)  # the first import takes a while
            for line in worker.stdout:
                timer.again(limit)
                yield Trial(**json.loads(line))
                rest.pop(0)
            timer.cancel()
        if rest:
            why = (
                f"took longer than {limit:g} s"
                if timer.passed
                else f"its process ended with {worker.returncode}"
            )
            yield Trial(rest.pop(0).partition("!")[0], "not captured", why)


class _Deadline:
    """Ends a process that says nothing for too long."""

    def __init__(self, worker: subprocess.Popen[str], limit: float) -> None:
        self.worker, self.passed = worker, False
        self._start(limit)

    def _start(self, limit: float) -> None:
        from threading import Timer

        self.timer = Timer(limit, self._end)
        self.timer.daemon = True
        self.timer.start()

    def _end(self) -> None:
        self.passed = True
        self.worker.kill()

    def again(self, limit: float) -> None:
        self.timer.cancel()
        self._start(limit)

    def cancel(self) -> None:
        self.timer.cancel()


def page(trials: Sequence[Trial], seconds: float, offered: Mapping[str, int]) -> str:
    """The table per library, then every model that was not captured or whose MACs differ, with the reason.

    `offered`: how many models each library has, of which fewer may have been tried.
    """
    libraries = list(dict.fromkeys(trial.model.partition(":")[0] for trial in trials))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", *libraries))
    lines = [
        "# Coverage",
        "",
        "The models that these libraries build: all, or every so many of them.",
        "",
        "Each was captured by one abstract forward pass and held against the sum of its own parameters and against",
        "PyTorch's FlopCounterMode on the meta device.  `python -m tests.coverage` printed this page,",
        f"with {versions}, Python {platform.python_version()}, in {seconds / 60:.0f} minutes.",
        "",
        "| library | offered | tried | captured | on real numbers | not captured | parameters equal | MACs equal"
        " | difference named | MACs differ | no FlopCounterMode | capture and analyse, median"
        " | FlopCounterMode, median |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        _row(name, offered[name], [t for t in trials if t.model.startswith(f"{name}:")]) for name in libraries
    ]
    lines += [
        "",
        "*Difference named*: ours is larger by exactly the multiply-accumulates of calls that FlopCounterMode has no",
        "rule for (products by expert, products with a vector, deformable convolution).  *On real numbers*: the",
        "forward pass asks for values of activations, and was run on small real tensors.",
    ]
    lines += _listed("Not captured", [(t, t.reason) for t in trials if t.how == "not captured"])
    lines += _listed(
        "MACs that differ without a name",
        [(t, f"ours {t.macs:,}, FlopCounterMode {t.counted:,}") for t in trials if t.verdict == "differs"],
    )
    lines += _listed(
        "Parameters that differ",
        [
            (t, f"ours {t.params:,}, its own {t.own_params:,}")
            for t in _there(trials)
            if t.params != t.own_params
        ],
    )
    lines += _listed(
        "Where FlopCounterMode does not run",
        [(t, t.refused) for t in _there(trials) if t.counted is None],
    )
    lines += _listed("Calls that nobody has a rule for", [(t, "") for t in _there(trials) if not t.complete])
    return "\n".join(lines) + "\n"


def _there(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.how != "not captured"]


def _row(library: str, offered: int, trials: Sequence[Trial]) -> str:
    hows, there = Counter(trial.how for trial in trials), _there(trials)
    verdicts = Counter(trial.verdict for trial in there)
    timed = [trial for trial in there if trial.capture_s and trial.count_s]
    cells = [
        library,
        *(
            f"{n:,}"
            for n in (offered, len(trials), hows["captured"], hows["on real numbers"], hows["not captured"])
        ),
        f"{sum(trial.params == trial.own_params for trial in there):,}",
        *(f"{verdicts[name]:,}" for name in ("equal", "named", "differs", "uncounted")),
        f"{median(t.capture_s or 0 for t in timed) * 1000:.0f} ms" if timed else "",
        f"{median(t.count_s or 0 for t in timed) * 1000:.0f} ms" if timed else "",
    ]
    return f"| {' | '.join(cells)} |"


def _listed(title: str, rows: Sequence[tuple[Trial, str]]) -> list[str]:
    if not rows:
        return []
    shown = [f"- `{_short(trial.model)}`" + (f": {why}" if why else "") for trial, why in rows]
    return ["", f"## {title}", "", *shown]


def _short(model: str) -> str:
    """A config's path as the type that it is of."""
    library, _, name = model.partition(":")
    return f"{library}:{Path(name).parent.name}" if name.endswith("config.json") else model


if __name__ == "__main__":
    sys.exit(main())
