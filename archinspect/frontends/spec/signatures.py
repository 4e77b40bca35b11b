"""What a call may give: the attributes of an op, the arguments of a block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ...errors import nearest, suggestion
from ...ops import REGISTRY
from .calls import Call
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
    "deconv": "conv_transpose2d",
    "deconv1d": "conv_transpose1d",
    "deconv2d": "conv_transpose2d",
    "deconv3d": "conv_transpose3d",
    "swish": "silu",
    "globalavgpool": "adaptive_avg_pool2d",
    "globalavgpool2d": "adaptive_avg_pool2d",
    "globalmaxpool": "adaptive_max_pool2d",
    "globalmaxpooling2d": "adaptive_max_pool2d",
    "pad": "zero_pad2d",
    "padding": "zero_pad2d",
    "zeropad": "zero_pad2d",
    "zeropadding2d": "zero_pad2d",
    "constantpad2d": "zero_pad2d",
    "crop": "center_crop",
    "interpolate": "upsample",
    "upsamplingnearest2d": "upsample",
    "upsamplingbilinear2d": "upsample",
    "cat": "concat",
    "concatenate": "concat",
    "mul": "multiply",
    "sub": "subtract",
    "div": "divide",
    "bmm": "matmul",
    "mm": "matmul",
    "max": "amax",
    "abs": "absolute",
    "pow": "power",
    "view": "reshape",
    "unflatten": "reshape",
    "squeeze": "reshape",
    "unsqueeze": "reshape",
    "swapaxes": "transpose",
    "narrow": "slice",
    "softmax2d": "softmax",
    "lrn2d": "local_response_norm",
    "norm": "layer_norm",
    "attention": "multihead_attention",
    "selfattention": "multihead_attention",
    "scaleddotproductattention": "dot_product_attention",
    "stochasticdepth": "drop_path",
    "moe": "mixture_of_experts",
    "elman": "rnn",
}


#: what PyTorch's constructors ask for and we infer: its name, and its place among the arguments
_INFERRED = {
    "conv": ("in_channels", 0),
    "conv_transpose": ("in_channels", 0),
    "linear": ("in_features", 0),
    "batch_norm": ("num_features", 0),
    "sync_batch_norm": ("num_features", 0),
    "instance_norm": ("num_features", 0),
    "group_norm": ("num_channels", 1),
    "rnn": ("input_size", 0),
    "gru": ("input_size", 0),
    "lstm": ("input_size", 0),
    "multihead_attention": ("embed_dim", 0),
}


def without_width(call: Call, width: int | None = None) -> str:
    """The call without the input width that PyTorch's has; empty where it gives none, or another than `width`."""
    op = REGISTRY.get(call.name)
    inferred = _INFERRED.get(op.family) if op is not None else None
    if inferred is None:
        return ""
    name, place = inferred
    given = [argument for argument in call.arguments if argument.name is None]
    surplus = given[place] if len(given) > place else None
    if surplus is None or (width is not None and surplus.value.text != str(width)):
        return ""
    kept = [a for a in call.arguments if a is not surplus]
    texts = [a.value.text if a.name is None else f"{a.name}={a.value.text}" for a in kept]
    which = "" if width is None else f", {width},"
    return f"the input width{which} is inferred ({name}): did you mean {call.name}({', '.join(texts)})?"


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
    "num_channels": "it is inferred from the layer before: leave it out",
    "input_size": "it is inferred from the layer before: leave it out",
    "embed_dim": "it is inferred from the layer before: leave it out",
    "in1_features": "it is inferred from the values: leave it out",
    "in2_features": "it is inferred from the values: leave it out",
    "inplace": "it changes no figure: leave it out",
    "device": "a spec has none: leave it out",
    "dtype": "--dtype of the commands says it: leave it out",
    "activation": "write it as a layer of its own, behind this one: -> relu",
    "strides": "did you mean 'stride'?",
    "pad": "did you mean 'padding'?",
    "return_indices": "a spec's pools return their maps alone: leave it out",
}


def attribute_help(name: str, signature: Signature) -> str:
    """What to write instead of an attribute that the op or block does not have."""
    if signature.kind == "op" and name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    if signature.kind == "op" and name == "batch_first":
        return "the batch stands first, always: leave it out"
    takes = f"it takes {signature}" if signature.names else "it takes no arguments"
    return suggestion(name, signature.names, otherwise=takes)


def nearest_layer(name: str, blocks: Iterable[str] = ()) -> str | None:
    """The op or block that a misspelt name means; None where none is near.

    Short names have many neighbours that mean something else (`view` and `divide`), so that they have to be nearer.
    """
    word = spelling(name)
    near = nearest(word, [*blocks, *REGISTRY])
    if near is None:
        return None
    plain, key = near.replace("_", ""), word.lower().replace("_", "")
    from difflib import SequenceMatcher  # only a mistake needs it

    least = 0.72 if len(key) > 7 else 0.8
    related = key in plain or plain in key
    related = (related and min(len(key), len(plain)) > 3) or sorted(key) == sorted(plain)
    return near if related or SequenceMatcher(None, key, plain).ratio() >= least else None


def spelling(name: str) -> str:
    """An unknown op's name without PyTorch's `nn.`, and in our word for it where we know another library's."""
    last = name.rpartition(".")[2]
    return _ELSEWHERE.get(last.lower().replace("_", ""), last)
