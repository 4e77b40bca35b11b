"""torch's `FlopCounterMode`: `get_total_flops()`.

Source: torch/utils/flop_counter.py.  Convolutions and matrix products count two FLOPs per multiply-accumulate,
without bias; every other operator counts nothing, and nothing is said about it.
"""

from __future__ import annotations

from .rules import MACS, UNKNOWN, Convention, Note, Zero, of_type

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
        "multihead_attention": (MACS, Zero(known=False, names=("softmax",))),
    },
    default=UNKNOWN,
    functions=(MACS,),
    source="torch/utils/flop_counter.py",
    notes=(Note("Its figure is in FLOPs, two for each multiply-accumulate.", of_type("conv", "linear")),),
)
