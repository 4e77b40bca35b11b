"""A captured network as the text of a spec that a person could have written.

Modules that repeat become blocks whose arguments are what differs between them; numbered ones in a row become a count.
Names that the language does not allow (`0`, `relu#2`) are changed, and `weights` says what they were.  The text is read
again before it is given: it must lay out the same layers, with the same flow, parameters and costs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import OpError, fail
from ...graph import Flow, Graph, Item, Join, Layer, Leaf, Node, Parameter, Scope
from ...ops import REGISTRY
from ...ops.base import Op
from ...ops.tensor import TensorOp
from .document import INLINE, JOINS, SIDE_OUTPUT
from .names import is_reserved
from .weight_names import WeightName

__all__ = ["Text", "text_of"]

#: classes of modules that only hold others: what they hold says what they are
_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
#: names that mean something else, or that the language gives to joins without a name
_WORDS = re.compile(rf"(?:{'|'.join((*JOINS, INLINE, SIDE_OUTPUT, 'identity'))})(?:_\d+)?")
_FEWEST = 2  # layers in a block; one layer is said as shortly without
#: widths are often these multiples of another one
_FACTORS = (2, 3, 4, 6, 8)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Text:
    """What a spec says below `blocks` and `layers`, the rules of `weights`, and the nodes in the order of the text."""

    blocks: list[str]
    layers: list[str]
    weights: list[WeightName]
    order: list[int]


def text_of(graph: Graph) -> Text:
    """The blocks and layers of a captured graph.  Raises ArchinspectError (A403) for what the language cannot say."""
    _refuse(graph)
    namer = _Namer(graph)
    items = namer.items(graph.structure.items, "")
    blocks = _Blocks(items)
    layers = blocks.sequence(items, blocks.literals(items), "  ")
    return Text(blocks.definitions(), layers, _weight_names(graph, namer.paths), namer.order)


def refuse_differences(graph: Graph, again: Graph, order: Sequence[int]) -> None:
    """Hold the spec's network against the one that it was written from.  Raises ArchinspectError (A403)."""
    if len(order) != len(again.layers):
        raise _differs(graph, f"it would have {len(again.layers)} layers in the place of {len(order)}")
    place = dict(zip(order, range(again.inputs, len(again.nodes)), strict=True))
    place.update({index: index for index in range(graph.inputs)})
    for index in order:
        ours, theirs = graph.nodes[index], again.nodes[place[index]]
        facts = [
            (
                said_as(node),
                node.output_shape,
                node.cost,
                sorted(node.weights.values()),
                sorted(node.buffers.values()),
            )
            for node in (ours, theirs)
        ]
        if facts[0] != facts[1]:
            raise _differs(graph, f"'{ours.name}', {ours.op}, would have another size or cost")
        if [place[i] for i in ours.inputs] != [*theirs.inputs]:
            raise _differs(graph, f"'{ours.name}' would read another layer")
    if [place[index] for index in graph.outputs] != [*again.outputs]:
        raise _differs(graph, "its outputs would be others")


def _differs(graph: Graph, how: str) -> Exception:
    return fail(
        "A403",
        f"a spec cannot say '{graph.name}' exactly",
        notes=[how],
        help="-o net.onnx writes it as it is; diagram and the tables need no spec",
    )


# What the language cannot say.


def _refuse(graph: Graph) -> None:
    problems = list(dict.fromkeys(_unsayable(graph)))
    if problems:
        more = f"and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise fail(
            "A403",
            f"a spec cannot say '{graph.name}'",
            notes=[*problems[:8], *([more] if more else [])],
            help="the spec language has the layers that `archinspect ops` lists; diagram and the tables need no spec",
        )


def _unsayable(graph: Graph) -> Iterator[str]:
    unknown: dict[str, list[str]] = defaultdict(list)
    for node in graph.layers:
        if said_as(node) is None:
            unknown[node.op.type].append(node.name)
    for type, names in unknown.items():
        if type == "parameters":
            yield f"'{names[0]}' holds parameters that forward does not read"
        else:
            several = f", {len(names)} of them" if len(names) > 1 else ""
            yield f"there is no layer '{type}': '{names[0]}'{several}"
    if graph.inputs != 1:
        yield f"a spec has one input, and this network {graph.inputs}"
    said = {index for _, item in graph.walk() for index in _indices(item)}
    readers: dict[int, str] = {}
    for index, node in enumerate(graph.nodes):
        for value in node.values:
            if value.dtype != "float32":
                yield f"a spec is in float32, and '{node.name}' in {value.dtype}"
        if index >= graph.inputs and index not in said:
            yield f"'{node.name}' ({node.op.type}) adds nothing to an output"
        if any(node.ports):
            yield f"a layer of a spec has one output, and '{node.name}' reads a second one"
        for parameter in (node.parameters or {}).values():
            yield from _unsayable_parameter(node, parameter, readers)
    for _, item in graph.walk():
        if isinstance(item, Flow):
            first = next(index for part in item.items for index in _indices(part))
            yield f"a spec says branches that join again; those around '{graph.nodes[first].name}' do not"
            return


def _unsayable_parameter(node: Node, parameter: Parameter, readers: dict[int, str]) -> Iterator[str]:
    before = readers.setdefault(id(parameter), node.name)
    if before != node.name:
        yield f"layers of a spec share no weights, and '{node.name}' has those of '{before}'"
    if not parameter.buffer and not parameter.trainable:
        yield f"weights of a spec are trainable, and '{parameter.name}' is frozen"
    if not parameter.buffer and parameter.dtype != "float32":
        yield f"weights of a spec are in float32, and '{parameter.name}' in {parameter.dtype}"


def _indices(item: Item | Leaf) -> Iterator[int]:
    """The nodes in an item, in the order that a spec lays them out: a join after its branches."""
    if isinstance(item, (Layer, Leaf)):
        yield item.index
    elif isinstance(item, (Scope, Flow)):
        for part in item.items:
            yield from _indices(part)
    else:
        for branch in item.branches:
            yield from _indices(branch)
        if isinstance(item, Join):
            yield item.index


def said_as(node: Node) -> Op | None:
    """The layer that a node is in a spec: its own op, or one that does the very same; None where there is none."""
    op = node.op
    if not isinstance(op, TensorOp):
        return op
    if op.type == "linear" and "weight" in (node.parameters or {}) and len(op.operands[0]) > 3:
        return REGISTRY["linear"].of(op.results[0][-1], bias="bias" in (node.parameters or {}))
    if op.type == "mean" and op.motion.kind in ("mix", "reduce") and len(op.operands) == 1:
        try:
            mean = REGISTRY["mean"].of(dim=op.motion.dims, keepdim=op.motion.kind == "mix")
            return mean if mean.shape(op.operands) == op.results[0] else None
        except OpError:
            return None
    return None


# Names.


@dataclass(frozen=True)
class _Call:
    """A layer."""

    name: str
    op: Op


@dataclass(frozen=True)
class _Group:
    """A scope, or a branch; without items the branch passes its input on."""

    name: str
    kind: str  # the class of the module, where it is one
    items: tuple[_Part, ...]


@dataclass(frozen=True)
class _Branches:
    """Branches that join, or side outputs: `keyword` tells."""

    keyword: str
    branches: tuple[_Call | _Group, ...]


_Part = _Call | _Group | _Branches


class _Namer:
    """Gives layers and scopes names that the language allows, unique in their scope."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.paths: dict[int, str] = {}  # what each node is called in the spec
        self.order: list[int] = []

    def items(self, items: Iterable[Item], path: str) -> tuple[_Part, ...]:
        taken: set[str] = {"input"} if not path else set()
        return tuple([self._item(item, path, taken) for item in items])

    def _item(self, item: Item, path: str, taken: set[str]) -> _Part:
        if isinstance(item, Layer):
            return self._call(item.index, path, taken)
        if isinstance(item, Scope):
            return self._group(item, path, taken, "block")
        assert not isinstance(item, Flow)
        node = self._graph.nodes[item.index] if isinstance(item, Join) else None
        keyword = node.op.type if node is not None else SIDE_OUTPUT
        usual = {"add": "body", "multiply": "gate"}.get(keyword, "branch")
        nameless = [b for b in item.branches if isinstance(b, Scope) and b.items and not b.name]
        stems = {id(b): usual if len(nameless) == 1 else f"branch{n}" for n, b in enumerate(nameless, 1)}
        branches = tuple(
            [
                self._call(branch.index, path, taken)
                if isinstance(branch, Leaf)
                else self._group(branch, path, taken, stems.get(id(branch), "block"))
                if branch.items
                else _Group("identity", "", ())
                for branch in item.branches
            ]
        )
        if isinstance(item, Join):
            self.order.append(item.index)
        return _Branches(keyword, branches)

    def _call(self, index: int, path: str, taken: set[str]) -> _Call:
        node = self._graph.nodes[index]
        stem = re.sub(r"_?[123]d$", "", node.op.type)
        name = free(allowed(node.name.rpartition(".")[2], stem), taken)
        self.paths[index] = f"{path}{name}"
        self.order.append(index)
        return _Call(name, said_as(node) or node.op)

    def _group(self, scope: Scope, path: str, taken: set[str], stem: str) -> _Group:
        name = free(allowed(scope.name, stem), taken)
        kind = scope.block.name if scope.block is not None and scope.name else ""
        return _Group(name, kind, self.items(scope.items, f"{path}{name}."))


def allowed(name: str, stem: str) -> str:
    """A name in the form that the language has: numbers get a word in front, and so do nameless branches."""
    name, _, again = name.partition("#")
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not name or name[0].isdigit():
        name = stem + name
    if again:
        name += f"_{again}" if name[-1].isdigit() else again
    return f"{name}_" if is_reserved(name) or _WORDS.fullmatch(name) else name


def free(name: str, taken: set[str]) -> str:
    """The name, or the first of name2, name3 ... that is not taken; it is taken from now on."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}" if name[-1].isdigit() else f"{name}{number}"
    taken.add(free)
    return free


# Blocks.


@dataclass(frozen=True)
class _Hole:
    """An attribute of a layer inside a block: its name, the layer's, and how its default is written, if it has one."""

    attribute: str
    layer: str
    default: str | None


@dataclass
class _Argument:
    """An argument of a block, and the hole whose value it is."""

    name: str
    hole: int
    default: str | None
    values: list[str]


@dataclass
class _Block:
    """Groups that differ in attributes of their layers only."""

    name: str
    example: _Group
    arguments: list[_Argument] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)  # what stands in each hole, in terms of the arguments


class _Blocks:
    """Finds the blocks of a network, and writes layers by them.

    A group's *skeleton* is all of it but the values of its layers' attributes; these are its *holes*, in order.  Groups
    of one class and skeleton are uses of one block.
    """

    def __init__(self, items: tuple[_Part, ...]) -> None:
        groups: dict[Any, list[_Group]] = defaultdict(list)
        for group in _groups(items):
            groups[_key(group)].append(group)
        self._blocks: dict[Any, _Block] = {}
        taken = {*REGISTRY, *JOINS, INLINE, SIDE_OUTPUT, "identity"}
        for key, found in groups.items():
            if key is not None and len(found) > 1:
                self._blocks[key] = _block(free(block_name(found[0].name, found[0].kind), taken), found)

    def definitions(self) -> list[str]:
        lines = []
        for block in self._blocks.values():
            # Arguments without a default come first, as in Python.
            arguments = sorted(block.arguments, key=lambda a: a.default is not None)
            written = [a.name if a.default is None else f"{a.name}={a.default}" for a in arguments]
            lines.append(f"  {block.name}({', '.join(written)}):")
            lines += self.sequence(block.example.items, block.inside, "    ")
        return lines

    @staticmethod
    def literals(items: Sequence[_Part]) -> list[str]:
        return [value for part in items for value in _values(part)]

    def sequence(self, items: Sequence[_Part], holes: Sequence[str], indent: str) -> list[str]:
        """The lines of a sequence; `holes` are the texts that stand in its holes."""
        entries: list[tuple[str, list[str]]] = []
        for part in items:
            own, holes = holes[: _count(part)], holes[_count(part) :]
            entries.append(self._entry(part, own, f"{indent}    "))
        lines: list[str] = []
        for name, body in counted(entries):
            lines += [f"{indent}- {name}:{body[0]}", *body[1:]]
        return lines

    def _entry(self, part: _Part, holes: Sequence[str], indent: str) -> tuple[str, list[str]]:
        """A name, and what stands behind it: the rest of its line, and further lines."""
        if isinstance(part, _Call):
            return part.name, [f" {_scalar(_written(part.op, holes))}"]
        if isinstance(part, _Group):
            if not part.items:
                return part.name, [""]
            block = self._blocks.get(_key(part))
            if block is not None:
                return part.name, [f" {_scalar(_use(block, holes))}"]
            return part.name, ["", *self.sequence(part.items, holes, indent)]
        lines = [""]
        for branch in part.branches:
            own, holes = holes[: _count(branch)], holes[_count(branch) :]
            name, body = self._entry(branch, own, f"{indent}  ")
            lines += [f"{indent}{name}:{body[0]}", *body[1:]]
        return part.keyword, lines


def _scalar(text: str) -> str:
    return f'"{text}"' if ": " in text or " #" in text or text.endswith(":") else text


def _groups(items: Iterable[_Part]) -> Iterator[_Group]:
    """All groups, inner ones before those that hold them."""
    for part in items:
        if isinstance(part, _Branches):
            yield from _groups(part.branches)
        elif isinstance(part, _Group):
            yield from _groups(part.items)
            yield part


def _key(group: _Group) -> Any:
    """What groups of one block have in common; None for a group that is none.

    Containers say little by their class; theirs is a block where they have the same name.
    """
    if not group.kind or _layers(group) < _FEWEST:
        return None
    container = group.kind in _CONTAINERS
    if container and re.search(r"\d", group.name):
        return None
    return (group.name if container else group.kind), tuple([_skeleton(part) for part in group.items])


def _layers(part: _Part) -> int:
    if isinstance(part, _Call):
        return 1
    return sum(map(_layers, part.items if isinstance(part, _Group) else part.branches))


def _skeleton(part: _Part) -> Any:
    if isinstance(part, _Call):
        return part.name, part.op.type
    if isinstance(part, _Group):
        return part.name, part.kind, tuple([_skeleton(inner) for inner in part.items])
    return part.keyword, tuple([_skeleton(inner) for inner in part.branches])


def _count(part: _Part) -> int:
    """How many holes there are in a part."""
    if isinstance(part, _Call):
        return len(part.op.attributes)
    return sum(map(_count, part.items if isinstance(part, _Group) else part.branches))


def _values(part: _Part) -> Iterator[str]:
    """What stands in the holes of a part."""
    if isinstance(part, _Call):
        op = part.op
        yield from (attribute.show(getattr(op, attribute.name)) for attribute in op.attributes)
    else:
        for inner in part.items if isinstance(part, _Group) else part.branches:
            yield from _values(inner)


def _holes(part: _Part) -> Iterator[_Hole]:
    if isinstance(part, _Call):
        for attribute in part.op.attributes:
            default = None if attribute.required else attribute.show(attribute.default)
            yield _Hole(attribute.name, part.name, default)
    else:
        for inner in part.items if isinstance(part, _Group) else part.branches:
            yield from _holes(inner)


def block_name(name: str, kind: str) -> str:
    """What the block of modules of a class is called; containers say little by their class."""
    name = name if kind in _CONTAINERS else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind)
    name = re.sub(r"\W", "_", name, flags=re.ASCII).lower().lstrip("_0123456789") or "block"
    return f"{name}_block" if name in REGISTRY or _WORDS.fullmatch(name) else name


def _block(name: str, groups: Sequence[_Group]) -> _Block:
    """The block whose uses these groups are: what is the same in all stands in it, the rest are arguments."""
    block = _Block(name, groups[0])
    columns = zip(*map(list, map(_values, groups)), strict=True)
    taken: set[str] = {"in_channels"}
    for number, (hole, column) in enumerate(zip(_holes(groups[0]), columns, strict=True)):
        values = list(column)
        if len(set(values)) == 1:
            block.inside.append(values[0])
            continue
        known = next((text for a in block.arguments if (text := _by(a, values))), None)
        if known is None:
            own = hole.attribute if hole.attribute not in taken else f"{hole.layer}_{hole.attribute}"
            argument = _Argument(free(own, taken), number, None, values)
            if hole.default in values:
                argument.default = hole.default
            block.arguments.append(argument)
            known = argument.name
        block.inside.append(known)
    return block


def _by(argument: _Argument, values: list[str]) -> str:
    """The values as an expression of an argument; empty where they are none."""
    if argument.values == values:
        return argument.name
    if all(text.isdigit() for text in (*argument.values, *values)):
        pairs = [(int(a), int(b)) for a, b in zip(argument.values, values, strict=True)]
        for factor in _FACTORS:
            if all(a * factor == b for a, b in pairs):
                return f"{factor} * {argument.name}"
            if all(a == b * factor for a, b in pairs):
                return f"{argument.name} // {factor}"
    return ""


def _use(block: _Block, holes: Sequence[str]) -> str:
    """A use of a block: arguments without a default by position, others by name where they differ from it."""
    needed = [holes[a.hole] for a in block.arguments if a.default is None]
    named = [
        f"{a.name}={holes[a.hole]}"
        for a in block.arguments
        if a.default is not None and holes[a.hole] != a.default
    ]
    return f"{block.name}({', '.join(needed + named)})"


def _written(op: Op, holes: Sequence[str]) -> str:
    """A layer with texts for its attributes, as `Op.__str__` writes it."""
    parts, keyword = [], False
    for attribute, text in zip(op.attributes, holes, strict=True):
        if not attribute.required and text == attribute.show(attribute.default):
            keyword = True
            continue
        parts.append(f"{attribute.name}={text}" if keyword or not attribute.required else text)
    return f"{op.type}({', '.join(parts)})"


def counted(entries: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Join equal entries with numbers in a row: `block[1..3]`."""
    at = 0
    while at < len(entries):
        name, body = entries[at]
        match = re.fullmatch(r"(.*?)(0|[1-9]\d*)", name)
        last = at + 1
        while match and last < len(entries):
            if entries[last] != (f"{match[1]}{int(match[2]) + last - at}", body):
                break
            last += 1
        if match and last - at > 1:
            name = f"{match[1]}[{match[2]}..{int(match[2]) + last - at - 1}]"
        yield name, body
        at = last


# What the weights were called.


def _weight_names(graph: Graph, paths: dict[int, str]) -> list[WeightName]:
    """Rules that give each layer's weights the names that they have in the module."""
    wanted: dict[str, str] = {}
    for index, path in paths.items():
        for own, parameter in (graph.nodes[index].parameters or {}).items():
            if not parameter.buffer:
                wanted[f"{path}.{own}"] = parameter.name
    return weight_names(wanted)


def weight_names(tensors: Mapping[str, str]) -> list[WeightName]:
    """Rules that give tensors, by their paths in the spec, the names that they have in the module."""
    wanted: dict[str, str] = {}
    for ours, theirs in tensors.items():
        layer, _, own = ours.rpartition(".")
        holder, _, last = theirs.rpartition(".")
        wanted.update({layer: holder} if last == own and holder else {ours: theirs})
    rules: dict[str, str] = {}
    for ours, theirs in wanted.items():
        if ours != theirs:
            rules.setdefault(*_general(ours, theirs))
    # The first rule that fits counts, so the more exact ones stand first.
    found = _rules(dict(sorted(rules.items(), key=lambda rule: -rule[0].count("."))))
    wrong = {ours: theirs for ours, theirs in wanted.items() if _renamed(found, ours) != theirs}
    if not wrong:
        return found
    return _rules({**wrong, **{rule.ours: rule.theirs for rule in found if rule.ours not in wrong}})


def _rules(rules: dict[str, str]) -> list[WeightName]:
    return [WeightName(ours, theirs) for ours, theirs in rules.items()]


def _renamed(rules: Sequence[WeightName], path: str) -> str:
    return next((name for rule in rules if (name := rule.rename(path)) is not None), path)


def _general(ours: str, theirs: str) -> tuple[str, str]:
    """A rule for all layers whose paths differ from these in numbers only, and for what lies below."""
    mine, other = ours.split("."), theirs.split(".")
    while len(mine) > 1 and len(other) > 1 and mine[-1] == other[-1]:
        mine.pop()
        other.pop()
    ours, theirs = ".".join(mine), ".".join(other)
    wanted = re.findall(r"\d+", theirs)
    if len(wanted) > len(_LETTERS):
        return ours, theirs
    left, letters = iter(wanted), iter(_LETTERS)
    expected = next(left, None)

    def general(match: re.Match[str]) -> str:
        nonlocal expected
        if match[0] != expected:
            return match[0]  # a number that only we have, as in batch_norm2d
        expected = next(left, None)
        return f"{{{next(letters)}}}"

    pattern = re.sub(r"\d+", general, ours)
    if expected is not None:
        return ours, theirs
    letters = iter(_LETTERS)
    return pattern, re.sub(r"\d+", lambda match: f"{{{next(letters)}}}", theirs)
