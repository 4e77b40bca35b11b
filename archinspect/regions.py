"""The structure of a captured graph: its scopes, and inside each the sequences, branches and joins of its flow.

A frontend knows which calls there were and which module made each; how the values flow makes the rest:

- names nest calls in scopes.  Modules that are never called themselves (lists of modules) are scopes too, where their
  calls are not interleaved with others;
- inside a scope, parts that only follow each other become a sequence, and parts that read one value and meet in one
  call become branches of a `Join`.  This is the reduction of series-parallel graphs, which takes linear time;
- what cannot be reduced lies between two parts that all ways go through.  It becomes a `Flow`, as small as it can be,
  and reduction goes on around it.

What depends on no input (positions, masks, prepared weights) stands in its place of the sequence, but is no part of
the flow.  What no output depends on is left out, as are the nodes that only hold parameters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from .graph import BlockUse, Flow, Item, Join, Layer, Leaf, Node, Scope, SideOutputs, below

_CALL_NUMBER = re.compile(r"#\d+")
#: modules that hold others and are never called; of one with several results each is a module's of its own
_LISTS = ("ModuleDict", "ModuleList")


def structured(
    nodes: Sequence[Node], inputs: int, classes: Mapping[str, str], outputs: Sequence[int] | None = None
) -> Scope:
    """The scopes of a graph, and what its flow is made of.

    `nodes` as in `Graph`, the first `inputs` of which are inputs; `classes` are the names of modules' classes by the
    modules' paths; `outputs` are indices of nodes, the main one first (every node that nobody reads, unless given).
    """
    kept = _with_effect(nodes, inputs, outputs)
    live = _depending(nodes, inputs, kept)
    places = _places(nodes, kept, outputs or (), classes)
    parts: dict[int, _Part] = {}
    for place in reversed(places):  # inner ones first
        children = [
            parts.pop(id(child)) if isinstance(child, _Place) else _layer(nodes, live, child)
            for child in place.children
        ]
        items = _Region(nodes, children, place).items()
        name = classes.get(_CALL_NUMBER.sub("", place.path))
        scope = Scope(place.name, items, BlockUse(name, {}) if name else None)
        parts[id(place)] = _scope(scope, children)
    return scope


def _with_effect(nodes: Sequence[Node], inputs: int, outputs: Sequence[int] | None) -> list[int]:
    """Indices of the layers that an output depends on, ascending; all, where there are only parameters."""
    layers = range(inputs, len(nodes))
    if not inputs and all(nodes[i].outputs == () for i in layers):
        return list(layers)
    if outputs is None:
        return [i for i in layers if nodes[i].outputs != ()]
    found = set(outputs)
    for index in reversed(layers):
        if index in found:
            found.update(nodes[index].inputs)
    return [i for i in layers if i in found]


def _depending(nodes: Sequence[Node], inputs: int, kept: list[int]) -> set[int]:
    """Indices of the inputs and of what depends on them; of everything, where nothing does."""
    live = set(range(inputs))
    for index in kept:
        if not live.isdisjoint(nodes[index].inputs):
            live.add(index)
    return live if len(live) > inputs else {*live, *kept}


class _Place:
    """A scope to be: its path, its name below the scope that holds it, and its calls and scopes in order.

    `results` are its values that are read outside it, or the main output; `sides` are the other outputs in it.
    """

    def __init__(self, path: str, name: str, around: _Place | None) -> None:
        self.path = path
        self.name = name
        self.around = around
        self.children: list[int | _Place] = []
        self.last = -1
        self.results: set[int] = set()
        self.sides: set[int] = set()


def _places(
    nodes: Sequence[Node], kept: list[int], outputs: Sequence[int], classes: Mapping[str, str]
) -> list[_Place]:
    """All scopes, the outermost first and each before those inside it."""
    paths = [nodes[index].scope for index in kept]
    split = _split_by_others(paths)
    places = _placed(nodes, kept, paths, split, outputs)
    loose = {
        place.path
        for place in places
        if len(place.results) > 1 and classes.get(_CALL_NUMBER.sub("", place.path)) in _LISTS
    }
    return _placed(nodes, kept, paths, split | loose, outputs) if loose else places


def _placed(
    nodes: Sequence[Node], kept: list[int], paths: list[str], split: set[str], outputs: Sequence[int]
) -> list[_Place]:
    places = {"": _Place("", "", None)}
    holder: dict[int, _Place] = {}
    for index, path in zip(kept, paths, strict=True):
        place = holder[index] = _place(path, places, split)
        place.children.append(index)
        for around in _outwards(place):
            around.last = index
    for index in kept:
        for value in nodes[index].inputs:
            for around in _outwards(holder.get(value)):
                if around.last >= index:
                    break
                around.results.add(value)
    for number, index in enumerate(outputs):
        for around in _outwards(holder.get(index)):
            (around.sides if number else around.results).add(index)
    places[""].results.update(outputs[:1])
    found = list(dict.fromkeys(places.values()))
    for place in found:
        if not place.results:
            place.results = {max(place.sides, default=place.last)}
        place.sides -= place.results
    return found


def _outwards(place: _Place | None) -> Iterator[_Place]:
    """The scope and those around it."""
    while place:
        yield place
        place = place.around


def _place(path: str, places: dict[str, _Place], split: set[str]) -> _Place:
    """The scope of calls at `path`: that one, or the nearest around it that is not split by others' calls."""
    missing = []
    while path not in places:
        missing.append(path)
        path = path.rpartition(".")[0]
    place = places[path]
    for path in reversed(missing):
        if path not in split:
            inner = _Place(path, path[len(place.path) + 1 :] if place.path else path, place)
            place.children.append(inner)
            place = inner
        places[path] = place
    return place


def _split_by_others(paths: list[str]) -> set[str]:
    """Scopes that other calls come in between of, so that drawing a line around them would enclose these."""
    split: set[str] = set()
    closed: set[str] = set()
    opened: list[str] = []
    before = ""
    for path in paths:
        if path == before:
            continue
        before = path
        while opened and not (path == opened[-1] or path.startswith(opened[-1] + ".")):
            closed.add(opened.pop())
        rest = path[len(opened[-1]) + 1 :] if opened else path
        for name in rest.split(".") if rest else ():
            opened.append(below(opened[-1] if opened else "", name))
            if opened[-1] in closed:
                split.add(opened[-1])
    return split


class _Part:
    """A run of items of a scope, with the values that it reads and those of its own that others in the scope read.

    Values are named by the index of the node that made them.  `flows` is false for what depends on no input.
    """

    __slots__ = ("first", "flows", "items", "last", "reads", "values")

    def __init__(self, item: Item, first: int, last: int, reads: list[int], flows: bool) -> None:
        self.items: deque[tuple[int, Item]] = deque([(last, item)])  # with the last node of each
        self.first = first
        self.last = last
        self.reads = reads
        self.values: list[int] = []
        self.flows = flows

    @property
    def layer(self) -> int | None:
        """The layer's index, if the part is a single one."""
        item = self.only
        return item.index if isinstance(item, Layer) else None

    @property
    def only(self) -> Item | None:
        """The item, if the part has a single one."""
        return self.items[0][1] if len(self.items) == 1 else None

    def grouped(self) -> Scope:
        """The items as a scope without a name."""
        return Scope("", tuple(item for _, item in self.items))


def _layer(nodes: Sequence[Node], live: set[int], index: int) -> _Part:
    reads = [source for source in dict.fromkeys(nodes[index].inputs) if source in live]
    return _Part(Layer(index), index, index, reads, index in live)


def _scope(scope: Scope, children: list[_Part]) -> _Part:
    """A scope as a part of the one around it.  `children` are its parts as they were before they were joined."""
    first = children[0].first if children else 0
    last = max((child.last for child in children), default=0)
    reads = dict.fromkeys(value for child in children for value in child.reads if value < first)
    return _Part(scope, first, last, list(reads), any(child.flows for child in children))


class _Region:
    """The parts of one scope, which are joined until they follow each other."""

    def __init__(self, nodes: Sequence[Node], parts: list[_Part], place: _Place) -> None:
        self.nodes = nodes
        self.results = place.results
        self.sides = place.sides
        self.asides = [part for part in parts if not part.flows]
        self.beginning: deque[tuple[int, Item]] = deque()  # side outputs that read an input
        # Copies: what the parts read at first is what the scope around them has to know.
        self.parts = [
            _Part(part.items[0][1], part.first, part.last, list(part.reads), True)
            for part in parts
            if part.flows
        ]
        self.readers: dict[int, dict[_Part, None]] = {}
        self.owner: dict[int, _Part] = {}
        starts = [part.first for part in self.parts]
        for part in self.parts:
            for value in part.reads:
                self.readers.setdefault(value, {})[part] = None
        for value in self.readers:
            position = bisect_right(starts, value) - 1
            if position >= 0:
                owner = self.owner[value] = self.parts[position]
                owner.values.append(value)

    def items(self) -> tuple[Item, ...]:
        """What the scope consists of."""
        self.reduce()
        while self.contract():
            self.reduce()
        rows = [row for part in self.parts for row in part.items]
        if self._regions(self.parts):
            rows = [(self.parts[-1].last, _flow(self.parts))]
        rows += self.beginning
        rows += [row for aside in self.asides for row in aside.items]
        rows.sort(key=lambda row: row[0])
        return tuple(item for _, item in rows)

    # Series and parallel

    def reduce(self) -> None:
        """Join what meets and merge what follows, until nothing changes."""
        changed = True
        while changed:
            changed = False
            merged: set[_Part] = set()
            for part in self.parts:
                if part not in merged and self._join(part, merged):
                    changed = True
                if part not in merged and self._append(part, merged):
                    changed = True
            for part in self.parts:
                if part not in merged and self._set_aside(part, merged):
                    changed = True
            if merged:
                self.parts = [part for part in self.parts if part not in merged]
        self.parts.sort(key=lambda part: part.last)

    def _join(self, part: _Part, merged: set[_Part]) -> bool:
        """Make the part a join, when all that it reads comes from one value, over branches that lead nowhere else."""
        index = part.layer
        if index is None or len(part.reads) < 2:
            return False
        branches: list[_Part | None] = []
        bases = set()
        for value in self.nodes[index].inputs:
            if value not in part.reads:
                continue
            source = self.owner.get(value)
            if source and source not in branches and self._is_branch(source, value, part):
                branches.append(source)
                bases.add(source.reads[0])
            else:
                branches.append(None)
                bases.add(value)
        if len(bases) > 1:
            return False
        (base,) = bases
        ways = tuple(self._branch(branch) if branch else Scope("", ()) for branch in branches)
        part.items = deque([(part.last, Join(index, ways))])
        absorbed = [branch for branch in branches if branch]
        merged.update(absorbed)
        self._reads(part, [base], absorbed)
        return True

    def _append(self, part: _Part, merged: set[_Part]) -> bool:
        """Put the part behind the one before it, when nothing else lies between them or beside them."""
        if len(part.reads) != 1:
            return False
        (value,) = part.reads
        before = self.owner.get(value)
        if not before or len(before.reads) > 1 or not self._leads_only_to(before, value, part):
            return False
        if self.sides and value == max(self.results):
            return False  # what comes behind the last result leads to outputs beside it
        del self.readers[value]
        if len(before.items) < len(part.items):
            part.items.extendleft(reversed(before.items))
            before.items = part.items
        else:
            before.items.extend(part.items)
        before.last, before.values = part.last, part.values
        for value in part.values:
            self.owner[value] = before
        merged.add(part)
        return True

    def _set_aside(self, part: _Part, merged: set[_Part]) -> bool:
        """Make the part a side output, when it only leads to an output beside the main one."""
        if not self.sides or len(part.reads) != 1 or part.values:
            return False
        (value,) = part.reads
        before = self.owner.get(value)
        if before and (before in merged or before.values != [value]):
            return False
        ends = {index for index in (*self.sides, *self.results) if part.first <= index <= part.last}
        if ends != {part.last} or part.last in self.results:
            return False
        if len(self.readers[value]) == 1 and value not in self.results:
            return False  # the only way there is
        if any(value < other.last < part.last for other in self.asides):
            return False  # which the part may read
        items = before.items if before else self.beginning
        last, asides = items[-1] if items else (value, None)
        if isinstance(asides, SideOutputs) and last == value:
            items[-1] = (last, SideOutputs((*asides.branches, self._branch(part))))
        else:
            items.append((last, SideOutputs((self._branch(part),))))
        del self.readers[value][part]
        if before and not self.readers[value]:
            before.values = []
        merged.add(part)
        return True

    def _is_branch(self, part: _Part, value: int, reader: _Part) -> bool:
        return len(part.reads) == 1 and self._leads_only_to(part, value, reader)

    def _leads_only_to(self, part: _Part, value: int, reader: _Part) -> bool:
        return part.values == [value] and self.readers[value].keys() == {reader}

    def _reads(self, part: _Part, values: list[int], merged: list[_Part]) -> None:
        """Let the part read `values` instead of what it read, and instead of those that were merged into it."""
        for old in (part, *merged):
            for value in old.reads:
                readers = self.readers.get(value)
                if readers:
                    readers.pop(old, None)
        for value in values:
            self.readers.setdefault(value, {})[part] = None
        part.reads = values

    def _branch(self, part: _Part) -> Scope | Leaf:
        """A part as a branch."""
        item = part.only
        if isinstance(item, Layer):
            return Leaf(self.nodes[item.index].name.rpartition(".")[2], item.index)
        return item if isinstance(item, Scope) else part.grouped()

    # What is neither

    def contract(self) -> bool:
        """Make a flow of each innermost region that cannot be reduced; whether there was one."""
        todo = [self.parts]
        flows: list[tuple[list[_Part], _Part]] = []
        while todo:
            for region, end in self._regions(todo.pop()):
                inner = self._reducible(region, end)
                if inner:
                    todo += inner
                else:
                    flows.append((region, end))
        for region, end in flows:
            whole = [*region, end]
            flow = _Part(_flow(whole), min(part.first for part in whole), end.last, [], True)
            inside = set(whole)
            own = {value for part in whole for value in part.values}
            reads = dict.fromkeys(value for part in whole for value in part.reads if value not in own)
            flow.values = end.values
            for value in end.values:
                self.owner[value] = flow
            self._reads(flow, list(reads), whole)
            self.parts = [flow if part is end else part for part in self.parts if part not in inside - {end}]
        return bool(flows)

    def _regions(self, parts: list[_Part]) -> list[tuple[list[_Part], _Part]]:
        """What lies between parts that all ways go through, and the part that it ends in."""
        places = {part: place for place, part in enumerate(parts)}
        over = [0] * (len(parts) + 1)  # ways that go past each part; first their differences
        values = [0] * len(parts)
        for place, part in enumerate(parts):
            for value in part.reads:
                source = places.get(self.owner.get(value), -1)  # type: ignore[arg-type]
                over[source + 1] += 1
                over[place] -= 1
        for place, part in enumerate(parts):
            over[place] += over[place - 1] if place else 0
            values[place] = sum(any(r in places for r in self.readers[value]) for value in part.values)
        found = []
        start = 0
        for place, part in enumerate(parts):
            if not over[place] and values[place] < 2:
                if place > start:
                    found.append((parts[start:place], part))
                start = place + 1
        return found

    def _reducible(self, region: list[_Part], end: _Part) -> list[list[_Part]]:
        """The parts of the region that begin with one value and end in one, to be looked into; none if it has none."""
        inner = []
        for branch in self._components(region):
            own = {value for part in branch for value in part.values}
            entries = {value for part in branch for value in part.reads if value not in own}
            exits = own.intersection(end.reads)
            if len(branch) > 1 and len(entries) == 1 and [*exits] == branch[-1].values:
                inner.append(branch)
        return inner

    def _components(self, region: list[_Part]) -> list[list[_Part]]:
        """The parts of the region that hang together."""
        members = set(region)
        beside: dict[_Part, list[_Part]] = {part: [] for part in region}
        for part in region:
            for value in part.reads:
                source = self.owner.get(value)
                if source in members:
                    assert source is not None
                    beside[part].append(source)
                    beside[source].append(part)
        components = []
        seen: set[_Part] = set()
        for part in region:
            if part in seen:
                continue
            seen.add(part)
            component, todo = [], [part]
            while todo:
                current = todo.pop()
                component.append(current)
                fresh = [other for other in dict.fromkeys(beside[current]) if other not in seen]
                seen.update(fresh)
                todo += fresh
            components.append(sorted(component, key=lambda part: part.last))
        return components


def _flow(parts: list[_Part]) -> Flow:
    """The parts as a flow; those of several items are grouped."""
    items = [(part.only, part) for part in parts]
    return Flow(tuple(item if isinstance(item, (Layer, Scope)) else part.grouped() for item, part in items))
