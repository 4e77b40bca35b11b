"""YAML to a `Ledger`: `docs/claims.md` describes the format.

Every error is collected with its place, and all are raised together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import ArchinspectError, Diagnostic, suggestion
from ..frontends.spec.load import specs_folder
from ..frontends.spec.nodes import Mapping, Scalar, Tree, Value, entries
from ..frontends.spec.source import Source, read, refuse_control_characters
from .fields import Fields
from .ledger import Claim, Figure, Ledger, Ledgers, Quote, Section, Table
from .printed import NotANumberError, parse
from .tables import TableReader, slug

_KEYS = ("source", "title", "model", "models", "published", "sections", "claims", "collection")
_SECTION_KEYS = ("section", "title", "names", "model", "items")
_QUOTE_KEYS = ("quote", "names", "claims")
_FIGURE_KEYS = ("subject", "event", "quantity", "value", "entry", "source")


def lecture() -> Ledgers:
    """The lecture's ledger that ships, with the published figures it is held against."""
    parts = read_ledgers(sorted((Path(specs_folder()) / "lecture").glob("*.yaml"))).parts
    ordered = sorted(parts, key=lambda part: _number(part.sections[0].number) if part.sections else [])
    return Ledgers((*ordered, *published()))


def _number(section: str) -> list[int]:
    return [int(part) for part in section.split(".") if part.isdigit()]


def published() -> tuple[Ledger, ...]:
    """The published figures that ship, as ledgers without claims."""
    parts = read_ledgers(sorted((Path(specs_folder()) / "published").glob("*.yaml"))).parts
    return tuple(replace(part, sections=(), claims=()) for part in parts if part.figures)


def read_ledgers(paths: list[Path]) -> Ledgers:
    """Several files as one.  Raises ArchinspectError with every error of all of them."""
    errors: list[Diagnostic] = []
    parts = []
    for path in paths:
        reader = _Reader(Tree(read(path)))
        parts.append(reader.ledger())
        errors += reader.errors
    return _joined(parts, errors)


def read_text(text: str, file: str = "claims.yaml") -> Ledgers:
    """A ledger from its text; `file` is the name that errors show."""
    source = Source(file, text)
    refuse_control_characters(source)
    reader = _Reader(Tree(source))
    ledger = reader.ledger()
    return _joined([ledger], list(reader.errors))


def _joined(parts: list[Ledger], errors: list[Diagnostic]) -> Ledgers:
    ids = {claim.id for part in parts for claim in part.claims}
    tables = {claim.table for part in parts for claim in part.claims if claim.table}
    known = ids | tables
    ledgers = Ledgers(
        tuple(replace(p, claims=tuple(_referring(c, ids, tables) for c in p.claims)) for p in parts)
    )
    seen: dict[str, Claim] = {}
    for claim in ledgers.claims:
        if claim.id in seen:
            first = seen[claim.id].span
            related = ((first, "first here"),) if first else ()
            help = "give its row an id of its own"
            errors.append(
                Diagnostic(
                    "A210", f"two claims have the id '{claim.id}'", claim.span, help=help, related=related
                )
            )
        seen[claim.id] = claim
        for name in (*claim.sum, *claim.product, *filter(None, [claim.same])):
            if name not in known or (name in tables and name not in claim.sum):
                message = f"claim '{claim.id}' refers to '{name}', which is no claim"
                errors.append(Diagnostic("A208", message, claim.span, help=suggestion(name, known)))
    if errors:
        raise ArchinspectError(errors)
    return ledgers


def _referring(claim: Claim, ids: set[str], tables: set[str]) -> Claim:
    """The claim with its references resolved: a row means what that row states of the same quantity.

    A row is named by its id, and within its table also by its label or its id without the table's.
    """

    def resolved(name: str) -> str:
        if name in ids or name in tables:
            return name
        near = (f"{claim.table}.{name}", f"{claim.table}.{slug(name)}")
        return next((full for row in (name, *near) if (full := f"{row}.{claim.quantity}") in ids), name)

    if not claim.derived:
        return claim
    sums, products = (tuple(map(resolved, names)) for names in (claim.sum, claim.product))
    return replace(claim, sum=sums, product=products, same=resolved(claim.same) if claim.same else "")


class _Reader(Fields):
    """Reads one file."""

    def ledger(self) -> Ledger:
        root = self.tree.root
        if not isinstance(root, Mapping):
            place = Scalar("", 0, 0, 1, True, False) if root is None else root
            self.error(
                "A107", "a file of claims is a mapping", place, help="start with: source: where it is printed"
            )
            return Ledger("", "", (), ())
        found = self.mapping(root, _KEYS)
        self.model = self.text(found.get("model"))
        models = self._models(found.get("models"))
        figures = tuple(self._figures(found.get("published")))
        self.claims: list[Claim] = []
        sections = [self._section(item) for item in self.items(found.get("sections"))]
        self.section = ""
        loose = [self.claim(item, quote="") for item in self.items(found.get("claims"))]
        if not sections and not loose and not figures:
            self.error(
                "A109", "the file has no 'sections' and no 'claims'", root, help="docs/claims.md has examples"
            )
        if any(loose):
            ids = tuple(claim.id for claim in loose if claim is not None)
            sections.append(Section("", "", (Quote("", ids),)))
        title = self.text(found.get("title"))
        file = self.tree.source.file
        return Ledger(
            self.text(found.get("source")),
            title,
            tuple(sections),
            tuple(self.claims),
            models,
            figures,
            file,
            self.text(found.get("collection")) == "true",
        )

    def _models(self, value: Value | None) -> dict[str, tuple[str, str]]:
        models = {}
        if isinstance(value, Mapping):
            for name, _, item in entries(value):
                if isinstance(item, Mapping):
                    found = self.mapping(item, ("layers", "input"), needed=("layers", "input"))
                    models[name] = (self.text(found.get("layers")), self.text(found.get("input")))
                else:
                    models[name] = (self._spec(self.text(item)), "")
        return models

    def _spec(self, name: str) -> str:
        """A spec's path as the file of claims gives it, beside itself; any other name as it is."""
        beside = Path(self.tree.source.file).parent / name
        return os.fspath(beside) if name.endswith((".yaml", ".yml")) and os.path.exists(beside) else name

    def _figures(self, value: Value | None) -> Iterator[Figure]:
        for item in self.items(value):
            if not isinstance(item, Mapping):
                self.error("A107", "a published figure is a mapping", item)
                continue
            found = self.mapping(item, _FIGURE_KEYS, needed=("subject", "quantity", "value", "source"))
            texts = {key: self.text(found.get(key)) for key in _FIGURE_KEYS}
            try:
                printed = parse(texts["value"])
            except NotANumberError as error:
                if "value" in found:
                    self.error("A207", str(error), found["value"])
                continue
            yield Figure(
                texts["subject"], texts["quantity"], printed, texts["source"], texts["event"], texts["entry"]
            )

    def _section(self, value: Value) -> Section:
        if not isinstance(value, Mapping):
            self.error("A107", "a section is a mapping with the keys section, title, items", value)
            return Section("", "")
        found = self.mapping(value, _SECTION_KEYS)
        self.section = self.text(found.get("section"))
        outer = self.model
        self.model = self.text(found.get("model")) or outer
        items: list[Quote | Table] = []
        for item in self.items(found.get("items")):
            made = self._item(item)
            if made is not None:
                items.append(made)
        self.model = outer
        title = self.text(found.get("title"))
        return Section(self.section, title, tuple(items), self.text(found.get("names")))

    def _item(self, value: Value) -> Quote | Table | None:
        if isinstance(value, Mapping) and any(key == "table" for key, _, _ in entries(value)):
            return TableReader(self, value).table()
        if isinstance(value, Mapping) and any(key == "quote" for key, _, _ in entries(value)):
            found = self.mapping(value, _QUOTE_KEYS)
            quote = re.sub(r"\s+", " ", self.text(found.get("quote")))
            made = [self.claim(item, quote=quote) for item in self.items(found.get("claims"))]
            return Quote(quote, tuple(c.id for c in made if c is not None), self.text(found.get("names")))
        self.error(
            "A107", "an item of a section is a quote or a table", value, help="start with: quote: or table:"
        )
        return None
