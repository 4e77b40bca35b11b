"""One model: captured, analysed, and held against its own parameters and PyTorch's FlopCounterMode."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

from archinspect.analysis import analyse
from archinspect.check.conventions.flop_counter import NO_RULE
from archinspect.errors import ArchinspectError

from .libraries import complete_torchvision


@dataclass(frozen=True)
class Trial:
    """What came of one model.  MACs and seconds are None where there is none to tell.

    `how` is "captured", "on real numbers" (its forward asks for values) or "not captured", then with a `reason`.
    `without_rule` are our MACs in calls that FlopCounterMode has no rule for, `refused` why it did not run.
    """

    model: str
    how: str
    reason: str = ""
    calls: int = 0
    params: int = 0
    own_params: int = 0
    macs: int = 0
    counted: int | None = None
    without_rule: int = 0
    complete: bool = True
    refused: str = ""
    capture_s: float | None = None
    count_s: float | None = None

    @property
    def verdict(self) -> str:
        """`equal`, `named` (the difference is that of the calls without a rule), `differs`, or `uncounted`."""
        if self.counted is None:
            return "uncounted"
        if self.macs == self.counted:
            return "equal"
        return "named" if self.macs == self.counted + self.without_rule else "differs"


def attempt(model: str) -> Trial:
    """Try one model.  Raises nothing: what goes wrong is the trial's reason."""
    name, _, broken = model.partition("!")
    if broken:
        return Trial(name, "not captured", f"its config cannot be made: {broken}")
    from archinspect.frontends.models import load

    if name.startswith("torchvision:"):
        complete_torchvision()
    try:
        try:
            graph = load(name)
        except ArchinspectError:
            graph = load(name, real=True)
        how = "on real numbers" if graph.source.recording.real else "captured"
    except ArchinspectError as error:
        return Trial(name, "not captured", _line(error))
    except Exception as error:  # noqa: BLE001  a traceback is what this table is there to find
        return Trial(name, "not captured", f"TRACEBACK {type(error).__name__}: {_line(error)}")
    return measured(name, graph, how)


def measured(name: str, graph: Any, how: str = "captured") -> Trial:
    """The figures of a captured graph beside those of its module."""
    module, args, kwargs = graph.source.module, graph.source.args, graph.source.kwargs
    analysis = analyse(graph)
    counted, refused, count_s = _counted(module, args, kwargs)
    return Trial(
        name,
        how,
        calls=len(graph.layers),
        params=analysis.totals.params,
        own_params=sum(parameter.numel() for parameter in module.parameters()),
        macs=analysis.totals.macs,
        counted=counted,
        without_rule=sum(row.macs or 0 for row in analysis.rows if row.op in NO_RULE),
        complete=analysis.totals.complete,
        refused=refused,
        capture_s=_captured_again(module, args, kwargs) if how == "captured" else None,
        count_s=count_s,
    )


def _captured_again(module: Any, args: Any, kwargs: Any) -> float | None:
    """Seconds to capture and analyse a module that is there, warm."""
    from archinspect.frontends.torch import load_module

    start = time.perf_counter()
    analyse(load_module(module, args, kwargs)).totals  # noqa: B018  totals are computed when they are looked at
    return time.perf_counter() - start


def _counted(module: Any, args: Any, kwargs: Any) -> tuple[int | None, str, float | None]:
    """FlopCounterMode's MACs on the meta device, or why it does not run; and its seconds."""
    import torch
    from torch.utils._pytree import tree_map
    from torch.utils.flop_counter import FlopCounterMode

    def meta(value: Any) -> Any:
        return value.to("meta") if isinstance(value, torch.Tensor) else value

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it hides an encoder layer behind one op that counts 0
    try:
        twin = copy.deepcopy(module).to("meta").eval()
        args, kwargs = tree_map(meta, args), tree_map(meta, kwargs)
        start = time.perf_counter()
        # Without gradients it refuses parameters that are passed on.
        with FlopCounterMode(display=False) as counter:
            twin(*args, **kwargs)
        return counter.get_total_flops() // 2, "", time.perf_counter() - start
    except Exception as error:  # noqa: BLE001  whatever another tool stumbles over is its reason
        return None, f"{type(error).__name__}: {_line(error)}", None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _line(error: Exception) -> str:
    diagnostics = getattr(error, "diagnostics", None)
    text = diagnostics[0].message if diagnostics else str(error)
    return text.splitlines()[0][:160] if text else ""
