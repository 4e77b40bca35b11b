"""What else ran while we measured: the operating system's counters before and after, and what nvidia-smi says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .flags import Flag

Reader = Callable[[str], str | None]

#: others may use this many cores, or this share of all of them, before the run is called contaminated
_OTHERS, _OTHERS_SHARE = 0.2, 0.05
#: the measuring thread was kept from running for more than this share of the time
_WAITING = 0.05
_CGROUP = ("/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat")


@dataclass(frozen=True, slots=True)
class Counters:
    """Seconds since some beginning: `wall`, `busy` on all cores, `stolen` by the hypervisor, `own` of this process,
    `waiting` of the measuring thread for a core, `quota` held back by a container's limit.  None: not to be had here.
    """

    wall: float
    own: float
    busy: float | None = None
    stolen: float | None = None
    waiting: float | None = None
    quota: float | None = None


def read(path: str) -> str | None:
    """A file of /proc or /sys; None where there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def counters(reader: Reader = read) -> Counters:
    """The counters now."""
    spent = os.times()
    busy, stolen = _stat(reader("/proc/stat"))
    return Counters(
        time.perf_counter(), spent.user + spent.system, busy, stolen, _wait(reader), _quota(reader)
    )


def disturbances(before: Counters, after: Counters, cores: int) -> list[Flag]:
    """What the counters of two moments say disturbed the time between them."""
    wall = after.wall - before.wall
    if wall <= 0:
        return []
    flags = []
    found = []
    others = _grown(before.busy, after.busy)
    if others is not None:
        share = (others - (after.own - before.own)) / wall
        if share > max(_OTHERS, _OTHERS_SHARE * cores):
            found.append(f"other processes used {share:.1f} of {cores} cores")
    waiting = _grown(before.waiting, after.waiting)
    if waiting is not None and waiting / wall > _WAITING:
        found.append(f"the measuring thread waited for a core {waiting / wall:.0%} of the time")
    stolen = _grown(before.stolen, after.stolen)
    if stolen is not None and stolen / wall > _OTHERS:
        found.append(f"the hypervisor gave {stolen / wall:.1f} cores to others")
    if found:
        flags.append(Flag("contaminated", "; ".join(found)))
    quota = _grown(before.quota, after.quota)
    if quota is not None and quota / wall > 0.01:
        flags.append(
            Flag(
                "throttled",
                f"the container's CPU quota held this process back {quota / wall:.0%} of the time",
            )
        )
    return flags


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _stat(text: str | None) -> tuple[float | None, float | None]:
    """(busy, stolen) seconds of all cores from the first line of /proc/stat."""
    fields = (text or "").partition("\n")[0].split()
    if len(fields) < 9 or fields[0] != "cpu":
        return None, None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
    if user + nice + system + irq + softirq == 0:  # a system that counts nothing
        return None, None
    tick: int = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


def _wait(reader: Reader) -> float | None:
    """Seconds that this thread was ready and had no core (schedstat, field 2, in ns)."""
    fields = (reader("/proc/thread-self/schedstat") or "").split()
    return int(fields[1]) / 1e9 if len(fields) == 3 and fields[0] != "0" else None


def _quota(reader: Reader) -> float | None:
    """Seconds that the container's CPU quota kept its processes waiting, per core."""
    for path in _CGROUP:
        for line in (reader(path) or "").splitlines():
            key, _, value = line.partition(" ")
            if key == "throttled_usec":
                return int(value) / 1e6
            if key == "throttled_time":
                return int(value) / 1e9
    return None


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
