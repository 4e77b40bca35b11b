"""The conventions on a module that is not ours: each tool's count, from what that tool can see of it.

`record` is what can be seen; one file for each tool that looks at calls has its rules, as data; `account` applies them.
FlopCounterMode looks at operators as the graph has them, so it needs no record.
"""

from __future__ import annotations

from dataclasses import replace

from ....graph import Graph, Node
from ..counts import Counts, count
from ..flop_counter import NO_RULE
from ..rules import Convention, Rule, Zero
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


def _counted(node: Node) -> int:
    return node.cost.macs if node.cost is not None and node.op.type not in NO_RULE else 0


_MACS = (
    Rule("MACs", _counted),
    Zero(known=False, times=lambda node: 0 if _counted(node) else 1),
)


def _by_operator(convention: Convention) -> Convention:
    """The convention for any operator that a graph may hold, be it a layer or not."""
    return replace(convention, rules={}, default=_MACS, functions=_MACS)
