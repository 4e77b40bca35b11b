"""Looks at one pass that is not timed: values that would make a figure meaningless, and memory."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..flags import Flag
from .instrument import Segment, watched

#: more denormal numbers than this among a layer's outputs slow it down noticeably
_DENORMALS = 0.001


def look_at_values(module: fx.GraphModule, input: torch.Tensor, rows: Sequence[Segment]) -> list[Flag]:
    """Flags for outputs that are NaN or infinite, and for denormal numbers."""
    infinite: list[str] = []
    denormal: list[str] = []

    def look(name: str, value: torch.Tensor) -> None:
        if not value.is_floating_point():
            return
        if not bool(torch.isfinite(value).all()):
            infinite.append(name)
        tiny = torch.finfo(value.dtype).tiny
        magnitude = value.abs()
        if float(((magnitude > 0) & (magnitude < tiny)).float().mean()) > _DENORMALS:
            denormal.append(name)

    watched(module, rows, look)(input)
    flags = []
    if infinite:
        flags.append(Flag("nan", f"NaN or infinite values first appear in {infinite[0]}"))
    if denormal:
        flags.append(Flag("denormals", f"denormal values in {len(denormal)} layers, first in {denormal[0]}"))
    return flags


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of storages alive while it is on, and remembers the most.

    For devices whose allocator keeps no account (the CPU): what tensors hold, without kernels' workspaces.
    """

    def __init__(self, already: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = self.peak = already
        self._users: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = {
            t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._add(value, known)
        return result

    def _add(self, value: torch.Tensor, known: set[int]) -> None:
        storage = value.untyped_storage()
        pointer, size = storage.data_ptr(), storage.nbytes()
        if pointer in known and pointer not in self._users:
            return  # a view of an input or a weight, which is counted already
        self._users[pointer] = self._users.get(pointer, 0) + 1
        if self._users[pointer] == 1:
            self.alive += size
            self.peak = max(self.peak, self.alive)
        weakref.finalize(value, self._drop, pointer, size)

    def _drop(self, pointer: int, size: int) -> None:
        self._users[pointer] -= 1
        if self._users[pointer] == 0:
            del self._users[pointer]
            self.alive -= size


def peak_memory(module: torch.nn.Module, input: torch.Tensor) -> tuple[int, int | None]:
    """(most bytes allocated in one forward with weights and input, bytes that the allocator holds for it)."""
    device = input.device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        module(input)
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    state = [*module.parameters(), *module.buffers(), input]
    held = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in state}
    with LiveMemory(sum(held.values())) as memory:
        module(input)
    return memory.peak, None
