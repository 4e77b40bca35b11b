"""Other layouts: Graphviz, through the `graphviz` package, from the DOT that we write.

Our own layout needs none of them.  `graphviz-pure` comes from pip with the `diagram` extra, for SVG and PNG; `dot`
is what the system has, and writes PDF too.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ..errors import fail

ENGINES = ("archinspect", "graphviz-pure", "dot")


def run(engine: str, source: str, format: str) -> bytes:
    """DOT to SVG, PNG or PDF by `graphviz-pure` or `dot`.

    Raises ArchinspectError: A404 for an engine that is not installed, A405 for one that fails.
    """
    import graphviz
    from graphviz.backend import dot_command

    binary = find(engine)
    usual = dot_command.DOT_BINARY
    dot_command.DOT_BINARY = binary
    try:
        data: bytes = graphviz.pipe("dot", format, source.encode("utf-8"), quiet=True)
    except (graphviz.CalledProcessError, OSError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        notes = words.strip().splitlines()[:3]
        raise fail("A405", f"the engine '{engine}' could not write {format.upper()}", notes=notes) from None
    finally:
        dot_command.DOT_BINARY = usual
    return _commented(data, engine) if format == "svg" else data


def find(engine: str) -> Path:
    """The engine's program: beside this interpreter, or on PATH.  Raises ArchinspectError (A404)."""
    beside = Path(sys.executable).parent / engine
    found = str(beside) if engine == "graphviz-pure" and beside.exists() else shutil.which(engine)
    if found is None:
        pip = engine == "graphviz-pure"
        how = (
            "pip install 'archinspect[diagram]'"
            if pip
            else "install Graphviz, or take --engine graphviz-pure"
        )
        raise fail("A404", f"this needs the engine '{engine}', which is not installed", help=how)
    return Path(found)


def _commented(svg: bytes, engine: str) -> bytes:
    """The file with the engine's name in a comment, behind its XML declaration."""
    head, end, rest = svg.partition(b"?>")
    if not end:
        head, rest = b"", svg
    comment = f"<!-- archinspect; laid out by {engine} -->".encode()
    return head + end + b"\n" + comment + rest if end else comment + b"\n" + rest
