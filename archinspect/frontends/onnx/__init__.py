"""ONNX files as graphs: `load_onnx`.  Reading them needs the onnx package."""

from .load import load_onnx

__all__ = ["load_onnx"]
