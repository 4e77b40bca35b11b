"""How the program starts its weights where the spec does not leave it to PyTorch."""

from __future__ import annotations

from collections.abc import Iterable

from ...graph import Graph
from .expressions import Literal

_BODY = "        "


def initialised(weights: Iterable[str]) -> list[str]:
    """Those of a layer's weights that an initialiser of its op is for: all but the biases."""
    return [name for name in weights if not name.endswith("bias")]


def initialisation(graph: Graph) -> list[str]:
    """The loop over modules that applies the spec's `init`; nothing where there is none."""
    found = {
        item: [node for node in graph.layers if node.op.type == item.op and initialised(node.weights)]
        for item in graph.metadata.get("init", ())
    }
    if not any(found.values()):
        return []
    # The output projection of attention is a linear layer too, but none of the spec.
    inner = "linear" in (item.op for item in found) and "multihead_attention" in (
        n.op.type for n in graph.layers
    )
    head = "for name, module in self.named_modules():" if inner else "for module in self.modules():"
    lines = [_BODY + head]
    for item, nodes in found.items():
        arguments = "".join(f", {name}={Literal(value)}" for name, value in item.kwargs.items())
        for target in dict.fromkeys(n.op.torch_call(n.input_shapes).target for n in nodes):
            same = [n for n in graph.layers if n.op.torch_call(n.input_shapes).target == target]
            condition = f"isinstance(module, {target.removeprefix('archinspect.')})"
            if inner and target == "nn.Linear":
                condition += ' and not name.endswith(".out_proj")'
            weights = dict.fromkeys(w for n in same for w in initialised(n.weights))
            if any(not initialised(n.weights) for n in same):
                condition += f" and module.{next(iter(weights))} is not None"
            lines.append(f"{_BODY}    if {condition}:")
            lines += [
                f"{_BODY}        nn.init.{item.function}_(module.{weight}{arguments})" for weight in weights
            ]
    return lines
