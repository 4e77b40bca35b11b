"""ONNX file to `Graph`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...collector import uncollected
from ...errors import fail
from ...graph import Graph, Node, Parameter, Value
from ...ops import Input, Shape
from ...ops.tensor import TensorOp
from ...regions import structured
from .read import broken, read_model

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

    from .site import Lowered
    from .values import Stored, Tensor
    from .walk import Walk

#: names that exporters give to tensors which they make themselves, after an operator's overload among them
_ANONYMOUS = re.compile(
    r"_?val_\d+\Z|\d+\Z|onnx::|/|.*(const|Const)|\w+_(default|tensor|scalar)(_\d+)?\Z", re.IGNORECASE
)

#: what is said of the parameters of every ONNX file
STORED_NUMBERS = (
    "parameters are the numbers that the file stores: exporters fold batch normalisation into convolutions, "
    "leave out biases of zero, and may store one tensor twice"
)


@dataclass(frozen=True)
class OnnxSource:
    """Where a graph from an ONNX file came from."""

    path: Path | None
    opset: int
    producer: str
    kind: str = "onnx"


@uncollected
def load_onnx(
    source: str | os.PathLike[str] | ModelProto,
    *,
    inputs: Mapping[str, Shape | int] | Sequence[Shape] | None = None,
) -> Graph:
    """The network in an ONNX file, or in a `ModelProto`, with every shape known.

    `inputs` are shapes, in the order of the model's inputs or by their names; also by a symbolic size's name, as in
    `{"sequence_length": 128}`.  Symbolic batch sizes are 1 unless given.  Weights in other files may be absent.

    Raises ArchinspectError: A404 without the onnx package, A101, A102 and A605 for a file that cannot be read or is not
    sound, A402 for sizes that are missing, A305 for those that do not suit the network, A103 for too large a network.
    """
    model, name, folder = read_model(source)
    from .lower import fuse_biases, lower
    from .walk import Walk

    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    sizes = _Sizes(model, name, inputs)
    walk = Walk(model, name, folder, sizes.symbols, trusted=not sizes.changed)
    given = sizes.tensors()
    outputs = walk.run(given)
    numbers = _Numbers(model)
    rows = fuse_biases([lower(call, numbers.counts) for call in walk.calls])
    rows = _needed(rows, outputs)
    path = None if folder is None else Path(str(source))
    built = _Builder(name, given, rows, numbers)
    built.add_unread(walk, model)
    ends = [end for tensor in outputs for end in built.output(tensor)]
    notes = [STORED_NUMBERS, *_doubts(rows)]
    nodes = tuple(built.nodes)
    return Graph(
        name,
        nodes,
        structured(nodes, len(given), built.classes, [index for index, _ in ends]),
        tuple(index for index, _ in ends),
        metadata={"notes": tuple(notes)},
        inputs=len(given),
        source=OnnxSource(path, opset, f"{model.producer_name} {model.producer_version}".strip()),
        output_names=tuple(_output_names(model, outputs)),
        output_ports=tuple(port for _, port in ends) if any(port for _, port in ends) else (),
    )


class _Sizes:
    """The shapes of the model's inputs."""

    def __init__(
        self, model: ModelProto, name: str, inputs: Mapping[str, Shape | int] | Sequence[Shape] | None
    ) -> None:
        from .values import DTYPES

        stored = {tensor.name for tensor in model.graph.initializer}
        stored.update(sparse.values.name for sparse in model.graph.sparse_initializer)
        self.infos = [info for info in model.graph.input if info.name not in stored]
        self.name = name
        #: whether a size is another one than the file says
        self.changed = False
        if not self.infos:
            raise broken(name, "it has no input")
        for info in self.infos:
            kind = info.type.WhichOneof("value")
            if kind != "tensor_type" or info.type.tensor_type.elem_type not in DTYPES:
                raise fail(
                    "A403",
                    f"the input '{info.name}' of '{name}' is no tensor of numbers",
                    notes=[f"it is a {kind.removesuffix('_type') if kind else 'value without a type'}"],
                )
        self.symbols: dict[str, int] = {}
        self.given = self._given(inputs)
        self._bind()

    def _given(self, inputs: Mapping[str, Shape | int] | Sequence[Shape] | None) -> dict[str, Shape]:
        names = [info.name for info in self.infos]
        if inputs is None:
            return {}
        if isinstance(inputs, Mapping):
            symbols = {dim.dim_param for info in self.infos for dim in info.type.tensor_type.shape.dim}
            shapes: dict[str, Shape] = {}
            for key, value in inputs.items():
                if key in names and not isinstance(value, int):
                    shapes[key] = tuple(value)
                elif key in symbols and (isinstance(value, int) or len(value) == 1):
                    self.symbols[key] = value if isinstance(value, int) else value[0]
                else:
                    raise fail(
                        "A402",
                        f"'{self.name}' has no input '{key}'",
                        notes=[_listed("its inputs are", names), *_named_sizes(symbols)],
                    )
            return shapes
        if len(inputs) > len(names):
            raise fail("A402", f"'{self.name}' has {len(names)} inputs, and {len(inputs)} shapes were given")
        return dict(zip(names, map(tuple, inputs), strict=False))

    def _bind(self) -> None:
        """Find what symbolic sizes stand for: what the given shapes say; batch sizes are 1 otherwise."""
        for info in self.infos:
            shape = self.given.get(info.name)
            if shape is None or not info.type.tensor_type.HasField("shape"):
                continue
            dims = info.type.tensor_type.shape.dim
            if len(dims) != len(shape):
                raise fail(
                    "A402",
                    f"the input '{info.name}' of '{self.name}' has {len(dims)} dimensions",
                    notes=[f"{len(shape)} were given: {'x'.join(map(str, shape))}", self._declared(info)],
                )
            for dim, size in zip(dims, shape, strict=True):
                if dim.dim_param:
                    self.symbols.setdefault(dim.dim_param, size)
                elif dim.HasField("dim_value") and dim.dim_value != size:
                    self.changed = True
        for info in self.infos:
            dims = info.type.tensor_type.shape.dim
            if dims and dims[0].dim_param:
                self.symbols.setdefault(dims[0].dim_param, 1)

    def _declared(self, info: Any) -> str:
        sizes = [
            dim.dim_param or (str(dim.dim_value) if dim.HasField("dim_value") else "?")
            for dim in info.type.tensor_type.shape.dim
        ]
        return f"the file says {info.name}: {' × '.join(sizes) or 'no dimensions'}"

    def tensors(self) -> dict[str, Tensor]:
        """The inputs as tensors of a walk."""
        from .values import Tensor, type_of

        found = {}
        for info in self.infos:
            shape = self.given.get(info.name) or self._shape(info)
            if any(size < 0 for size in shape) or prod(shape) > 2**53:
                raise fail(
                    "A402", f"the input '{info.name}' cannot have the shape {'x'.join(map(str, shape))}"
                )
            found[info.name] = Tensor(type_of(info.type.tensor_type.elem_type, shape), shape)
        return found

    def _shape(self, info: Any) -> Shape:
        tensor = info.type.tensor_type
        sizes = []
        missing = [] if tensor.HasField("shape") else ["its number of dimensions"]
        for axis, dim in enumerate(tensor.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                sizes.append(dim.dim_value)
            elif dim.dim_param in self.symbols:
                sizes.append(self.symbols[dim.dim_param])
            elif axis == 0:
                sizes.append(1)
            else:
                missing.append(f"'{dim.dim_param}'" if dim.dim_param else f"dimension {axis}")
        if missing:
            raise fail(
                "A402",
                f"the file does not say the sizes of the input '{info.name}' of '{self.name}'",
                notes=[self._declared(info), f"missing: {', '.join(missing)}"],
                help=f"give its shape, --input {info.name}=1x…, or a size by its name, --input NAME=128",
            )
        return tuple(sizes)


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what} {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"


def _named_sizes(symbols: Iterable[str]) -> list[str]:
    names = sorted(filter(None, symbols))
    return [_listed("its sizes with a name are", names)] if names else []


class _Numbers:
    """Which stored tensors are parameters, where no layer reads them as its weights."""

    def __init__(self, model: ModelProto) -> None:
        self._torch = model.producer_name == "pytorch" or model.producer_name.startswith("torch")
        self._parameters: dict[int, Parameter] = {}

    def counts(self, tensor: Tensor) -> bool:
        """Real numbers of an initializer; a single one only where its name is that of a module's parameter."""
        if not tensor.dtype.startswith(("float", "bfloat", "complex")):
            return False
        entry = tensor.stored[0]
        return entry.initializer and self.is_parameter(entry)

    def is_parameter(self, entry: Stored) -> bool:
        return prod(entry.shape) != 1 or (self._torch and not _ANONYMOUS.match(entry.name))

    def has(self, entry: Stored) -> bool:
        """Whether a call has this tensor as a parameter."""
        return id(entry) in self._parameters

    def parameter(self, entry: Stored, buffer: bool) -> Parameter:
        """The one parameter of a stored tensor."""
        from .values import DTYPES, PACKED_BITS

        if id(entry) not in self._parameters:
            bits = PACKED_BITS.get(entry.type)
            self._parameters[id(entry)] = Parameter(
                (entry.name,),
                entry.shape,
                DTYPES.get(entry.type, "uint8"),
                trainable=not buffer,
                buffer=buffer,
                stored=None if bits is None else -(-prod(entry.shape) * bits // 8),
            )
        return self._parameters[id(entry)]


def _needed(rows: Sequence[Lowered], outputs: Sequence[Tensor]) -> list[Lowered]:
    """The rows without those that only make constants which shapes were read from."""
    read = {id(tensor) for tensor in outputs}
    kept = []
    for row in reversed(rows):
        constant = all(tensor.value is not None for tensor in row.outputs)
        if constant and not any(id(tensor) in read for tensor in row.outputs):
            continue
        read.update(id(tensor) for tensor in row.reads)
        kept.append(row)
    return kept[::-1]


def _doubts(rows: Sequence[Lowered]) -> list[str]:
    """What of the shapes is not known."""
    guessed = [row for row in rows if any(not tensor.known for tensor in row.outputs)]
    if not guessed:
        return []
    first = guessed[0].call
    return [
        "sizes that depend on values, or that the file does not say, are shown as 1, and what depends on them is not "
        f"counted: {len(guessed):,} calls, the first is {first.op}"
        + (f" '{first.name}'" if first.name else "")
    ]


class _Builder:
    """The nodes, one by one."""

    def __init__(
        self, name: str, inputs: Mapping[str, Tensor], rows: Sequence[Lowered], numbers: _Numbers
    ) -> None:
        from .names import name_calls

        self.nodes: list[Node] = []
        self._numbers = numbers
        self._places: dict[int, tuple[int, int]] = {}
        self._read: set[int] = set()
        named, self.classes = name_calls(rows)
        self._taken = {call_name for call_name, _ in named}
        for input_name, tensor in inputs.items():
            self._places[id(tensor)] = len(self.nodes), 0
            node = Node.of_call(
                self._free(_input_name(input_name)), Input(tensor.shape), (), (), (_value(tensor),)
            )
            self.nodes.append(node)
        for row, (call_name, module) in zip(rows, named, strict=True):
            self._add(row, call_name, module)

    def _free(self, name: str) -> str:
        """The name, or with a number behind it where it is taken."""
        number, free = 1, name
        while free in self._taken:
            free, number = f"{name}_{number}", number + 1
        self._taken.add(free)
        return free

    def _add(self, row: Lowered, name: str, module: str) -> None:
        reads = [tensor for tensor in row.reads if id(tensor) in self._places]
        places = [self._places[id(tensor)] for tensor in reads]
        parameters: dict[str, Parameter] = {}
        for key, tensor, buffer in row.weights:
            for index, entry in enumerate(tensor.stored):
                own = key if not index else f"{key}_{('scale', 'zero_point')[index - 1]}"
                parameters[own] = self._numbers.parameter(entry, buffer or index > 0)
                self._read.add(id(entry))
        memory = None
        if row.memory is not None:
            memory = self._places.get(id(row.memory), (-1, 0))[0]
        index = len(self.nodes)
        for port, tensor in enumerate(row.outputs):
            self._places[id(tensor)] = index, port
        node = Node.of_call(
            name,
            row.op,
            tuple(place for place, _ in places),
            tuple(tensor.shape for tensor in reads),
            tuple(map(_value, row.outputs)) or (Value(()),),
            parameters=parameters,
            ports=tuple(port for _, port in places) if any(port for _, port in places) else (),
            memory=memory,
            module=module,
        )
        self.nodes.append(node)

    def output(self, tensor: Tensor) -> list[tuple[int, int]]:
        """Where an output of the model is made: the node and which of its outputs; several for a sequence."""
        if tensor.items is not None:
            return [end for item in tensor.items for end in self.output(item)]
        if id(tensor) not in self._places:
            # A constant or a stored tensor that is handed out as it is.
            counted = bool(tensor.stored) and self._numbers.counts(tensor)
            parameters = {"value": self._numbers.parameter(tensor.stored[0], buffer=False)} if counted else {}
            kind = "parameter" if parameters else "constant"
            op = TensorOp(kind, "shape", (), (tensor.shape,))
            node = Node.of_call(
                self._free(kind), op, (), (), (_value(tensor),), parameters=parameters, memory=-1
            )
            self._places[id(tensor)] = len(self.nodes), 0
            self.nodes.append(node)
        return [self._places[id(tensor)]]

    def add_unread(self, walk: Walk, model: ModelProto) -> None:
        """Nodes that hold the stored numbers which no call has as its own.

        No node of the file reads them, or nodes cut and join them first, as exporters do with a recurrent layer's
        matrices; the latter are told from constants by the name of a module's parameter.
        """
        read = set(_names_read(model.graph))
        for function in model.functions:
            read.update(name for node in function.node for name in node.input)
        owners: dict[str, dict[str, Parameter]] = {}
        for entry in walk.stored:
            real = _real(entry)
            owner, _, last = entry.name.rpartition(".")
            lost = entry.name not in read or (owner and not self._numbers.has(entry))
            if entry.initializer and real and lost and self._numbers.is_parameter(entry):
                owners.setdefault(owner, {})[last] = self._numbers.parameter(entry, buffer=False)
        for owner, parameters in owners.items():
            op = TensorOp("parameters", "parameters", (), ())
            free = owner and owner not in self._taken
            name = self._free(owner if free else f"{owner}.parameters" if owner else "parameters")
            self.nodes.append(Node.of_call(name, op, (), (), (), parameters=parameters, module=owner))


def _real(entry: Stored) -> bool:
    from .values import DTYPES

    return DTYPES.get(entry.type, "").startswith(("float", "bfloat", "complex"))


def _value(tensor: Tensor) -> Value:
    return Value(tensor.shape, tensor.dtype)


def _input_name(name: str) -> str:
    """An input's name in letters that a path can have."""
    return re.sub(r"[^\w\-]+", "_", name)[:120] or "input"


def _output_names(model: ModelProto, outputs: Sequence[Tensor]) -> Iterable[str]:
    for info, tensor in zip(model.graph.output, outputs, strict=True):
        if tensor.items is None:
            yield info.name
        else:
            yield from (f"{info.name}[{index}]" for index in range(len(tensor.items)))


def _names_read(graph: GraphProto) -> Iterable[str]:
    """Names that nodes read, those inside branches and loops among them, and the outputs."""
    from .read import graphs_of

    for node in graph.node:
        yield from node.input
        for inner in graphs_of(node.attribute):
            yield from _names_read(inner)
    yield from (info.name for info in graph.output)
