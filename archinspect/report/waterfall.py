"""Waterfalls: from a printed figure to the true one, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from ..check.printed import show
from .table import Cells, Column, Table

if TYPE_CHECKING:
    from ..check.reconcile import Step, Waterfall

_COLUMNS = (
    Column("step", "Step"),
    Column("amount", "Change", "change"),
    Column("sum", "Parameters", "int"),
    Column("details", "Where", "detail"),
)
_FEW = 3  # details shown before "and more"


def waterfalls(found: Iterable[Waterfall]) -> tuple[Table, ...]:
    """One table each: the start, the steps with their running sum, what is left over, the end."""
    return tuple(map(_table, found))


def _table(made: Waterfall) -> Table:
    rows: list[Cells] = [(made.start_label, "", whole(made.start), "")]
    running = made.start
    for step in made.steps:
        running += step.amount
        rows.append((step.name, _change(step.amount), whole(running), details(step)))
    if made.residue:
        rows.append(("not explained", _change(made.residue), whole(made.end), ""))
    note = "The steps add up exactly; nothing is left over." if not made.residue else ""
    total: Cells = (made.end_label, _change(made.end - made.start), whole(made.end), "")
    return Table(
        _COLUMNS, tuple(rows), total, f"Reconciliation: {made.title}", notes=tuple(filter(None, [note]))
    )


def _change(amount: Fraction) -> int | str:
    return amount.numerator if amount.denominator == 1 else signed(amount)


def signed(amount: Fraction) -> str:
    """`+1,826,816` or `−9,216`."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else '±'}{show(abs(amount))}"


def whole(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else show(value)


def details(step: Step, few: int = _FEW) -> str:
    """Where a step happens, the first few places with their amounts."""
    if len(step.details) == 1:
        return step.details[0][0]
    shown = [f"{name} {signed(amount)}" for name, amount in step.details[:few]]
    more = len(step.details) - few
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
