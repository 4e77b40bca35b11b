"""Aligned text that fits the terminal.

What does not fit folds, in this order: explanations wrap inside their column or, like derivations, go to lines of
their own below their row; long names leave their scope to a line above; optional columns are left out (and a line
says so); texts are shortened in the middle; columns that are a last resort are left out; of a short table the columns
stand in several parts, one below the other, and of a long one those at the right are left out.  Numbers are never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..style import Style
from ..table import Column, Report, Table, Toned

_GAP = 2
_INDENT = 2
_SHORTEST_NAME = 24
_SHORTEST_TEXT = 8
_SHORT_TABLE = 24  # rows of a table that may stand in parts
_NARROWEST_WRAP = 32
_TONES = {"good": "\x1b[32m", "fair": "\x1b[33m", "bad": "\x1b[31m"}
_ASCII = str.maketrans(
    {
        "×": "x",
        "·": "*",
        "−": "-",
        "–": "-",
        "─": "-",
        "═": "=",
        "…": "~",
        "≥": ">=",
        "≤": "<=",
        "⌊": "floor(",
        "⌋": ")",
        "⌈": "ceil(",
        "⌉": ")",
        "²": "^2",
        "³": "^3",
        "→": "->",
        "µ": "u",
        "Σ": "sum",
        "±": "+-",
        "÷": "/",
        "\N{FRACTION SLASH}": "/",
        "≈": "~",
        "√": "sqrt",
        "′": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "—": "-",
        "⋅": "*",
        "∗": "*",
        "α": "alpha",
        "β": "beta",
        "γ": "gamma",
        "ε": "eps",
        "π": "pi",
    }
)


def export(report: Report, style: Style) -> str:
    return "\n\n".join("\n".join(_lines(table, style)) for table in report.tables) + "\n"


class _Layout(NamedTuple):
    """Which columns stand in the row with which widths, below it, or nowhere; which one wraps.

    `lifted` is how many leading parts of a dotted name stand on a line above the rows that share them.
    """

    widths: dict[int, int]
    below: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    wrapped: int | None = None
    lifted: int = 0

    @property
    def total(self) -> int:
        return sum(self.widths.values()) + _GAP * (len(self.widths) - 1)


def _lines(table: Table, style: Style) -> Iterator[str]:
    columns = table.columns
    titles = [_plain(c.title, style) for c in columns]
    rows = [_texts(columns, row, style) for row in table.rows]
    totals = [_texts(columns, table.total, style)] if table.total is not None else []
    layout, *parts = _fit(columns, [titles, *rows, *totals], style.width)
    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if style.color else ("", "", "")
    if table.title:
        yield from (
            f"{bold}{line}{off}" for line in _wrap(_plain(table.title, style), style.width, rest="    ")
        )
    if table.subtitle:
        yield from (f"{dim}{line}{off}" for line in _wrap(_plain(table.subtitle, style), style.width))
    if (table.title or table.subtitle) and (rows or totals or table.notes):
        yield ""
    if rows or totals:
        yield from _part(columns, titles, rows, totals, layout, style)
        for part in parts:
            yield ""
            yield from _part(columns, titles, rows, totals, part, style)
    notes = [_plain(note, style) for note in table.notes]
    if layout.dropped:
        left_out = ", ".join(titles[i] for i in layout.dropped)
        notes.append(f"Left out to fit {style.width} columns: {left_out} (--width or --format csv has all).")
    if notes:
        if rows or totals:
            yield ""
        for note in notes:
            yield from _wrap(note, style.width)


def _part(
    columns: Sequence[Column],
    titles: list[str],
    rows: Sequence[list[str]],
    totals: Sequence[list[str]],
    layout: _Layout,
    style: Style,
) -> Iterator[str]:
    """Heading, rows and total of the columns of one layout."""
    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if style.color else ("", "", "")
    thin, thick = ("─", "═") if style.unicode else ("-", "=")
    yield f"{bold}{_row(columns, titles, layout, style)[0]}{off}"
    yield f"{dim}{thin * layout.total}{off}"
    scope = ""
    for texts in rows:
        if layout.lifted:
            above, name = _lift(texts[0], layout.lifted)
            if above and above != scope:
                yield from _wrap(above, style.width)
            scope, texts = above, [name, *texts[1:]]
        yield from _row(columns, texts, layout, style)
        for line in _below(columns, texts, layout, style):
            yield f"{dim}{line}{off}"
    for texts in totals:
        yield f"{dim}{thick * layout.total}{off}"
        yield f"{bold}{_row(columns, texts, layout, style)[0]}{off}"


def _texts(columns: Sequence[Column], row: Iterable[object], style: Style) -> list[str]:
    return [_plain(c.show(cell), style) for c, cell in zip(columns, row, strict=True)]  # type: ignore[arg-type]


def _plain(text: str, style: Style) -> str:
    """Without control characters, and in ASCII where the destination knows nothing else."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text if style.unicode or text.isascii() else _ascii(text)


def _ascii(text: str) -> str:
    """The nearest that can be said in ASCII: signs by name, letters without their accents, else a question mark."""
    import unicodedata  # hardly any destination needs it

    apart = unicodedata.normalize("NFKD", text.translate(_ASCII)).translate(_ASCII)
    return "".join(c for c in apart if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def _fit(columns: Sequence[Column], rows: list[list[str]], width: int | None) -> list[_Layout]:
    """The layout that fits; several where the columns stand in parts."""
    natural = {i: max(len(row[i]) for row in rows) for i in range(len(columns))}
    layout = _Layout(natural)
    if width is None or layout.total <= width:
        return [layout]
    below = tuple(i for i, c in enumerate(columns) if c.own_line)
    last = len(columns) - 1
    if below == (last,) and columns[last].kind == "detail":
        rest = width - (layout.total - natural[last])
        if rest >= _NARROWEST_WRAP:
            return [_Layout(natural | {last: rest}, wrapped=last)]
    layout = _Layout({i: w for i, w in natural.items() if i not in below}, below)
    layout = _lift_names(layout, columns, width, rows)
    while layout.total > width:
        optional = [i for i in layout.widths if columns[i].optional > 0]
        if not optional:
            break
        victim = max(optional, key=lambda i: columns[i].optional)
        layout = _lift_names(_without(layout, victim, natural), columns, width, rows)
    shortened = _shorten_texts(layout, columns, width, rows)
    while shortened.total > width:
        spare = [i for i in layout.widths if columns[i].optional < 0]
        if not spare:
            break
        layout = _lift_names(_without(layout, spare[-1], natural), columns, width, rows)
        shortened = _shorten_texts(layout, columns, width, rows)
    if shortened.total <= width:
        return [shortened]
    if len(rows) > _SHORT_TABLE:
        return [_leave_out(layout, shortened, columns, width, rows)]
    return [_shorten_texts(part, columns, width, rows) for part in _parts_of(layout, width)]


def _parts_of(layout: _Layout, width: int) -> list[_Layout]:
    """The columns in parts that fit, each with the first column."""
    first, *others = layout.widths
    parts: list[dict[int, int]] = []
    for place in others:
        wider = {**(parts[-1] if parts else {}), place: layout.widths[place]}
        if parts and layout.widths[first] + sum(w + _GAP for w in wider.values()) <= width:
            parts[-1] = wider
        else:
            parts.append({place: layout.widths[place]})
    if len(parts) < 2:
        return [layout]
    made = [
        layout._replace(widths={first: layout.widths[first], **part}, below=(), dropped=()) for part in parts
    ]
    # What was left out is said once, and what stands on lines of its own follows the last part.
    made[0] = made[0]._replace(dropped=layout.dropped)
    made[-1] = made[-1]._replace(below=layout.below)
    return made


def _leave_out(
    layout: _Layout, shortened: _Layout, columns: Sequence[Column], width: int, rows: list[list[str]]
) -> _Layout:
    """The layout without its last columns, as far as needed when texts are short; two columns stay."""
    while shortened.total > width and len(shortened.widths) > 2:
        last = list(shortened.widths)[-1]
        kept = {place: wide for place, wide in shortened.widths.items() if place != last}
        dropped = tuple(sorted([*shortened.dropped, last]))
        shortened = shortened._replace(widths=kept, dropped=dropped)
    kept = {place: layout.widths[place] for place in shortened.widths}
    return _shorten_texts(layout._replace(widths=kept, dropped=shortened.dropped), columns, width, rows)


def _without(layout: _Layout, column: int, natural: dict[int, int]) -> _Layout:
    """The layout as it was before it was narrowed, less one column."""
    kept = {i: natural[i] for i in layout.widths if i != column}
    return _Layout(kept, layout.below, tuple(sorted([*layout.dropped, column])))


def _shorten_texts(layout: _Layout, columns: Sequence[Column], width: int, rows: list[list[str]]) -> _Layout:
    names = [i for i in layout.widths if columns[i].kind == "name"]
    layout = _shorten(layout, names, width, _SHORTEST_NAME, rows)
    texts = [i for i in layout.widths if columns[i].kind in ("name", "text")]
    return _shorten(layout, texts, width, _SHORTEST_TEXT, rows)


def _lift_names(layout: _Layout, columns: Sequence[Column], width: int, rows: list[list[str]]) -> _Layout:
    """Lift as few leading parts of dotted names as make the table fit; as many as there are if it never does."""
    if columns[0].kind != "name" or layout.total <= width:
        return layout
    heading, *names = (row[0] for row in rows)
    for lifted in range(1, 1 + max((len(_parts(name)) - 1 for name in names), default=0)):
        widest = max(len(heading), *(len(_lift(name, lifted)[1]) for name in names))
        layout = layout._replace(widths=layout.widths | {0: widest}, lifted=lifted)
        if layout.total <= width:
            break
    return layout


def _lift(name: str, parts: int) -> tuple[str, str]:
    """`("inception_3a", "  branch2.conv")` for one part of `inception_3a.branch2.conv`."""
    split = _parts(name)
    cut = min(parts, len(split) - 1)
    if ": " in name and cut < len(split) - 1:
        split[-2:] = [f"{split[-2]}: {split[-1]}"]
    return ".".join(split[:cut]), " " * (_INDENT if cut else 0) + ".".join(split[cut:])


def _parts(name: str) -> list[str]:
    """A dotted name's parts; `a.b: c.d + e` names several below a.b, and what follows the colon is one part."""
    scope, colon, several = name.partition(": ")
    if colon:
        return [*scope.split("."), several]
    return [name] if " " in name else name.split(".")


def _shorten(layout: _Layout, which: list[int], width: int, least: int, rows: list[list[str]]) -> _Layout:
    """Narrow the columns `which`, widest first, as far as needed and never below `least` or their heading."""
    widths = dict(layout.widths)
    for i in sorted((i for i in which if i in widths), key=lambda i: -widths[i]):
        surplus = sum(widths.values()) + _GAP * (len(widths) - 1) - width
        if surplus > 0:
            floor = min(widths[i], max(least, len(rows[0][i])))
            widths[i] = max(floor, widths[i] - surplus)
    return layout._replace(widths=widths)


def _row(columns: Sequence[Column], texts: list[str], layout: _Layout, style: Style) -> list[str]:
    """The row's line, and the lines that its wrapped cell needs below it."""
    more: list[str] = []
    cells = []
    for i, width in layout.widths.items():
        text = texts[i]
        tone = text.tone if isinstance(text, Toned) else None
        if i == layout.wrapped and len(text) > width:
            text, *more = _wrap(text, width)
        text = _middle(text, width, "…" if style.unicode else "~")
        padded = f"{text:>{width}}" if columns[i].right else f"{text:<{width}}"
        cells.append(f"{_TONES[tone]}{padded}\x1b[0m" if tone and style.color else padded)
    indent = " " * (layout.total - layout.widths[layout.wrapped]) if layout.wrapped is not None else ""
    return [(" " * _GAP).join(cells).rstrip(), *(indent + line for line in more)]


def _below(columns: Sequence[Column], texts: list[str], layout: _Layout, style: Style) -> Iterator[str]:
    """The cells that stand on lines of their own, indented; labelled when a row has several."""
    labels = {i: columns[i].title for i in layout.below} if len(layout.below) > 1 else {}
    pad = max(map(len, labels.values()), default=0)
    for i in layout.below:
        if texts[i]:
            label = f"{labels[i]:<{pad}}  " if labels else ""
            indent = " " * (4 + len(label))
            yield from _wrap(texts[i], style.width, first=f"    {label}", rest=indent + "  ")


def _middle(text: str, width: int, mark: str) -> str:
    """`inception_3a.branch2.reduce.conv` → `inception_3a…reduce.conv`: start and end tell the most."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 3 // 5
    return text[: width - 1 - tail] + mark + text[len(text) - tail :]


def _wrap(text: str, width: int | None, *, first: str = "", rest: str = "") -> list[str]:
    if width is None or len(first) + len(text) <= width:
        return [first + text]
    formula, equals, value = text.rpartition(" = ")
    if equals and len(first) + len(formula) <= width >= len(rest) + 2 + len(value):
        return [first + formula, f"{rest}= {value}"]
    import textwrap  # most tables fit

    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=True,  # a path that is longer than a line
        break_on_hyphens=False,
    )
