"""The conventions on a module that is not ours: each tool's count, from what that tool can see of it.

`record` is what can be seen; one file for each tool that looks at calls has its rules, as data; `account` applies them.
FlopCounterMode looks at operators as the graph has them, so it needs no record.
"""

from __future__ import annotations

from dataclasses import replace

from ....graph import Graph, Node
from ..counts import Counts, count
from ..rules import MACS, UNKNOWN, Convention, Zero
from . import fvcore, ptflops, thop, torchinfo
from .account import account
from .ptflops import FUNCTIONS
from .record import FunctionCall, Module, ModuleCall, OperatorCall, Record, Sized

__all__ = [
    "FUNCTIONS",
    "FunctionCall",
    "Module",
    "ModuleCall",
    "OperatorCall",
    "Record",
    "Sized",
    "count_captured",
]

_TOOLS = {"torchinfo": torchinfo, "fvcore": fvcore, "ptflops": ptflops, "thop": thop}


def count_captured(graph: Graph, record: Record, convention: Convention) -> Counts:
    """Count a captured module as a tool would."""
    tool = _TOOLS.get(convention.name)
    if tool is None:
        return count(graph, _by_operator(convention))
    params, total = tool.params(record)
    return account(record, convention, tool.findings(record), params=params, total_params=total)


#: what has multiply-accumulates that FlopCounterMode has no formula for
_UNCOUNTED = ("_grouped_mm", "grouped_mm", "mv", "dot", "vdot", "bilinear")


def _by_operator(convention: Convention) -> Convention:
    """A convention of all operators' multiply-accumulates, for any operator that the graph may hold."""

    def computes_nothing_that_counts(node: Node) -> int:
        return 0 if node.cost is not None and node.cost.macs else 1

    return replace(
        convention,
        rules={}
        if convention.params is None and not convention.rules
        else dict.fromkeys(_UNCOUNTED, UNKNOWN),
        default=(MACS, Zero(known=False, times=computes_nothing_that_counts)),
    )
