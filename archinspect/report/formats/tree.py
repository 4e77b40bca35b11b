"""The table as a tree: scopes as branches with the sums of what is inside, layers as leaves.

A table whose rows have no paths stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..style import Style
from ..table import AtLeast, Cell, Cells, Report, Table
from . import terminal

#: kinds of columns whose cells add up
_SUMMED = ("int", "bytes", "count", "change")


def export(report: Report, style: Style) -> str:
    tables = tuple(_tree(table, style) for table in report.tables)
    return terminal.export(report._replace(tables=tables), style)


@dataclass
class _Branch:
    """A scope, or a layer: its row, and what is inside."""

    row: Cells | None = None
    inside: dict[str, _Branch] = field(default_factory=dict)


def _tree(table: Table, style: Style) -> Table:
    if not table.columns or table.columns[0].kind != "name" or not table.rows:
        return table
    top = _Branch()
    for row in table.rows:
        at = top
        for part in _parts(str(row[0])):
            at = at.inside.setdefault(part, _Branch())
        if at.row is not None:  # a second row of the name
            at = at.inside.setdefault("", _Branch())
        at.row = row
    summed = [
        bool(column.kind in _SUMMED and (table.total is None or table.total[place] not in (None, "")))
        for place, column in enumerate(table.columns)
    ]
    rows = _rows(top, summed, style, "")
    columns = (table.columns[0]._replace(kind="text"), *table.columns[1:])
    return replace(table, columns=columns, rows=tuple(rows), minor=frozenset())


def _parts(name: str) -> list[str]:
    return [name] if " " in name else name.split(".")


def _rows(branch: _Branch, summed: list[bool], style: Style, before: str) -> list[Cells]:
    fork, last, line = ("├─ ", "└─ ", "│  ") if style.unicode else ("|- ", "`- ", "|  ")
    rows: list[Cells] = []
    for number, (part, inside) in enumerate(branch.inside.items(), 1):
        end = number == len(branch.inside)
        cells = inside.row or _sums(_below(inside), summed)
        rows.append((f"{before}{last if end else fork}{part}", *cells[1:]))
        rows += _rows(inside, summed, style, before + ("   " if end else line))
    return rows


def _below(branch: _Branch) -> list[Cells]:
    own = [branch.row] if branch.row is not None else []
    return [*own, *(row for inside in branch.inside.values() for row in _below(inside))]


def _sums(rows: list[Cells], summed: list[bool]) -> Cells:
    return tuple(_sum([row[place] for row in rows]) if add else "" for place, add in enumerate(summed))


def _sum(cells: list[Cell]) -> Cell:
    numbers = [cell.value if isinstance(cell, AtLeast) else cell for cell in cells]
    known = sum(number for number in numbers if isinstance(number, int))
    return AtLeast(known) if None in numbers else known
