"""Words about measurements that several reports share: figures, options, where it was, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .table import Cell

if TYPE_CHECKING:
    from ..latency.flags import Flag
    from ..latency.results import Measurement, Run

#: the three figures by the mode that takes them, in words; they answer different questions
FIGURES = {
    "latency": "synchronised",
    "throughput": "pipelined",
    "graph": "CUDA graph replay",
}
MEANING = {
    "latency": "synchronised: from the call to the finished result, one forward at a time",
    "throughput": "pipelined: device time per forward with the queue kept full",
    "graph": "CUDA graph replay: device time of the captured forward, without the host's work",
}
#: what was asked beyond batch and precision, in words
OPTIONS = {"channels_last": "channels last", "compile": "compiled", "cold": "cold caches"}


def configuration(run: Run) -> str:
    """`batch 1, fp32, compiled`: what was measured."""
    return ", ".join([f"batch {run.batch}", run.label, *(OPTIONS.get(each, each) for each in run.options)])


def flags(runs: Iterable[Run]) -> list[str]:
    """What was noticed, each kind once, with the remedy; of several runs the first that shows it, and how many do."""
    runs = list(runs)
    models = len({run.model for run in runs}) > 1
    told: dict[str, list[tuple[Run, Flag]]] = {}
    for run in runs:
        for flag in run.flags:
            told.setdefault(flag.code, []).append((run, flag))
    lines = []
    for code, seen in told.items():
        first, flag = seen[0]
        count = len({id(run) for run, _ in seen})
        modes = len({run.mode for run in runs}) > 1
        words = [*([first.model] if models else []), f"batch {first.batch} {first.label}"]
        words += [FIGURES[first.mode]] if modes else []
        more = f"; {count} of {len(runs)} runs" if count > 1 else ""
        at = f" [{' '.join(words)}{more}]" if len(runs) > 1 else ""
        messages = list(dict.fromkeys(flag.message for run, flag in seen if run is first))
        lines.append(f"{code}{at}: {' '.join(map(sentence, messages))} {sentence(flag.remedy)}")
    return lines


def where(found: Measurement) -> str:
    """The device and what matters most about it."""
    environment = found.environment
    parts = [f"{found.device}"]
    if "gpu" not in environment:
        parts.append(f"{environment['threads']} threads on {environment['cores']} cores")
    else:
        parts.append(f"driver {environment.get('gpu_driver_version', '?')}, CUDA {environment['cuda']}")
    parts.append(f"torch {environment['torch']}")
    options = dict.fromkeys(option for run in found.runs for option in run.options)
    parts += [OPTIONS.get(option, option.replace("_", " ")) for option in options]
    return "; ".join(parts)


def in_seconds(milliseconds: float | None) -> Cell:
    """A cell in the unit of tables; empty where there is nothing."""
    return "" if milliseconds is None else milliseconds / 1000


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
