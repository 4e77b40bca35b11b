"""Faults that are planted one at a time, to see that the harness finds them, and by which of its checks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from archinspect import files, formula, geometry
from archinspect.analysis import receptive_field, results
from archinspect.analysis.compare import comparison
from archinspect.cli import app
from archinspect.diagram import dot
from archinspect.frontends.checkpoint import stored
from archinspect.frontends.spec import reuse, source
from archinspect.latency import devices, saved
from archinspect.ops import REGISTRY
from archinspect.ops.base import NO_COST
from archinspect.pytorch.source import expressions, program
from archinspect.pytorch.source import forward as writing
from archinspect.report.formats import json as json_format
from archinspect.report.formats import terminal
from archinspect.sweep import folding, variants

from . import checks
from .checks import CHECKS
from .run import once

_SEED = 20260
#: examples of each check in one round after the other, until one finds the fault
_ROUNDS = (6, 24)


@dataclass(frozen=True)
class Fault:
    """One mistake: the room it is in, in words, and what plants it while it is entered."""

    room: str
    words: str
    plant: Callable[[], AbstractContextManager[Any]]


def _instead(owner: Any, name: str, change: Callable[..., Any]) -> Callable[[], AbstractContextManager[Any]]:
    """Replace a function; `change` takes the right one, and its arguments."""

    def plant() -> AbstractContextManager[Any]:
        right = getattr(owner, name)
        return patch.object(owner, name, lambda *args, **options: change(right, *args, **options))

    return plant


def _op(type: str, name: str, change: Callable[[Any], Any]) -> Callable[[], AbstractContextManager[Any]]:
    """What a method of a layer type returns, changed."""
    return _instead(REGISTRY[type], name, lambda right, *args: change(right(*args)))


def _without_last(weights: dict[str, Any]) -> dict[str, Any]:
    return dict(list(weights.items())[:-1])


def _turned(weights: dict[str, Any]) -> dict[str, Any]:
    return {name: shape[::-1] for name, shape in weights.items()}


def _more(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-1], shape[-1] + 1)


FAULTS = [
    Fault(
        "ops",
        "a convolution has one MAC too many",
        _op("conv2d", "cost", lambda c: replace(c, macs=c.macs + 1)),
    ),
    Fault("ops", "a convolution's bias is not counted", _op("conv2d", "weights", _without_last)),
    Fault("ops", "a convolution's output is a column too wide", _op("conv2d", "shape", _more)),
    Fault(
        "ops", "a convolution's derivation of MACs", _op("conv2d", "derive_macs", lambda text: f"{text} + 1")
    ),
    Fault("ops", "a transposed convolution's output", _op("conv_transpose2d", "shape", _more)),
    Fault("ops", "a transposed convolution's weight is turned", _op("conv_transpose2d", "weights", _turned)),
    Fault("ops", "a linear layer's weight is turned", _op("linear", "weights", _turned)),
    Fault("ops", "a linear layer's MACs twice", _op("linear", "cost", lambda c: replace(c, macs=2 * c.macs))),
    Fault("ops", "batch normalisation without statistics", _op("batch_norm2d", "buffers", lambda _: {})),
    Fault("ops", "group normalisation without a bias", _op("group_norm", "weights", _without_last)),
    Fault("ops", "a pool's output", _op("max_pool2d", "shape", _more)),
    Fault("ops", "an adaptive pool's output", _op("adaptive_avg_pool2d", "shape", _more)),
    Fault("ops", "an enlargement's output", _op("upsample", "shape", _more)),
    Fault("ops", "a padding's output", _op("zero_pad2d", "shape", _more)),
    Fault("ops", "attention has no biases", _op("multihead_attention", "weights", _without_last)),
    Fault("ops", "attention costs nothing", _op("multihead_attention", "cost", lambda _: NO_COST)),
    Fault(
        "ops", "a class token of two tokens", _op("class_token", "weights", lambda _: {"token": (1, 2, 8)})
    ),
    Fault("ops", "an addition that costs nothing", _op("add", "cost", lambda _: NO_COST)),
    Fault(
        "geometry",
        "ceil mode everywhere",
        _instead(
            geometry.Window,
            "output",
            lambda right, self, size, ceil_mode=False: right(self, size, ceil_mode=True),
        ),
    ),
    Fault(
        "formula",
        "evaluation is off by one",
        _instead(formula, "evaluate", lambda right, text: right(text) + 1),
    ),
    Fault(
        "analysis",
        "a fold loses its last row",
        _instead(results.Analysis, "fold", lambda right, self, *a, **o: _shorter(right(self, *a, **o))),
    ),
    Fault(
        "analysis",
        "receptive fields of 1",
        _instead(receptive_field, "_widest", lambda right, *args: 1),
    ),
    Fault(
        "analysis",
        "a join sees its first branch alone",
        _instead(receptive_field, "_union", lambda right, parts, *args: parts[0]),
    ),
    Fault(
        "analysis",
        "windows a tap too short",
        _instead(
            receptive_field, "_taps", lambda right, *args: list(right(*args))[:-1] or list(right(*args))
        ),
    ),
    Fault(
        "analysis",
        "a network differs from itself",
        lambda: patch.object(comparison.Comparison, "differences", property(lambda self: (1,))),
    ),
    Fault(
        "frontends",
        "a repeated block reads the layer before",
        _instead(
            reuse.Reuse,
            "again",
            lambda right, self, known, path, current: right(self, known, path, max(0, current - 1)),
        ),
    ),
    Fault(
        "frontends",
        "specs are written without biases",
        _instead(checks, "dump", lambda right, graph: right(graph).replace(", bias=False", "")),
    ),
    Fault(
        "frontends",
        "control characters in specs are let pass",
        _instead(source, "refuse_control_characters", lambda right, text: None),
    ),
    Fault(
        "frontends",
        "sizes of stored tensors are not checked",
        _instead(stored, "check_shape", lambda right, name, shape: tuple(shape)),
    ),
    Fault(
        "sweep",
        "parts count their parameters twice",
        _instead(
            folding, "combine", lambda right, *a: (lambda f: f._replace(params=2 * f.params))(right(*a))
        ),
    ),
    Fault(
        "sweep",
        "totals without MACs",
        _instead(variants, "combine", lambda right, *a: right(*a)._replace(macs=0)),
    ),
    Fault(
        "pytorch",
        "every variable has the same name",
        _instead(writing._Writer, "_fresh", lambda right, self, name: "y"),
    ),
    Fault(
        "pytorch",
        "tuples of one lose their comma",
        lambda: patch.object(
            expressions.Literal, "__str__", lambda self: repr(self.value).replace(",)", ")")
        ),
    ),
    Fault(
        "pytorch",
        "a program adds where it should multiply",
        lambda: patch.dict(writing._OPERATORS, {"torch.mul": "+"}),
    ),
    Fault(
        "pytorch",
        "a heading ends its docstring",
        _instead(program, "docstring", lambda right, *args: ['"""', *right(*args)]),
    ),
    Fault(
        "files",
        "a file that is no UTF-8 is a traceback",
        _instead(files, "decoded", lambda right, data, *args: data.decode()),
    ),
    Fault(
        "latency",
        "saved runs without a form",
        _instead(saved, "_document", lambda right, *args: None),
    ),
    Fault(
        "latency",
        "entries of devices are not checked",
        _instead(
            devices,
            "_entry",
            lambda right, path, name, e: devices.Device(name, "", e["peak"], e["bandwidth"], None, ""),
        ),
    ),
    Fault(
        "report",
        "JSON has a word too many",
        _instead(json_format, "export", lambda right, *args: right(*args) + "done"),
    ),
    Fault(
        "report",
        "terminal tables lose a cell",
        _instead(terminal, "_texts", lambda right, *args: right(*args)[:-1]),
    ),
    Fault(
        "diagram",
        "DOT without cards is a traceback",
        _instead(dot, "_quote", lambda right, text: right(text[100])),
    ),
    Fault("cli", "errors end with 0", _instead(app, "_report", lambda right, error: 0 * right(error))),
]


def _shorter(analysis: Any) -> Any:
    return replace(analysis, rows=analysis.rows[:-1])


def found_by(fault: Fault | None) -> str:
    """The check that finds a fault first, within a few rounds; nothing where none does.  None: no fault is planted."""
    quick = [
        check for check in CHECKS if check.name not in ("interrupts", "concurrent writers", "surroundings")
    ]
    _forget()
    try:
        with fault.plant() if fault is not None else nullcontext():
            for number, examples in enumerate(_ROUNDS):
                for check in quick:
                    if once(check, _SEED + number, examples, shrink=False) is not None:
                        return check.name
    finally:
        _forget()
    return ""


def _forget() -> None:
    """Empty the caches, which would keep what was computed with a fault, or without."""
    for cached in vars(receptive_field).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def page() -> str:
    """The page in Markdown: each fault, and the check that found it."""
    failing = found_by(None)
    if failing:
        raise RuntimeError(f"'{failing}' fails without a fault: python -m tests.harness says more")
    rows = []
    for fault in FAULTS:
        rows.append((fault.room, fault.words, found_by(fault)))
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    found = sum(bool(check) for _, _, check in rows)
    lines = [
        "# Planted faults",
        "",
        "Written by `python -m tests.harness --faults`; do not edit.",
        "",
        "[`tests/harness`](../tests/harness/checks.py) draws random networks, damaged files, interrupts and odd",
        "surroundings, and demands of each what must hold. Here one fault at a time is planted in archinspect; the",
        "check is named that finds it first, of those that find nothing without a fault.",
        f"Each check had rounds of {', '.join(map(str, _ROUNDS))} examples: {found} of {len(rows)} are found.",
        "",
        "| room | fault | found by |",
        "| --- | --- | --- |",
        *(f"| {room} | {words} | {check or '**not found**'} |" for room, words, check in rows),
    ]
    return "\n".join(lines) + "\n"
