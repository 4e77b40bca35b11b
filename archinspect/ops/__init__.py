"""The catalogue of ops.  Importing this package fills the registry; op files are imported by name, never scanned."""

from . import (
    activation,
    convolution,
    linear,
    merge,
    normalisation,
    pooling,
    regularisation,
    shaping,
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
    "convolution",
    "linear",
    "merge",
    "normalisation",
    "numel",
    "pooling",
    "regularisation",
    "shaping",
    "show_shape",
    "upsampling",
]
