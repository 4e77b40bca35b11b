"""A validated document, argument values and an input size to a `Graph`.

Shapes are inferred while the network is laid out, because widths may follow `in_channels` and because an error is
best told where the layer stands.  Where nothing is known of a layer's output (None), the path goes on without a shape:
one run shows independent errors and no echoes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import ArchinspectError
from ...graph import BlockUse, Flow, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs, Value, below
from ...ops import REGISTRY, Input
from .calls import Call, Part
from .document import SAME_AS, Block, Body, Document, Named, Statement
from .expressions import Expression, Ref, parse_expression
from .naming import Naming
from .nodes import Scalar
from .paths import with_paths
from .problems import in_reading_order
from .reuse import Reuse
from .scopes import Names
from .settings import KINDS
from .statements import chain_statements
from .syntax import ExpressionError
from .validate import UNTIL
from .values import UNKNOWN, Environment

__all__ = ["Environment", "Expander"]

Laid = tuple[Sequence[Item], int | None]  # items, and the layer that what follows reads (None: unknown)


class Expander(Naming):
    """Lays out one network; what is wrong is recorded in the document's errors."""

    def __init__(
        self, document: Document, broken: set[tuple[int, int]], arguments: Mapping[str, Any]
    ) -> None:
        super().__init__(document, broken, arguments)
        self.side_outputs: list[int] = []
        self._blocks_at: dict[str, BlockUse] = {}
        self._reuse = Reuse(self.nodes)
        self._until: str | None = None  # the layer or scope after which the network inside is left

    def expand(self, inputs: Sequence[tuple[str, Value]]) -> Graph:
        """The graph.  Raises ArchinspectError with all errors of the document."""
        for name, value in inputs:
            typed = value.dtype != "float32"
            self.typed |= typed
            given = (value,) if typed or len(inputs) > 1 else None
            self.nodes.append(Node(name, Input(value.shape), (), (), value.shape, outputs=given))
        start = 0 if inputs else None
        document = self.document
        taken: dict[str, Scalar | None] = dict.fromkeys(("input", *[name for name, _ in inputs]))
        top = Names("", taken)
        env = dict(self._arguments)
        items, end = self._sequence(document.layers, env, top, start)
        ends = [] if end is None else [end]
        if document.outputs:
            ends = [self._output(named, env) for named in document.outputs]
        if self.errors:
            raise ArchinspectError(in_reading_order(with_paths(self.errors, document), document.source.file))
        assert ends
        places = [self.port_of(each) for each in (*ends, *self.side_outputs)]
        outputs = tuple([index for index, _ in places])
        structure = Scope("", tuple(items))
        if self.linked or len(inputs) > 1 or document.outputs:
            structure = self._structure_of_flow(len(inputs), outputs)
        named = tuple([each.name for each in document.outputs])
        return Graph(
            name=document.name,
            nodes=tuple(self.nodes),
            structure=structure,
            outputs=outputs,
            inputs=len(inputs),
            output_names=named if len(named) == len(outputs) else (),
            output_ports=tuple([port for _, port in places]) if any(port for _, port in places) else (),
            arguments=dict(self._arguments),
            metadata={
                **document.metadata,
                **({"init": document.init} if document.init else {}),
                "weights": document.weight_names,
                **({"remarks": tuple(document.remarks)} if document.remarks else {}),
            },
        )

    def _output(self, named: Named, env: Environment, path: str = "") -> int:
        """The value of an output that the spec names."""
        found = self.value(named.value, named.text, env, None, path)
        if isinstance(found, Ref):
            return self.value_of(found)
        if not self.errors:
            message = f"the output '{named.name}' is {found!r}, and no layer"
            self.error("A206", message, named.text.span, help="name a layer or scope, e.g. encoder.norm")
        return 0

    def _structure_of_flow(self, inputs: int, outputs: tuple[int, ...]) -> Scope:
        """Scopes and branches as the flow of the values makes them, with the blocks that they are."""
        from ...regions import structured  # most specs say their structure themselves

        classes = {path: block.name for path, block in self._blocks_at.items()}
        return self._with_blocks(structured(self.nodes, inputs, classes, outputs), "")

    def _with_blocks(self, scope: Scope, path: str) -> Scope:
        items: list[Any] = []
        for item in scope.items:
            if isinstance(item, Scope):
                items.append(self._with_blocks(item, below(path, item.name)))
            elif isinstance(item, Join):
                items.append(
                    Join(item.index, tuple([self._branch_with_blocks(b, path) for b in item.branches]))
                )
            elif isinstance(item, SideOutputs):
                items.append(SideOutputs(tuple([self._branch_with_blocks(b, path) for b in item.branches])))
            elif isinstance(item, Flow):
                inner = [
                    self._with_blocks(one, below(path, one.name)) if isinstance(one, Scope) else one
                    for one in item.items
                ]
                items.append(Flow(tuple(inner)))
            else:
                items.append(item)
        return Scope(scope.name, tuple(items), self._blocks_at.get(path) if scope.name else None)

    def _branch_with_blocks(self, branch: Scope | Leaf, path: str) -> Scope | Leaf:
        return self._with_blocks(branch, below(path, branch.name)) if isinstance(branch, Scope) else branch

    def _sequence(
        self, body: tuple[Statement, ...], env: Environment, names: Names, current: int | None
    ) -> Laid:
        items: list[Item] = []
        for statement in body:
            self._count(statement.work)
            call = statement.call
            if call is not None:
                text = statement.body.text
                assert text is not None
                item, current = self._call(call, text, statement.key, statement.name, env, names, current)
                items += item
                if self._until is not None and self._is_reached(self._until):
                    break
                continue
            condition, made = statement.condition, statement.body
            if condition is not None and not self.truth(condition, statement.key, env, current, names.path):
                continue
            if made.unreadable:
                current = None
            elif made.names:
                env = self._let(made.names, env, current, names.path)
            elif made.sources:
                current = self._join_values(statement, made, env, names, current)
            elif made.join is not None:
                current = self._join(statement, made.join, env, names, current, items)
            elif statement.name is None and made.chain is None and not statement.inline:
                self._side_outputs(statement, env, names, current, items)
            elif statement.first is None and not statement.template and not statement.inline:
                item, current = self._item(statement, statement.name, env, names, current)
                items += item
            else:
                for name, inner in self._rounds(statement, env, names, current):
                    if statement.inline:
                        item, current = self._inline(made, inner, names, current)
                    else:
                        item, current = self._item(statement, name, inner, names, current)
                    items += item
                    if self._until is not None and self._is_reached(self._until):
                        break
            if self._until is not None and self._is_reached(self._until):
                break
        return items, current

    def _let(self, named: tuple[Named, ...], env: Environment, current: int | None, path: str) -> Environment:
        """The names that are known from here on."""
        env = dict(env)
        for one in named:
            value = self.value(one.value, one.text, env, current, path)
            if value is not UNKNOWN:
                env[one.name] = value
        return env

    def _join_values(
        self, statement: Statement, made: Body, env: Environment, names: Names, current: int | None
    ) -> int | None:
        """A join of values by name, or of chains that begin at one."""
        assert statement.key is not None
        assert made.join is not None
        ends: list[int] = []
        labels: list[str] = []
        for source in made.sources:
            assert source.text is not None
            end = current
            for number, part in enumerate(source.chain or ()):
                self._count(1)
                call = self.choose(part, source.text, env, end, names.path)
                if call is None:
                    return None
                # Among values a layer of the name of an op or block is meant.
                if (
                    not number
                    and not call.arguments
                    and (call.name in env or self.resolve(call.name, names.path))
                ):
                    end = self._value_named(call, source.text, env, names, end)
                    continue
                if not number and call.name == "identity" and not call.arguments:
                    continue
                end = self._call(call, source.text, source.text, None, env, names, end)[1]
            if end is None:
                return None
            ends.append(end)
            labels.append(source.text.value)
        self.linked += 1
        path = self._take(names, names.free(made.join), None)
        return self.join(path, REGISTRY[made.join](), tuple(ends), labels, statement.key.span)

    def _rounds(
        self, statement: Statement, env: Environment, names: Names, current: int | None
    ) -> Iterator[tuple[str | None, Environment]]:
        """The name, and the values of names, for each time that a statement is laid out."""
        if statement.first is None:
            yield self._name(statement, "", env, names, current), env
            return
        variable = statement.variable
        for number in self.numbers(statement, env, current, names.path):
            self._count(statement.work)  # a round of nothing is work too
            inner = env if variable is None else {**env, variable: number}
            yield self._name(statement, str(number), inner, names, current), inner

    def _item(
        self, statement: Statement, name: str | None, env: Environment, names: Names, current: int | None
    ) -> Laid:
        """A layer, a block or a named sequence."""
        body = statement.body
        if body.chain is not None and len(body.chain) == 1:
            assert body.text is not None
            call = body.chain[0]
            if not isinstance(call, Call):
                path = names.join(name) if name is not None else names.path
                chosen = self.choose(call, body.text, env, current, path)
                if chosen is None:
                    return (), None
                call = chosen
            return self._call(call, body.text, statement.key, name, env, names, current)
        assert name is not None
        if body.chain and self._is_value(body.chain[0], names):
            # What begins at a value is called as what follows is: one layer is that layer.
            assert body.text is not None
            assert isinstance(body.chain[0], Call)
            current = self._value_named(body.chain[0], body.text, env, names, current)
            rest = Body(chain=body.chain[1:], text=body.text)
            return self._item(Statement(name, statement.key, rest), name, env, names, current)
        path = self._take(names, name, statement.key)
        if self._too_deep(path, statement.key):
            return (), None
        inner = Names(path)
        self._starts[path] = current
        if body.chain is not None:
            assert body.text is not None
            items, current = self._sequence(chain_statements(body.chain, body.text), env, inner, current)
        else:
            items, current = self._sequence(body.sequence or (), env, inner, current)
        if current is not None:
            self._ends[path] = current
        return (Scope(name, tuple(items)),), current

    def _call(
        self,
        call: Call,
        text: Scalar,
        key: Scalar | None,
        name: str | None,
        env: Environment,
        names: Names,
        current: int | None,
    ) -> Laid:
        """One layer, or the use of a block as a scope; a value by its name, or a layer that stands before once more."""
        block = self.document.blocks.get(call.name)
        if self._is_value(call, names) or (block is None and call.name == SAME_AS):
            if call.name == SAME_AS:
                return self._same_as(call, text, key, name, env, names, current)
            known = self._take(names, name, key) if name is not None else ""
            found = self._value_named(call, text, env, names, current)
            if known and found is not None:
                self._ends[known] = found
            return (), found
        if name is None:
            name = names.free(call.name)
        path = self._take(names, name, key)
        if block is None and call.name in self.document.networks and call.name not in REGISTRY:
            inside = self.document.networks[call.name]
            return self._network(inside, call, text, name, Names(path), env, current)
        if block is None:
            index = self.layer(call, text, path, env, current)
            return (() if index is None else (Layer(index),)), index
        scope, end = self._block(block, call, text, name, path, env, current)
        return (() if scope is None else (scope,)), end

    def _is_value(self, part: Part, names: Names) -> bool:
        """Whether a part of a chain is no layer but the name of one, or of an argument that is.

        What has the name of an op or block too is one where that cannot stand alone.
        """
        if not isinstance(part, Call) or part.arguments or part.name == SAME_AS:
            return False
        if part.name in self.document.networks:
            return False
        block = self.document.blocks.get(part.name)
        if block is not None:
            needs = any(parameter.default is None for parameter in block.parameters)
        elif part.name in REGISTRY:
            needs = bool(REGISTRY[part.name]._required)
        else:
            return True
        return needs and self.resolve(part.name, names.path) is not None

    def _value_named(
        self, call: Call, text: Scalar, env: Environment, names: Names, current: int | None
    ) -> int | None:
        """The value that a word in the place of a layer names: the path goes on from there."""
        if call.arguments or (self.broken and (id(text), call.column) in self.broken):
            return None
        try:
            expression = parse_expression(" " * call.column + call.name)
        except ExpressionError:
            return None
        found = self.value(expression, text, env, current, names.path)
        if isinstance(found, Ref):
            return self.value_of(found)
        if found is not UNKNOWN:
            message = f"'{call.name}' is {found!r}, and no layer"
            self.error(
                "A202", message, self.call_span(text, call), names.path, help="name a layer or a value"
            )
        return None

    def _same_as(
        self,
        call: Call,
        text: Scalar,
        key: Scalar | None,
        name: str | None,
        env: Environment,
        names: Names,
        current: int | None,
    ) -> Laid:
        """A layer or scope that stands before, once more and with the same weights."""
        if current is None or (self.broken and (id(text), call.column) in self.broken):
            return (), None
        argument = call.arguments[0].value
        span = self.call_span(text, call)
        owner = self._owner(argument, text, env, names)
        if owner is None:
            return (), None
        if name is None:
            name = names.free(owner.rpartition(".")[2])
        path = self._take(names, name, key)
        self.linked += 1
        alone = self._paths.get(owner)
        nodes = self.nodes
        if alone is not None:
            return (), self.again(alone, path, (current,), span)
        inside = [i for i, node in enumerate(nodes) if node.name.startswith(f"{owner}.")]
        start = self._starts.get(owner)
        if start is None:
            start = nodes[inside[0]].inputs[0]
        moved: dict[tuple[int, int], int] = {self.port_of(start): current}
        end = self._ends.get(owner, inside[-1])
        for index in inside:
            self._count(1)
            first = nodes[index]
            ports = first.ports or (0,) * len(first.inputs)
            read = []
            for place in zip(first.inputs, ports, strict=True):
                value = moved.get(place)
                if value is None:
                    value = moved.get((place[0], 0), place[0]) if not place[1] else self._port(moved, place)
                read.append(value)
            made = self.again(index, path + first.name[len(owner) :], tuple(read), span)
            if made is None:
                return (), None
            moved[index, 0] = made
        block = self._blocks_at.get(owner)
        if block is not None:
            self._blocks_at[path] = block
        place = self.port_of(end)
        self._ends[path] = last = self._port(moved, place)
        return (), last

    def _port(self, moved: dict[tuple[int, int], int], place: tuple[int, int]) -> int:
        """A value of a scope that is laid out once more, in the copy."""
        if place in moved:
            return moved[place]
        index = moved.get((place[0], 0), place[0])
        return self.value_of(Ref(index, place[1], 1, "")) if place[1] else index

    def _owner(self, argument: Expression, text: Scalar, env: Environment, names: Names) -> str | None:
        """The path of the layer or scope that an argument of `same_as` names."""
        name = argument.text.strip()
        root = self._bodies[-1][0] if self._bodies else ""
        scope = names.path
        self._layer_at("")
        while True:
            path = f"{scope}.{name}" if scope else name
            if (
                path in self._paths
                or path in self._starts
                or any(n.name.startswith(f"{path}.") for n in self.nodes)
            ):
                return path
            if scope == root or not scope:
                break
            scope = scope.rpartition(".")[0]
        if not self.errors:
            span = text.span_of(argument.column, argument.length)
            help = "name a layer or scope that stands before, as same_as(tower)"
            self.error("A208", f"no layer or scope '{name}' stands before this", span, names.path, help=help)
        return None

    def _block(
        self,
        block: Block,
        call: Call,
        text: Scalar,
        name: str,
        path: str,
        env: Environment,
        current: int | None,
    ) -> tuple[Scope | None, int | None]:
        """The use of a block as a scope, and the layer it ends in."""
        values = self._block_arguments(block, call, text, env, current, path)
        if values is None or self._too_deep(path, text):
            return None, None
        reuse = self._reuse
        use = BlockUse(block.name, {k: v for k, v in values.items() if not isinstance(v, Ref)})
        self._blocks_at[path] = use
        self._starts[path] = current
        if current is None or current < 0 or any(isinstance(value, Ref) for value in values.values()):
            items, end = self._block_body(block, values, call, text, Names(path), current)
            if end is not None:
                self._ends[path] = end
            return Scope(name, tuple(items), use), end
        key = reuse.key(block, values, current)
        known = reuse.find(key, path) if self._until is None else None  # which may be inside
        if known is not None and current is not None:
            self._count(known.work)
            items, end = reuse.again(known, path, current)
        else:
            start, work, linked = len(self.nodes), self._met, self.linked
            before = len(self.errors), len(self.side_outputs)
            items, end = self._block_body(block, values, call, text, Names(path), current)
            alone = linked == self.linked or self._reads_only(start, current)
            if before == (len(self.errors), len(self.side_outputs)) and not self.guessed and alone:
                reuse.keep(key, path, start, items, end, self._met - work)
        if end is not None:
            self._ends[path] = end
        return Scope(name, tuple(items), use), end

    def _network(
        self,
        network: Document,
        call: Call,
        text: Scalar,
        name: str | None,
        names: Names,
        env: Environment,
        current: int | None,
    ) -> Laid:
        """Another network, with its own arguments and blocks; up to `until` where the call says so.

        It is a scope of this name, or has none of its own where it is laid out inline.
        """
        path = names.path
        given = self._network_arguments(network, call, text, path, env, current)
        if given is None or self._too_deep(path, text):
            return (), None
        values, read, until = given
        current = next(iter(read.values()), current)
        use = BlockUse(call.name, {k: v for k, v in values.items() if k in network.argument_keys})
        if name is not None:
            self._blocks_at[path] = use
            self._starts[path] = current
        inside = {**values, **{k: self.ref_of(v, k) for k, v in read.items()}}
        # What follows from arguments alone is kept by call and by block: another network has others.
        kept = self.document, self._arguments, self._bound, self._reuse, self._until
        self.document, self._arguments, self._bound, self._reuse = network, values, {}, Reuse(self.nodes)
        self._until = below(path, until.text) if until is not None else None
        self.uses.append((text, call))
        self._bodies.append((path, current))
        items, end = self._sequence(network.layers, dict(inside), names, current)
        if until is not None and end is not None:
            end = self._cut(self._until or "", until, text, path)
        elif network.outputs and end is not None:
            end = self._output(network.outputs[0], dict(inside), path)
        self._bodies.pop()
        self.uses.pop()
        self.document, self._arguments, self._bound, self._reuse, self._until = kept
        if name is None:
            return items, end
        if end is not None:
            self._ends[path] = end
        return (Scope(name, tuple(items), use),), end

    def _network_arguments(
        self,
        network: Document,
        call: Call,
        text: Scalar,
        path: str,
        env: Environment,
        current: int | None,
    ) -> tuple[dict[str, Any], dict[str, int], Expression | None] | None:
        """The values of a network's arguments, what it reads by the names of its inputs, and where it ends."""
        if self.broken and (id(text), call.column) in self.broken:
            return None
        names, inputs = list(network.argument_keys), [one.name or "input" for one in network.inputs]
        values, read = dict(network.arguments), dict[str, int]()
        plain: list[int] = []
        until: Expression | None = None
        position = 0
        for argument in call.arguments:
            if argument.name == UNTIL:
                until = argument.value
                continue
            value = self.value(argument.value, text, env, current, path)
            if value is UNKNOWN:
                return None
            if isinstance(value, Ref):
                if argument.name is None:
                    plain.append(self.value_of(value))
                else:
                    read[argument.name] = self.value_of(value)
                continue
            own = argument.name or names[min(position, len(names) - 1)] if names else ""
            position += argument.name is None
            default = network.arguments.get(own)
            same = type(value) is type(default) or (type(default) is float and type(value) is int)
            if not same and default is not None:
                span = text.span_of(argument.column, argument.length)
                kind = KINDS.get(type(default), "a list")
                help = f"give {kind}, as in {own}={default!r}"
                self.error(
                    "A206", f"'{own}' of '{call.name}' must be {kind}, not {value!r}", span, path, help=help
                )
                return None
            values[own] = value
        if current is not None and len(plain) + len(read) < len(inputs):
            plain.insert(0, current)
        free = [name for name in inputs if name not in read]
        if len(plain) != len(free):
            message = f"'{call.name}' has {len(inputs)} inputs, and reads {len(plain) + len(read)}"
            help = f"write {call.name}({', '.join(inputs)}), with the values in their places"
            self.error("A204", message, self.call_span(text, call), path, help=help)
            return None
        read.update(zip(free, plain, strict=True))
        return values, {name: read[name] for name in inputs}, until

    def _cut(self, place: str, until: Expression, text: Scalar, path: str) -> int | None:
        """The value of the layer or scope where a network is left; it must be what was laid out last."""
        found = self._layer_at(place)
        last = len(self.nodes) - 1
        if found is not None and self._is_reached(place) and self.port_of(found)[0] == last:
            return found
        span = text.span_of(until.column, until.length)
        if found is not None:
            message = f"'{until.text}' stands in a branch, beside which others are left"
            self.error("A208", message, span, path, help="end at a layer or scope of the main path")
            return None
        root = f"{path}."
        tops = dict.fromkeys(
            n.name[len(root) :].partition(".")[0] for n in self.nodes if n.name.startswith(root)
        )
        message = f"no layer or scope of it is called '{until.text}'"
        self.error("A208", message, span, path, help=f"it has {', '.join(list(tops)[:12])}")
        return None

    def _is_reached(self, place: str) -> bool:
        """Whether a layer or a whole scope has been laid out."""
        return place in self._ends or self.nodes[-1].name == place or place in self._paths

    def _reads_only(self, start: int, current: int) -> bool:
        """Whether the layers from `start` on read themselves and `current` alone, and have weights of their own."""
        return all(
            node.parameters is None
            and not node.ports
            and all(i >= start or i == current for i in node.inputs)
            for node in self.nodes[start:]
        )

    def _block_body(
        self,
        block: Block,
        values: dict[str, Any],
        call: Call,
        text: Scalar,
        names: Names,
        current: int | None,
    ) -> Laid:
        """The layers of a block, under `names`."""
        self.uses.append((text, call))
        self._bodies.append((names.path, current))
        laid = self._sequence(block.body, {**self._arguments, **values}, names, current)
        self._bodies.pop()
        self.uses.pop()
        return laid

    def _inline(self, body: Body, env: Environment, names: Names, current: int | None) -> Laid:
        """Layers without a scope of their own: a sequence's, or those of each block in a chain."""
        if body.chain is None:
            return self._sequence(body.sequence or (), env, names, current)
        assert body.text is not None
        items: list[Item] = []
        for part in body.chain:
            call = self.choose(part, body.text, env, current, names.path)
            if call is None:
                return items, None
            block = self.document.blocks.get(call.name)
            network = self.document.networks.get(call.name)
            if block is None and network is not None and call.name not in REGISTRY:
                more, current = self._network(network, call, body.text, None, names, env, current)
            elif block is None:
                more, current = self._call(call, body.text, body.text, None, env, names, current)
            else:
                values = self._block_arguments(block, call, body.text, env, current, names.path)
                if values is None or self._too_deep(names.path, body.text, len(self.uses)):
                    return items, None
                more, current = self._block_body(block, values, call, body.text, names, current)
            items += more
        return items, current

    # Branches

    def _join(
        self,
        statement: Statement,
        kind: str,
        env: Environment,
        names: Names,
        current: int | None,
        items: list[Item],
    ) -> int | None:
        assert statement.key is not None
        made = self._branches(statement, env, names, current)
        branches = tuple(branch for branch, _ in made if branch is not None)
        if len(made) < 2:
            return self._branch_left(statement, kind, made, names, items)
        path = self._take(names, names.free(kind), None)
        inputs = [end for _, end in made if end is not None]
        if len(inputs) < len(made):
            return None
        labels = [branch.name if branch else "" for branch, _ in made]
        index = self.join(path, REGISTRY[kind](), tuple(inputs), labels, statement.key.span)
        if index is not None:
            items.append(Join(index, branches))
        return index

    def _branch_left(
        self,
        statement: Statement,
        kind: str,
        made: list[tuple[Scope | Leaf | None, int | None]],
        names: Names,
        items: list[Item],
    ) -> int | None:
        """A join of which conditions leave one branch: that branch, in sequence; to leave none is an error."""
        if not made:
            assert statement.key is not None
            message = f"the conditions of '{kind}' leave none of its branches"
            self.error("A107", message, statement.key.span, names.join(kind), help="leave one or more")
            return None
        branch, end = made[0]
        if isinstance(branch, Leaf):
            items.append(Layer(branch.index))
        elif branch is not None and branch.items:
            items.append(branch)
        return end

    def _side_outputs(
        self, statement: Statement, env: Environment, names: Names, current: int | None, items: list[Item]
    ) -> None:
        branches = []
        for branch, end in self._branches(statement, env, names, current):
            if branch is not None and end is not None:
                branches.append(branch)
                self.side_outputs.append(end)
        if branches:
            items.append(SideOutputs(tuple(branches)))

    def _branches(
        self, statement: Statement, env: Environment, names: Names, current: int | None
    ) -> list[tuple[Scope | Leaf | None, int | None]]:
        """Each branch that its condition keeps, and the layer that it ends in."""
        made: list[tuple[Scope | Leaf | None, int | None]] = []
        beside: dict[str, Scalar | None] = {}
        for branch in statement.body.branches:
            self._count(branch.work)
            condition = branch.condition
            if condition is not None and not self.truth(condition, branch.key, env, current, names.path):
                continue
            if branch.body.unreadable:
                made.append((None, None))
                continue
            if branch.first is None and not branch.template:
                assert branch.name is not None
                made.append(self._branch(branch, branch.name, env, names, beside, current))
                continue
            for name, inner in self._rounds(branch, env, names, current):
                assert name is not None
                made.append(self._branch(branch, name, inner, names, beside, current))
        return made

    def _branch(
        self,
        branch: Statement,
        name: str,
        env: Environment,
        names: Names,
        beside: dict[str, Scalar | None],
        current: int | None,
    ) -> tuple[Scope | Leaf | None, int | None]:
        """One branch; `beside` are the names of those before it in the same join."""
        self._refuse_taken(beside, name, branch.key, names.join(name))
        if self._is_identity(branch, env, current):
            self._take_passing(names, name, branch.key)
            return Scope(name, ()), current
        items, end = self._item(branch, name, env, names, current)
        first = items[0] if items else None
        if isinstance(first, Layer):
            return Leaf(name, first.index), end
        return first if isinstance(first, Scope) else None, end

    def _is_identity(self, branch: Statement, env: Environment, current: int | None) -> bool:
        """Whether a branch only passes its input on: nothing at all, or the single word identity."""
        body = branch.body
        if body.chain is None:
            return not body.sequence and body.join is None and not body.branches
        if len(body.chain) != 1 or body.text is None:
            return False
        call = self.choose(body.chain[0], body.text, env, current, "")
        return call is not None and call.name == "identity" and not call.arguments
