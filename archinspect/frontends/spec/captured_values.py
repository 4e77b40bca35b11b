"""A captured network whose values are read by name: any flow, several inputs and outputs, shared and free parameters.

`captured` says networks of branches that join again.  Here every layer stands in the scope of its module and names what
it reads where that is not the layer before; modules of one class that come to the same text are a block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ...errors import OpError, fail
from ...graph import Graph, Node, Parameter, Scope, below
from ...ops import REGISTRY
from ...ops.base import Op, Shape
from ...ops.tensor import TensorOp
from .captured import Text, allowed, block_name, counted, free, said_as, weight_names
from .document import JOINS
from .weight_names import WeightName

Place = tuple[int, int]  # a node, and which of its outputs


@dataclass
class _Said:
    """A layer as the spec says it: the node whose output it makes, its op, what it reads, and its parameters.

    `again` is the node whose weights it has.
    """

    index: int
    op: Op
    reads: tuple[Place, ...]
    names: Mapping[str, Parameter] = field(default_factory=dict)
    again: int | None = None
    path: str = ""
    tied: tuple[str, int] | None = None  # a tensor of its own that another layer has, too
    fused: bool = False  # whether it stands for several nodes


@dataclass
class _Group:
    """A module that is called: its layers and the modules inside it, in the order of their calls."""

    name: str
    kind: str
    items: list[_Said | _Group] = field(default_factory=list)

    def layers(self) -> Iterator[_Said]:
        for item in self.items:
            if isinstance(item, _Group):
                yield from item.layers()
            else:
                yield item


class _OutsideError(Exception):
    """A scope reads a value that the text of a block cannot name."""


class Writer:
    """Writes a graph's layers by the values that they read.

    Raises ArchinspectError (A403) for what the language has no layer for.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._said = {said.index: said for said in _layers(graph)}
        self._readers = Counter(place for said in self._said.values() for place in said.reads)
        kinds = _kinds(graph.structure, "")
        self._root = _Group("", "")
        self.inputs = _input_names(graph)
        self._paths: dict[int, str] = dict(enumerate(self.inputs))
        self._order: list[int] = []
        self._place_layers(kinds)
        self._blocks: dict[tuple[str, tuple[str, ...]], str] = {}
        self._bodies: dict[str, list[str]] = {}
        self._taken = {*REGISTRY, *JOINS, "inline", "side_output", "identity", "let", "same_as"}

    def _place_layers(self, kinds: Mapping[str, str]) -> None:
        """Put each layer into the scope of its module; a module that is left and entered again is another scope."""
        open_groups: list[tuple[str, _Group]] = []
        taken: dict[int, set[str]] = {id(self._root): {"input", *self.inputs}}
        for index in sorted(self._said):
            said = self._said[index]
            *scopes, last = self._graph.nodes[index].name.split(".")
            if said.fused:
                *scopes, last = scopes
            shared = 0
            while shared < min(len(scopes), len(open_groups)) and open_groups[shared][0] == scopes[shared]:
                shared += 1
            del open_groups[shared:]
            for depth in range(shared, len(scopes)):
                parent = open_groups[-1][1] if open_groups else self._root
                names = taken.setdefault(id(parent), set())
                name = free(allowed(scopes[depth], "block"), names)
                group = _Group(name, kinds.get(".".join(scopes[: depth + 1]), ""))
                parent.items.append(group)
                open_groups.append((scopes[depth], group))
            parent = open_groups[-1][1] if open_groups else self._root
            names = taken.setdefault(id(parent), set())
            stem = re.sub(r"_?[123]d$", "", said.op.type)
            said.path = ".".join([*(g.name for _, g in open_groups), free(allowed(last, stem), names)])
            self._paths[index] = said.path
            parent.items.append(said)

    def text(self) -> Text:
        first = (0, 0) if self.inputs else None
        lines = self._sequence(self._root, "", first, first, None, "  ")
        blocks = []
        for (_, body), name in self._blocks.items():
            blocks += [f"  {name}:", *(f"    {line}" for line in body)]
        for said in self._root.layers():
            self._order.append(said.index)
        return Text(blocks, lines, self._weight_names(), self._order)

    def outputs(self) -> list[tuple[str, str]]:
        """Names and values of the outputs; none where what the last layer makes is the only one."""
        graph = self._graph
        ports = graph.output_ports or (0,) * len(graph.outputs)
        places = list(zip(graph.outputs, ports, strict=True))
        if places == [(self._order[-1], 0)]:
            return []
        taken: set[str] = set()
        names = graph.output_names or tuple([f"output{number}" for number in range(1, len(places) + 1)])
        return [
            (free(allowed(name, "output"), taken), self._named(place, "", None, None))
            for name, place in zip(names, places, strict=True)
        ]

    @property
    def said(self) -> list[_Said]:
        """The layers in the order of the text."""
        return [self._said[index] for index in self._order]

    def _weight_names(self) -> list[WeightName]:
        wanted: dict[str, str] = {}
        for said in self._said.values():
            if said.again is not None:
                continue
            for own, parameter in said.names.items():
                if not parameter.buffer:
                    wanted[f"{said.path}.{own}"] = parameter.name
        return weight_names(wanted)

    # Lines

    def _sequence(
        self,
        group: _Group,
        path: str,
        current: Place | None,
        start: Place | None,
        root: tuple[str, Place | None] | None,
        indent: str,
    ) -> list[str]:
        """The lines of a scope; `start` is what comes into it, `root` the block that it is a part of, and its input."""
        entries: list[tuple[str, list[str]]] = []
        for item in group.items:
            if isinstance(item, _Said):
                text = self._layer(item, current, path, start, root)
                entries.append((item.path.rpartition(".")[2], [f" {text}"]))
                current = (item.index, 0)
            else:
                entries.append(
                    (item.name, self._group(item, below(path, item.name), current, start, root, indent))
                )
                *_, last = item.layers()
                current = (last.index, 0)
        lines: list[str] = []
        for name, body in counted(entries):
            if name in JOINS and body[0].startswith(f" {name}("):  # a call is called after its op anyway
                lines.append(f"{indent}- {body[0].strip()}")
            else:
                lines += [f"{indent}- {name}:{body[0]}", *body[1:]]
        return lines

    def _group(
        self,
        group: _Group,
        path: str,
        current: Place | None,
        start: Place | None,
        root: tuple[str, Place | None] | None,
        indent: str,
    ) -> list[str]:
        """What stands behind the name of a scope: the use of a block, or its own lines."""
        outside = self._outside(group)
        if group.kind and len(outside) == 1 and len(list(group.layers())) > 1:
            (value,) = outside
            try:
                body = self._sequence(group, path, value, value, (path, value), "")
            except _OutsideError:
                pass
            else:
                key = (group.kind, tuple(body))
                if key not in self._blocks:
                    self._blocks[key] = free(block_name(group.name, group.kind), self._taken)
                use = f"{self._blocks[key]}()"
                if value == current:
                    return [f" {use}"]
                return [f" {self._named(value, path.rpartition('.')[0], start, root)} -> {use}"]
        return ["", *self._sequence(group, path, current, current, root, f"{indent}    ")]

    def _outside(self, group: _Group) -> set[Place]:
        """Values of other scopes that the layers of a group read; weights of others count as values."""
        own = {said.index for said in group.layers()}
        found = {place for said in group.layers() for place in said.reads if place[0] not in own}
        found |= {
            (said.again, -1) for said in group.layers() if said.again is not None and said.again not in own
        }
        return found

    def _named(
        self, place: Place, scope: str, start: Place | None, root: tuple[str, Place | None] | None
    ) -> str:
        """A value by the name that it has for a layer of `scope`."""
        if place == start and scope:
            return "input"
        path = self._paths[place[0]]
        if root is not None:
            if not path.startswith(f"{root[0]}."):
                raise _OutsideError
            path = path[len(root[0]) + 1 :]
        elif place[0] < self._graph.inputs and path == "input" and scope:
            self.inputs[:] = ["image"]
            self._paths[0] = path = "image"
        return f"{path}[{place[1]}]" if len(self._graph.nodes[place[0]].values) > 1 else path

    def _layer(
        self,
        said: _Said,
        current: Place | None,
        scope: str,
        start: Place | None,
        root: tuple[str, Place | None] | None,
    ) -> str:
        read = [self._named(place, scope, start, root) for place in said.reads]
        follows = said.reads[:1] == (current,) or not said.reads
        if said.again is not None:
            owner = self._named((said.again, 0), "", None, root)
            text = f"same_as({owner})"
            return text if follows else f"{read[0]} -> {text}"
        head, _, arguments = str(said.op).partition("(")
        given = [arguments.removesuffix(")")] if arguments != ")" else []
        if said.tied is not None:
            given.append(f"{said.tied[0]}={self._named((said.tied[1], 0), '', None, root)}")
        if said.op.arity == 1:
            extra = [f"{name}={value}" for name, value in zip(said.op.reads, read[1:], strict=False)]
            text = f"{head}({', '.join([*given, *extra])})"
            return text if follows else f"{read[0]} -> {text}"
        count = said.op.arity or len(read)
        extra = [f"{name}={value}" for name, value in zip(said.op.reads, read[count:], strict=False)]
        return f"{head}({', '.join([*read[:count], *given, *extra])})"


def refuse_differences(graph: Graph, again: Graph, writer: Writer) -> None:
    """Hold the spec's network against the one that it was written from.  Raises ArchinspectError (A403)."""
    layers = writer.said
    if len(layers) != len(again.layers):
        raise _differs(graph, f"it would have {len(again.layers)} layers in the place of {len(layers)}")
    place = {said.index: number for number, said in enumerate(layers, again.inputs)}
    place.update({index: index for index in range(graph.inputs)})
    for said in layers:
        ours, theirs = graph.nodes[said.index], again.nodes[place[said.index]]
        weights = sorted(p.shape for p in said.names.values() if not p.buffer)
        cost = theirs.cost if said.fused else ours.cost  # whose products were compared when it was found
        wanted = said.op, ours.output_shape, cost, weights
        if wanted != (theirs.op, theirs.output_shape, theirs.cost, sorted(theirs.weights.values())):
            raise _differs(graph, f"'{ours.name}', {said.op}, would have another size or cost")
        ports = theirs.ports or (0,) * len(theirs.inputs)
        if [(place[i], p) for i, p in said.reads] != list(zip(theirs.inputs, ports, strict=True)):
            raise _differs(graph, f"'{ours.name}' would read another layer")
    ports = again.output_ports or (0,) * len(again.outputs)
    theirs_out = list(zip(again.outputs, ports, strict=True))
    mine = graph.output_ports or (0,) * len(graph.outputs)
    if [(place[i], p) for i, p in zip(graph.outputs, mine, strict=True)] != theirs_out:
        raise _differs(graph, "its outputs would be others")


def _differs(graph: Graph, how: str) -> Exception:
    return fail(
        "A403",
        f"a spec cannot say '{graph.name}' exactly",
        notes=[how],
        help="-o net.onnx writes it as it is; diagram and the tables need no spec",
    )


def _kinds(scope: Scope, path: str) -> dict[str, str]:
    """The classes of modules by their paths."""
    from ...graph import Flow, Join, SideOutputs

    found: dict[str, str] = {}
    if scope.name and scope.block is not None:
        found[path] = scope.block.name
    stack = list(scope.items)
    while stack:
        item = stack.pop()
        if isinstance(item, Scope):
            found |= _kinds(item, below(path, item.name))
        elif isinstance(item, Flow):
            stack += item.items
        elif isinstance(item, (Join, SideOutputs)):
            stack += [branch for branch in item.branches if isinstance(branch, Scope)]
    return found


def _input_names(graph: Graph) -> list[str]:
    if graph.inputs == 1:
        return ["input"]
    taken: set[str] = {"input"}
    return [free(allowed(node.name, "input"), taken) for node in graph.nodes[: graph.inputs]]


# What the nodes are.


def _layers(graph: Graph) -> Iterator[_Said]:
    """The layers of the network; what only leads to another one (an expanded token) is a part of that."""
    made: dict[int, _Said] = {}
    part: set[int] = set()  # nodes that are a part of the one behind them
    through: dict[Place, Place] = {}  # values that are handed on as they are
    attention = _attentions(graph)
    owners: dict[int, int] = {}  # which layer had a parameter first
    problems: list[str] = []
    unknown: dict[str, list[str]] = {}
    needed = _needed(graph)
    for index in range(graph.inputs, len(graph.nodes)):
        node = graph.nodes[index]
        if index not in needed:
            if node.parameters:
                problems.append(f"'{node.name}' holds parameters that no output depends on")
            continue
        if index in attention:
            fused = attention[index]
            if fused is not None:
                made[index] = replace(
                    fused, reads=tuple([through.get(place, place) for place in fused.reads])
                )
            continue
        said = _said(graph, index, part)
        if said is not None and said.op.type == "identity":
            through[index, 0] = through.get(said.reads[0], said.reads[0])
            continue
        if said is None:
            if index not in part:
                unknown.setdefault(node.op.type, []).append(node.name)
            continue
        said = replace(said, reads=tuple([through.get(place, place) for place in said.reads]))
        made[index] = said = replace(said, names=said.names or node.parameters or {})
        problems += _share(said, made, owners)
    problems += [
        f"there is no layer '{type}': '{names[0]}'" + (f", {len(names)} of them" if len(names) > 1 else "")
        for type, names in unknown.items()
    ]
    for said in made.values():
        for value in graph.nodes[said.index].values:
            if value.dtype != "float32":
                problems.append(
                    f"a spec computes in float32, and '{graph.nodes[said.index].name}' in {value.dtype}"
                )
        for parameter in said.names.values():
            if not parameter.buffer and not parameter.trainable:
                problems.append(f"weights of a spec are trainable, and '{parameter.name}' is frozen")
            elif not parameter.buffer and parameter.dtype != "float32":
                problems.append(
                    f"weights of a spec are in float32, and '{parameter.name}' in {parameter.dtype}"
                )
    if problems:
        more = [f"and {len(problems) - 8} more"] if len(problems) > 8 else []
        raise fail(
            "A403",
            f"a spec cannot say '{graph.name}'",
            notes=[*problems[:8], *more],
            help="the spec language has the layers that `archinspect ops` lists; diagram and the tables need no spec",
        )
    yield from made.values()


def _share(said: _Said, made: Mapping[int, _Said], owners: dict[int, int]) -> Iterator[str]:
    """Say whose weights a layer has, where another one had them before; what cannot be said is a problem."""
    before = {owners[id(p)] for p in said.names.values() if id(p) in owners}
    owners |= {id(p): said.index for p in said.names.values() if id(p) not in owners}
    if not before:
        return
    (first, *more) = before
    theirs = {id(p) for p in made[first].names.values()}
    shared = [name for name, p in said.names.items() if id(p) in theirs]
    if not more and made[first].op == said.op and len(shared) == len(said.names):
        said.again = first if made[first].again is None else made[first].again
    elif not more and len(shared) == 1 and shared[0] in said.op.tied:
        said.tied = (shared[0], first)
    else:
        yield f"a layer shares all its weights with an equal one, and '{said.names[shared[0]].name}' is in others"


def _needed(graph: Graph) -> set[int]:
    """The nodes that an output depends on."""
    found, stack = set[int](), list(graph.outputs)
    while stack:
        index = stack.pop()
        if index not in found:
            found.add(index)
            stack += graph.nodes[index].inputs
    return found


def _said(graph: Graph, index: int, part: set[int]) -> _Said | None:
    """A node as a layer; None where the language has none, or where it is a part of a later one (in `part`)."""
    node = graph.nodes[index]
    ports = node.ports or (0,) * len(node.inputs)
    reads = tuple(zip(node.inputs, ports, strict=True))
    own = [parameter for parameter in (node.parameters or {}).values() if not parameter.buffer]
    plain = said_as(node)
    if plain is not None:
        return _Said(index, plain, reads)
    op = node.op
    same = len(reads) == 1 and not own and node.input_shapes == (node.output_shape,)
    if same and (op.type in _HANDED_ON or (op.type == "cat" and len(node.values) == 1)):
        return _Said(index, REGISTRY["identity"](), reads)
    assert isinstance(op, TensorOp)
    shape = node.output_shape
    if not node.inputs and len(own) == 1 and op.type in ("expand", "repeat", "expand_as"):
        part.add(index)
        return None
    if op.type == "cat" and len(reads) == 2 and reads[0][0] in part and not own:
        (token,) = list((graph.nodes[reads[0][0]].parameters or {}).values())
        layer = REGISTRY["class_token"]()
        inside = graph.nodes[reads[1][0]].output_shape
        if token is not None and token.shape == (1, 1, shape[-1]) and layer.shape((inside,)) == shape:
            return _Said(index, layer, reads[1:], {"token": token})
        return None
    if op.type == "add" and len(reads) == 1 and len(own) == 1:
        layer = REGISTRY["position_embedding"]()
        try:
            weights = layer.weights((shape,))
        except OpError:
            return None
        name = next(iter(weights), "")
        return (
            _Said(index, layer, reads, {name: own[0]}) if list(weights.values()) == [own[0].shape] else None
        )
    if own or any(parameter.buffer for parameter in (node.parameters or {}).values()):
        return None
    made_op = _moved(node)
    return None if made_op is None else _Said(index, made_op, reads)


#: what changes no element, nor its place, and costs nothing
_HANDED_ON = frozenset({"contiguous", "clone", "detach", "alias", "to"})


def _attentions(graph: Graph) -> dict[int, _Said | None]:
    """PyTorch's attention modules as one layer each: their last node, and None for the others inside.

    Only self-attention with equal widths is said so; its cost must be the module's.
    """
    found: dict[int, _Said | None] = {}
    weights = [p.name for node in graph.nodes for p in (node.parameters or {}).values()]
    for path in [
        name.removesuffix(".in_proj_weight") for name in weights if name.endswith(".in_proj_weight")
    ]:
        inside = [i for i, node in enumerate(graph.nodes) if node.name.startswith(f"{path}.")]
        made = _attention(graph, path, inside)
        if made is not None:
            found |= dict.fromkeys(inside)
            found[made.index] = made
    return found


def _attention(graph: Graph, path: str, inside: list[int]) -> _Said | None:
    nodes, members = graph.nodes, set(inside)
    products = [i for i in inside if nodes[i].op.type == "scaled_dot_product_attention"]
    outside = {
        place
        for i in inside
        for place in zip(nodes[i].inputs, nodes[i].ports or (0,) * len(nodes[i].inputs), strict=True)
        if place[0] not in members
    }
    read = {i for i in inside if any(reader not in members for reader in graph.consumers[i])}
    if len(products) != 1 or len(outside) != 1 or len(read) != 1:
        return None
    core = nodes[products[0]].op
    (place,), (last,) = outside, read
    source = nodes[place[0]].values[place[1]].shape
    assert isinstance(core, TensorOp)
    heads, names = core.operands[0][1], dict[str, Parameter]()
    for i in inside:
        for parameter in (nodes[i].parameters or {}).values():
            if parameter.name.startswith(f"{path}."):
                names[parameter.name[len(path) + 1 :]] = parameter
    layer = REGISTRY["multihead_attention"].of(heads, bias="in_proj_bias" in names)
    try:
        output, weights = layer.shape((source,)), layer.weights((source,))
    except OpError:
        return None
    costs = [nodes[i].cost for i in inside]
    cost = layer.cost((source,), output)
    macs = [each.macs for each in costs if each is not None]
    fits = len(macs) == len(costs) and cost is not None and cost.macs == sum(macs)
    if not fits or output != nodes[last].output_shape or weights != {n: p.shape for n, p in names.items()}:
        return None
    return _Said(last, layer, (place,), names, fused=True)


def _moved(node: Node) -> Op | None:
    """The layer that an operation without parameters is."""
    op = node.op
    assert isinstance(op, TensorOp)
    inputs, shape = op.operands, node.output_shape
    if inputs != node.input_shapes or not inputs:
        return None
    kind, dims = op.motion
    try:
        if op.type in ("cat", "concat"):
            return _joined(inputs, shape)
        if kind == "reshape" and shape[:1] == inputs[0][:1] and len(shape) > 1:
            return _if_equal(REGISTRY["reshape"].of(sizes=shape[1:]), inputs, shape)
        if kind == "permute" and dims[:1] == (0,):
            return _if_equal(REGISTRY["permute"].of(dims=dims), inputs, shape)
        if op.type in ("chunk", "split", "split_with_sizes", "tensor_split") and len(inputs) == 1:
            return _parts(node)
        if op.type in ("add", "mul", "sub", "div") and len(inputs) == 2:
            name = {"add": "add", "mul": "multiply", "sub": "subtract", "div": "divide"}[op.type]
            made = REGISTRY[name]()
            return made if made.shape(inputs) == shape and made.cost(inputs, shape) == op.work else None
        if kind == "drop" and len(dims) == 1 and isinstance(op.details.get("index"), int):
            return _if_equal(REGISTRY["select"].of(op.details["index"], dims[0]), inputs, shape)
        if op.type == "roll":
            return _if_equal(
                REGISTRY["roll"].of(shifts=op.details["shifts"], dims=op.details["dims"]), inputs, shape
            )
    except (OpError, KeyError, TypeError):
        return None
    return None


def _if_equal(made: Op, inputs: tuple[Shape, ...], shape: Shape) -> Op | None:
    return made if made.shape(inputs) == shape else None


def _joined(inputs: tuple[Shape, ...], shape: Shape) -> Op | None:
    """`concat` along the one dimension that grew; the channels' needs no number."""
    grown = [d for d in range(len(shape)) if shape[d] != inputs[0][d]]
    if len(grown) != 1:
        return None
    plain = grown == [1] and len(shape) != 3
    return _if_equal(REGISTRY["concat"].of(dim=None if plain else grown[0]), inputs, shape)


def _parts(node: Node) -> Op | None:
    shapes = [value.shape for value in node.values]
    whole = node.input_shapes[0]
    cut = [d for d in range(len(whole)) if shapes[0][d] != whole[d]]
    if len(cut) != 1:
        return None
    sizes = tuple([shape[cut[0]] for shape in shapes])
    plain = cut == [1] and len(whole) != 3
    dim = None if plain else cut[0]
    if len(set(sizes)) == 1:
        made = REGISTRY["chunk"].of(chunks=len(sizes), dim=dim)
    else:
        made = REGISTRY["split"].of(split_size=sizes, dim=dim)
    return made if [made.shape((whole,)), *made.outputs((whole,))] == shapes else None
