"""Tables of a ledger: rows as they are printed, with `|` between the cells, to claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import suggestion
from ..frontends.spec.nodes import Mapping, Scalar, Value, entries
from .equations import split, summands
from .ledger import Cell, Claim, Table
from .quantities import kinds
from .roles import DETAILS, FORMULA, LABEL, LAYER, QUANTITIES, ROLES, SIZES

if TYPE_CHECKING:
    from .fields import Fields

_KEYS = ("table", "caption", "columns", "rows", "model")
_ROW_KEYS = ("cells", "row", "id", "layer", "model", "subject", "event", "sum", "product", "same", "claims")
_EMPTY = ("", "-", "–", "—")
#: prose of a details cell → the quantity it states
_DETAILS = (
    (re.compile(r"\b(\d+) (?:filters|kernels|channels|neurons|units)", re.IGNORECASE), "out_channels"),
    (re.compile(r"\b(\d+\s*[x×]\s*\d+)\b"), "kernel_size"),
    (re.compile(r"(?:\bstride (?:of )?|\d/)(\d+)\b", re.IGNORECASE), "stride"),
    (re.compile(r"\bpad(?:ding)? (?:of )?(\d+)", re.IGNORECASE), "padding"),
)


class TableReader:
    """Reads one table."""

    def __init__(self, fields: Fields, value: Mapping) -> None:
        self.fields = fields
        self.value = value
        self.found = fields.mapping(value, _KEYS, needed=("columns", "rows"))
        self.id = fields.text(self.found.get("table"))
        self.roles: list[str] = []
        self.titles: list[str] = []
        self.names: set[str] = set()  # of rows

    def table(self) -> Table | None:
        columns = self.found.get("columns")
        if not isinstance(columns, Mapping):
            self.fields.error(
                "A107", "columns is a mapping from headings to what they state", columns or self.value
            )
            return None
        for title, _, role in entries(columns):
            name = self.fields.text(role)
            quantity = name.rpartition(" ")[2]
            if name not in ROLES and quantity not in QUANTITIES and not self._cited():
                known = (*ROLES, *QUANTITIES)
                help = suggestion(quantity, known, otherwise="known: " + ", ".join(known))
                self.fields.error("A207", f"a column cannot state '{name}'", role, help)
                name = LABEL
            self.titles.append(title)
            self.roles.append(name)
        outer = self.fields.model
        self.fields.model = self.fields.text(self.found.get("model")) or outer
        rows = [self._row(item) for item in self.fields.items(self.found.get("rows"))]
        self.fields.model = outer
        caption = self.fields.text(self.found.get("caption"))
        return Table(
            self.id, tuple(self.titles), tuple(self.roles), tuple(row for row in rows if row), caption
        )

    def _cited(self) -> bool:
        """Whether rows speak of subjects, whose quantities are whatever a source has figures of."""
        rows = [item for item in self.fields.items(self.found.get("rows")) if isinstance(item, Mapping)]
        return any(key == "subject" for row in rows for key, _, _ in entries(row))

    def _row(self, value: Value) -> tuple[Cell, ...]:
        """`text`, `{layer: text}`, `{layer: {row: text, ...}}` or `{row: text, layer: ..., ...}`."""
        layer, settings, text = "", None, value
        if isinstance(value, Mapping):
            keys = [key for key, _, _ in entries(value)]
            if "row" in keys:
                settings = value
            elif len(keys) == 1:
                layer, text = keys[0], value.entries[0][1]
                settings = text if isinstance(text, Mapping) else None
        found: dict[str, Value] = {}
        if settings is not None:
            found = self.fields.mapping(settings, _ROW_KEYS, needed=("row",))
            text = found.get("row", value)
        if not isinstance(text, Scalar):
            self.fields.error("A107", "a row is a text with '|' between its cells", text)
            return ()
        cells = [re.sub(r"\s+", " ", cell).strip() for cell in text.value.split("|")]
        if len(cells) != len(self.roles):
            message = f"the row has {len(cells)} cells, the table {len(self.roles)} columns"
            self.fields.error("A107", message, text, "separate cells by '|'; an empty one is '-'")
            return ()
        return self._cells(cells, found, layer, text)

    def _cells(
        self, cells: list[str], found: dict[str, Value], layer: str, place: Scalar
    ) -> tuple[Cell, ...]:
        label = next((c for c, role in zip(cells, self.roles, strict=True) if role == LAYER), "") or cells[0]
        row = self._name(self.fields.text(found.get("id")), slug(label), slug(layer.replace(".", "_")))
        given: dict[str, Any] = {"table": self.id, "row": row, "label": label}
        layers = self.fields.texts(found.get("layer")) or ((layer,) if layer else ())
        given["layers"] = () if layers == (".",) else layers or (f"?{label}",)
        total = not layers and label.lower().startswith("total")
        for key in ("model", "subject", "event"):
            if key in found:
                given[key] = self.fields.text(found[key])
        relations: dict[str, Any] = {k: self.fields.texts(found[k]) for k in ("sum", "product") if k in found}
        if "same" in found:
            relations["same"] = self.fields.text(found["same"])
        if total:  # of the whole network, unless the row says otherwise
            given["layers"] = ()
            relations = relations or {"sum": (self.id,)}
        quote = " | ".join(cell or "-" for cell in cells)
        formulas = self._formulas(cells)
        others = self._others(found)
        made = []
        for index, (title, role, cell) in enumerate(zip(self.titles, self.roles, cells, strict=True)):
            fields = {**given, "quote": quote, "column": title}
            sub, _, quantity = role.rpartition(" ")
            if quantity in SIZES:
                fields |= {**relations, "formula": formulas.get(index, "")}
            fields["layers"] = others.get(title) or tuple(
                f"{layer}.{sub}" if sub else layer for layer in given["layers"]
            )
            name = f"{row}.{slug(title) if self.roles.count(role) > 1 else role.replace(' ', '.')}"
            made.append(Cell(cell, tuple(c.id for c in self._cell(quantity, cell, name, place, fields))))
        extra = [
            self.fields.claim(item, quote=quote, table="", row=row, label=label)
            for item in self.fields.items(found.get("claims"))
        ]
        for claim in filter(None, extra):
            index = next((i for i, cell in enumerate(made) if _prints(cell, claim)), 0)
            made[index] = Cell(made[index].text, (*made[index].claims, claim.id))
        return tuple(made)

    def _formulas(self, cells: list[str]) -> dict[int, str]:
        """Printed derivations by the column that they derive: the next one with a size, else the one before."""
        sizes = [index for index, role in enumerate(self.roles) if role in SIZES]
        found: dict[int, str] = {}
        for index, (role, cell) in enumerate(zip(self.roles, cells, strict=True)):
            if role == FORMULA and cell not in _EMPTY and re.search(r"\d", cell) and sizes:
                after = [size for size in sizes if size > index]
                found.setdefault(after[0] if after else sizes[-1], cell)
        return found

    def _name(self, given: str, label: str, layer: str) -> str:
        """A row's id: the one given; its label where no other row has it; its layer; its label and a number."""
        free = (name for name in (label, layer) if name and name not in self.names)
        numbered = (f"{label}_{number}" for number in range(2, 10_000))
        name = given or next(free, "") or next(n for n in numbered if n not in self.names)
        self.names.add(name)
        return name

    def _others(self, found: dict[str, Value]) -> dict[str, tuple[str, ...]]:
        """Cells of a row that speak of other layers than the row does, by their headings."""
        value = found.get("cells")
        if not isinstance(value, Mapping):
            if value is not None:
                words = "cells is a mapping from headings to the layers that their cells speak of"
                self.fields.error("A107", words, value)
            return {}
        others = {}
        for title, place, layer in entries(value):
            if title not in self.titles:
                self.fields.error(
                    "A108", f"the table has no column '{title}'", place, suggestion(title, self.titles)
                )
            others[title] = self.fields.texts(layer)
        return others

    def _cell(
        self, role: str, cell: str, name: str, place: Scalar, fields: dict[str, Any]
    ) -> Iterator[Claim]:
        if role == "type" and kinds(cell):
            yield from self._add(name, cell, role, place, fields)
            return
        if role in (LABEL, LAYER, FORMULA) or cell in _EMPTY or not re.search(r"\d|two|three", cell):
            return
        if role == DETAILS:
            for pattern, quantity in _DETAILS:
                for match in pattern.finditer(cell):
                    id = f"{fields['row']}.{quantity}"
                    yield from self._add(id, match[1], quantity, place, fields)
            return
        members = split(cell)
        if len(members) == 1:
            yield from self._add(name, cell, role, place, fields)
            return
        yield from self._equation(name, members, role, place, fields)

    def _equation(
        self, id: str, members: tuple[str, ...], role: str, place: Scalar, fields: dict[str, Any]
    ) -> Iterator[Claim]:
        """`formula = 16,512 + 147,584 = 164,096`: each number between states the summand it stands for."""
        formula, *between, stated = members
        parts = summands(formula)
        terms: list[Claim] = []
        for member in between:
            numbers = [part.strip() for part in member.split("+")]
            for index, number in enumerate(numbers, 1):
                matched = parts[index - 1] if len(numbers) == len(parts) else ""
                inner = {**fields, "formula": matched, "sum": (), "product": (), "same": ""}
                if len(numbers) == len(parts) > 1 and fields["layers"]:
                    inner["layers"] = tuple(f"{layer}#{index}" for layer in fields["layers"])
                terms += self._add(f"{id}#{len(terms) + 1}", number, role, place, inner)
        if len(between) == 1 and len(terms) > 1:
            fields = {**fields, "sum": tuple(term.id for term in terms)}
        yield from self._add(id, stated, role, place, {**fields, "formula": formula})
        yield from terms

    def _add(self, id: str, stated: str, quantity: str, place: Scalar, fields: dict[str, Any]) -> list[Claim]:
        made = self.fields.add(f"{self.id}.{id}", stated, quantity, place, **fields)
        return [] if made is None else [made]


def slug(text: str) -> str:
    """A label as an id: `fire2 total` as `fire2_total`."""
    plain = re.sub(r"\(.*?\)", "", text.lower()).replace("×", "x")
    return re.sub(r"[^a-z0-9_]+", "_", plain).strip("_")


def _prints(cell: Cell, claim: Claim) -> bool:
    """Whether the claim's number stands in the cell."""
    return re.search(rf"(?<![\w,.]){re.escape(claim.stated.text.strip())}(?!\w)", cell.text) is not None
