"""The KV cache of a language model, and the work and bytes of a token.

Each layer with attention keeps a key and a value for each of its key-value heads and each token that it can still see:
all of the context where attention is full, the window where it slides.  How a captured model's layers attend is in its
graph's metadata (`attention`), which a frontend that knows the model's configuration fills in; a spec's layers say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ..errors import fail
from ..graph import Graph, Node

__all__ = ["Attention", "Cache", "language_cache"]


@dataclass(frozen=True)
class Attention:
    """How one layer attends: `kind` is `full`, `sliding`, or another word for a layer that keeps no keys."""

    kind: str
    heads: int
    kv_heads: int
    key_width: int
    value_width: int
    window: int | None = None

    @property
    def keeps(self) -> bool:
        return self.kind in ("full", "sliding")

    def tokens(self, context: int) -> int:
        """Of how many tokens it keeps keys and values."""
        if not self.keeps:
            return 0
        return context if self.window is None else min(context, self.window)

    @property
    def elements(self) -> int:
        """Elements that it keeps for a token."""
        if not self.keeps:
            return 0
        return self.kv_heads * (self.key_width + self.value_width)

    def macs(self, context: int) -> int:
        """MACs of scores and weighted values for one token that sees `context` tokens, itself among them."""
        return self.heads * (self.key_width + self.value_width) * self.tokens(context)

    def prefill_macs(self, context: int) -> int:
        """MACs for `context` tokens, each of which sees those before it: masked ones are not counted."""
        window = self.tokens(context)
        pairs = window * (window + 1) // 2 + (context - window) * window
        return self.heads * (self.key_width + self.value_width) * pairs


@dataclass(frozen=True)
class Cache:
    """The KV cache at a context, and the work of a token; `token_macs` are those of the weights for one token."""

    context: int
    layers: tuple[Attention, ...]
    element_bytes: int
    token_macs: int | None
    weight_bytes: int

    def bytes(self, batch: int) -> int:
        """Bytes of keys and values of all layers, for `batch` sequences of `context` tokens."""
        kept = sum(layer.tokens(self.context) * layer.elements for layer in self.layers)
        return batch * kept * self.element_bytes

    @property
    def decode_macs(self) -> int | None:
        """MACs of the token after the context."""
        attention = sum(layer.macs(self.context) for layer in self.layers)
        return None if self.token_macs is None else self.token_macs + attention

    @property
    def prefill_macs(self) -> int | None:
        """MACs of the whole context."""
        attention = sum(layer.prefill_macs(self.context) for layer in self.layers)
        return None if self.token_macs is None else self.context * self.token_macs + attention

    def to_dict(self, batch: int) -> dict[str, Any]:
        return {
            "context": self.context,
            "bytes": self.bytes(batch),
            "bytes_per_token": sum(layer.elements for layer in self.layers) * self.element_bytes,
            "full_layers": sum(layer.kind == "full" for layer in self.layers),
            "sliding_layers": sum(layer.kind == "sliding" for layer in self.layers),
            "other_layers": sum(not layer.keeps for layer in self.layers),
            "prefill_macs": self.prefill_macs,
            "decode_macs": self.decode_macs,
            "decode_bytes": self.weight_bytes + self.bytes(1),
        }


def language_cache(graph: Graph, context: int | None, element_bytes: int) -> Cache | None:
    """The cache at a context; None where none is asked for.

    Raises ArchinspectError (A403) for a network of which nobody knows how its layers attend.
    """
    if context is None:
        return None
    layers: Sequence[Mapping[str, Any]] = graph.metadata.get("attention") or _causal_layers(graph)
    if not layers:
        raise fail(
            "A403",
            f"--context speaks of a language model, and {graph.name} is not known as one",
            help="models of transformers are, and specs whose attention has is_causal=true",
        )
    attention = tuple([Attention(**layer) for layer in layers])
    return Cache(context, attention, element_bytes, _token_macs(graph), _read_bytes(graph, element_bytes))


def _causal_layers(graph: Graph) -> list[dict[str, Any]]:
    """The causal attention layers of a spec."""
    found = []
    for node in graph.layers:
        op: Any = node.op
        if op.type not in ("multihead_attention", "dot_product_attention") or not getattr(
            op, "is_causal", False
        ):
            continue
        kv_heads = op.kv_heads or op.num_heads
        width = node.input_shapes[0][2] // op.num_heads
        values = node.output_shape[2] // op.num_heads
        kind = "full" if op.window is None else "sliding"
        found.append(
            {
                "kind": kind,
                "heads": op.num_heads,
                "kv_heads": kv_heads,
                "key_width": width,
                "value_width": values,
                "window": op.window,
            }
        )
    return found


def active_share(node: Node) -> tuple[int, int]:
    """Of the experts of a layer how many a token uses, and how many there are; (1, 1) for other layers."""
    op: Any = node.op
    return (op.top_k, op.num_experts) if op.type == "mixture_of_experts" else (1, 1)


def active_parameters(graph: Graph) -> int | None:
    """The parameters that a token uses; None for a network without experts that are known."""
    if not any(node.op.type == "mixture_of_experts" for node in graph.nodes):
        return None
    return sum(count for _, count in _read(graph, tables=True))


def _read(graph: Graph, *, tables: bool = False) -> Iterator[tuple[Node, int]]:
    """For each node the elements of the parameters that a token reads there, shared ones once."""
    seen: set[int] = set()
    last: list[Node] = sorted(graph.nodes, key=lambda node: node.op.type == "embedding")
    for node in last:
        if node.op.type == "embedding" and not tables:
            continue  # a table is looked up in
        used, experts = active_share(node)
        if node.parameters is None:
            shapes = list(node.weights.values())
        else:
            new = [p for p in node.parameters.values() if not p.buffer and id(p) not in seen]
            seen.update(map(id, new))
            shapes = [p.shape for p in new]
        for shape in shapes:
            share = used if experts > 1 and shape and shape[0] == experts and len(shape) > 2 else experts
            yield node, prod(shape) * share // experts


def _token_macs(graph: Graph) -> int | None:
    """MACs of the layers with weights for one token of the sequences that the graph was captured with."""
    tokens = 1
    for node in graph.nodes[: graph.inputs]:
        if node.values[0].dtype in ("int64", "int32") and len(node.output_shape) == 2:
            tokens = node.output_shape[0] * node.output_shape[1]
            break
    total = 0
    for node in graph.layers:
        if not node.values:
            continue
        cost = node.cost
        if cost is None:
            return None
        if node.weights:
            total += cost.macs - products_within(node)
    return total // tokens


def products_within(node: Node) -> int:
    """MACs of products of values inside a layer that has weights, too: scores and weighted values of attention."""
    if node.op.type != "multihead_attention":
        return 0
    op: Any = node.op
    batch, length, width = node.input_shapes[0]
    keys = node.input_shapes[1][1] if len(node.input_shapes) > 1 else length
    values = node.output_shape[2] if getattr(op, "vdim", None) is None else width
    return batch * length * keys * (width + values)


def _read_bytes(graph: Graph, element_bytes: int) -> int:
    """Bytes of the weights that a token reads: all, but of tables that are looked up in, and of experts not used."""
    return element_bytes * sum(count for _, count in _read(graph))
