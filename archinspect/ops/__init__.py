"""The catalogue of ops.  Importing this package fills the registry; op files are imported by name, never scanned."""

from . import convolution
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
    "convolution",
    "numel",
    "show_shape",
]
