"""Small modules and hand-made models that the tests read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from archinspect.graph import Graph


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.conv1(x))) + x)  # type: ignore[no-any-return]


class Convolutional(nn.Module):
    """A stem, a residual stage, pools, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, 2, 3)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stage = nn.Sequential(Block(8), Block(8))
        self.act = nn.Hardswish()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stage(self.pool(self.stem(x))))
        return self.fc(torch.flatten(self.gap(x), 1))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Patches, one encoder layer by hand, a head on the mean of the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.position = nn.Parameter(torch.randn(1, 16, 16))
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        weights = torch.softmax(q @ k.transpose(1, 2) / 4, -1)
        x = x + self.out(weights @ v)
        x = x + self.mlp(x)
        return self.head(x.mean(1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """An embedding, two layers of an LSTM, a GRU, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 7, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(14, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x, _ = self.lstm(self.embedding(tokens))
        x, _ = self.gru(x)
        return self.head(x[:, -1])  # type: ignore[no-any-return]


def seeded(kind: type[nn.Module]) -> nn.Module:
    """The module with weights that differ, of which exporters cannot store two as one."""
    torch.manual_seed(0)
    module = kind().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)
    return module


def exported(module: nn.Module, *args: Tensor, **options: Any) -> ModelProto:
    """The module as torch exports it; the test is skipped where this version of torch cannot."""
    if not options.get("dynamo", True):
        options.setdefault("opset_version", 17)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = torch.onnx.export(module, args, file, **options)
        except (torch.onnx.errors.OnnxExporterError, TypeError, ValueError) as error:
            pytest.skip(f"torch {torch.__version__} does not export this: {type(error).__name__}")
    return found.model_proto if found is not None else onnx.load_from_string(file.getvalue())


def macs(graph: Graph) -> int:
    return sum(node.cost.macs for node in graph.layers if node.cost)


def params(graph: Graph) -> int:
    return sum(parameter.numel for parameter in graph.parameters if not parameter.buffer)


node = helper.make_node


def stored(name: str, *shape: int, dtype: Any = np.float32) -> TensorProto:
    """A stored tensor of ones."""
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def constant(name: str, value: Any) -> NodeProto:
    return node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


def graph_of(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Any],
    outputs: Sequence[str],
    tensors: Sequence[TensorProto] = (),
) -> GraphProto:
    """A graph; inputs are shapes of floats by name, or (type, shape)."""
    given = [
        helper.make_tensor_value_info(
            name, *(shape if isinstance(shape, tuple) else (TensorProto.FLOAT, shape))
        )
        for name, shape in inputs.items()
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    return helper.make_graph(list(nodes), "made", given, made, list(tensors))


def model_of(graph: GraphProto, opset: int = 17, **domains: int) -> ModelProto:
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name.replace("_", "."), version) for name, version in domains.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)
