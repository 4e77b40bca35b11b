"""Why two tools print two figures for one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .counts import Counts


@dataclass(frozen=True)
class Difference:
    """`minuend` − `subtrahend` in multiply-accumulates, term by term; the terms add up to `total`."""

    minuend: str
    subtrahend: str
    total: int
    terms: Mapping[str, int]

    def __str__(self) -> str:
        """`fvcore − torch MACs = 22,227,968 batch norm + 100,352 average pooling`."""
        return f"{self.minuend} − {self.subtrahend} MACs = {self.explanation}"

    @property
    def explanation(self) -> str:
        """The terms with their signs, positive ones first, the largest first; "0" for none."""
        parts = [f"{'−' if n < 0 else '+'} {abs(n):,} {name}" for name, n in self.terms.items()]
        text = " ".join(parts).removeprefix("+ ")
        return f"−{text[2:]}" if text.startswith("− ") else text or "0"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "minuend": self.minuend,
            "subtrahend": self.subtrahend,
            "total": self.total,
            "terms": dict(self.terms),
        }


def difference(minuend: Counts, subtrahend: Counts) -> Difference:
    """How two counts of the same network differ, in multiply-accumulates or what each tool takes for one."""
    names = dict.fromkeys((*minuend.terms, *subtrahend.terms))
    terms = {name: minuend.terms.get(name, 0) - subtrahend.terms.get(name, 0) for name in names}
    ordered = sorted(
        ((name, n) for name, n in terms.items() if n), key=lambda item: (item[1] < 0, -abs(item[1]))
    )
    return Difference(
        minuend.convention.name, subtrahend.convention.name, minuend.macs - subtrahend.macs, dict(ordered)
    )
