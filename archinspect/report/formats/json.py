"""JSON: one document, the report's own where it has one, one row of a list on each line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..style import Style
from ..table import AtLeast, Cell, Report, Table


def export(report: Report, style: Style) -> str:
    document = report.document() if report.document is not None else plain(report)
    return _write(document, ascii_only=not style.unicode)


def _write(document: Mapping[str, Any], *, ascii_only: bool) -> str:
    """Indented where it helps the eye: keys and list rows on lines of their own, what is inside them compact."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)

    entries = []
    for key, value in document.items():
        rows = list(value) if isinstance(value, (list, tuple)) else []
        if rows and all(isinstance(row, Mapping) for row in rows):
            lines = ",\n".join(f"    {dump(row)}" for row in rows)
            entries.append(f"  {dump(key)}: [\n{lines}\n  ]")
        else:
            entries.append(f"  {dump(key)}: {dump(value)}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def plain(report: Report) -> dict[str, Any]:
    """The document of a report that has none of its own."""
    if len(report.tables) == 1:
        return _table(report.tables[0])
    return {"tables": [_table(table) for table in report.tables]}


def _table(table: Table) -> dict[str, Any]:
    keys = [column.key for column in table.columns]

    def record(row: tuple[Cell, ...]) -> dict[str, Any]:
        return dict(zip(keys, map(_value, row), strict=True))

    document: dict[str, Any] = {"title": table.title, "rows": [record(row) for row in table.rows]}
    if table.total is not None:
        document["total"] = record(table.total)
    return document


def _value(cell: Cell) -> Any:
    return {"at_least": cell.value} if isinstance(cell, AtLeast) else cell
