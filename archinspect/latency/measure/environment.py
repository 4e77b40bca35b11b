"""Where and with what a figure was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from typing import Any

import torch

from ..conditions import at_work, others, read

_GPU_FIELDS = (
    "driver_version",
    "clocks.sm",
    "clocks.max.sm",
    "clocks.mem",
    "power.limit",
    "temperature.gpu",
    "utilization.gpu",
    "clocks_throttle_reasons.active",
)
#: the name that later drivers have for a field, should they drop the earlier one
_RENAMED = {"clocks_throttle_reasons.active": "clocks_event_reasons.active"}
#: nvidia-smi's utilisation is of about a second: so long it may still be our own work
_SETTLE_S = 1.5


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Everything that may explain why another machine gets another figure."""
    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": cores(),
        "threads": threads,
        "load_before": _load(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mkldnn": torch.backends.mkldnn.is_available(),
        "governor": (read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "").strip() or None,
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": properties.name,
            "gpu_memory_bytes": properties.total_memory,
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            **settled_gpu_state(device),
        }
    return found


def processor() -> str:
    """The processor's name, as the system tells it."""
    for line in (read("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def gpu_state(device: torch.device) -> dict[str, str]:
    """What nvidia-smi says of one GPU; nothing where it is absent."""
    for fields in (_GPU_FIELDS, [_RENAMED.get(field, field) for field in _GPU_FIELDS]):
        lines = _smi(["--query-gpu=" + ",".join(fields), f"--id={_smi_id(device)}"])
        if lines:
            return {"gpu_" + k: v.strip() for k, v in zip(_GPU_FIELDS, lines[0].split(","), strict=False)}
    return {}


def settled_gpu_state(device: torch.device) -> dict[str, str]:
    """The state before we begin: where the GPU is at work, a second look once our own earlier work must be over."""
    torch.cuda.synchronize(device)
    state = gpu_state(device)
    end = time.monotonic() + _SETTLE_S
    while at_work(state) and time.monotonic() < end:
        time.sleep(_SETTLE_S / 4)
        state = gpu_state(device)
    return state


def gpu_processes(device: torch.device) -> list[str]:
    """Other processes that compute on the GPU: `pid, name`."""
    lines = _smi(["--query-compute-apps=pid,process_name", f"--id={_smi_id(device)}"])
    return others(lines, os.getpid(), lambda pid: os.path.exists(f"/proc/{pid}"))


def _smi_id(device: torch.device) -> str:
    """What nvidia-smi knows the GPU by; CUDA's numbers depend on CUDA_VISIBLE_DEVICES, and its do not."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return str(device.index or 0) if uuid is None else f"GPU-{uuid}"


def _smi(arguments: list[str]) -> list[str]:
    try:
        done = subprocess.run(
            ["nvidia-smi", *arguments, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
