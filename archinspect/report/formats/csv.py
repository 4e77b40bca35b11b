"""Comma-separated values for machines: raw integers, one header line, data rows only.

The total row is left out, so that a sum over a column is the total and not twice it.
"""

from __future__ import annotations

import csv
import io

from ... import neutral
from ..style import Style
from ..table import Report


def export(report: Report, style: Style) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for index, table in enumerate(report.tables):
        if index:
            out.write("\n")
        writer.writerow(column.key for column in table.columns)
        for row in table.rows:
            raw = (column.raw(cell) for column, cell in zip(table.columns, row, strict=True))
            writer.writerow(map(neutral.cell, raw))
    return out.getvalue()
