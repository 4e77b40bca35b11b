"""How PyTorch spells an op, as data: no op file imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TorchCall:
    """How PyTorch spells a layer: `nn.Conv2d(64, 128, 3, padding=1)`, or `torch.cat([x, y], 1)`.

    `target` is a dotted name under `nn` or `archinspect` (a module class, constructed once; those of `archinspect`
    are in `archinspect.pytorch.modules`) or under `torch` (a function, called in forward).  A function's `args` stand
    after its inputs; `as_list` passes the inputs as one list; `fold` applies a function of two inputs from left to
    right over more of them.  `outputs` say where each output stands in what is returned: those of an LSTM are `(0,)`,
    `(1, 0)` and `(1, 1)`; empty where all that is returned is the one output.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    as_list: bool = False
    fold: bool = False
    outputs: tuple[tuple[int, ...], ...] = ()

    @property
    def is_module(self) -> bool:
        return self.target.startswith(("nn.", "archinspect."))
