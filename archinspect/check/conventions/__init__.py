"""The counting conventions of other tools, each predicted from the graph alone.

`rules` says what a convention is; one file per tool holds its rules; `counts` applies them; `difference` explains
why two tools print two figures.  docs/conventions.md shows all rules side by side.
"""

from __future__ import annotations

from ...errors import fail, suggestion
from ...graph import Graph
from .counts import Counts, RowCount
from .counts import count as count_by
from .difference import Difference, difference
from .flop_counter import FLOP_COUNTER
from .fvcore import FVCORE
from .ptflops import PTFLOPS
from .rules import MACS, Convention
from .thop import THOP
from .torchinfo import TORCHINFO

__all__ = ["CONVENTIONS", "OURS", "Convention", "Counts", "Difference", "RowCount", "count", "difference"]

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention for convention in (TORCHINFO, FVCORE, FLOP_COUNTER, PTFLOPS, THOP)
}

#: What archinspect calls MACs, in the same form, so that tools can be compared with it.
OURS = Convention(
    name="archinspect",
    tool="archinspect",
    figure="totals.macs",
    unit="MACs",
    rules={},
    default=(MACS,),
    functions=(MACS,),
    source="docs/counting.md",
)


def count(graph: Graph, name: str) -> Counts:
    """Count a network by the convention of that name.

    Raises ArchinspectError (A403) for a name that is no convention.
    """
    if name == OURS.name:
        return count_by(graph, OURS)
    if name not in CONVENTIONS:
        known = (*CONVENTIONS, OURS.name)
        raise fail(
            "A403",
            f"no convention is called '{name}'",
            notes=[f"known: {', '.join(known)}"],
            help=suggestion(name, known, otherwise="choose one of these"),
        )
    return count_by(graph, CONVENTIONS[name])
