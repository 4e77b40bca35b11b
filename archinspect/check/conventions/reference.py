"""docs/conventions.md: the rules of all tools side by side, as their files state them.

`python -m archinspect.check.conventions.reference > docs/conventions.md` rewrites the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ...ops import REGISTRY
from . import CONVENTIONS
from .rules import Convention

_HEAD = """\
# How other tools count

Five tools print five figures for one network. Each counts by rules of its own, and archinspect knows them: it
predicts every figure from the spec alone; `archinspect verify` runs the tools and holds them to the prediction, to
the last digit. `--convention NAME` prints any table by a tool's rules, `verify` says term by term why two tools differ.

This page is written by `python -m archinspect.check.conventions.reference`.

## The tools
"""
_RULES = """
## Rules, op by op

MACs are [ours](counting.md). "no rule": the tool has none and adds nothing; "ignored": its authors list the op as
free, or restrict the tool to other work; a part in brackets is counted beside the rest.
"""


def document() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_tools(), _RULES, *_table(), *_peculiarities()]) + "\n"


def _tools() -> Iterator[str]:
    yield "| name | tool | its figure | unit | parameters it counts | read in |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for convention in CONVENTIONS.values():
        unit = (
            convention.unit if convention.per_mac == 1 else f"{convention.unit}, {convention.per_mac} a MAC"
        )
        cells = (
            f"`{convention.name}`",
            convention.tool,
            f"`{convention.figure}`",
            unit,
            convention.params_text or "none",
            convention.source,
        )
        yield f"| {' | '.join(cells)} |"


def _table() -> Iterator[str]:
    yield f"| op | {' | '.join(CONVENTIONS)} |"
    yield "| --- |" + " --- |" * len(CONVENTIONS)
    for name in sorted(REGISTRY):
        yield f"| `{name}` | {' | '.join(_rule(convention, name) for convention in CONVENTIONS.values())} |"


def _rule(convention: Convention, op: str) -> str:
    return "; ".join(dict.fromkeys(piece.text for piece in convention.pieces(op))).replace("|", "or")


def _peculiarities() -> Iterator[str]:
    yield "\n## Peculiarities\n"
    for convention in CONVENTIONS.values():
        for note in convention.notes:
            yield f"- {convention.tool}: {note.text}"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(document())
