"""Where and with what a figure was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import Any

import torch

from ..conditions import read

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
            **gpu_state(device.index or 0),
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


def gpu_state(index: int) -> dict[str, str]:
    """What nvidia-smi says of one GPU; nothing where it is absent."""
    lines = _smi(["--query-gpu=" + ",".join(_GPU_FIELDS), f"--id={index}"])
    if not lines:
        return {}
    return {"gpu_" + k: v.strip() for k, v in zip(_GPU_FIELDS, lines[0].split(","), strict=False)}


def gpu_processes(index: int) -> list[str]:
    """Other processes that compute on the GPU: `pid name`."""
    lines = _smi(["--query-compute-apps=pid,process_name", f"--id={index}"])
    return [line for line in lines if line.split(",")[0].strip() != str(os.getpid())]


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
