"""Tables as people have them, to rows of cells: nothing here knows what they mean (`align` does).

Read are the printed summaries of Keras, torchinfo and torchsummary, Markdown, CSV, TSV, LaTeX tabular, HTML tables, and
text copied from a PDF or a slide, whose columns are parted by two spaces or more.  What is around a table is kept as
text, since it names the network and its totals.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_RULE = re.compile(r"[\s|+:=_\-─━═┄┈╌–—┌┐└┘├┤┬┴┼┏┓┗┛┡┩┣┫╇╈╋┳┻╞╡╪╤╧╔╗╚╝╠╣╦╩╬]+\Z")
_BARS = re.compile(r"\s*[│┃║|]{1,2}\s*")
_TREE = re.compile(r"^[\s│]*[├└]─+\s*")  # torchinfo's tree
_FEWEST = 2  # columns of a table
#: a figure with its unit, a shape or a word, in a line whose columns are parted by single spaces
_TOKEN = re.compile(
    r"[\[(]\s*(?:None|-1|\d+)\s*(?:[,×xX]\s*\d+\s*)*[\])]"
    r"|\d+(?:\s?[×xX@*]\s?\d+)+|[~≈]?\s?\d[\d,.]*\s?(?:[KMGTB]i?B?|million|%)(?!\w)|\S+"
)
_NAMES = re.compile(
    r"layer|output|shape|param|macs|flops|kernel|stride|type|size|filter|activation", re.IGNORECASE
)
#: headings in a line of single spaces
_HEADS = re.compile(
    r"(?:output|input|feature|kernel|filter|map|layer|receptive|activation)\s(?:shape|size|map|maps|field|type|name|memory)"
    r"|\#\s?\w+|\w+\s\#|non-trainable params|trainable params|\w+\s?\([^)]*\)|\S+",
    re.IGNORECASE,
)
_MANY = 4  # columns that no sentence has by chance
_FEWEST_EVEN = 3  # lines that make a table
_Span = tuple[int, int, str]  # where a cell starts and ends in its line, and its text
_TEX = (
    (re.compile(r"\\(?:textbf|textit|emph|text|mathrm|mathbf|num|textsc)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\multi(?:column|row)\{[^{}]*\}\{[^{}]*\}\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\times|\\cdot"), "×"),
    (re.compile(r"\\rightarrow|\\to\b"), "→"),
    (re.compile(r"\\approx|\\sim"), "≈"),
    (re.compile(r"\\leq?\b"), "≤"),
    (re.compile(r"\\geq?\b"), "≥"),
    (re.compile(r"\^\{(\d+)\}"), r"^\1"),
    (re.compile(r"\\([%&#_$])"), r"\1"),
    (re.compile(r"\\[,;: ]|~"), " "),
    (re.compile(r"\\(?:top|mid|bottom|h)(?:rule|line)|\\cline\{[^{}]*\}"), ""),
    (re.compile(r"\$"), ""),
)


@dataclass
class Pasted:
    """A table as it stands: its headings, its rows, and the lines of text around it."""

    headings: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def tables(text: str) -> list[Pasted]:
    """The tables of a pasted text."""
    plain = text.replace("\r\n", "\n").replace("\ufeff", "")
    if re.search(r"<t[drh][\s>]", plain, re.IGNORECASE):
        found = _html(plain)
    elif re.search(r"\\begin\{(tabular|longtable|array)|(?<!\\)&.*\\\\", plain):
        found = _latex(plain)
    else:
        found = _lines(plain)
    return [table for table in map(_headed, found) if table.rows]


def _headed(raw: Pasted) -> Pasted:
    """The table with its first row as headings, and its rows as wide as these."""
    rows = [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in raw.rows]
    rows = [row for row in rows if any(row)]
    if not rows:
        return raw
    width = Counter(map(len, rows)).most_common(1)[0][0]
    rows = [_named(row, width) for row in rows]
    start = next(i for i, row in enumerate(rows) if len(row) >= width)
    above, rows = rows[:start], rows[start:]  # a title, or headings of several columns
    text = [*(" ".join(filter(None, row)) for row in above), *raw.text]
    headings, *body = rows
    if not _only_words(headings) and any(re.search(r"\d{3}|\d\s*[×x]\s*\d", cell) for cell in headings):
        headings, body = [""] * width, rows  # a table without headings
    width = max(width, len(headings))
    headings += [""] * (width - len(headings))
    kept = [row + [""] * (width - len(row)) if len(row) <= width else row[:width] for row in body]
    return Pasted(headings, kept, text)


def _named(row: list[str], width: int) -> list[str]:
    """The row with a name of several words, `FC 6`, in one cell."""
    more = len(row) - width
    if more > 0 and width > 1 and not any(re.search(r"\d{3}", cell) for cell in row[: more + 1]):
        return [" ".join(row[: more + 1]), *row[more + 1 :]]
    return row


def _lines(text: str) -> list[Pasted]:
    """Tables of lines: by bars, commas, tabs, wide spaces or single ones, whichever a table uses."""
    found = [Pasted()]
    split, spans = _splitter(text)
    kept: list[list[_Span]] = []
    for line in text.split("\n"):
        if not line.strip() or _RULE.match(line):
            continue
        cells = split(line)
        table = found[-1]
        head = table.rows[0] if table.rows else []
        if len(cells) < _FEWEST or (len(cells) != len(head) and _is_prose(line, cells)):
            # What names a network stands above its table, totals stand below.
            if head and re.match(r"\s*model\b", line, re.IGNORECASE):
                _settle(table, kept)
                found.append(Pasted())
                kept = []
            found[-1].text.append(line.strip())
            continue
        again = len(cells) == len(head) and _only_words(cells) and _only_words(head)
        if again and (cells == head or _opens(cells, head)) and len(table.rows) > 1:
            _settle(table, kept)
            found.append(Pasted())
            kept = []
        found[-1].rows.append(cells)
        if spans:
            kept.append(_spans(line))
    _settle(found[-1], kept)
    return _continued(found)


def _opens(cells: list[str], head: list[str]) -> bool:
    """Whether a row of words is a table's heading again: it shares a heading, or names what a column has."""
    return bool(set(cells) & set(head)) or sum(bool(_NAMES.search(cell)) for cell in cells) >= _FEWEST


def _settle(table: Pasted, spans: list[list[_Span]]) -> None:
    """Put the cells of lines that leave some empty under the columns where they stand."""
    counts = Counter(map(len, table.rows))
    if len(counts) < _FEWEST:
        return
    if not spans:
        return
    width = max(counts, key=lambda count: (counts[count], count))
    width = max(width, len(spans[0])) if len(spans[0]) in counts and len(spans[0]) >= width else width
    full = [row for row in spans if len(row) == width]
    columns = [(min(row[i][0] for row in full), max(row[i][1] for row in full)) for i in range(width)]
    table.rows = [
        row if len(row) == width else _placed(at, columns) for row, at in zip(table.rows, spans, strict=True)
    ]


def _placed(cells: list[_Span], columns: list[tuple[int, int]]) -> list[str]:
    row = [""] * len(columns)
    for start, end, text in cells:
        at = max(range(len(columns)), key=lambda i: min(end, columns[i][1]) - max(start, columns[i][0]))
        row[at] = f"{row[at]} {text}".strip()
    return row


def _continued(found: list[Pasted]) -> list[Pasted]:
    """Cells that Keras wraps into a second line joined to the line above: a row without figures, left of one's own."""
    for table in found:
        joined: list[list[str]] = []
        for row in table.rows:
            above = joined[-1] if joined else None
            filled = [index for index, cell in enumerate(row) if cell]
            wraps = above is not None and len(joined) > 1 and len(row) == len(above) and len(filled) == 1
            if wraps and above is not None and not re.search(r"\d{2,}", row[filled[0]]):
                above[filled[0]] = f"{above[filled[0]]} {row[filled[0]]}"
            else:
                joined.append(row)
        table.rows = joined
    return found


def _only_words(cells: list[str]) -> bool:
    return not any(re.match(r"[\[(]?\s*[~≈]?\d", cell) for cell in cells)


def _is_prose(line: str, cells: list[str]) -> bool:
    """Whether a line is a sentence or a total (`Total params: 138,357,544 (527.79 MB)`) and no row."""
    return bool(re.match(r"\s*[A-Z][\w/() -]*:\s", line)) or (
        len(cells) == 2 and cells[0].endswith((".", ":"))
    )


def _splitter(text: str) -> tuple[Callable[[str], list[str]], bool]:
    """How the lines of a text fall into cells, and whether the place of a cell in its line says its column."""
    lines = [line for line in text.split("\n") if line.strip() and not _RULE.match(line)]
    bars = sum(bool(re.search(r"[│┃║|].*[│┃║|]|\w\s+\|\s+\w", line)) for line in lines)
    if any(_TREE.match(line) for line in lines):
        return _columns, True
    if bars * 2 >= len(lines) or bars >= 3:
        return lambda line: _barred(line) if re.search(r"[│┃║|]", line) else [line], False
    if sum("\t" in line for line in lines) * 2 >= len(lines):
        return lambda line: line.split("\t") if "\t" in line else [line], False
    wide = sum(len(_columns(line)) > 1 for line in lines)
    for mark in ",;":
        parted = [line for line in lines if mark in re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", line)]
        counts = Counter(len(_separated(line, mark)) for line in parted)
        if counts and max(counts.values()) * 3 >= 2 * len(lines) and wide * 2 < len(lines):
            return lambda line, mark=mark: _separated(line, mark) if mark in line else [line], False
    # A short table among longer notes is known by lines of equally many columns.
    widths = Counter(count for line in lines if (count := len(_columns(line))) >= _MANY)
    even = max(widths.values(), default=0) >= _FEWEST_EVEN
    if wide * 2 < len(lines) and not even and sum(len(_tokens(line)) > 1 for line in lines) * 2 >= len(lines):
        return _tokens, False
    return _columns, True


def _separated(line: str, mark: str) -> list[str]:
    return next(csv.reader(io.StringIO(line), delimiter=mark, skipinitialspace=True), [])


def _barred(line: str) -> list[str]:
    stripped = re.sub(r"\A\s*[│┃║|]{1,2}|[│┃║|]{1,2}\s*\Z", "", line)
    return [re.sub(r"[*`]", "", cell).strip() for cell in _BARS.split(stripped)]


def _spans(line: str) -> list[_Span]:
    """The cells of a line whose columns are parted by two spaces or more, and where they stand in it.

    A torchinfo tree's branches belong to the first.
    """
    plain = _TREE.sub(lambda match: " " * len(match[0]), line.rstrip())
    return [(match.start(), match.end(), match[0]) for match in re.finditer(r"[^\s]+(?:[^\S\t]\S+)*", plain)]


def _columns(line: str) -> list[str]:
    return [text for _, _, text in _spans(line)]


def _tokens(line: str) -> list[str]:
    """Columns parted by single spaces, as in text from a PDF: words together, each figure or shape for itself."""
    if not re.search(r"\d", line):
        return [match[0] for match in _HEADS.finditer(line)]
    cells: list[str] = []
    figure = True
    for match in _TOKEN.finditer(line.strip()):
        is_figure = bool(re.match(r"[\[(~≈−-]?\s*\d", match[0])) or match[0] in ("-", "–", "—")
        if cells and not is_figure and not figure:
            cells[-1] += f" {match[0]}"
        else:
            cells.append(match[0])
        figure = is_figure
    return cells


def _latex(text: str) -> list[Pasted]:
    found = []
    bodies = re.findall(
        r"\\begin\{(?:tabular\*?|longtable|array|tabularx)\}(?:\[[^\]]*\])?(?:\{[^\n]*\})?(.*?)\\end\{",
        text,
        re.DOTALL,
    ) or [text]
    around = [
        line.strip()
        for line in _detexed(re.sub(r"\\begin.*\\end\{\w+\*?\}", "", text, flags=re.DOTALL)).split("\n")
    ]
    for body in bodies:
        rows = re.split(r"\\\\(?:\[[^\]]*\])?", body)
        cells = [[_detexed(cell).strip() for cell in re.split(r"(?<!\\)&", row)] for row in rows]
        found.append(Pasted([], [row for row in cells if len(row) > 1], [line for line in around if line]))
    return found


def _detexed(text: str) -> str:
    for pattern, plain in _TEX:
        text = pattern.sub(plain, text)
    return text


class _Html(HTMLParser):
    """Collects the cells of tables; a cell that spans columns is followed by empty ones."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Pasted] = []
        self.cell: list[str] | None = None
        self.span = 1
        self.aside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table" or (tag == "tr" and not self.found):
            self.found.append(Pasted())
        if tag == "tr" and self.found:
            self.found[-1].rows.append([])
        if tag in ("td", "th"):
            self.cell, self.span = [], int(dict(attrs).get("colspan") or 1)
        if tag == "sup" and self.cell is not None:
            self.cell.append("^")
        if tag == "br" and self.cell is not None:
            self.cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell is not None and self.found and self.found[-1].rows:
            self.found[-1].rows[-1] += ["".join(self.cell), *[""] * (self.span - 1)]
            self.cell = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)
        elif data.strip():
            self.aside.append(data.strip())


def _html(text: str) -> list[Pasted]:
    reader = _Html()
    reader.feed(text)
    for table in reader.found:
        table.text = reader.aside
    return reader.found


def totals(lines: list[str]) -> Iterator[tuple[str, str]]:
    """`Total params: 138,357,544 (527.79 MB)` and its like, from the lines around a table: (words, figure)."""
    for line in lines:
        for part in re.split(r"\s*[;|]\s*", line):
            match = re.match(
                r"\s*([A-Z][\w /\-]*?(?:\([^)\d]*\))?)\s*[:=]\s*([~≈]?\s*[\d.,]+\s?[A-Za-z]*(?: ?\([^)]*\))?)\s*\Z",
                part,
            )
            if match is not None:
                yield match[1].strip(), match[2].strip()
