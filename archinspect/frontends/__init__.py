"""Frontends: what turns specs, modules, ONNX files and checkpoints into a graph."""
