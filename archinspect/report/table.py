"""The typed table: what every result becomes before it becomes text.

Cells are raw values (exact integers, shapes, formulas); a column's kind says how they are shown.  `None` is "cannot
be counted" and shows as such: it is never printed as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from .. import units

#: name: a dotted path.  bytes: a count of bytes.  formula, detail: text that may stand on a line of its own.
Kind = Literal[
    "name",
    "text",
    "int",
    "count",
    "change",
    "number",
    "scientific",
    "bytes",
    "shape",
    "ratio",
    "percent",
    "seconds",
    "formula",
    "detail",
]

Tone = Literal["good", "fair", "bad"]

UNKNOWN = "unknown"
_LEFT = {"name", "text", "shape", "formula", "detail"}
_OWN_LINE = {"formula", "detail"}


@dataclass(frozen=True)
class AtLeast:
    """A total over rows some of which could not be counted."""

    value: int


class Toned(str):
    """A text that formats may colour; its words say all that the colour says."""

    __slots__ = ("tone",)
    tone: Tone

    def __new__(cls, text: str, tone: Tone) -> Toned:
        made = super().__new__(cls, text)
        made.tone = tone
        return made


Cell = int | float | str | tuple[int, ...] | AtLeast | None
Cells = tuple[Cell, ...]


class Column(NamedTuple):
    """A column: machine name (CSV header), heading, kind, and whether a narrow terminal may leave it out.

    `optional` 0 is always shown; of those above the largest goes first.  Those below 0 go last, when texts that are
    shortened still do not fit.
    """

    key: str
    title: str
    kind: Kind = "text"
    optional: int = 0

    @property
    def right(self) -> bool:
        """Whether cells are aligned to the right, so that digits stand under digits."""
        return self.kind not in _LEFT

    @property
    def own_line(self) -> bool:
        return self.kind in _OWN_LINE

    def show(self, cell: Cell) -> str:
        """The cell as people read it."""
        if isinstance(cell, str):
            return cell
        if cell is None:
            return UNKNOWN
        if isinstance(cell, AtLeast):
            return f"≥ {self.show(cell.value)}"
        return _SHOW[self.kind](cell)

    def raw(self, cell: Cell) -> str:
        """The cell as machines read it: plain integers, shapes as `1x64x55x55`, empty for what is unknown."""
        if cell is None:
            return ""
        if isinstance(cell, AtLeast):
            return str(cell.value)
        return "x".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)


_SHOW: dict[str, Callable[[Any], str]] = {
    "name": str,
    "text": lambda cell: units.shape_text(cell) if isinstance(cell, tuple) else str(cell),
    "int": lambda cell: units.shape_text(cell) if isinstance(cell, tuple) else units.grouped(cell),
    "count": units.si,
    "change": units.signed,
    "number": units.significant,
    "scientific": units.scientific,
    "bytes": units.binary_bytes,
    "shape": units.shape_text,
    "ratio": units.ratio,
    "percent": lambda cell: f"{cell:.1f} %",
    "seconds": units.seconds,
    "formula": str,
    "detail": str,
}


@dataclass(frozen=True)
class Table:
    """Columns, rows, the total row, and what stands around them.

    `title` and `subtitle` stand above (a caption in documents), `notes` below.  `minor` are the places of rows that
    people need not see: they have no figures, and stand in what machines read alone.  `listed` is the key of the JSON
    document's list that has a record for each row, empty where there is none; only such tables can be sorted and
    filtered.  `more` are keys of columns that can be asked for.
    """

    columns: tuple[Column, ...]
    rows: tuple[Cells, ...]
    total: Cells | None = None
    title: str = ""
    subtitle: str = ""
    notes: tuple[str, ...] = ()
    minor: frozenset[int] = frozenset()
    listed: str = ""
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in (*self.rows, *([self.total] if self.total else [])):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {len(row)} cells in a table of {len(self.columns)} columns: {row}"
                )

    @property
    def for_people(self) -> Table:
        """The table without its minor rows, which a note counts."""
        if not self.minor:
            return self
        rows = tuple(row for place, row in enumerate(self.rows) if place not in self.minor)
        one = len(self.minor) == 1
        note = f"Not listed: {len(self.minor):,} {'view' if one else 'views'} without figures (--format csv has all)."
        return replace(self, rows=rows, notes=(*self.notes, note), minor=frozenset())


class Report(NamedTuple):
    """What one command prints: tables for people, and the document that `--format json` prints instead.

    `document` is called only for JSON.
    """

    tables: tuple[Table, ...]
    document: Callable[[], Mapping[str, Any]] | None = None

    @property
    def title(self) -> str:
        return self.tables[0].title if self.tables else ""

    def to_dict(self) -> Mapping[str, Any]:
        """The document that `--format json` prints."""
        if self.document is not None:
            return self.document()
        from .formats.json import plain

        return plain(self)

    def view(
        self,
        *,
        sort: str = "",
        top: int | None = None,
        only: str | Sequence[str] = (),
        columns: str | Sequence[str] = (),
        units: str = "",
        share: bool = False,
    ) -> Report:
        """The report with the rows and columns that are wanted, as `Shown.view` has it."""
        from .shown import view

        return view(self, sort, top, only, columns, units, share)

    def __repr__(self) -> str:
        return f"<Report: {self.title}>"

    def __str__(self) -> str:
        from .shown import text_of  # which knows the terminal

        return text_of(self)

    def _repr_html_(self) -> str:
        from .formats.html import fragment  # only a notebook asks

        return fragment(self)
