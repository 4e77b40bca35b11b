"""Follows which storages are alive while PyTorch runs, operation by operation: the oracle for figures of memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveStorage(TorchDispatchMode):
    """The most bytes of storages alive after an operation, those of `apart` (parameters, buffers) not counted.

    Storages are held weakly, so that each counts as long as PyTorch or the module holds it.
    """

    def __init__(self, apart: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.peak = 0
        self.where = ""
        self._apart = {key(tensor) for tensor in apart}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        known = self._alive.get(reference.cdata)
        if reference.cdata not in self._apart and (known is None or known[0].expired()):
            self._alive[reference.cdata] = reference, storage.nbytes()

    @property
    def now(self) -> int:
        self._alive = {at: entry for at, entry in self._alive.items() if not entry[0].expired()}
        return sum(size for _, size in self._alive.values())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor):
                self.watch(tensor)
        if self.now > self.peak:
            self.peak, self.where = self.now, str(func)
        return made


def key(tensor: Tensor) -> int:
    """The identity of a tensor's storage while it is alive."""
    return StorageWeakRef(tensor.untyped_storage()).cdata


def own_tensors(module: torch.nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
