"""Walking an ONNX graph node by node: every shape, and the small constants that shapes depend on.

One walk infers the shape of each node's outputs (`onnx.shape_inference` on that node alone), evaluates what depends
on shapes and small constants only (`Shape`, `Gather`, `Concat` ... that lead to a `Reshape`), follows calls of
functions and branches whose condition is known, and looks through views of stored tensors.  What is left is a list of
`Call`s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    TypeProto,
    numpy_helper,
)

from ...errors import fail
from . import contrib, control
from .evaluate import GROWING, LARGEST, evaluate, is_known
from .read import broken, check_tensor, data_of
from .values import (
    NUMPY_TYPES,
    Call,
    Frame,
    Names,
    Step,
    Stored,
    Tensor,
    called,
    captured,
    constant_of,
    dims_of,
    plain_domain,
    tensor_of,
    type_of,
)

#: nodes; a file of a few lines can ask for any number by functions that call functions
_MOST_CALLS = 200_000
_DEEPEST = 64
_MOST_DIMENSIONS = 64
#: elements of inputs up to which most operators are evaluated before the shape of their result is known
_TINY = 1 << 10
#: operators that look at a stored tensor in another way: what reads the result reads the stored tensor
_LOOKED_THROUGH = frozenset(
    [
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Flatten",
        "Identity",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    ]
)


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
        self.name = name
        self._folder = folder
        self._symbols = symbols
        self._trusted = trusted
        self._model = model
        self._functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
        self._steps = 0
        self._schemas: dict[tuple[str, str, int], Any] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Walk the main graph; its outputs in order."""
        opsets = {plain_domain(opset.domain): opset.version for opset in self._model.opset_import}
        graph = self._model.graph
        names: Names = dict(inputs)
        outputs = self.graph(graph, names, Frame(opsets))
        for tensor in outputs:
            tensor.readers += 1
        return outputs

    def graph(self, graph: GraphProto, names: Names, frame: Frame) -> list[Tensor]:
        """Walk a graph; its outputs in order."""
        declared = {info.name: info.type for info in (*graph.value_info, *graph.output)}
        for tensor in graph.initializer:
            names[tensor.name] = self.store(tensor, initializer=True)
        for sparse in graph.sparse_initializer:
            names[sparse.values.name] = self.store_sparse(sparse, initializer=True)
        inner = replace(frame, declared=declared)
        self.nodes(graph.node, names, inner)
        missing = [output.name for output in graph.output if output.name not in names]
        if missing:
            raise broken(self.name, f"nothing computes the output '{missing[0]}'")
        return [names[output.name] for output in graph.output]

    def nodes(self, nodes: Sequence[NodeProto], names: Names, frame: Frame) -> None:
        """Walk nodes, and add what they make to `names`."""
        if frame.depth > _DEEPEST:
            raise broken(self.name, f"functions or branches are nested more than {_DEEPEST} deep")
        for node in _in_order(nodes, names, self.name):
            self._steps += 1
            if self._steps > _MOST_CALLS:
                raise fail(
                    "A103",
                    f"'{self.name}' has too many nodes",
                    notes=[f"its functions and loops unfold to more than {_MOST_CALLS:,}"],
                )
            try:
                outputs = self._node(node, names, frame)
            except RecursionError:
                raise broken(self.name, "it is nested too deeply") from None
            for output, tensor in zip(node.output, outputs, strict=False):
                if output:
                    names[output] = tensor

    def _node(self, node: NodeProto, names: Names, frame: Frame) -> Sequence[Tensor]:
        domain = plain_domain(node.domain)
        inputs = [names[name] if name else None for name in node.input]
        attributes = _attributes(node, frame.attributes)
        key = domain, node.op_type, getattr(node, "overload", "")
        if key in self._functions:
            return self._function(node, self._functions[key], inputs, attributes, frame)
        step = Step(node, inputs, attributes, names, frame)
        special = control.RULES.get(node.op_type) if domain == "" else None
        if special is not None:
            found = special(self, step)
            if found is not None:
                return found
        if domain not in frame.opsets and domain != "":
            raise broken(
                self.name, f"node '{called(node)}' is of the domain '{domain}', which is not imported"
            )
        call = Call(node, frame, attributes, inputs)
        evaluated = self._evaluate(call, None, len(node.output))
        types: Mapping[str, TypeProto] = {}
        if evaluated is None:
            types = self._infer(node, call, attributes, frame)
            evaluated = self._evaluate(call, [types.get(name) for name in node.output], len(node.output))
        outputs: list[Tensor] = []
        for index, name in enumerate(node.output):
            if evaluated is not None and index < len(evaluated):
                outputs.append(constant_of(evaluated[index]))
            else:
                outputs.append(tensor_of(types.get(name) or TypeProto()))
        through = self._looked_through(call)
        if through:
            outputs[0].stored = through
            return outputs
        if evaluated is not None and not any(given.learnt for given in inputs if given is not None):
            return outputs
        self.note(call, outputs)
        return outputs

    def note(self, call: Call, outputs: Sequence[Tensor]) -> None:
        """Keep a call, with what it makes and reads."""
        names = call.node.output
        call.outputs = [tensor if name else None for name, tensor in zip(names, outputs, strict=True)]
        for port, tensor in enumerate(outputs):
            tensor.producer, tensor.port = call, port
        for read in call.inputs:
            if read is not None:
                read.readers += 1
        self.calls.append(call)

    # Shapes.

    def _infer(
        self, node: NodeProto, call: Call, attributes: Mapping[str, AttributeProto], frame: Frame
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
        if data is None or sizes is None or (inferred is not None and dims_of(inferred) is not None):
            return
        rank = sizes.dims[0] if sizes.dims is not None and len(sizes.dims) == 1 else None
        if rank is not None and rank <= _MOST_DIMENSIONS:
            found[node.output[0]] = type_of(data.proto.tensor_type.elem_type, (None,) * rank)

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
        frame: Frame,
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
            raise broken(self.name, f"node '{called(node)}': {str(error).strip().splitlines()[0]}") from None
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            shapes = ", ".join(_shown(tensor) for tensor in named.values())
            raise fail(
                "A305",
                f"the inputs of '{called(node)}' in '{self.name}' do not suit {node.op_type}",
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
        dims = dims_of(found)
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

    def store(self, tensor: TensorProto, *, initializer: bool) -> Tensor:
        """A tensor that the file stores, with its value where it is small."""
        check_tensor(tensor, self.name)
        shape = tuple(tensor.dims)
        entry = Stored(tensor.name, shape, tensor.data_type, initializer)
        self.stored.append(entry)
        found = Tensor(type_of(tensor.data_type, shape), shape, stored=(entry,))
        if prod(shape) <= LARGEST and tensor.data_type != TensorProto.STRING:
            data = data_of(tensor, self._folder)
            if data is not None:
                try:
                    found.value = numpy_helper.to_array(data)
                except (ValueError, TypeError, IndexError):
                    note = f"the data of '{tensor.name}' do not fill its shape {list(shape)}"
                    raise broken(self.name, note) from None
        return found

    def store_sparse(self, sparse: SparseTensorProto, *, initializer: bool) -> Tensor:
        """A tensor whose zeros are not stored; what reads it sees the whole."""
        found = self.store(sparse.values, initializer=initializer)
        found.dims, found.value = tuple(sparse.dims), None
        found.proto = type_of(sparse.values.data_type, found.dims)
        return found

    def _evaluate(
        self, call: Call, types: Sequence[TypeProto | None] | None, outputs: int
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
        if not is_known(call.op) or not call.inputs:
            return None
        values = [tensor.value if tensor is not None else None for tensor in call.inputs]
        for tensor, value in zip(call.inputs, values, strict=True):
            if tensor is not None and (value is None or (types is None and value.size > _TINY)):
                return None
        if types is None:
            return None if call.op in GROWING else evaluate(call.op, values, call.attributes, outputs)
        if not all(_small(proto) or call.op in ("NonZero", "Range") for proto in types):
            return None
        return evaluate(call.op, values, call.attributes, outputs)

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
        frame: Frame,
    ) -> list[Tensor]:
        names: Names = {
            formal: tensor
            for formal, tensor in zip(function.input, inputs, strict=False)
            if tensor is not None
        }
        given = {default.name: default for default in function.attribute_proto} | dict(attributes)
        opsets = {plain_domain(opset.domain): opset.version for opset in function.opset_import}
        scope = node.name or function.name
        inner = Frame({**frame.opsets, **opsets}, given, (*frame.functions, scope), {}, frame.depth + 1)
        self.nodes(_without_absent(function.node, set(function.input) - names.keys()), names, inner)
        missing = [name for name in function.output if name not in names]
        if missing:
            raise broken(
                self.name, f"the function '{function.name}' does not compute its output '{missing[0]}'"
            )
        return [names[name] for name in function.output]


def _shown(tensor: Tensor) -> str:
    if tensor.dims is None:
        return "(?)"
    return "(" + ", ".join("?" if size is None else str(size) for size in tensor.dims) + ")"


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
        for name in dict.fromkeys(filter(None, (*node.input, *captured(node)))):
            if name in makers:
                readers[makers[name]].append(index)
                waiting[index] += 1
                sorted_already = sorted_already and makers[name] < index
            elif name not in names:
                raise broken(model, f"node '{called(node)}' reads '{name}', which nothing computes")
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
        raise broken(model, f"its nodes form a circle: '{called(node)}' waits for its own output")
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
    if value is None or like is None or like.proto.tensor_type.elem_type not in NUMPY_TYPES:
        return None
    return [value.astype(NUMPY_TYPES[like.proto.tensor_type.elem_type])]


def _small(proto: TypeProto | None) -> bool:
    """Whether a result of this type has few elements."""
    dims = None if proto is None else dims_of(proto)
    return dims is not None and None not in dims and prod(size or 0 for size in dims) <= LARGEST
