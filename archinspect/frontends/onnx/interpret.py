"""Walking an ONNX graph node by node: every shape, and the small constants that shapes depend on.

One walk infers the shape of each node's outputs (`onnx.shape_inference` on that node alone), evaluates what depends
on shapes and small constants only (`Shape`, `Gather`, `Concat` ... that lead to a `Reshape`), follows calls of
functions and branches whose condition is known, and looks through views of stored tensors.  What is left is a list of
`Call`s.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from math import ceil, isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    helper,
    numpy_helper,
)

from ...errors import fail
from ...ops.base import Shape
from . import contrib
from .read import broken, check_tensor, data_of, graphs_of

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

_NUMPY_TYPES = {
    kind: np.dtype(name) for kind, name in DTYPES.items() if kind not in PACKED_BITS and hasattr(np, name)
}

#: elements up to which a constant is evaluated
_SMALL = 1 << 16
#: calls; a file of a few lines can ask for any number by functions that call functions
_MOST_CALLS = 400_000
_DEEPEST = 64
#: nodes that a loop may unroll to
_MOST_UNROLLED = 20_000


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: operators whose result is worked out where all inputs are small and known: they make shapes, and cost next to nothing
_EVALUATED = _words("""
    Abs Add And Cast Ceil Clip Concat ConstantOfShape CumSum Div Equal Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Neg NonZero Not OneHot Or Pow Range
    Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round ScatterElements ScatterND Sign Size
    Slice Split Sqrt Squeeze Sub Sum Tile TopK Transpose Trilu Unsqueeze Where Xor
""")
#: those whose result can be much larger than what they read
_GROWING = _words("ConstantOfShape EyeLike Expand OneHot Range Tile")
#: elements of inputs up to which the others are evaluated before the shape of their result is known
_TINY = 1 << 10
#: operators that look at a stored tensor in another way: what reads the result reads the stored tensor
_LOOKED_THROUGH = _words(
    "Cast CastLike DequantizeLinear Flatten Identity Reshape Squeeze Transpose Unsqueeze"
)


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
    def known(self) -> bool:
        return self.dims is not None and None not in self.dims


@dataclass(eq=False, slots=True)
class Call:
    """One node at work."""

    op: str
    domain: str
    version: int
    name: str
    attributes: dict[str, Any]
    inputs: list[Tensor | None]
    outputs: list[Tensor | None]
    #: the functions that it is called in, outermost first
    functions: tuple[str, ...]
    metadata: dict[str, str]
    #: names of the inputs that its schema gives
    formals: tuple[str, ...] = ()

    def input(self, index: int) -> Tensor | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        tensor = self.input(index)
        return None if tensor is None else tensor.value


Names = MutableMapping[str, Tensor]


@dataclass
class _Frame:
    """Where nodes are walked: a graph or a function's body."""

    opsets: Mapping[str, int]
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    declared: Mapping[str, TypeProto] = field(default_factory=dict)
    depth: int = 0

    @cached_property
    def imports(self) -> list[Any]:
        return [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]


class Walk:
    """One walk over a model.

    `symbols` are the sizes that names stand for (`batch`); `trusted` says whether sizes that the file declares hold, as
    they do unless other inputs are asked for than it was made with.
    """

    def __init__(
        self,
        model: ModelProto,
        name: str,
        folder: Path | None,
        symbols: Mapping[str, int],
        *,
        trusted: bool = True,
    ) -> None:
        self.calls: list[Call] = []
        self.stored: list[Stored] = []
        self._name = name
        self._folder = folder
        self._symbols = symbols
        self._trusted = trusted
        self._model = model
        self._functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
        self._steps = 0
        self._schemas: dict[tuple[str, str, int], Any] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Walk the main graph; its outputs in order."""
        opsets = {_domain(opset.domain): opset.version for opset in self._model.opset_import}
        graph = self._model.graph
        names: Names = dict(inputs)
        outputs = self._graph(graph, names, _Frame(opsets))
        for tensor in outputs:
            tensor.readers += 1
        return outputs

    def _graph(self, graph: GraphProto, names: Names, frame: _Frame) -> list[Tensor]:
        declared = {info.name: info.type for info in (*graph.value_info, *graph.output)}
        for tensor in graph.initializer:
            names[tensor.name] = self._stored(tensor, initializer=True)
        for sparse in graph.sparse_initializer:
            # Its zeros are not stored; a reader sees a tensor of the whole shape.
            dense = self._stored(sparse.values, initializer=True)
            dense.dims, dense.value = tuple(sparse.dims), None
            dense.proto = type_of(sparse.values.data_type, dense.dims)
            names[sparse.values.name] = dense
        inner = _Frame(frame.opsets, frame.attributes, frame.functions, declared, frame.depth)
        self._nodes(graph.node, names, inner)
        missing = [output.name for output in graph.output if output.name not in names]
        if missing:
            raise broken(self._name, f"nothing computes the output '{missing[0]}'")
        return [names[output.name] for output in graph.output]

    def _nodes(self, nodes: Sequence[NodeProto], names: Names, frame: _Frame) -> None:
        if frame.depth > _DEEPEST:
            raise broken(self._name, f"functions or branches are nested more than {_DEEPEST} deep")
        for node in _in_order(nodes, names, self._name):
            self._steps += 1
            if self._steps > _MOST_CALLS:
                raise fail(
                    "A103",
                    f"'{self._name}' has too many nodes",
                    notes=[f"its functions and loops unfold to more than {_MOST_CALLS:,}"],
                )
            try:
                outputs = self._node(node, names, frame)
            except RecursionError:
                raise broken(self._name, "it is nested too deeply") from None
            for output, tensor in zip(node.output, outputs, strict=False):
                if output:
                    names[output] = tensor

    def _node(self, node: NodeProto, names: Names, frame: _Frame) -> Sequence[Tensor]:
        domain = _domain(node.domain)
        inputs = [names[name] if name else None for name in node.input]
        attributes = _attributes(node, frame.attributes)
        key = domain, node.op_type, getattr(node, "overload", "")
        if key in self._functions:
            return self._function(node, self._functions[key], inputs, attributes, frame)
        special = _SPECIAL.get(node.op_type) if domain == "" else None
        if special is not None:
            found = special(self, node, inputs, attributes, names, frame)
            if found is not None:
                return found
        if domain not in frame.opsets and domain != "":
            raise broken(
                self._name, f"node '{_called(node)}' is of the domain '{domain}', which is not imported"
            )
        version = frame.opsets.get(domain, frame.opsets.get("", 1))
        values = {name: helper.get_attribute_value(attribute) for name, attribute in attributes.items()}
        call = Call(
            node.op_type,
            domain,
            version,
            node.name,
            values,
            inputs,
            [],
            frame.functions,
            {prop.key: prop.value for prop in node.metadata_props},
        )
        evaluated = self._evaluate(node, call, None, attributes)
        types: Mapping[str, TypeProto] = {}
        if evaluated is None:
            types = self._infer(node, call, attributes, frame)
            evaluated = self._evaluate(node, call, types, attributes)
        outputs: list[Tensor] = []
        for index, name in enumerate(node.output):
            proto = types.get(name) if name else None
            tensor = _tensor_of(proto or TypeProto())
            if evaluated is not None and name:
                tensor = _constant(evaluated[index])
            outputs.append(tensor)
        through = self._looked_through(call)
        if through:
            outputs[0].stored = through
            return outputs
        if evaluated is not None and not any(_learnt(given) for given in inputs if given is not None):
            return outputs
        self._call(call, outputs, node)
        return outputs

    def _call(self, call: Call, outputs: Sequence[Tensor], node: NodeProto) -> None:
        """Note a call and what it makes and reads."""
        call.outputs = [tensor if name else None for name, tensor in zip(node.output, outputs, strict=True)]
        for port, tensor in enumerate(outputs):
            tensor.producer, tensor.port = call, port
        for read in call.inputs:
            if read is not None:
                read.readers += 1
        self.calls.append(call)

    # Shapes.

    def _infer(
        self, node: NodeProto, call: Call, attributes: Mapping[str, AttributeProto], frame: _Frame
    ) -> dict[str, TypeProto]:
        """Types of the outputs, from the node alone; what that leaves open, from what the file declares."""
        found: dict[str, TypeProto] = {}
        schema = self._schema(call)
        shapes = contrib.SHAPES.get(call.op) if schema is None else None
        if shapes is not None:
            known = [tensor.dims if tensor is not None else None for tensor in call.inputs]
            sizes = shapes(known, call.attributes) if known and known[0] is not None else []
            first = call.inputs[0]
            for name, dims in zip(node.output, sizes, strict=False):
                if name and first is not None and dims is not None:
                    found[name] = type_of(first.proto.tensor_type.elem_type, dims)
        elif schema is not None:
            call.formals = tuple(formal.name for formal in schema.inputs)
            if all(t is None or t.proto.WhichOneof("value") is not None for t in call.inputs):
                found = self._inferred(node, call, schema, attributes, frame)
        if call.op == "Reshape" and call.domain == "" and len(call.inputs) > 1:
            self._reshaped(node, call, found)
        for name in node.output:
            if name in frame.declared:
                found[name] = self._merged(found.get(name), frame.declared[name])
        return found

    @staticmethod
    def _reshaped(node: NodeProto, call: Call, found: dict[str, TypeProto]) -> None:
        """Add how many dimensions the result of a `Reshape` has, where only their sizes are not known."""
        data, sizes = call.inputs[:2]
        inferred = found.get(node.output[0])
        if data is None or sizes is None or (inferred is not None and _dims(inferred) is not None):
            return
        if (
            sizes.dims is not None
            and len(sizes.dims) == 1
            and sizes.dims[0] is not None
            and sizes.dims[0] < 64
        ):
            found[node.output[0]] = type_of(data.proto.tensor_type.elem_type, (None,) * sizes.dims[0])

    def _schema(self, call: Call) -> Any:
        key = call.op, call.domain, call.version
        if key not in self._schemas:
            try:
                self._schemas[key] = onnx.defs.get_schema(call.op, call.version, call.domain)
            except onnx.defs.SchemaError:
                self._schemas[key] = None
        return self._schemas[key]

    def _inferred(
        self,
        node: NodeProto,
        call: Call,
        schema: Any,
        attributes: Mapping[str, AttributeProto],
        frame: _Frame,
    ) -> dict[str, TypeProto]:
        named = {name: t for name, t in zip(node.input, call.inputs, strict=True) if t is not None}
        types = {name: tensor.proto for name, tensor in named.items()}
        data = {
            name: tensor.data
            for name, tensor in named.items()
            if tensor.value is not None and tensor.value.size <= 4096 and tensor.value.dtype.kind in "biuf"
        }
        plain = _resolved(node, attributes)
        try:
            return onnx.shape_inference.infer_node_outputs(
                schema, plain, types, data, opset_imports=frame.imports
            )
        except onnx.checker.ValidationError as error:
            raise broken(
                self._name, f"node '{_called(node)}': {str(error).strip().splitlines()[0]}"
            ) from None
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            shapes = ", ".join(_shown(tensor) for tensor in named.values())
            raise fail(
                "A305",
                f"the inputs of '{_called(node)}' in '{self._name}' do not suit {node.op_type}",
                notes=[f"its inputs are {shapes}", reason],
                help="the input sizes that were asked for may not suit the file: shapes may be written into it",
            ) from None

    def _merged(self, found: TypeProto | None, declared: TypeProto) -> TypeProto:
        """What inference found, with the sizes that it left open as the file declares them."""
        if declared.WhichOneof("value") != "tensor_type":
            return found or declared
        if found is None or not found.tensor_type.HasField("shape"):
            kind = declared.tensor_type.elem_type
            if not declared.tensor_type.HasField("shape"):
                return found or declared
            return type_of(kind, self._sizes(declared))
        dims = _dims(found)
        if dims is None or None not in dims or not self._trusted:
            return found
        sizes = self._sizes(declared)
        if len(sizes) != len(dims):
            return found
        both = tuple([b if a is None else a for a, b in zip(dims, sizes, strict=True)])
        return type_of(found.tensor_type.elem_type, both)

    def _sizes(self, proto: TypeProto) -> tuple[int | None, ...]:
        """Sizes as declared, names replaced."""
        sizes: list[int | None] = []
        for dim in proto.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value >= 0:
                sizes.append(dim.dim_value)
            else:
                sizes.append(self._symbols.get(dim.dim_param) if dim.dim_param else None)
        return tuple(sizes)

    # Constants.

    def _stored(self, tensor: TensorProto, *, initializer: bool) -> Tensor:
        check_tensor(tensor, self._name)
        shape = tuple(tensor.dims)
        entry = Stored(tensor.name, shape, tensor.data_type, initializer)
        self.stored.append(entry)
        found = Tensor(type_of(tensor.data_type, shape), shape, stored=(entry,))
        if prod(shape) <= _SMALL and tensor.data_type != TensorProto.STRING:
            data = data_of(tensor, self._folder)
            if data is not None:
                try:
                    found.value = numpy_helper.to_array(data)
                except (ValueError, TypeError, IndexError):
                    note = f"the data of '{tensor.name}' do not fill its shape {list(shape)}"
                    raise broken(self._name, note) from None
        return found

    def _evaluate(
        self,
        node: NodeProto,
        call: Call,
        types: Mapping[str, TypeProto] | None,
        attributes: Mapping[str, AttributeProto],
    ) -> list[np.ndarray[Any, Any]] | None:
        """The outputs' values, where they follow from small constants and from shapes.

        `types` are those of the outputs; before they are known, only what cannot become large is evaluated.
        """
        if call.domain != "":
            return None
        if call.op in ("Shape", "Size"):
            return _measured(call)
        if call.op == "CastLike":
            return _cast(call)
        if call.op not in _EVALUATED or not call.inputs:
            return None
        values = [tensor.value if tensor is not None else None for tensor in call.inputs]
        if any(
            value is None for tensor, value in zip(call.inputs, values, strict=True) if tensor is not None
        ):
            return None
        if types is None:
            if call.op in _GROWING or any(value.size > _TINY for value in values if value is not None):
                return None
        elif not _small(call, [types.get(name) for name in node.output]):
            return None
        from onnx.reference import ReferenceEvaluator

        feeds = {name: value for name, value in zip(node.input, values, strict=True) if value is not None}
        try:
            with np.errstate(all="ignore"):
                evaluator = ReferenceEvaluator(_resolved(node, attributes), opsets={"": call.version})
                results: Any = evaluator.run(None, feeds)
        except Exception:  # noqa: BLE001 - whatever an operator's reference raises
            # Its reference knows fewer types than the operator; the result is then not known, and said to be so.
            return None
        return [np.asarray(result) for result in results]

    def _looked_through(self, call: Call) -> tuple[Stored, ...]:
        """The stored tensors that the call's output is a view of."""
        first = call.input(0)
        if call.op not in _LOOKED_THROUGH or call.domain != "" or first is None or not first.stored:
            return ()
        others = [tensor for tensor in call.inputs[1:] if tensor is not None]
        if any(
            tensor.producer is not None or (tensor.value is None and not tensor.stored) for tensor in others
        ):
            return ()
        if call.op != "DequantizeLinear":
            return first.stored
        return first.stored + tuple(entry for tensor in others for entry in tensor.stored)

    # Functions, branches, loops, sequences.

    def _function(
        self,
        node: NodeProto,
        function: onnx.FunctionProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        frame: _Frame,
    ) -> list[Tensor]:
        names: Names = {
            formal: tensor
            for formal, tensor in zip(function.input, inputs, strict=False)
            if tensor is not None
        }
        given = {default.name: default for default in function.attribute_proto} | dict(attributes)
        opsets = {_domain(opset.domain): opset.version for opset in function.opset_import}
        scope = node.name or function.name
        inner = _Frame({**frame.opsets, **opsets}, given, (*frame.functions, scope), {}, frame.depth + 1)
        self._nodes(_without_absent(function.node, set(function.input) - names.keys()), names, inner)
        missing = [name for name in function.output if name not in names]
        if missing:
            raise broken(
                self._name, f"the function '{function.name}' does not compute its output '{missing[0]}'"
            )
        return [names[name] for name in function.output]

    def _constant(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        for name, attribute in attributes.items():
            if name == "value":
                tensor = self._stored(attribute.t, initializer=False)
                tensor.stored[0].name = tensor.stored[0].name or node.output[0]
                return [tensor]
            if name == "sparse_value":
                tensor = self._stored(attribute.sparse_tensor.values, initializer=False)
                tensor.dims, tensor.value = tuple(attribute.sparse_tensor.dims), None
                tensor.proto = type_of(attribute.sparse_tensor.values.data_type, tensor.dims)
                return [tensor]
            if name in ("value_float", "value_floats"):
                return [_constant(np.asarray(helper.get_attribute_value(attribute), np.float32))]
            if name in ("value_int", "value_ints"):
                return [_constant(np.asarray(helper.get_attribute_value(attribute), np.int64))]
            if name in ("value_string", "value_strings"):
                count = (len(attribute.strings),) if name.endswith("s") else ()
                return [_tensor_of(type_of(TensorProto.STRING, count))]
        raise broken(self._name, f"the constant '{_called(node)}' has no value")

    def _identity(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        first = inputs[0] if inputs else None
        return None if first is None else [first]

    def _if(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        branches = [attributes.get("then_branch"), attributes.get("else_branch")]
        if not inputs or any(branch is None for branch in branches):
            raise broken(self._name, f"'{_called(node)}' lacks a condition or a branch")
        condition = inputs[0]
        then, other = (branch.g for branch in branches if branch is not None)
        inner = _Frame(frame.opsets, frame.attributes, frame.functions, {}, frame.depth + 1)
        if condition is not None and condition.value is not None and condition.value.size == 1:
            return self._graph(then if condition.value.item() else other, ChainMap({}, names), inner)
        begin = len(self.stored)
        ends = [self._aside(branch, ChainMap({}, names), inner) for branch in (then, other)]
        return self._unfolded(node, inputs, names, frame, ends, begin)

    def _loop(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        """A loop whose number of turns is known is unrolled; another one is one call whose cost is not known."""
        if "body" not in attributes or len(inputs) < 2:
            raise broken(self._name, f"'{_called(node)}' has no body, or no condition")
        body = attributes["body"].g
        inner = _Frame(frame.opsets, frame.attributes, frame.functions, {}, frame.depth + 1)
        carried = list(inputs[2:])
        turns, condition = (tensor.value if tensor is not None else None for tensor in inputs[:2])
        if turns is not None and turns.size == 1 and (inputs[1] is None or condition is not None):
            unrolled = self._unrolled(node, body, int(turns.item()), condition, carried, names, inner)
            if unrolled is not None:
                return unrolled
        begin = len(self.stored)
        start = [_tensor_of(type_of(TensorProto.INT64, ())), _tensor_of(type_of(TensorProto.BOOL, ()))]
        local: Names = {
            info.name: Tensor(tensor.proto, tensor.dims, items=tensor.items)
            for info, tensor in zip(body.input, [*start, *carried], strict=False)
            if tensor is not None
        }
        ends = self._aside(body, ChainMap(local, names), inner)
        after = 1 + len(carried)
        results = [*ends[1:after], *[_stacked(end, None) for end in ends[after:]]]
        return self._unfolded(node, inputs, names, frame, [results], begin)

    def _unrolled(
        self,
        node: NodeProto,
        body: GraphProto,
        turns: int,
        condition: np.ndarray[Any, Any] | None,
        carried: Sequence[Tensor | None],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        """The results of a loop, turn by turn; None where the turns depend on values, or are very many."""
        if turns * max(1, len(body.node)) > _MOST_UNROLLED:
            return None
        calls, stored = len(self.calls), len(self.stored)
        going = condition is None or bool(condition.all())
        collected: list[list[Tensor]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
        for turn in range(turns if going else 0):
            start = [_constant(np.asarray(turn, np.int64)), _constant(np.asarray(True))]
            local: Names = {
                info.name: tensor
                for info, tensor in zip(body.input, [*start, *carried], strict=False)
                if tensor is not None
            }
            ends = self._graph(body, ChainMap(local, names), frame)
            goes_on = ends[0].value
            if goes_on is None:
                del self.calls[calls:], self.stored[stored:]
                return None
            carried = ends[1 : 1 + len(carried)]
            for found, end in zip(collected, ends[1 + len(carried) :], strict=True):
                found.append(end)
            if not goes_on.all():
                break
        if any(tensor is None for tensor in carried) or any(not found for found in collected):
            return None
        stacked = [self._joined(found, 0, True, node.name, frame) for found in collected]
        return [*[tensor for tensor in carried if tensor is not None], *stacked]

    def _scan(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        """A scan as one call whose cost is not known."""
        if "body" not in attributes or frame.opsets.get("", 1) < 9:
            return None
        body = attributes["body"].g
        scanned = attributes["num_scan_inputs"].i if "num_scan_inputs" in attributes else 0
        states = len(inputs) - scanned
        axes = list(attributes["scan_input_axes"].ints) if "scan_input_axes" in attributes else [0] * scanned
        local: dict[str, Tensor] = {}
        count: int | None = None
        for index, (info, tensor) in enumerate(zip(body.input, inputs, strict=False)):
            if tensor is None or tensor.dims is None:
                continue
            dims = tensor.dims
            if index >= states and dims:
                axis = axes[index - states] % len(dims)
                count = dims[axis]
                dims = dims[:axis] + dims[axis + 1 :]
            local[info.name] = _tensor_of(type_of(tensor.proto.tensor_type.elem_type, dims))
        inner = _Frame(frame.opsets, frame.attributes, frame.functions, {}, frame.depth + 1)
        begin = len(self.stored)
        ends = self._aside(body, ChainMap(local, names), inner)
        results = [*ends[:states], *[_stacked(end, count) for end in ends[states:]]]
        return self._unfolded(node, inputs, names, frame, [results], begin)

    def _aside(self, graph: GraphProto, names: Names, frame: _Frame) -> list[Tensor]:
        """The outputs of a graph that may or may not run, without keeping its calls."""
        kept = self.calls
        self.calls = []
        try:
            return self._graph(graph, names, frame)
        finally:
            self.calls = kept

    def _unfolded(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        names: Names,
        frame: _Frame,
        ends: Sequence[Sequence[Tensor]],
        begin: int,
    ) -> list[Tensor]:
        """One call for all that a branch or loop does.

        It reads what its graphs read from outside, and the tensors that they store (those from `begin` on).
        """
        outer = [names[name] for name in _captured(node) if name in names]
        inside = [
            Tensor(type_of(entry.type, entry.shape), entry.shape, stored=(entry,))
            for entry in self.stored[begin:]
            if entry.initializer
        ]
        outputs = []
        for index in range(len(node.output)):
            dims, proto = _agreed([end[index] for end in ends if index < len(end)])
            outputs.append(_tensor_of(proto if dims is None else type_of(proto.tensor_type.elem_type, dims)))
        call = Call(
            node.op_type,
            "",
            frame.opsets.get("", 1),
            node.name,
            {},
            [*inputs, *outer, *inside],
            [],
            frame.functions,
            {prop.key: prop.value for prop in node.metadata_props},
        )
        self._call(call, outputs, node)
        return outputs

    def _sequence(
        self,
        node: NodeProto,
        inputs: Sequence[Tensor | None],
        attributes: Mapping[str, AttributeProto],
        names: Names,
        frame: _Frame,
    ) -> list[Tensor] | None:
        """Sequences whose elements are known are lists; other ones are left to the schema."""
        given = [tensor for tensor in inputs if tensor is not None]
        if node.op_type == "SequenceConstruct":
            return [_sequence_of(given)]
        if node.op_type == "SequenceEmpty":
            return [_sequence_of(())]
        if node.op_type == "SplitToSequence":
            return self._split(node, given, attributes, frame)
        items = given[0].items if given else None
        if items is None:
            return None
        if node.op_type == "SequenceLength":
            return [_constant(np.asarray(len(items), np.int64))]
        if node.op_type == "ConcatFromSequence":
            if not items or "axis" not in attributes:
                raise broken(self._name, f"'{_called(node)}' joins nothing, or along no axis")
            new = "new_axis" in attributes and bool(attributes["new_axis"].i)
            return [self._joined(items, attributes["axis"].i, new, node.name, frame)]
        place = given[-1].value if len(given) > (2 if node.op_type == "SequenceInsert" else 1) else None
        index = int(place.item()) if place is not None and place.size == 1 else len(items)
        if node.op_type == "SequenceAt" and -len(items) <= index < len(items):
            return [items[index]]
        if node.op_type == "SequenceInsert" and len(given) > 1:
            return [_sequence_of((*items[:index], given[1], *items[index:]))]
        if node.op_type == "SequenceErase" and items:
            index = index % len(items) if place is not None else len(items) - 1
            return [_sequence_of(items[:index] + items[index + 1 :])]
        return None

    def _joined(self, items: Sequence[Tensor], axis: int, new: bool, name: str, frame: _Frame) -> Tensor:
        """The tensors one after another, along a new axis or one that they have."""
        names: Names = {f"{index}": item for index, item in enumerate(items)}
        nodes = []
        parts = list(names)
        if new:
            axes = [] if frame.opsets.get("", 1) < 13 else ["axes"]
            names["axes"] = _constant(np.asarray([axis], np.int64))
            given: dict[str, Any] = {} if axes else {"axes": [axis]}
            parts = [f"{index}+" for index in range(len(items))]
            nodes = [
                helper.make_node("Unsqueeze", [f"{index}", *axes], [part], f"{name}/Unsqueeze", **given)
                for index, part in enumerate(parts)
            ]
        self._nodes([*nodes, helper.make_node("Concat", parts, ["joined"], name, axis=axis)], names, frame)
        return names["joined"]

    def _split(
        self,
        node: NodeProto,
        given: Sequence[Tensor],
        attributes: Mapping[str, AttributeProto],
        frame: _Frame,
    ) -> list[Tensor] | None:
        """A tensor as the sequence of its parts, where their sizes are known."""
        tensor = given[0]
        axis = attributes["axis"].i if "axis" in attributes else 0
        if not tensor.known or not -len(tensor.shape) <= axis < len(tensor.shape):
            return None
        size = tensor.shape[axis]
        if len(given) < 2:
            sizes = [1] * size
        elif given[1].value is None:
            return None
        elif given[1].value.ndim:
            sizes = [int(part) for part in given[1].value]
        else:
            part = max(1, int(given[1].value.item()))
            sizes = [min(part, size - start) for start in range(0, size, part)]
        if len(sizes) > _MOST_UNROLLED:
            return None
        names: Names = {"whole": tensor, "sizes": _constant(np.asarray(sizes, np.int64))}
        parts = [f"{index}" for index in range(len(sizes))]
        old = frame.opsets.get("", 1) < 13
        options: dict[str, Any] = {"split": sizes} if old else {}
        inputs = ["whole"] if old else ["whole", "sizes"]
        nodes = [helper.make_node("Split", inputs, parts, node.name, axis=axis, **options)]
        if len(given) < 2 and "keepdims" in attributes and not attributes["keepdims"].i:
            names["axes"] = _constant(np.asarray([axis], np.int64))
            options = {"axes": [axis]} if old else {}
            inputs = [] if old else ["axes"]
            nodes += [
                helper.make_node("Squeeze", [part, *inputs], [f"{part}-"], f"{node.name}/Squeeze", **options)
                for part in parts
            ]
            parts = [f"{part}-" for part in parts]
        self._nodes(nodes, names, frame)
        return [_sequence_of([names[part] for part in parts])]


_Special = Callable[
    [Walk, NodeProto, Sequence[Tensor | None], Mapping[str, AttributeProto], Names, _Frame],
    list[Tensor] | None,
]
_SPECIAL: dict[str, _Special] = {
    "Constant": Walk._constant,
    "Identity": Walk._identity,
    "If": Walk._if,
    "Loop": Walk._loop,
    "Scan": Walk._scan,
    "SequenceConstruct": Walk._sequence,
    "SequenceEmpty": Walk._sequence,
    "SequenceAt": Walk._sequence,
    "SequenceInsert": Walk._sequence,
    "SequenceErase": Walk._sequence,
    "SequenceLength": Walk._sequence,
    "ConcatFromSequence": Walk._sequence,
    "SplitToSequence": Walk._sequence,
}


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _called(node: NodeProto) -> str:
    return node.name or f"{node.op_type} → {node.output[0]}" if node.output else node.op_type


def _shown(tensor: Tensor) -> str:
    if tensor.dims is None:
        return "(?)"
    return "(" + ", ".join("?" if size is None else str(size) for size in tensor.dims) + ")"


def type_of(kind: int, dims: Sequence[int | None]) -> TypeProto:
    """The type of a tensor of these sizes, None for those that are not known."""
    return helper.make_tensor_type_proto(kind, dims)


def _dims(proto: TypeProto) -> tuple[int | None, ...] | None:
    """Sizes that a type says, None where it says none."""
    if proto.WhichOneof("value") != "tensor_type" or not proto.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in proto.tensor_type.shape.dim
    )


def _tensor_of(proto: TypeProto) -> Tensor:
    return Tensor(proto, _dims(proto))


def _constant(value: np.ndarray[Any, Any]) -> Tensor:
    value = np.asarray(value)
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return Tensor(type_of(kind, value.shape), value.shape, value)


def _learnt(tensor: Tensor) -> bool:
    """Whether a tensor may hold parameters: real numbers of an initializer."""
    real = DTYPES.get(tensor.stored[0].type, "") if tensor.stored else ""
    return real.startswith(("float", "bfloat")) and tensor.stored[0].initializer


def _sequence_of(items: Iterable[Tensor]) -> Tensor:
    return Tensor(TypeProto(), None, items=tuple(items))


def _attributes(node: NodeProto, given: Mapping[str, AttributeProto]) -> dict[str, AttributeProto]:
    """The node's attributes by name, those that a function's call gives in the place of their names."""
    found = {}
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            found[attribute.name] = attribute
        elif attribute.ref_attr_name in given:
            renamed = AttributeProto()
            renamed.CopyFrom(given[attribute.ref_attr_name])
            renamed.name = attribute.name
            found[attribute.name] = renamed
    return found


def _resolved(node: NodeProto, attributes: Mapping[str, AttributeProto]) -> NodeProto:
    """The node with the attributes that it has where it is called."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    plain = NodeProto()
    plain.CopyFrom(node)
    del plain.attribute[:]
    plain.attribute.extend(attributes.values())
    return plain


def _without_absent(nodes: Iterable[NodeProto], absent: set[str]) -> list[NodeProto]:
    """A function's nodes with those of its inputs left out that its call leaves out."""
    if not absent:
        return list(nodes)
    kept = []
    for node in nodes:
        plain = NodeProto()
        plain.CopyFrom(node)
        for index, name in enumerate(plain.input):
            if name in absent:
                plain.input[index] = ""
        kept.append(plain)
    return kept


def _captured(node: NodeProto) -> list[str]:
    """Names that the graphs among a node's attributes read from outside."""
    found: dict[str, None] = {}
    for graph in graphs_of(node.attribute):
        own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
        for inner in graph.node:
            for name in (*inner.input, *_captured(inner)):
                if name and name not in own:
                    found[name] = None
            own.update(inner.output)
        found.update((info.name, None) for info in graph.output if info.name not in own)
    return list(found)


def _in_order(nodes: Sequence[NodeProto], names: Mapping[str, Tensor], model: str) -> list[NodeProto]:
    """The nodes so that each comes after those that it reads.  Raises ArchinspectError where that cannot be."""
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for output in filter(None, node.output):
            if output in makers:
                raise broken(model, f"two nodes compute '{output}'")
            makers[output] = index
    readers: list[list[int]] = [[] for _ in nodes]
    waiting = [0] * len(nodes)
    sorted_already = True
    for index, node in enumerate(nodes):
        for name in dict.fromkeys(filter(None, (*node.input, *_captured(node)))):
            if name in makers:
                readers[makers[name]].append(index)
                waiting[index] += 1
                sorted_already = sorted_already and makers[name] < index
            elif name not in names:
                raise broken(model, f"node '{_called(node)}' reads '{name}', which nothing computes")
    if sorted_already:
        return list(nodes)
    ready = [index for index, count in enumerate(waiting) if not count]
    ordered = []
    while ready:
        index = heappop(ready)
        ordered.append(nodes[index])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, reader)
    if len(ordered) < len(nodes):
        node = nodes[next(index for index, count in enumerate(waiting) if count)]
        raise broken(model, f"its nodes form a circle: '{_called(node)}' waits for its own output")
    return ordered


def _measured(call: Call) -> list[np.ndarray[Any, Any]] | None:
    """The result of `Shape` or `Size`."""
    tensor = call.input(0)
    if tensor is None or not tensor.known:
        return None
    if call.op == "Size":
        return [np.asarray(prod(tensor.shape), np.int64)]
    start, end = call.attributes.get("start", 0), call.attributes.get("end", None)
    return [np.asarray(tensor.shape[start:end], np.int64)]


def _cast(call: Call) -> list[np.ndarray[Any, Any]] | None:
    """The result of `CastLike`, which needs the type of its second input only."""
    value, like = call.constant(0), call.input(1)
    if value is None or like is None or like.proto.tensor_type.elem_type not in _NUMPY_TYPES:
        return None
    return [value.astype(_NUMPY_TYPES[like.proto.tensor_type.elem_type])]


def _small(call: Call, types: Sequence[TypeProto | None]) -> bool:
    """Whether results of these types have few elements."""
    for proto in types:
        dims = None if proto is None else _dims(proto)
        if dims is None or None in dims:
            if call.op != "NonZero" and not _short_range(call):
                return False
        elif prod(size or 0 for size in dims) > _SMALL:
            return False
    return True


def _short_range(call: Call) -> bool:
    """Whether the call is a `Range` of few numbers."""
    if call.op != "Range" or len(call.inputs) != 3:
        return False
    values = [call.constant(index) for index in range(3)]
    if any(value is None or value.size != 1 for value in values):
        return False
    start, limit, step = (float(value.item()) for value in values if value is not None)
    return bool(step) and all(map(isfinite, (start, limit, step))) and ceil((limit - start) / step) <= _SMALL


def _stacked(tensor: Tensor, count: int | None) -> Tensor:
    """The results of all turns of a loop, one after another."""
    if tensor.dims is None:
        return tensor
    return _tensor_of(type_of(tensor.proto.tensor_type.elem_type, (count, *tensor.dims)))


def _agreed(ends: Sequence[Tensor]) -> tuple[tuple[int | None, ...] | None, TypeProto]:
    """The sizes that all branches agree on."""
    first = ends[0] if ends else Tensor(TypeProto(), None)
    dims = first.dims
    for end in ends[1:]:
        if dims is None or end.dims is None or len(end.dims) != len(dims):
            return None, TypeProto()
        dims = tuple([a if a == b else None for a, b in zip(dims, end.dims, strict=True)])
    return dims, first.proto
