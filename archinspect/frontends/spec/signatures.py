"""What a call may give: the attributes of an op, the arguments of a block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ...errors import suggestion
from ...ops import REGISTRY
from .document import Block


@dataclass(frozen=True)
class Signature:
    """Parameter names in order, and which of them must be given."""

    kind: str
    names: tuple[str, ...]
    required: frozenset[str]
    #: names under which it takes values of the network beside the one that comes in
    operands: frozenset[str] = frozenset()
    #: whether it takes values without a name, too: add(a, b)
    joins: bool = False

    def __str__(self) -> str:
        return ", ".join(name if name in self.required else f"{name}=…" for name in self.names)


@cache
def op_signature(name: str) -> Signature | None:
    """What a call of an op may give; None where no op has the name."""
    op = REGISTRY.get(name)
    if op is None:
        return None
    return Signature(
        "op",
        tuple(a.name for a in op.attributes),
        frozenset(a.name for a in op.attributes if a.required),
        frozenset((*op.reads, *op.tied)),
        op.arity != 1,
    )


def block_signature(block: Block) -> Signature:
    required = frozenset(p.name for p in block.parameters if p.default is None)
    return Signature("block", tuple(p.name for p in block.parameters), required)


#: other libraries' words for our ops
_ELSEWHERE = {
    "dense": "linear",
    "fc": "linear",
    "conv": "conv2d",
    "convolution": "conv2d",
    "maxpool": "max_pool2d",
    "maxpooling2d": "max_pool2d",
    "avgpool": "avg_pool2d",
    "averagepooling2d": "avg_pool2d",
    "globalaveragepooling2d": "adaptive_avg_pool2d",
    "bn": "batch_norm2d",
    "batchnorm": "batch_norm2d",
    "batchnormalization": "batch_norm2d",
    "lrn": "local_response_norm",
    "depthwiseconv2d": "conv2d",
    "conv2dtranspose": "conv_transpose2d",
    "swish": "silu",
}


#: other libraries' words for our attributes, and what PyTorch's calls have and ours infer
_ATTRIBUTES = {
    "filters": "did you mean 'out_channels'?",
    "units": "did you mean 'out_features'?",
    "pool_size": "did you mean 'kernel_size'?",
    "rate": "did you mean 'p'?",
    "use_bias": "did you mean 'bias'?",
    "in_channels": "it is inferred from the layer before: leave it out",
    "in_features": "it is inferred from the layer before: leave it out",
    "num_features": "it is inferred from the layer before: leave it out",
    "inplace": "it changes no figure: leave it out",
}


def attribute_help(name: str, signature: Signature) -> str:
    """What to write instead of an attribute that the op or block does not have."""
    if signature.kind == "op" and name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    takes = f"it takes {signature}" if signature.names else "it takes no arguments"
    return suggestion(name, signature.names, otherwise=takes)


def spelling(name: str) -> str:
    """An unknown op's name without PyTorch's `nn.`, and in our word for it where we know another library's."""
    last = name.rpartition(".")[2]
    return _ELSEWHERE.get(last.lower().replace("_", ""), last)
