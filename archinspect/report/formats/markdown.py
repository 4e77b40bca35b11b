"""GitHub-flavoured Markdown tables."""

from __future__ import annotations

import re

from ..style import Style
from ..table import Report, Table

_SPECIAL = re.compile(r"([\\|*`<>\[\]]|(?<!\w)_|_(?!\w))")  # an underscore inside a word is plain text


def export(report: Report, style: Style) -> str:
    return "\n\n".join(map(_table, report.tables)) + "\n"


def _table(table: Table) -> str:
    blocks = [f"**{_escape(table.title)}**"] if table.title else []
    if table.subtitle:
        blocks.append(_escape(table.subtitle))
    titles = [_escape(c.title) for c in table.columns]
    rows = [[_escape(c.show(cell)) for c, cell in zip(table.columns, row, strict=True)] for row in table.rows]
    if table.total is not None:
        shown = [c.show(cell) for c, cell in zip(table.columns, table.total, strict=True)]
        rows.append([f"**{_escape(text)}**" if text else "" for text in shown])
    # Padded to equal widths, so that the source is as readable as what is made of it.
    widths = [max(3, *(len(row[i]) for row in [titles, *rows])) for i in range(len(titles))]
    rule = ["-" * (w - 1) + ":" if c.right else "-" * w for c, w in zip(table.columns, widths, strict=True)]

    def line(cells: list[str]) -> str:
        padded = [
            f"{t:>{w}}" if c.right else f"{t:<{w}}"
            for t, w, c in zip(cells, widths, table.columns, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    blocks.append("\n".join(map(line, [titles, rule, *rows])))
    blocks += [_escape(note) for note in table.notes]
    return "\n\n".join(blocks)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
