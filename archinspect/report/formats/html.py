"""HTML: one self-contained page, or a fragment for a notebook.  No script, no font, nothing from elsewhere."""

from __future__ import annotations

from html import escape

from ..style import Style
from ..table import Cell, Column, Report, Table

_CSS = """
.archinspect { --ink: #1c2530; --soft: #5b6774; --line: #d5dbe1; --band: #f5f7f9; --head: #fff;
  color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.archinspect table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0 0 .75rem; }
.archinspect section + section { margin-top: 2.2rem; }
.archinspect caption { text-align: left; padding: 0 .7rem .7rem 0; font-weight: 650; font-size: 1.15rem; }
.archinspect caption small { display: block; font-weight: 400; font-size: .88rem; color: var(--soft); }
.archinspect th, .archinspect td { padding: .28rem .7rem; text-align: left; white-space: nowrap;
  vertical-align: baseline; }
.archinspect .right { text-align: right; }
.archinspect thead th { position: sticky; top: 0; background: var(--head); border-bottom: 2px solid var(--ink);
  font-weight: 650; }
.archinspect tbody th { font-weight: 400; font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: .92em; }
.archinspect tbody tr { border-bottom: 1px solid var(--line); }
.archinspect tbody tr:nth-child(even), .archinspect tbody tr:hover { background: var(--band); }
.archinspect tfoot tr { border-top: 2px solid var(--ink); border-bottom: 2px solid var(--ink); }
.archinspect tfoot th, .archinspect tfoot td { font-weight: 700; padding: .45rem .7rem; }
.archinspect td.formula, .archinspect td.detail { color: var(--soft); white-space: normal;
  min-width: 16rem; max-width: 48rem; }
.archinspect td.unknown { color: #a33; font-style: italic; }
.archinspect p { margin: .2rem 0; color: var(--soft); font-size: .88rem; max-width: 60rem; }
@media (prefers-color-scheme: dark) { .archinspect { --ink: #e4e9ee; --soft: #9aa7b4; --line: #333c46;
  --band: #1d242c; --head: #14191f; } .archinspect td.unknown { color: #f99; } }
""".strip()
_PAGE_CSS = """
body { margin: 2rem auto; padding: 0 1.25rem; width: max-content; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #14191f; } }
@media print { body { margin: 0; } .archinspect thead th { position: static; } }
""".strip()


def export(report: Report, style: Style) -> str:
    """A page of its own."""
    title = escape(report.title or "archinspect")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_PAGE_CSS}
{_CSS}
</style>
</head>
<body>
<main class="archinspect">
{_tables(report)}
</main>
</body>
</html>
"""


def fragment(report: Report) -> str:
    """The tables with their style, to stand inside another page (a notebook's `_repr_html_`)."""
    return f'<style>\n{_CSS}\n</style>\n<div class="archinspect">\n{_tables(report)}\n</div>\n'


def _tables(report: Report) -> str:
    return "\n".join(map(_table, report.tables))


def _table(table: Table) -> str:
    small = f"<small>{escape(table.subtitle)}</small>" if table.subtitle else ""
    caption = f"<caption>{escape(table.title)}{small}</caption>\n" if table.title else ""
    heads = "".join(f'<th scope="col"{_class(c)}>{escape(c.title)}</th>' for c in table.columns)
    body = "\n".join(_row(table.columns, row) for row in table.rows)
    foot = f"\n<tfoot>\n{_row(table.columns, table.total)}\n</tfoot>" if table.total is not None else ""
    notes = "".join(f"\n<p>{escape(note)}</p>" for note in table.notes)
    return (
        f"<section>\n<table>\n{caption}<thead>\n<tr>{heads}</tr>\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>{foot}\n</table>{notes}\n</section>"
    )


def _row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> str:
    first, *rest = zip(columns, row, strict=True)
    cells = [f'<th scope="row"{_class(first[0])}>{escape(first[0].show(first[1]))}</th>']
    cells += [f"<td{_class(c, cell)}>{escape(c.show(cell))}</td>" for c, cell in rest]
    return f"<tr>{''.join(cells)}</tr>"


def _class(column: Column, cell: Cell = "") -> str:
    names = [
        "right" if column.right else "",
        column.kind if column.own_line else "",
        "unknown" if cell is None else "",
    ]
    classes = " ".join(filter(None, names))
    return f' class="{classes}"' if classes else ""
