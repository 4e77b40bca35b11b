"""A validated document, argument values and an input size to a `Graph`.

Shapes are inferred while the network is laid out, because widths may follow `in_channels` and because an error is
best told where the layer stands.  Where nothing is known of a layer's output (None), the path goes on without a shape:
one run shows independent errors and no echoes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import ArchinspectError
from ...graph import BlockUse, Graph, Item, Join, Layer, Leaf, Node, Scope, SideOutputs
from ...ops import REGISTRY, Input
from .calls import Call
from .document import Block, Body, Document, Statement
from .naming import Naming
from .nodes import Scalar
from .paths import with_paths
from .problems import in_reading_order
from .reuse import Reuse
from .scopes import Names
from .statements import chain_statements
from .values import Environment

__all__ = ["Environment", "Expander"]

Laid = tuple[Sequence[Item], int | None]  # items, and the layer that what follows reads (None: unknown)


class Expander(Naming):
    """Lays out one network; what is wrong is recorded in the document's errors."""

    def __init__(
        self, document: Document, broken: set[tuple[int, int]], arguments: Mapping[str, Any]
    ) -> None:
        super().__init__(document, broken, arguments)
        self.side_outputs: list[int] = []
        self._reuse = Reuse(self.nodes)

    def expand(self, input_shape: tuple[int, ...] | None) -> Graph:
        """The graph.  Raises ArchinspectError with all errors of the document."""
        if input_shape is not None:
            self.nodes.append(Node("input", Input(input_shape), (), (), input_shape))
        start = None if input_shape is None else 0
        document = self.document
        items, end = self._sequence(document.layers, dict(self._arguments), Names("", {"input": None}), start)
        if self.errors:
            raise ArchinspectError(in_reading_order(with_paths(self.errors, document), document.source.file))
        assert end is not None
        return Graph(
            name=document.name,
            nodes=tuple(self.nodes),
            structure=Scope("", tuple(items)),
            outputs=(end, *self.side_outputs),
            arguments=dict(self._arguments),
            metadata={
                **document.metadata,
                "init": document.initializers,
                "weights": document.weight_names,
            },
        )

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
                continue
            condition, made = statement.condition, statement.body
            if condition is not None and not self.truth(condition, statement.key, env, current, names.path):
                continue
            if made.unreadable:
                current = None
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
        return items, current

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
        path = self._take(names, name, statement.key)
        if self._too_deep(path, statement.key):
            return (), None
        inner = Names(path)
        if body.chain is not None:
            assert body.text is not None
            items, current = self._sequence(chain_statements(body.chain, body.text), env, inner, current)
        else:
            items, current = self._sequence(body.sequence or (), env, inner, current)
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
        """One layer, or the use of a block as a scope."""
        if name is None:
            name = names.free(call.name)
        path = self._take(names, name, key)
        block = self.document.blocks.get(call.name)
        if block is None:
            index = self.layer(call, text, path, env, current)
            return (() if index is None else (Layer(index),)), index
        scope, end = self._block(block, call, text, name, path, env, current)
        return (() if scope is None else (scope,)), end

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
        key = None if current is None else reuse.key(block, values, current)
        known = reuse.find(key, path)
        if known is not None and current is not None:
            self._count(known.work)
            items, end = reuse.again(known, path, current)
        else:
            start, work = len(self.nodes), self._met
            before = len(self.errors), len(self.side_outputs)
            items, end = self._block_body(block, values, call, text, Names(path), current)
            if before == (len(self.errors), len(self.side_outputs)) and not self.guessed:
                reuse.keep(key, path, start, items, end, self._met - work)
        return Scope(name, tuple(items), BlockUse(block.name, values)), end

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
        laid = self._sequence(block.body, {**self._arguments, **values}, names, current)
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
            if block is None:
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
