"""Tables as people have them, to rows of cells: nothing here knows what they mean (`align` does).

Read are the printed summaries of Keras, torchinfo and torchsummary, Markdown, CSV, TSV, LaTeX tabular, HTML tables, and
text copied from a PDF or a slide, whose columns are parted by two spaces or more.  What is around a table is kept as
text, since it names the network and its totals.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_RULE = re.compile(r"[\s|+:=_\-─━═┄┈╌–—┌┐└┘├┤┬┴┼┏┓┗┛┡┩┣┫╇╈╋┳┻╞╡╪╤╧╔╗╚╝╠╣╦╩╬]+\Z")
_BARS = re.compile(r"\s*[│┃║|]\s*")
_TREE = re.compile(r"^[\s│]*[├└]─+\s*")  # torchinfo's tree
_TEX = (
    (re.compile(r"\\(?:textbf|textit|emph|text|mathrm|mathbf|num|textsc)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\multi(?:column|row)\{[^{}]*\}\{[^{}]*\}\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\times|\\cdot"), "×"),
    (re.compile(r"\\rightarrow|\\to\b"), "→"),
    (re.compile(r"\\approx|\\sim"), "≈"),
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
    headings, *body = rows
    width = len(headings)
    kept = [row + [""] * (width - len(row)) if len(row) <= width else row[:width] for row in body]
    return Pasted(headings, kept, raw.text)


def _lines(text: str) -> list[Pasted]:
    """Tables of lines: by bars, commas, tabs or wide spaces, whichever a table uses."""
    found: list[Pasted] = [Pasted()]
    split = _splitter(text)
    aside: list[str] = []
    for line in text.split("\n"):
        if not line.strip() or _RULE.match(line):
            continue
        cells = split(line)
        if len(cells) < 2 or (not found[-1].rows and _is_prose(line, cells)):
            aside.append(line.strip())
            continue
        head = found[-1].rows[0] if found[-1].rows else []
        if head and len(cells) >= 2 and len(cells) != len(head) and _is_prose(line, cells):
            aside.append(line.strip())
            continue
        if (
            head
            and len(cells) == len(head)
            and _only_words(cells)
            and _only_words(head)
            and len(found[-1].rows) > 1
        ):
            found.append(Pasted())
        found[-1].rows.append(cells)
    for table in found:
        table.text = aside
    return _continued(found)


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


def _splitter(text: str) -> Callable[[str], list[str]]:
    """How the lines of a text fall into cells."""
    lines = [line for line in text.split("\n") if line.strip() and not _RULE.match(line)]
    bars = sum(bool(re.search(r"[│┃║|].*[│┃║|]|\w\s+\|\s+\w", line)) for line in lines)
    tree = any(_TREE.match(line) for line in lines)
    if tree:
        return _columns
    if bars * 2 >= len(lines) or bars >= 3:
        return lambda line: _barred(line) if re.search(r"[│┃║|]", line) else [line]
    if sum("\t" in line for line in lines) * 2 >= len(lines):
        return lambda line: line.split("\t") if "\t" in line else [line]
    commas = [len(next(csv.reader(io.StringIO(line)), [])) for line in lines]
    if commas and commas[0] > 1 and sum(count == commas[0] for count in commas) * 3 >= 2 * len(commas):
        wide = sum(len(_columns(line)) > 1 for line in lines)
        if wide * 2 < len(lines):
            return lambda line: next(csv.reader(io.StringIO(line), skipinitialspace=True), [])
    return _columns


def _barred(line: str) -> list[str]:
    stripped = re.sub(r"\A\s*[│┃║|]|[│┃║|]\s*\Z", "", line)
    return [re.sub(r"[*`]", "", cell).strip() for cell in _BARS.split(stripped)]


def _columns(line: str) -> list[str]:
    """Columns parted by two spaces or more; a torchinfo tree's branches belong to the first."""
    plain = _TREE.sub("", line.rstrip())
    return [cell.strip() for cell in re.split(r"\s{2,}|\t", plain.strip())]


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
