"""The network: calls of ops in execution order, values between them, their parameters, and the scopes they ran in.

`Graph` is what every analysis, picture, builder and timer reads, wherever it came from: a spec, a module, a file.
It is frozen; a changed network is a new graph.  Inputs come first among its nodes.  Two views of the calls are kept:

- `nodes`, a topologically ordered tuple in which edges are indices, for arithmetic;
- `structure`, the tree of scopes, joins and branches, for folding, drawing and writing back.  A region whose flow is
  not series-parallel is a `Flow`: its edges are those of its nodes.

A spec's calls have one output, in fp32, and parameters that are theirs alone.  Their names and shapes follow from the
op, so a node of a spec does not carry them.  Nodes of other frontends do (`Node.of_call`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Protocol

from .errors import Span, fail
from .ops.base import Axes, Cost, Op, Shape, Shapes

#: bytes of one element, by PyTorch's names of types
ELEMENT_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "complex64": 8,
    "complex128": 16,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint64": 8,
    "uint32": 4,
    "uint16": 2,
    "uint8": 1,
    "bool": 1,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows: its shape, its type by PyTorch's name, and what its dimensions mean, where that is known."""

    shape: Shape
    dtype: str = "float32"
    axes: Axes | None = None

    @property
    def bytes(self) -> int:
        return prod(self.shape) * ELEMENT_BYTES[self.dtype]


@dataclass(frozen=True)
class Parameter:
    """A learnable tensor, or a buffer, that calls read.  It is counted once, however many calls read it.

    `names` are all its paths: tied weights have several, the first is the main one.  `stored` is the bytes that it
    takes where these are not those of its elements' type (packed and quantised types of checkpoints).
    """

    names: tuple[str, ...]
    shape: Shape
    dtype: str = "float32"
    trainable: bool = True
    buffer: bool = False
    stored: int | None = None

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.numel * ELEMENT_BYTES[self.dtype] if self.stored is None else self.stored


@dataclass(frozen=True, init=False)
class Node:
    """One call of an op: dotted path, op, inputs (indices of nodes), output shape (batch first).

    The fields from `parameters` on are None or empty for the nodes of a spec, where they follow from the op.  The
    second call of a module that is called again is `path#2`; both have the same `module`.
    """

    name: str
    op: Op
    inputs: tuple[int, ...]
    input_shapes: Shapes
    output_shape: Shape
    span: Span | None = field(default=None, compare=False, repr=False)
    #: the parameters and buffers that the call reads, by the op's names for them ("weight")
    parameters: Mapping[str, Parameter] | None = None
    #: all outputs, the first of which has `output_shape`
    outputs: tuple[Value, ...] | None = None
    #: for each input which output of its node it reads; empty where all read the first
    ports: tuple[int, ...] = ()
    #: the node whose memory the outputs lie in (views, writes in place); -1 for memory of parameters and constants
    memory: int | None = None
    #: path of the module whose call this is a part of, and that module's class
    module: str = ""
    #: the last node during which the module itself holds the memory of the outputs; None: until the last reader
    held: int | None = None

    def __init__(
        self,
        name: str,
        op: Op,
        inputs: tuple[int, ...],
        input_shapes: Shapes,
        output_shape: Shape,
        span: Span | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        outputs: tuple[Value, ...] | None = None,
        ports: tuple[int, ...] = (),
        memory: int | None = None,
        module: str = "",
        held: int | None = None,
    ) -> None:
        # What a frozen dataclass sets through object.__setattr__, which takes twice as long: networks have many nodes.
        own = self.__dict__
        own["name"] = name
        own["op"] = op
        own["inputs"] = inputs
        own["input_shapes"] = input_shapes
        own["output_shape"] = output_shape
        own["span"] = span
        if outputs is not None:  # what the nodes of a spec do not have stays with the class
            own["parameters"] = parameters
            own["outputs"] = outputs
            own["ports"] = ports
            own["memory"] = memory
            own["module"] = module
            own["held"] = held

    @classmethod
    def of_call(
        cls,
        name: str,
        op: Op,
        inputs: tuple[int, ...],
        input_shapes: Shapes,
        outputs: tuple[Value, ...],
        *,
        parameters: Mapping[str, Parameter] | None = None,
        ports: tuple[int, ...] = (),
        memory: int | None = None,
        module: str = "",
        held: int | None = None,
    ) -> Node:
        """A call as a frontend other than the spec met it.  A node without outputs only holds parameters."""
        shape = outputs[0].shape if outputs else ()
        return cls(
            name,
            op,
            inputs,
            input_shapes,
            shape,
            None,
            parameters or {},
            outputs,
            ports,
            memory,
            module,
            held,
        )

    @cached_property
    def weights(self) -> dict[str, Shape]:
        """Shapes of the learnable parameters by the op's names for them."""
        if self.parameters is None:
            return self.op.weights(self.input_shapes)
        return {name: p.shape for name, p in self.parameters.items() if not p.buffer}

    @cached_property
    def buffers(self) -> dict[str, Shape]:
        """Shapes of what is saved but not learnt (running statistics)."""
        if self.parameters is None:
            return self.op.buffers(self.input_shapes)
        return {name: p.shape for name, p in self.parameters.items() if p.buffer}

    @property
    def values(self) -> tuple[Value, ...]:
        """All outputs."""
        return (Value(self.output_shape),) if self.outputs is None else self.outputs

    @cached_property
    def cost(self) -> Cost | None:
        return self.op.cost(self.input_shapes, self.output_shape)

    @property
    def scope(self) -> str:
        """Path of the enclosing scope; empty at the top."""
        return self.name.rpartition(".")[0]


class Source(Protocol):
    """What a frontend keeps of where a graph came from."""

    @property
    def kind(self) -> str:
        """`module`, `exported`, `onnx` or `checkpoint`."""
        ...


@dataclass(frozen=True)
class BlockUse:
    """Which block a scope came from, and with which arguments."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"


@dataclass(frozen=True)
class Layer:
    """A leaf of the structure: a node."""

    index: int


@dataclass(frozen=True)
class Scope:
    """A named sequence.  An empty one passes its input on (an identity branch).

    Without a name it only groups (a branch of a captured module): its layers' paths do not mention it.
    """

    name: str
    items: tuple[Item, ...]
    block: BlockUse | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Join:
    """Branches that all read the same input, and the node that joins them."""

    index: int
    branches: tuple[Scope | Leaf, ...]


@dataclass(frozen=True)
class Leaf:
    """A branch or side output that is one layer: its name is the layer's own."""

    name: str
    index: int


@dataclass(frozen=True)
class SideOutputs:
    """Branches whose ends are outputs of the network beside the main one; the main path goes on unchanged."""

    branches: tuple[Scope | Leaf, ...]


@dataclass(frozen=True)
class Flow:
    """Layers and scopes whose flow is not series-parallel, in execution order; the edges are those of their nodes."""

    items: tuple[Layer | Scope, ...]


Item = Layer | Scope | Join | SideOutputs | Flow


@dataclass(frozen=True)
class Graph:
    """A network with every shape known.

    `outputs` are indices: the main output first, then side outputs in order.  `arguments` are the spec's arguments
    as used.  The first `inputs` nodes are inputs; a checkpoint, of which only parameters are known, has none.  `source`
    is what a frontend keeps for the rooms that run the real thing (`archinspect.frontends`); None for a spec.
    """

    name: str
    nodes: tuple[Node, ...]
    structure: Scope
    outputs: tuple[int, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)
    inputs: int = 1
    source: Source | None = field(default=None, compare=False, repr=False)
    #: names of the outputs, where they have some; of as many as there are outputs
    output_names: tuple[str, ...] = ()
    #: which output of its node each output is; empty where all are the first
    output_ports: tuple[int, ...] = ()

    @classmethod
    def of_parameters(
        cls,
        name: str,
        parameters: Iterable[Parameter],
        *,
        source: Source | None = None,
        holders: Mapping[str, str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> Graph:
        """A network of which only parameters are known: a node without outputs for each module that has some.

        The modules are what the parameters' names tell; tied weights stand in each of theirs.  `holders` names another
        module for some names, `classes` the classes of modules by path.
        """
        root = _Module()
        for parameter in parameters:
            for path in parameter.names:
                scope = (holders or {}).get(path, path.rpartition(".")[0])
                module = root
                # A parameter of no module is shown under its own name, as if it were a module.
                for part in (scope or path).split("."):
                    module = module.inside.setdefault(part, _Module())
                last = path[len(scope) + 1 :] if scope and path.startswith(f"{scope}.") else path
                module.own[path if last in module.own else last] = parameter
        nodes: list[Node] = []
        structure = _module_scope(root, "", "", nodes, classes or {})
        return cls(name, tuple(nodes), structure, (), inputs=0, source=source)

    @property
    def input_shape(self) -> Shape:
        """The shape of the first input; () for a network that has none."""
        return self.nodes[0].output_shape if self.inputs else ()

    @property
    def output_shape(self) -> Shape:
        """The shape of the main output; () for a network that has none."""
        return self.nodes[self.outputs[0]].output_shape if self.outputs else ()

    @property
    def layers(self) -> tuple[Node, ...]:
        """All nodes but the inputs."""
        return self.nodes[self.inputs :]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter and buffer once, in the order of the calls that read them first."""
        found: dict[int, Parameter] = {}
        for node in self.layers:
            if node.parameters is None:
                tensors = [(name, shape, False) for name, shape in node.weights.items()]
                tensors += [(name, shape, True) for name, shape in node.buffers.items()]
                for name, shape, buffer in tensors:
                    own = Parameter((f"{node.name}.{name}",), shape, trainable=not buffer, buffer=buffer)
                    found[id(own)] = own
            else:
                found.update((id(parameter), parameter) for parameter in node.parameters.values())
        return tuple(found.values())

    @cached_property
    def learnt(self) -> tuple[int, ...]:
        """For each node how many learnable parameters it has; one that several read is the first one's."""
        counted: set[int] = set()
        found: list[int] = []
        for node in self.nodes:
            if node.parameters is None:
                found.append(sum([prod(shape) for shape in node.weights.values()]) if node.inputs else 0)
                continue
            new = {id(p): p for p in node.parameters.values() if not p.buffer and id(p) not in counted}
            counted.update(new)
            found.append(sum([p.numel for p in new.values()]))
        return tuple(found)

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For each node the indices of the nodes that read it, ascending."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in dict.fromkeys(node.inputs):
                readers[source].append(index)
        return tuple(map(tuple, readers))

    @cached_property
    def axes(self) -> tuple[Axes, ...]:
        """What the dimensions of each node's first output mean.

        A frontend that knows says so in its values; else it follows from the ops, and for an input from its rank and
        type (`input_axes`).
        """
        found: list[Axes] = []
        for index, node in enumerate(self.nodes):
            known = node.outputs[0].axes if node.outputs else None
            if known is not None:
                found.append(known)
            elif index < self.inputs:
                found.append(self._input_axes(index))
            elif node.inputs:
                before = [found[source] for source in node.inputs]
                if node.ports:  # an output beside the first means the same where it has as many dimensions
                    shapes = zip(before, node.input_shapes, strict=True)
                    before = [
                        axes if len(axes) == len(shape) else ("",) * len(shape) for axes, shape in shapes
                    ]
                found.append(node.op.axes(before, node.input_shapes, node.output_shape))
            else:
                found.append(("",) * len(node.output_shape))
        return tuple(found)

    def _input_axes(self, index: int) -> Axes:
        """By rank and type; three dimensions are a signal where the next layer that works on a layout says so."""
        value = self.nodes[index].values[0]
        reader = index
        for _ in range(_NEAR):
            reader = next(iter(self.consumers[reader]), -1)
            if reader < 0 or len(self.nodes[reader].output_shape) != 3:
                break
            if self.nodes[reader].op.spatial == 1:
                return ("batch", "channel", "space")
            if self.nodes[reader].op.category not in ("activation", "regularisation", "elementwise"):
                break
        return input_axes(value.shape, value.dtype)

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def index(self) -> dict[str, int]:
        """The indices of the nodes by name."""
        return {node.name: index for index, node in enumerate(self.nodes)}

    def walk(self) -> Iterator[tuple[str, Item]]:
        """Every item of the structure with the path of the scope that holds it, in reading order."""
        yield from _walk("", self.structure.items)


def refuse_parameters_only(graph: Graph, what: str) -> None:
    """Raises ArchinspectError (A403) for a checkpoint, of which `what` cannot be had."""
    if not graph.inputs and not graph.outputs:
        raise fail(
            "A403",
            f"{what} cannot be had of '{graph.name}': it is a checkpoint, which holds parameters only",
            help="give the module or the config that they belong to, such as net.py:Net; params, compare and diagram "
            "work on a checkpoint",
        )


@dataclass(slots=True)
class _Module:
    """A module as names of parameters tell it: its own by their last parts, and the modules inside it."""

    own: dict[str, Parameter] = field(default_factory=dict)
    inside: dict[str, _Module] = field(default_factory=dict)


def _module_scope(
    module: _Module, name: str, path: str, nodes: list[Node], classes: Mapping[str, str]
) -> Scope:
    """The module as a scope; nodes for it and for what is inside are added to `nodes`, in order."""
    items: list[Layer | Scope] = [_holder(module, path, nodes)] if module.own else []
    inside = list(module.inside.items())
    if all(part.isdecimal() and len(part) < 10 for part, _ in inside):
        inside.sort(key=lambda item: int(item[0]))  # files often sort names as texts: 0, 1, 10, 2
    for part, inner in inside:
        inner_path = below(path, part)
        if inner.inside:
            items.append(_module_scope(inner, part, inner_path, nodes, classes))
        else:
            items.append(_holder(inner, inner_path, nodes))
    block = classes.get(path)
    return Scope(name, tuple(items), BlockUse(block, {}) if block else None)


def _holder(module: _Module, path: str, nodes: list[Node]) -> Layer:
    from .ops.tensor import TensorOp  # specs need none

    # Weights first, as modules declare them; safetensors sorts by name.
    own = dict(sorted(module.own.items(), key=lambda item: item[0] != "weight"))
    op = TensorOp("parameters", "parameters", (), (), work=None)  # what is computed with them is not known
    nodes.append(Node.of_call(path, op, (), (), (), parameters=own, module=path))
    return Layer(len(nodes) - 1)


#: so many layers after an input may say what its dimensions mean
_NEAR = 8


def input_axes(shape: Shape, dtype: str = "float32") -> Axes:
    """What the dimensions of an input mean by default.

    Numbers are images (N, C, H, W), volumes (N, C, D, H, W), sequences of vectors (N, L, features) or vectors
    (N, features); integers and truth values are sequences (N, L).  Others have a batch in front and are else unknown.
    """
    rank = len(shape)
    if dtype.startswith(("int", "uint", "bool")):
        known: Axes = ("batch", "sequence")[:rank]
    elif rank in (4, 5):
        known = ("batch", "channel", *("space",) * (rank - 2))
    else:
        known = {2: ("batch", "feature"), 3: ("batch", "sequence", "feature")}.get(rank, ("batch",)[:rank])
    return (*known, *("",) * (rank - len(known)))


def width_dimension(axes: Axes, shape: Shape) -> int:
    """The dimension of the channels or features; where nobody says, the last of up to three, else the second.

    Features are those of the last dimension, which a linear layer reads: behind a transposition these are the tokens.
    """
    for dim in range(len(axes) - 1, 0, -1):
        if axes[dim] == "channel":
            return dim
    if axes and axes[-1] == "feature":
        return len(axes) - 1
    return 1 if len(shape) > 3 else len(shape) - 1


def position_dimensions(axes: Axes) -> tuple[int, ...]:
    """The dimensions of space, or else of a sequence."""
    for meaning in ("space", "sequence"):
        found = tuple(dim for dim, axis in enumerate(axes) if axis == meaning)
        if found:
            return found
    return ()


def _walk(path: str, items: tuple[Item, ...]) -> Iterator[tuple[str, Item]]:
    for item in items:
        yield path, item
        if isinstance(item, Scope):
            yield from _walk(below(path, item.name), item.items)
        elif isinstance(item, Flow):
            yield from _walk(path, item.items)
        elif isinstance(item, (Join, SideOutputs)):
            for branch in item.branches:
                if isinstance(branch, Scope):
                    yield from _walk(below(path, branch.name), branch.items)


def below(path: str, name: str) -> str:
    """The path of what is called `name` in the scope at `path`; a nameless group is at its scope's own path."""
    return f"{path}.{name}" if path and name else path or name
