"""Tab-separated values, as `cut` and spreadsheets take them: what CSV has, without quotes.

A tab or line end inside a text becomes a space, since the format has no way to write one.
"""

from __future__ import annotations

from ... import neutral
from ..style import Style
from ..table import Report


def export(report: Report, style: Style) -> str:
    return "\n".join(
        "".join(
            "\t".join(" ".join(neutral.cell(text).split("\t")) for text in line) + "\n"
            for line in (
                [column.key for column in table.columns],
                *(
                    [column.raw(cell) for column, cell in zip(table.columns, row, strict=True)]
                    for row in table.rows
                ),
            )
        )
        for table in report.tables
    )
