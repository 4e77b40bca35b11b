"""Views of a table: sorted, the first rows of it, only some rows or columns, shares of the total.

A view belongs to tables whose rows are layers, claims or differences: those that name the list of the JSON document
that has a record for each row.  What it leaves out stays in the total, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from ..errors import fail, suggestion
from .table import AtLeast, Cell, Cells, Column, Report, Table

#: counts that `--units auto` writes with a prefix
_COUNTS = {"params", "trainable", "non_trainable", "buffers", "macs", "flops"}
_TEXTS = {"name", "text", "formula", "detail"}
_SHARE = "_share"
#: keys by which records of JSON name the row that they stand for
_NAMES = ("name", "path_b", "path_a", "id")
_ORDERS = {"asc": False, "desc": True}


@dataclass(frozen=True)
class View:
    """What to show of a table.

    `sort` is a column, numbers largest first unless `:asc` follows.  `only` are patterns: globs over paths, `op:` and a
    glob over types (or another column and a glob), `weighted`.  `columns` stand beside the name.  `units` is `exact`
    or `auto` (prefixes), and empty for the table's own.
    """

    sort: str = ""
    top: int | None = None
    only: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    units: str = ""
    share: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that it speaks of; a builder adds those that its table has not."""
        named = [*self.columns, self.sort.partition(":")[0]]
        return tuple(_key(name).removesuffix(_SHARE) for name in named if name)

    @property
    def changes_rows(self) -> bool:
        return bool(self.sort or self.top is not None or self.only)

    @property
    def is_plain(self) -> bool:
        return self == View()


def viewed(report: Report, view: View) -> Report:
    """The report as the view shows it.  Raises ArchinspectError (A403) for what its tables have not."""
    if view.is_plain:
        return report
    if not any(table.listed for table in report.tables):
        raise fail(
            "A403", "this has no rows to choose from", help="leave --sort, --top, --only and --columns out"
        )
    order: dict[str, list[str]] = {}
    tables = []
    for table in report.tables:
        if not table.listed:
            tables.append(_in_units(table, view.units))
            continue
        places = _places(table, view)
        order.setdefault(table.listed, []).extend(str(table.rows[place][0]) for place in places)
        tables.append(_shown(table, view, places))
    if view.only and not any(order.values()):
        raise _nothing(report, view)
    made = report.document

    def document() -> Mapping[str, Any]:
        found = dict(made() if made is not None else {})
        return _document(found, order, view)

    return Report(tuple(tables), document if made is not None else None)


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _column(table: Table, name: str) -> int:
    """The place of a column by its key or heading.  Raises ArchinspectError (A403)."""
    wanted = _key(name)
    for place, column in enumerate(table.columns):
        if wanted in (column.key, _key(column.title)):
            return place
    known = [column.key for column in table.columns]
    listed = f"columns: {', '.join([*known, *(key for key in table.more if key not in known)])}"
    close = suggestion(wanted, [*known, *table.more])
    raise fail(
        "A403", f"there is no column '{name[:40]}'", notes=[listed] if close else [], help=close or listed
    )


def _places(table: Table, view: View) -> list[int]:
    """Which rows, in which order."""
    places = [
        place for place, row in enumerate(table.rows) if not view.only or _is_wanted(table, row, view.only)
    ]
    if view.sort:
        name, _, order = view.sort.partition(":")
        if order and order not in _ORDERS:
            raise fail("A403", f"'{order[:20]}' is no order", help=f"--sort {name}:asc or --sort {name}:desc")
        at = _column(table, name.removesuffix(_SHARE) if name.endswith(_SHARE) else name)
        falling = _ORDERS.get(order, table.columns[at].kind not in _TEXTS)
        known = [place for place in places if table.rows[place][at] not in (None, "")]
        rest = [place for place in places if table.rows[place][at] in (None, "")]
        known.sort(key=lambda place: _rank(table.rows[place][at]), reverse=falling)
        if falling:  # equals stay in the network's order
            known = [p for _, group in _groups(table, known, at) for p in sorted(group)]
        places = known + rest
    return places if view.top is None else places[: view.top]


def _groups(table: Table, places: Sequence[int], at: int) -> list[tuple[Any, list[int]]]:
    groups: dict[Any, list[int]] = {}
    for place in places:
        groups.setdefault(_rank(table.rows[place][at]), []).append(place)
    return list(groups.items())


def _rank(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, AtLeast):
        cell = cell.value
    if isinstance(cell, tuple):
        return 0, float(prod(cell)), ""
    return (1, 0.0, cell) if isinstance(cell, str) else (0, float(cell or 0), "")


def _is_wanted(table: Table, row: Cells, patterns: Sequence[str]) -> bool:
    return any(_matches(table, row, pattern) for pattern in patterns)


def _matches(table: Table, row: Cells, pattern: str) -> bool:
    from fnmatch import fnmatchcase  # only views need it

    if pattern == "weighted":
        at = next((place for place, column in enumerate(table.columns) if column.key == "params"), None)
        if at is None:
            raise fail(
                "A403", "'weighted' needs the column params", help="archinspect params MODEL --only weighted"
            )
        return bool(row[at])
    key, colon, glob = pattern.partition(":")
    if colon and key.isidentifier() and not glob.startswith(" "):
        at = _column(table, key)
        return fnmatchcase(table.columns[at].show(row[at]), glob)
    name = str(row[0])
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def _nothing(report: Report, view: View) -> Exception:
    names = [str(row[0]) for table in report.tables if table.listed for row in table.rows]
    parts = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}
    wanted = ", ".join(view.only)
    help = suggestion(view.only[0], parts) or "a path, a pattern such as 'conv*', op:conv2d, or weighted"
    return fail("A403", f"--only {wanted[:80]} leaves no row", help=help)


def _shown(table: Table, view: View, places: Sequence[int]) -> Table:
    minor = {place for place in table.minor if place in set(places)} if not view.changes_rows else set()
    rows = [table.rows[place] for place in places]
    columns, total = list(table.columns), table.total
    shares = {_key(name) for name in view.columns if _key(name).endswith(_SHARE)}
    for at in reversed(range(len(columns))):
        column = columns[at]
        whole = _number(total[at]) if total is not None else None
        wanted = f"{column.key}{_SHARE}" in shares
        if whole is None or not (wanted or (view.share and column.kind in ("int", "bytes"))):
            continue
        columns.insert(at + 1, Column(f"{column.key}{_SHARE}", f"{column.title} %", "percent"))
        rows = [(*row[: at + 1], _part(row[at], whole), *row[at + 1 :]) for row in rows]
        assert total is not None
        total = (*total[: at + 1], 100.0 if whole else "", *total[at + 1 :])
    made = replace(
        table,
        columns=tuple(columns),
        rows=tuple(rows),
        total=total,
        notes=(*_said(table, view, len(places)), *table.notes),
        minor=frozenset(minor),
    )
    return _in_units(_of_columns(made, view), view.units)


def _number(cell: Cell) -> int | None:
    if isinstance(cell, AtLeast):
        cell = cell.value
    return cell if isinstance(cell, int) else None


def _part(cell: Cell, whole: int) -> Cell:
    number = _number(cell)
    return None if cell is None else "" if number is None or not whole else 100 * number / whole


def _of_columns(table: Table, view: View) -> Table:
    keys = view.columns
    if not keys:
        # A column that was added to sort by is shown, too.
        return table
    chosen = [_column(table, name) for name in keys]
    places = [0, *(place for place in dict.fromkeys(chosen) if place != 0)]
    columns = tuple(table.columns[place]._replace(optional=0) for place in places)

    def picked(row: Cells) -> Cells:
        return tuple(row[place] for place in places)

    total = None if table.total is None else picked(table.total)
    return replace(table, columns=columns, rows=tuple(map(picked, table.rows)), total=total)


def _in_units(table: Table, units: str) -> Table:
    if not units:
        return table
    columns = []
    for column in table.columns:
        if units == "exact" and column.kind == "bytes":
            column = column._replace(kind="int", title=f"{column.title}, B")
        elif units == "auto" and column.kind == "int" and column.key in _COUNTS:
            column = column._replace(kind="count")
        columns.append(column)
    return replace(table, columns=tuple(columns))


def _said(table: Table, view: View, count: int) -> list[str]:
    """What is shown of how many rows; nothing where all are, in their order."""
    if not view.changes_rows:
        return []
    order = f" by {view.sort}" if view.sort else ""
    whole = "  Totals are of all rows." if table.total is not None and count < len(table.rows) else ""
    return [f"Shown: {count:,} of {len(table.rows):,} rows{order}.{whole}"]


def _document(document: dict[str, Any], order: Mapping[str, list[str]], view: View) -> dict[str, Any]:
    """The JSON document with the same rows in the same order; totals stay those of all."""
    shown = {}
    for key, names in order.items():
        ranks = {name: rank for rank, name in enumerate(names)}
        counts: list[tuple[int, int]] = []
        document = _chosen(document, key, ranks, counts) if view.changes_rows else document
        if view.changes_rows:
            shown = {
                "rows": sum(kept for kept, _ in counts),
                "of": sum(all_ for _, all_ in counts),
                "totals": "of all rows",
            }
    totals = document.get("totals")
    wanted = {_key(name).removesuffix(_SHARE) for name in view.columns if _key(name).endswith(_SHARE)}
    if isinstance(totals, dict) and isinstance(document.get("rows"), list) and (view.share or wanted):
        keys = [key for key in ("params", "macs", "flops", "activation_bytes") if view.share or key in wanted]
        document["rows"] = [
            {
                **row,
                **{
                    f"{key}{_SHARE}": _part(row.get(key), totals[key]) or 0.0
                    for key in keys
                    if totals.get(key)
                },
            }
            for row in document["rows"]
        ]
    return {**document, **({"view": shown} if shown else {})}


def _chosen(value: Any, wanted: str, ranks: Mapping[str, int], counts: list[tuple[int, int]]) -> Any:
    """The document with the lists of this key cut down to the records that stand for shown rows."""
    if isinstance(value, dict):
        return {
            key: _records(item, ranks, counts)
            if key == wanted and isinstance(item, list) and all(isinstance(one, dict) for one in item)
            else _chosen(item, wanted, ranks, counts)
            for key, item in value.items()
        }
    return [_chosen(item, wanted, ranks, counts) for item in value] if isinstance(value, list) else value


def _records(records: list[Any], ranks: Mapping[str, int], counts: list[tuple[int, int]]) -> list[Any]:
    def rank(record: Mapping[str, Any]) -> int | None:
        name = str(next((record[key] for key in _NAMES if record.get(key)), ""))
        while name not in ranks and "." in name:
            name = name.rpartition(".")[0]  # a row may stand for a whole scope
        return ranks.get(name)

    found = [(place, record) for record in records if (place := rank(record)) is not None]
    counts.append((len(found), len(records)))
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]
