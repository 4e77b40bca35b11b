"""Weights of a file, or of a `state_dict`, into a module."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...errors import fail
from ...graph import Graph
from .names import pair
from .read import as_state, read_state

#: a checkpoint: its file, or the tensors themselves
Weights = str | os.PathLike[str] | Mapping[str, Tensor]


def load_weights(module: nn.Module, graph: Graph, weights: Weights) -> None:
    """Copy a checkpoint's tensors into the module that `build` makes of the graph.

    The names are paired by the rules that the spec states under `weights`, or by structure and shape; see `names`.
    Raises ArchinspectError (A501, A502, A503) and leaves the module as it was.
    """
    theirs = as_state(weights, "given") if isinstance(weights, Mapping) else read_state(weights)
    state = module.state_dict()
    names = pair(
        {name: tuple(tensor.shape) for name, tensor in state.items()},
        {name: tuple(tensor.shape) for name, tensor in theirs.items()},
        graph.metadata.get("weights", ()),
    )
    for name, given in names.items():
        # copy_ would turn them into numbers without a word: codes of a quantised file, or a mask.
        if state[name].is_floating_point() and not theirs[given].is_floating_point():
            raise fail(
                "A502",
                f"'{given}' holds {_kind(theirs[given])}, and '{name}' of {graph.name} is of {_kind(state[name])}",
                help="give weights in float32, float16 or bfloat16; a quantised file has scales beside its codes",
            )
    with torch.no_grad():
        for name, tensor in state.items():
            if name in names:
                tensor.copy_(theirs[names[name]])
            else:
                tensor.zero_()  # a batch norm's counter that the file does not have


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def converted(graph: Graph, weights: Weights) -> bytes:
    """The weights by our names, as the bytes of a `.pth` file: a `state_dict` of `build`'s and the program's module."""
    from ..graph_module import build

    file = io.BytesIO()
    torch.save(build(graph, weights=weights).state_dict(), file)
    return file.getvalue()
