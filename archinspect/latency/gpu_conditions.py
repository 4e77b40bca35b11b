"""What else went on on a GPU: from what nvidia-smi says before and after.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .flags import Flag

#: bits of `clocks_throttle_reasons.active` that slow a running GPU (NVML, nvmlClocksEventReasons)
_REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
_IDLE_UTILISATION = 5  # percent, before we begin


def gpu_flags(before: Mapping[str, str], after: Mapping[str, str], others: Sequence[str]) -> list[Flag]:
    """Flags from `environment.gpu_state` before and after, and the other processes on the GPU."""
    found = []
    if others:
        found.append(f"{len(others)} other processes compute on the GPU ({'; '.join(others)})")
    utilisation = before.get("gpu_utilization.gpu", "")
    if utilisation.isdigit() and int(utilisation) > _IDLE_UTILISATION:
        found.append(f"the GPU was {utilisation} % busy before the start")
    flags = [Flag("contaminated", "; ".join(found))] if found else []
    reasons = _reasons(after)
    if reasons:
        clock, most = after.get("gpu_clocks.sm", "?"), after.get("gpu_clocks.max.sm", "?")
        flags.append(Flag("slowed-clock", f"{', '.join(reasons)}: {clock} of {most} MHz"))
    return flags


def _reasons(state: Mapping[str, str]) -> list[str]:
    try:
        active = int(state.get("gpu_clocks_throttle_reasons.active", "0"), 16)
    except ValueError:  # "[Not Supported]"
        return []
    return [name for bit, name in _REASONS.items() if active & bit]
