"""Looks at one pass that is not timed: values that would make a figure meaningless, and memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..flags import Flag
from ..runtime import Forward

#: more denormal numbers than this among a layer's outputs slow it down noticeably
_DENORMALS = 0.001
#: so many values of an output stand for all when denormal numbers are looked for
_PROBE = 1 << 16


#: runs a forward that shows a function each name and output
Show = Callable[[Callable[[str, torch.Tensor], None]], object]


def look_at_values(show: Show) -> list[Flag]:
    """Flags for outputs that are NaN or infinite, and for denormal numbers."""
    infinite: list[str] = []
    denormal: list[str] = []

    def look(name: str, value: torch.Tensor) -> None:
        if not value.is_floating_point() or not value.numel():
            return
        if not infinite and not _finite(value):
            infinite.append(name)
        if _denormal_share(value) > _DENORMALS:
            denormal.append(name)

    show(look)
    flags = []
    if infinite:
        flags.append(Flag("nan", f"NaN or infinite values first appear in {infinite[0]}"))
    if denormal:
        flags.append(Flag("denormals", f"denormal values in {len(denormal)} layers, first in {denormal[0]}"))
    return flags


def _finite(value: torch.Tensor) -> bool:
    """One pass decides nearly always: a sum is finite only when all of its terms are.  It may overflow by itself."""
    return bool(torch.isfinite(value.sum(dtype=torch.float32))) or bool(torch.isfinite(value).all())


def _denormal_share(value: torch.Tensor) -> float:
    """The share of denormal numbers, by evenly spaced samples of a large output.

    Those of fp16 are everyday numbers (below 6·10⁻⁵), and slow nothing down: devices compute with them as with others.
    """
    if value.dtype is torch.float16:
        return 0.0
    if value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last):
        value = value.permute(0, 2, 3, 1)  # as it lies in memory, so that no copy is made
    step = max(1, value.numel() // _PROBE) | 1  # odd: the lengths of rows are mostly even
    magnitude = value.reshape(-1)[::step].abs()
    tiny = torch.finfo(value.dtype).tiny
    return float(((magnitude > 0) & (magnitude < tiny)).float().mean())


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of storages alive while it is on, and remembers the most.

    For devices whose allocator keeps no account (the CPU): what tensors hold, without kernels' workspaces.
    """

    supports_higher_order_operators = True

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


def peak_memory(
    module: torch.nn.Module, inputs: Sequence[torch.Tensor], device: torch.device, forward: Forward
) -> tuple[int, int | None]:
    """(most bytes of weights, inputs and what one forward allocates; bytes that the GPU's allocator holds in all).

    What else lies on the device, other networks or a buffer that flushes caches, is not in the first.
    """
    state = [*module.parameters(), *module.buffers(), *inputs]
    held = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in state}
    own = sum(held.values())
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()  # so that what earlier configurations left is not counted as reserved
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        forward()
        torch.cuda.synchronize(device)
        most = torch.cuda.max_memory_allocated(device) - before
        return own + most, torch.cuda.max_memory_reserved(device)
    with LiveMemory(own) as memory:
        forward()
    return memory.peak, None
