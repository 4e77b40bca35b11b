"""`budget`: limits and what they are spent on, and what differs from a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import units
from ..budget import QUANTITIES
from .table import AtLeast, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..budget import Budget, Edit

_LIMITS = (
    Column("quantity", "Quantity"),
    Column("found", "Found"),
    Column("limit", "Limit"),
    Column("share", "Used", "percent"),
    Column("verdict", "Verdict"),
)
_BLAME = (
    Column("quantity", "Quantity", optional=1),
    Column("name", "Layer", "name"),
    Column("what", "What", optional=-1),
    Column("figure", "Figure"),
    Column("share", "Share", "percent"),
)
_MOVED = (
    Column("quantity", "Quantity"),
    Column("locked", "Locked", "int"),
    Column("found", "Found", "int"),
    Column("change", "Change", "change"),
)
_EDITS = (
    Column("name", "Layer", "name"),
    Column("change", "Change"),
    Column("params", "Params", "change"),
    Column("macs", "MACs", "change"),
    Column("activation_bytes", "Activation bytes", "change", optional=1),
    Column("what", "What", "detail"),
)


def budget(found: Budget) -> Report:
    """The limits, what exceeded ones are spent on, and what is not as the lock has it."""
    tables = [
        table for table in (_limits(found), _blamed(found), _moved(found), _edits(found)) if table is not None
    ]
    if not tables:
        what = f"Layers and totals are those of {found.against}." if found.against else "No limit was given."
        tables = [Table((), (), title=_title(found), notes=(what,))]
    return Report(tuple(tables), found.to_dict)


def _title(found: Budget) -> str:
    return f"{found.model}: {'within its budget' if found.ok else 'not within its budget'}"


def _shown(quantity: str, figure: int) -> str:
    return units.binary_bytes(figure) if quantity == "memory" else units.grouped(figure)


def _limits(found: Budget) -> Table | None:
    if not found.findings:
        return None
    rows = []
    for one in found.findings:
        figure = one.found if one.complete else AtLeast(one.found)
        text = _shown(one.quantity, one.found)
        over = f"over by {_shown(one.quantity, one.found - one.limit)}"
        verdict = Toned("kept", "good") if one.ok else Toned(over, "bad")
        if one.ok and not one.complete:
            verdict = Toned("kept, as far as counted", "fair")
        rows.append(
            (
                one.quantity,
                f"≥ {text}" if isinstance(figure, AtLeast) else text,
                _shown(one.quantity, one.limit),
                100 * one.found / one.limit if one.limit else None,
                verdict,
            )
        )
    notes = (
        [f"Memory: {QUANTITIES['memory']}."]
        if any(one.quantity == "memory" for one in found.findings)
        else []
    )
    if found.against and not (found.edits or found.moved):
        notes.append(f"Layers and totals are those of {found.against}.")
    return Table(_LIMITS, tuple(rows), title=_title(found), notes=tuple(notes))


def _blamed(found: Budget) -> Table | None:
    rows = []
    for one in found.findings:
        for blame in one.blame:
            share = 100 * blame.figure / one.found if one.found else None
            rows.append((one.quantity, blame.name, blame.what, _shown(one.quantity, blame.figure), share))
    return Table(_BLAME, tuple(rows), title="To blame", subtitle=_blame_of(found)) if rows else None


def _blame_of(found: Budget) -> str:
    if found.edits and any(
        edit.params > 0 or edit.macs > 0 or edit.activation_bytes > 0 for edit in found.edits
    ):
        return "The changes that added most since the lock."
    return "The layers that have most."


def _moved(found: Budget) -> Table | None:
    if not found.moved:
        return None
    rows = [(key, old, new, new - old) for key, (old, new) in found.moved.items()]
    return Table(_MOVED, tuple(rows), title=f"Totals that are not those of {found.against}")


def _edits(found: Budget) -> Table | None:
    if not found.edits:
        return None
    return Table(_EDITS, tuple(map(_edit, found.edits)), title=f"Layers that are not as in {found.against}")


def _edit(edit: Edit) -> tuple[str | int, ...]:
    return (edit.name, edit.change, edit.params, edit.macs, edit.activation_bytes, edit.what)
