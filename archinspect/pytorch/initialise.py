"""How weights start where the spec does not leave it to PyTorch."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import fail
from ..graph import Graph
from .source.initialise import initialised


def initialise(module: nn.Module, graph: Graph) -> None:
    """Apply the spec's `init` to the layers of its ops: every learnt tensor except biases.

    Layers of other ops stay as they are.  Raises ArchinspectError (A207) where an initialiser does not suit a weight,
    such as one that needs fan-in and fan-out on a vector.
    """
    functions = {item.op: item for item in graph.metadata.get("init", ())}
    if not functions:
        return
    for node in graph.layers:
        item = functions.get(node.op.type)
        if item is None:
            continue
        start = getattr(nn.init, f"{item.function}_")
        for name in initialised(node.weights):
            weight = module.get_parameter(f"{node.name}.{name}")
            try:
                with torch.no_grad():
                    start(weight, **item.kwargs)
            except (ValueError, RuntimeError) as error:
                raise fail(
                    "A207",
                    f"'{item.function}' cannot initialise {node.name}.{name} {tuple(weight.shape)}",
                    notes=[str(error)],
                    help=f"give another initialiser for {node.op.type}, or none",
                ) from None
