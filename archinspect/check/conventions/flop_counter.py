"""torch's `FlopCounterMode`: `get_total_flops()`.

Source: torch/utils/flop_counter.py.  Convolutions and matrix products count two FLOPs per multiply-accumulate,
without bias; every other operator counts nothing, and nothing is said about it.
"""

from __future__ import annotations

from ...graph import Node
from .rules import MACS, UNKNOWN, Convention, Count, Note, Rule, Zero, of_type

#: operations with multiply-accumulates that FlopCounterMode of torch 2.13 has no rule for
NO_RULE = frozenset(
    (
        "_grouped_mm",
        "addmv",
        "bilinear",
        "deform_conv2d",
        "dot",
        "flex_attention",
        "grouped_mm",
        "mv",
        "vdot",
    )
)


def _with_rule(node: Node) -> Count:
    return 0 if node.op.type in NO_RULE else MACS.count(node)


FLOP_COUNTER = Convention(
    name="torch",
    tool="torch FlopCounterMode",
    figure="get_total_flops()",
    unit="FLOPs",
    per_mac=2,
    rules={
        "conv": (MACS,),
        "conv_transpose": (MACS,),
        "linear": (MACS,),
        "bilinear": UNKNOWN,
        "multihead_attention": (MACS, Zero(known=False, names=("softmax",))),
    },
    default=UNKNOWN,
    functions=(Rule("MACs, of what it has a rule for", _with_rule),),
    source="torch/utils/flop_counter.py",
    notes=(Note("Its figure is in FLOPs, two for each multiply-accumulate.", of_type("conv", "linear")),),
)
