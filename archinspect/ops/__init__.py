"""The catalogue of ops.  Importing this package fills the registry; op files are imported by name, never scanned."""

from . import (
    activation,
    attention,
    batch_norm,
    convolution,
    linear,
    merge,
    normalisation,
    pooling,
    regularisation,
    scaling,
    shaping,
    tokens,
    upsampling,
)
from .base import REGISTRY, Attribute, Cost, Op, Shape, Shapes, TorchCall, numel, show_shape
from .input import Input

#: ops whose files are read when one of them is asked for (`base.Registry`)
_LATER = {
    "arithmetic": "absolute amax bilinear divide einsum exp matmul maximum mean offset power subtract sum",
    "embedding": "embedding embedding_bag parameter relative_position_bias rotary_embedding "
    "sinusoidal_position_encoding",
    "gates": "celu glu hardtanh log_sigmoid log_softmax selu softmin softplus softsign swiglu",
    "recurrent": "gru lstm rnn",
    "rearranging": "center_crop chunk pixel_unshuffle reshape roll select slice split transpose",
    "transformer": "dot_product_attention merge_patches mixture_of_experts shifted_window_attention",
    "unfolding": "fold lp_pool1d lp_pool2d lp_pool3d unfold",
}
#: ops that came after specs were written: a block of theirs may have such a name, and is then meant
NEWER = frozenset({"rms_norm", "sync_batch_norm", *" ".join(_LATER.values()).split()})
REGISTRY.declare({file: names.split() for file, names in _LATER.items()})

__all__ = [
    "NEWER",
    "REGISTRY",
    "Attribute",
    "Cost",
    "Input",
    "Op",
    "Shape",
    "Shapes",
    "TorchCall",
    "activation",
    "attention",
    "batch_norm",
    "convolution",
    "linear",
    "merge",
    "normalisation",
    "numel",
    "pooling",
    "regularisation",
    "scaling",
    "shaping",
    "show_shape",
    "tokens",
    "upsampling",
]
