"""One layer as a constructor call."""

from __future__ import annotations

from ...graph import Node
from ...ops import TorchCall
from .expressions import Call, Literal


def constructor(node: Node) -> Call:
    """`nn.Conv2d(64, 128, 3, padding=1)`.  Keywords that are left out are known by their defaults."""
    call = node.op.torch_call(node.input_shapes)
    defaults = {a.name: Literal(_short(a.default)) for a in node.op.attributes if not a.required}
    required = [a.name for a in node.op.attributes if a.required]
    inferred = _INFERRED.get(call.target, ("size",))
    words = (*inferred, *required)[-len(call.args) :] if call.args else ()
    kwargs = {name: Literal(_plain(value)) for name, value in call.kwargs.items()}
    return Call(
        call.target.removeprefix("archinspect."),
        tuple(Literal(_plain(value)) for value in call.args),
        kwargs,
        {name: value for name, value in defaults.items() if kwargs.get(name) != value},
        (*("size",) * (len(call.args) - len(words)), *words),
    )


#: what PyTorch calls the arguments that are inferred
_INFERRED = {
    "nn.BatchNorm2d": ("num_features",),
    "nn.Conv2d": ("in_channels",),
    "nn.ConvTranspose2d": ("in_channels",),
    "nn.Linear": ("in_features",),
    "nn.InstanceNorm2d": ("num_features",),
    "archinspect.ClassToken": ("width",),
    "archinspect.LayerNorm2d": ("channels",),
    "archinspect.LayerScale": ("shape",),
    "archinspect.PositionEmbedding": ("length", "width"),
    "archinspect.SelfAttention": ("embed_dim",),
    "archinspect.ShiftBatchNorm2d": ("num_features",),
}


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _short(value: object) -> object:
    """A default as calls write it: one number for two equal ones."""
    pair = isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]
    return value[0] if pair else value  # type: ignore[index]


def own_class(call: TorchCall) -> str:
    """The class of ours that a call needs, or ""."""
    return call.target.removeprefix("archinspect.") if call.target.startswith("archinspect.") else ""
