"""`Network.export`: what is written, by the ending of the path."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import fail
from ..files import write
from ..graph import Graph
from .checked import checked_source
from .weights import Weights


def export(graph: Graph, path: str | os.PathLike[str] | None, weights: Weights | None) -> str:
    """Write source, ONNX or weights; returns the path, or the source where there is none.

    Raises ArchinspectError: A403 for another ending, and what the writers and `build` raise.
    """
    if path is None:
        if weights is not None:
            raise fail("A403", "weights are written to a file", help="export('net.py', weights=...)")
        return checked_source(graph)[0]
    target = Path(path)
    ending = target.suffix.lower()
    if ending == ".onnx":
        from .onnx import export_onnx

        write(export_onnx(graph, weights=weights), target)
    elif ending in (".pth", ".pt"):
        if weights is None:
            raise fail("A403", "a file of weights needs weights", help="export('net.pth', weights=...)")
        write(_converted(graph, weights), target)
    elif ending != ".py":
        raise fail(
            "A403",
            f"cannot tell what to write from the ending '{ending}'",
            help="end the name in .py, .onnx or .pth; a spec, .yaml, holds no weights",
        )
    elif weights is None:
        write(checked_source(graph)[0], target)
    else:
        beside = target.with_name(f"{target.stem}_weights.pth")
        text, _ = checked_source(graph, weights=beside.name)
        write(_converted(graph, weights), beside)
        write(text, target)
    return os.fspath(path)


def _converted(graph: Graph, weights: Weights) -> bytes:
    from .weights import converted

    return converted(graph, weights)
