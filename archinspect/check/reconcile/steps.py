"""Contributions by name, in the order in which they are to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class Step:
    """One named contribution; `details` say where it comes from, with their own amounts."""

    name: str
    amount: Fraction
    details: tuple[tuple[str, Fraction], ...] = ()


@dataclass
class Ledgerbook:
    """Collects contributions under names; a name's order is that of `ORDER`, then of its first use."""

    entries: dict[str, list[tuple[str, Fraction]]] = field(default_factory=dict)

    def add(self, name: str, detail: str, amount: int | Fraction) -> None:
        if amount:
            self.entries.setdefault(name, []).append((detail, Fraction(amount)))

    def steps(self) -> tuple[Step, ...]:
        """The contributions, equal details added up, names without an amount left out."""
        names = sorted(self.entries, key=lambda name: _rank(name))
        made = []
        for name in names:
            details: dict[str, Fraction] = {}
            for detail, amount in self.entries[name]:
                details[detail] = details.get(detail, Fraction(0)) + amount
            total = sum(details.values(), Fraction(0))
            made.append(Step(name, total, tuple(details.items())))
        return tuple(made)


ROUNDING = "digits that are not printed"
ROWS = "its own rows"
RELATIONS = "sums and products mended"
REPEATS = "misprints mended"
SLIPS = "slips mended"
OPAQUE = "figures without a derivation"
NO_LAYER = "rows that are no layer of the network"
BIAS_OFF = "biases removed"
BIAS_ON = "biases added"
KERNELS = "kernels"
GROUPS = "groups"
WIDTHS = "widths"
INPUTS = "input widths"
LATER = "input widths of the later blocks"
PROJECTIONS = "projection shortcuts"
ORDER = (
    ROUNDING,
    ROWS,
    RELATIONS,
    REPEATS,
    SLIPS,
    OPAQUE,
    NO_LAYER,
    BIAS_OFF,
    BIAS_ON,
    KERNELS,
    GROUPS,
    WIDTHS,
    INPUTS,
    LATER,
    PROJECTIONS,
)


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)
