"""Whether a configuration fits into the device's memory, before it is tried and after."""

from __future__ import annotations

import torch

from ..conditions import read


class OutOfMemoryError(Exception):
    """A configuration that cannot fit, known before it is tried."""


def refuse_what_cannot_fit(predicted: int, device: torch.device) -> None:
    """Raises OutOfMemoryError when so many bytes are more than what is free."""
    if device.type == "cuda":
        available = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    else:
        lines = dict(line.split(":", 1) for line in (read("/proc/meminfo") or "").splitlines() if ":" in line)
        available = int(lines.get("MemAvailable", "0 kB").split()[0]) * 1024
    if available and predicted > available:
        raise OutOfMemoryError(
            f"needs at least {predicted / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are available"
        )


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch failed because memory ran out, on a GPU or a CPU."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error)
    return "DefaultCPUAllocator" in text or "out of memory" in text.lower()
