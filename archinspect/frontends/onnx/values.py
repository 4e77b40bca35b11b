"""What a walk over an ONNX model knows: types, stored tensors, tensors, and calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, TypeProto, helper, numpy_helper

from ...ops.base import Shape
from .read import graphs_of

#: PyTorch's name of each type that a tensor of numbers can have; types of less than a byte are held in one
DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
    TensorProto.UINT16: "uint16",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.BOOL: "bool",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.COMPLEX64: "complex64",
    TensorProto.COMPLEX128: "complex128",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.FLOAT8E4M3FN: "float8_e4m3fn",
    TensorProto.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    TensorProto.FLOAT8E5M2: "float8_e5m2",
    TensorProto.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    TensorProto.UINT4: "uint8",
    TensorProto.INT4: "int8",
    getattr(TensorProto, "FLOAT4E2M1", -1): "uint8",
    getattr(TensorProto, "FLOAT8E8M0", -2): "float8_e8m0fnu",
    getattr(TensorProto, "UINT2", -3): "uint8",
    getattr(TensorProto, "INT2", -4): "int8",
}
#: bits of one number of a type that several numbers of share a byte
PACKED_BITS = {
    TensorProto.UINT4: 4,
    TensorProto.INT4: 4,
    getattr(TensorProto, "FLOAT4E2M1", -1): 4,
    getattr(TensorProto, "UINT2", -3): 2,
    getattr(TensorProto, "INT2", -4): 2,
}

#: numpy's types of tensors whose values are worked out
NUMPY_TYPES = {
    kind: np.dtype(name) for kind, name in DTYPES.items() if kind not in PACKED_BITS and hasattr(np, name)
}


@dataclass(eq=False, slots=True)
class Stored:
    """A tensor that the file stores."""

    name: str
    shape: Shape
    type: int
    #: whether it is an initializer (a `Constant` node's tensor is not)
    initializer: bool


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor of the walk.

    Its sizes (None where they depend on values; `dims` is None where not even their number is known), its value where
    that is small and known, the stored tensors that it is a view of, the call that made it.
    """

    proto: TypeProto
    dims: tuple[int | None, ...] | None
    value: np.ndarray[Any, Any] | None = None
    stored: tuple[Stored, ...] = ()
    producer: Call | None = None
    port: int = 0
    #: elements, where it is a sequence of tensors
    items: tuple[Tensor, ...] | None = None
    #: how often calls read it, and the model itself
    readers: int = 0
    _data: TensorProto | None = None

    @property
    def data(self) -> TensorProto:
        """The value as ONNX writes it."""
        assert self.value is not None
        if self._data is None:
            self._data = numpy_helper.from_array(self.value)
        return self._data

    @property
    def dtype(self) -> str:
        return DTYPES.get(self.proto.tensor_type.elem_type, "uint8")

    @property
    def shape(self) -> Shape:
        """The sizes, with 1 for each that depends on values."""
        return tuple([1 if size is None else size for size in self.dims or ()])

    @property
    def flows(self) -> bool:
        """Whether it is neither a constant nor a stored tensor."""
        return self.producer is not None or (self.value is None and not self.stored)

    @property
    def learnt(self) -> bool:
        """Whether it may hold parameters: real numbers of an initializer."""
        if not self.stored or not self.stored[0].initializer:
            return False
        return DTYPES.get(self.stored[0].type, "").startswith(("float", "bfloat"))

    @property
    def known(self) -> bool:
        return self.dims is not None and None not in self.dims


class Call:
    """One node at work: what it is, and the tensors that it reads and makes."""

    def __init__(
        self,
        node: NodeProto,
        frame: Frame,
        attributes: Mapping[str, AttributeProto],
        inputs: Sequence[Tensor | None],
    ) -> None:
        self.node = node
        self.op = node.op_type
        self.domain = plain_domain(node.domain)
        self.version = frame.opsets.get(self.domain, frame.version)
        self.name = node.name
        self.attributes = {name: helper.get_attribute_value(value) for name, value in attributes.items()}
        self.inputs = list(inputs)
        self.outputs: list[Tensor | None] = []
        #: the functions that it is called in, outermost first
        self.functions = frame.functions
        self.notes = {note.key: note.value for note in node.metadata_props}
        #: names of the inputs that its schema gives
        self.formals: tuple[str, ...] = ()

    def input(self, index: int) -> Tensor | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        tensor = self.input(index)
        return None if tensor is None else tensor.value


def type_of(kind: int, dims: Sequence[int | None]) -> TypeProto:
    """The type of a tensor of these sizes, None for those that are not known."""
    return helper.make_tensor_type_proto(kind, dims)


def dims_of(proto: TypeProto) -> tuple[int | None, ...] | None:
    """Sizes that a type says, None where it says none."""
    if proto.WhichOneof("value") != "tensor_type" or not proto.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in proto.tensor_type.shape.dim
    )


def sequence_of(items: Iterable[Tensor]) -> Tensor:
    """A sequence of tensors."""
    return Tensor(TypeProto(), None, items=tuple(items))


def tensor_of(proto: TypeProto) -> Tensor:
    """A tensor of which the type is known."""
    return Tensor(proto, dims_of(proto))


def constant_of(value: np.ndarray[Any, Any]) -> Tensor:
    """A tensor whose value is known."""
    value = np.asarray(value)
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return Tensor(type_of(kind, value.shape), value.shape, value)


def plain_domain(domain: str) -> str:
    """The domain of a set of operators; ONNX's own has two names."""
    return "" if domain == "ai.onnx" else domain


#: tensors by name
Names = MutableMapping[str, Tensor]


def called(node: NodeProto) -> str:
    """What errors call a node."""
    return node.name or f"{node.op_type} → {node.output[0]}" if node.output else node.op_type


def captured(node: NodeProto) -> list[str]:
    """Names that the graphs among a node's attributes read from outside."""
    found: dict[str, None] = {}
    for graph in graphs_of(node.attribute):
        own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
        for inner in graph.node:
            for name in (*inner.input, *captured(inner)):
                if name and name not in own:
                    found[name] = None
            own.update(inner.output)
        found.update((info.name, None) for info in graph.output if info.name not in own)
    return list(found)


@dataclass
class Frame:
    """Where nodes are walked: a graph or a function's body, with the versions of operators that it imports."""

    opsets: Mapping[str, int]
    #: what the attributes that a function's body names are where it is called
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    declared: Mapping[str, TypeProto] = field(default_factory=dict)
    depth: int = 0

    @cached_property
    def imports(self) -> list[Any]:
        return [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]

    @property
    def version(self) -> int:
        """That of ONNX's own operators."""
        return self.opsets.get("", 1)

    @property
    def inside(self) -> Frame:
        """That of a branch or of a loop's body."""
        return Frame(self.opsets, self.attributes, self.functions, {}, self.depth + 1)


@dataclass(slots=True)
class Step:
    """One node where the walk meets it."""

    node: NodeProto
    inputs: Sequence[Tensor | None]
    attributes: Mapping[str, AttributeProto]
    names: Names
    frame: Frame

    def graph(self, name: str) -> Any:
        """The graph that is an attribute; None where there is none."""
        attribute = self.attributes.get(name)
        return None if attribute is None or not attribute.HasField("g") else attribute.g

    def value(self, index: int) -> np.ndarray[Any, Any] | None:
        """The value of an input, where it is known."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        return None if tensor is None else tensor.value

    def int(self, name: str, default: int) -> int:
        return self.attributes[name].i if name in self.attributes else default
