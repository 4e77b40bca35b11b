"""The ledger: printed claims, and the texts and tables they stand in.

A ledger transcribes; it holds no verdict and corrects nothing.  `reading` makes it of YAML, `judge` judges it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import Span
from .printed import Printed


@dataclass(frozen=True)
class Claim:
    """One printed number and what it says.

    A claim about a network has a `model` and, for a part of it, `layers` (selectors, see `select`); a claim about the
    world has a `subject` and perhaps an `event`.  `sum`, `product` and `same` name the printed claims that this one
    adds up, multiplies or repeats.  `row` names the table row it stands in, `column` its printed heading.  `counts`
    names the tool whose rules it follows.
    """

    id: str
    section: str
    quote: str
    stated: Printed
    quantity: str
    model: str = ""
    layers: tuple[str, ...] = ()
    formula: str = ""
    subject: str = ""
    event: str = ""
    sum: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    same: str = ""
    table: str = ""
    row: str = ""
    column: str = ""
    label: str = ""
    counts: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def derived(self) -> bool:
        """Whether it is built of other printed numbers."""
        return bool(self.sum or self.product or self.same)


@dataclass(frozen=True)
class Cell:
    """A cell as printed, and the claims it makes."""

    text: str
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as printed.  `roles` say what each column states, see `roles`."""

    id: str
    columns: tuple[str, ...]
    roles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Quote:
    """A sentence as printed.  `names` are its numerals that state nothing (VGG16, figure 2)."""

    text: str
    claims: tuple[str, ...] = ()
    names: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the source with its heading."""

    number: str
    title: str
    items: tuple[Quote | Table, ...] = ()
    names: str = ""


@dataclass(frozen=True)
class Figure:
    """A published figure: what a source says of a subject.

    `event` is the contest it was reached in; `entry` says what exactly was measured.
    """

    subject: str
    quantity: str
    value: Printed
    source: str
    event: str = ""
    entry: str = ""


@dataclass(frozen=True)
class Ledger:
    """One file of claims; a `collection` has those of several sources, each in a section or table of its own."""

    source: str
    title: str
    sections: tuple[Section, ...]
    claims: tuple[Claim, ...]
    models: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # own networks: name → (layers, input)
    figures: tuple[Figure, ...] = ()
    file: str = ""
    collection: bool = False


@dataclass(frozen=True)
class Ledgers:
    """Several ledgers that refer to each other, judged as one."""

    parts: tuple[Ledger, ...]

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for part in self.parts for claim in part.claims)

    @cached_property
    def by_id(self) -> dict[str, Claim]:
        return {claim.id: claim for claim in self.claims}

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(figure for part in self.parts for figure in part.figures)

    @cached_property
    def models(self) -> dict[str, tuple[str, str]]:
        return {name: model for part in self.parts for name, model in part.models.items()}

    @property
    def source(self) -> str:
        return "; ".join(dict.fromkeys(part.source for part in self.parts if part.source))

    @cached_property
    def collected(self) -> frozenset[str]:
        """The claims of collections, which do not contradict each other across sections and tables."""
        return frozenset(claim.id for part in self.parts if part.collection for claim in part.claims)

    def members(self, claim: Claim) -> tuple[Claim, ...]:
        """The printed claims that a sum adds up: those named, or a table's rows that state the same quantity."""
        found: dict[str, Claim] = {}
        for name in claim.sum:
            if name in self.by_id:
                found[name] = self.by_id[name]
                continue
            found.update((c.id, c) for c in self._rows(name, claim))
        return tuple(found.values())

    def _rows(self, table: str, total: Claim) -> Iterator[Claim]:
        for claim in self.claims:
            if claim.table != table or claim.quantity != total.quantity or claim.id == total.id:
                continue
            # Sub-totals of the table, and the terms inside a cell's own derivation, are no rows of it.
            if self.is_total(claim, table) or "#" in claim.id:
                continue
            yield claim

    @staticmethod
    def is_total(claim: Claim, table: str) -> bool:
        """Whether a row of a table states a sum or a multiple of the table's other rows."""
        return bool(claim.product) or (bool(claim.sum) and not all("#" in name for name in claim.sum))
