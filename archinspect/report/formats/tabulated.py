"""The formats of the `tabulate` package: reStructuredText, Org, AsciiDoc, MediaWiki, Jira and more.

A bar inside a text is written as the format writes it, where bars part its cells.
"""

from __future__ import annotations

from collections.abc import Callable

from ..style import Style
from ..table import Report, Table

#: formats that have another name there
_THEIRS = {"org": "orgtbl"}
_BARS = {
    "github": r"\|",
    "pipe": r"\|",
    "orgtbl": r"\vert{}",
    "asciidoc": r"\|",
    "jira": r"\|",
    "youtrack": r"\|",
    "mediawiki": "{{!}}",
    "textile": "&#124;",
}


def exporter(name: str) -> Callable[[Report, Style], str]:
    """The exporter of one of these formats."""

    def export(report: Report, style: Style) -> str:
        return "\n\n".join(_table(table, _THEIRS.get(name, name)) for table in report.tables) + "\n"

    return export


def _table(table: Table, format: str) -> str:
    from tabulate import tabulate  # only these formats need it

    bar = _BARS.get(format, "|")

    def texts(row: tuple[object, ...]) -> list[str]:
        return [
            column.show(cell).replace("|", bar)  # type: ignore[arg-type]
            for column, cell in zip(table.columns, row, strict=True)
        ]

    rows = [texts(row) for row in table.rows]
    if table.total is not None:
        rows.append(texts(table.total))
    blocks = [text for text in (table.title, table.subtitle) if text]
    if rows:
        blocks.append(
            tabulate(
                rows,
                headers=[column.title for column in table.columns],
                tablefmt=format,
                disable_numparse=True,
                colalign=["right" if column.right else "left" for column in table.columns],
            )
        )
    return "\n\n".join([*blocks, *table.notes])
