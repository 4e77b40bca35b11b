"""LaTeX tables in booktabs style; long ones break across pages (longtable).  Formulas are set in math mode."""

from __future__ import annotations

import re

from ... import neutral
from ..style import Style
from ..table import Cell, Column, Report, Table

_PAGE = 40  # rows that fit on a page
_TEXT = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "$": r"\$",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "×": r"$\times$",
        "−": "$-$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "·": r"$\cdot$",
        "→": r"$\rightarrow$",
        "⌊": r"$\lfloor$",
        "⌋": r"$\rfloor$",
        "⌈": r"$\lceil$",
        "⌉": r"$\rceil$",
        "…": r"\ldots{}",
        "²": "$^2$",
        "³": "$^3$",
        "µ": r"$\mu$",
        "–": "--",
    }
)
_MATH = str.maketrans(
    {
        "×": r" \times ",
        "*": r" \times ",
        "·": r" \cdot ",
        "−": "-",
        "⌊": r"\lfloor ",
        "⌋": r" \rfloor",
        "⌈": r"\lceil ",
        "⌉": r" \rceil",
        "²": "^2",
        "³": "^3",
    }
)
_IS_MATH = re.compile(r"[\d\s,()+\-−×*·/^²³⌊⌋⌈⌉=]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def export(report: Report, style: Style) -> str:
    head = "% needs \\usepackage{booktabs}"
    if any(len(t.rows) > _PAGE for t in report.tables):
        head += " and \\usepackage{longtable}"
    return "\n\n".join([head, *map(_table, report.tables)]) + "\n"


def _table(table: Table) -> str:
    columns = "".join("r" if c.right else "l" for c in table.columns)
    said = [text for text in (table.title, table.subtitle, *table.notes) if text]
    caption = escape(". ".join([*(text.removesuffix(".") for text in said[:-1]), *said[-1:]]))
    header = _line([rf"\textbf{{{escape(c.title)}}}" for c in table.columns])
    rows = [_line(_cells(table.columns, row)) for row in table.rows]
    if table.total is not None:
        bold = [rf"\textbf{{{text}}}" if text else "" for text in _cells(table.columns, table.total)]
        rows += [r"\midrule", _line(bold)]
    if len(table.rows) > _PAGE:
        top = [
            r"\setlength{\LTcapwidth}{\linewidth}",
            rf"\begin{{longtable}}{{{columns}}}",
            rf"\caption{{{caption}}} \\" if caption else "",
        ]
        head = [r"\toprule", header, r"\midrule", r"\endhead", r"\bottomrule", r"\endlastfoot"]
        return "\n".join([*filter(None, top), *head, *rows, r"\end{longtable}"])
    top = [r"\begin{table}[htbp]", r"\centering", rf"\caption{{{caption}}}\smallskip" if caption else ""]
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", header, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([*filter(None, top), *body, r"\end{tabular}", r"\end{table}"])


def _cells(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> list[str]:
    return [_show(c, cell) for c, cell in zip(columns, row, strict=True)]


def _show(column: Column, cell: Cell) -> str:
    text = column.show(cell)
    if column.kind == "formula" and _IS_MATH.fullmatch(text):
        return f"${_THOUSANDS.sub('{,}', ' '.join(text.translate(_MATH).split()))}$"
    return escape(text)


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return neutral.line(text).translate(_TEXT)
