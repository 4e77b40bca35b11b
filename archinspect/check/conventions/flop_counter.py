"""torch's `FlopCounterMode`: `get_total_flops()`.

Source: torch/utils/flop_counter.py.  Convolutions and matrix products count two FLOPs per multiply-accumulate,
without bias; every other operator counts nothing, and nothing is said about it.
"""

from __future__ import annotations

from .rules import MACS, UNKNOWN, Convention, Zero

FLOP_COUNTER = Convention(
    name="torch",
    tool="torch FlopCounterMode",
    figure="get_total_flops()",
    unit="FLOPs (two per MAC)",
    per_mac=2,
    rules={
        "conv2d": (MACS,),
        "conv_transpose2d": (MACS,),
        "linear": (MACS,),
        "multihead_attention": (MACS, Zero(known=False, names=("softmax",))),
    },
    default=UNKNOWN,
    source="torch/utils/flop_counter.py",
)
