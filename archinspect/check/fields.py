"""What readers of a ledger share: keys, texts, lists, and one claim."""

from __future__ import annotations

import re
from typing import Any

from ..errors import Diagnostic, suggestion
from ..formula import FormulaError
from ..frontends.spec.nodes import Mapping, Scalar, Sequence, Tree, Value, entries
from .equations import evaluate
from .evidence import RULE_NAMES
from .ledger import Claim
from .printed import NotANumberError, Printed, parse, words
from .roles import QUANTITIES

CLAIM_KEYS = (
    "id",
    "stated",
    "quantity",
    "model",
    "layer",
    "formula",
    "subject",
    "event",
    "sum",
    "product",
    "same",
    "counts",
)


class Fields:
    """Reads values of a YAML tree; `errors` collects what is wrong, `claims` what was read."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.errors = tree.errors
        self.claims: list[Claim] = []
        self.model = ""
        self.section = ""

    def error(self, code: str, message: str, value: Value, help: str = "") -> None:
        self.errors.append(Diagnostic(code, message, self.tree.span(value), help=help))

    def mapping(
        self, value: Mapping, known: tuple[str, ...], needed: tuple[str, ...] = ()
    ) -> dict[str, Value]:
        found = {}
        for key, place, item in entries(value):
            if key not in known:
                help = suggestion(key, known, otherwise="known keys: " + ", ".join(known))
                if re.fullmatch(r"\d{3}", key):  # {stated: 34,944}: YAML ends a value at the comma
                    help = 'quote a number that has commas: stated: "34,944"'
                self.error("A108", f"unknown key '{key}'", place, help)
            found[key] = item
        for key in needed:
            if key not in found:
                self.error("A109", f"there is no '{key}'", value)
        return found

    def text(self, value: Value | None) -> str:
        if value is None:
            return ""
        if isinstance(value, Scalar):
            return value.value.strip()
        self.error("A107", "a text is expected here", value)
        return ""

    def texts(self, value: Value | None) -> tuple[str, ...]:
        """One text or a list of them."""
        if isinstance(value, Sequence):
            return tuple(self.text(item) for item in value.items)
        return (self.text(value),) if value is not None else ()

    def items(self, value: Value | None) -> list[Value]:
        if value is None:
            return []
        if isinstance(value, Sequence):
            return value.items
        self.error("A107", "a list is expected here", value, "start each item with '- '")
        return []

    def claim(self, value: Value, *, quote: str, **given: Any) -> Claim | None:
        """A claim of its own; `given` says what its place says already (model, layers, table, row)."""
        if not isinstance(value, Mapping):
            self.error(
                "A107", "a claim is a mapping", value, "for example {id: depth, stated: '8', quantity: depth}"
            )
            return None
        found = self.mapping(value, CLAIM_KEYS, needed=("id", "stated", "quantity"))
        if not {"id", "stated", "quantity"} <= found.keys():
            return None
        fields = dict(given)
        for key in ("model", "formula", "subject", "event", "same"):
            if key in found:
                fields[key] = self.text(found[key])
        for key in ("sum", "product"):
            if key in found:
                fields[key] = self.texts(found[key])
        if "counts" in found:
            fields["counts"] = self._rule(found["counts"])
        if "layer" in found:
            fields["layers"] = self.texts(found["layer"])
        quantity = self.text(found["quantity"])
        stated = self.text(found["stated"])
        return self.add(self.text(found["id"]), stated, quantity, found["stated"], quote=quote, **fields)

    def _rule(self, value: Value) -> str:
        """The rules of counting that a claim names."""
        name = self.text(value)
        if name not in RULE_NAMES:
            help = suggestion(name, RULE_NAMES, otherwise="known: " + ", ".join(RULE_NAMES))
            self.error("A207", f"nothing counts by the rules of '{name}'", value, help)
        return name

    def add(
        self, id: str, stated: str, quantity: str, place: Value, *, quote: str, **fields: Any
    ) -> Claim | None:
        """Make a claim of its parts, or record why not."""
        printed = words(stated) if quantity == "type" else self.printed(stated, place)
        if printed is not None and printed.unit == "B" and not quantity.endswith("_bytes"):
            printed = printed.rescaled(10**9)  # a billion, as papers write 0.39B FLOPs; bytes are B elsewhere
        if printed is None or not self._formula(fields.get("formula", ""), place):
            return None
        if fields.get("subject"):
            fields.setdefault("model", "")
        else:
            if quantity not in QUANTITIES:
                help = suggestion(quantity, QUANTITIES, otherwise="known: " + ", ".join(QUANTITIES))
                self.error("A207", f"unknown quantity '{quantity}'", place, help)
                return None
            fields.setdefault("model", self.model)
            if not fields["model"]:
                self.error(
                    "A109", f"claim '{id}' names no model", place, "give model: at the top of the file"
                )
                return None
        made = Claim(id, self.section, quote, printed, quantity, span=self.tree.span(place), **fields)
        self.claims.append(made)
        return made

    def printed(self, text: str, place: Value) -> Printed | None:
        try:
            return parse(text)
        except NotANumberError as error:
            self.error(
                "A207", str(error), place, "a number as printed: 34,944; ≈ 60 Mil; 25.0M; 3×3; 237.95 MB"
            )
            return None

    def _formula(self, text: str, place: Value) -> bool:
        if not text:
            return True
        try:
            evaluate(text)
        except FormulaError as error:
            self.error("A213", f"cannot evaluate the formula '{text[:80]}': {error}", place)
            return False
        return True
