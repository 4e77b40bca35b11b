"""What else went on on a GPU: from what nvidia-smi says.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .flags import Flag

#: bits of `clocks_throttle_reasons.active` that slow a running GPU (NVML, nvmlClocksEventReasons)
_REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
_IDLE_UTILISATION = 5  # percent


def at_work(state: Mapping[str, str]) -> bool:
    """Whether the GPU was computing in the second before."""
    utilisation = state.get("gpu_utilization.gpu", "")
    return utilisation.isdigit() and int(utilisation) > _IDLE_UTILISATION


def busy_before(state: Mapping[str, str]) -> list[Flag]:
    """Whether the GPU was at work before we began (`environment.settled_gpu_state`)."""
    if not at_work(state):
        return []
    return [Flag("contaminated", f"the GPU was {state['gpu_utilization.gpu']} % busy before the start")]


def others(lines: Sequence[str], own: int, visible: Callable[[int], bool]) -> list[str]:
    """The processes of `pid, name` lines without our own.

    In a container nvidia-smi tells pids of the host, under which we do not know ourselves: then one of the processes
    that we cannot see is us.
    """
    found = [line.strip() for line in lines if line.partition(",")[0].strip().isdigit()]
    pids = [int(line.partition(",")[0]) for line in found]
    if own in pids:
        return [line for line, pid in zip(found, pids, strict=True) if pid != own]
    hidden = [line for line, pid in zip(found, pids, strict=True) if not visible(pid)]
    return [line for line in found if not hidden or line != hidden[0]]


def gpu_flags(after: Mapping[str, str], others: Sequence[str]) -> list[Flag]:
    """Flags from `environment.gpu_state` after a run, and the other processes on the GPU before and after."""
    found = list(dict.fromkeys(others))
    flags = []
    if found:
        message = f"{len(found)} other processes compute on the GPU ({'; '.join(found)})"
        flags.append(Flag("contaminated", message))
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
