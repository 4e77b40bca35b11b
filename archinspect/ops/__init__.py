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

__all__ = [
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
