"""Marks where the parts of a module begin and end, so that each row is the time that a part itself was running.

A part is a submodule.  For the time of a marked pass the call of each part is replaced, on the object, by one that
notes when it begins and ends.  It is the call that `nn.Module.__call__` makes, with the user's hooks in it.  Hooks of
our own would change what runs: PyTorch's fast path for transformers is off where there are any.

The time between two marks belongs to the innermost part that was running, so rows add up to the pass: an addition, a
view, Python itself are in the row of the module whose `forward` has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.utils._pytree import tree_leaves

from ..layers import Row
from ..runtime import Forward
from .instrument import Instrument, Ledger
from .provenance import NotUnderstoodError
from .runtime import TorchRuntime

if TYPE_CHECKING:
    from ...graph import Graph

#: what `nn.Module.__call__` calls in the place of its own `_call_impl`, where an object has it
_CALL = "_compiled_call_impl"

Call = Callable[..., Any]
#: where torch.compile says that a module is: the variable of the function that calls it, and the path from there
_PLACE = re.compile(r"L\['module'\](?:\.(.+))?")
_ITEM = re.compile(r"(?:\._modules)?\['?(\w+)'?\](?=[.\[]|$)(?<!L\['module'\])")


class ChangingCallsError(Exception):
    """A pass called other modules than the one before, so that no row can be told."""


@dataclass(frozen=True, slots=True)
class PartCall:
    """One call of a part in a pass: its path, the call that it was made in, and its name in captured graphs.

    The name is the path, with the number of the call from the second on (`block#2`); what runs inside such a call is
    named after it (`block#2.conv`).
    """

    part: int
    path: str
    parent: int | None
    label: str


class Parts:
    """The module and its submodules, each once, with all paths of each."""

    def __init__(self, module: nn.Module) -> None:
        paths: dict[int, list[str]] = {}
        modules: dict[int, nn.Module] = {}
        for path, part in module.named_modules(remove_duplicate=False):
            paths.setdefault(id(part), []).append(path)
            modules[id(part)] = part
        self.modules = list(modules.values())
        self.paths = list(paths.values())

    def path(self, part: int, parent: str) -> str:
        """The path of a part that is called in the one at `parent`: of several the one inside that."""
        paths = self.paths[part]
        if len(paths) == 1:
            return paths[0]
        prefix = f"{parent}." if parent else ""
        inside = [path for path in paths if path.startswith(prefix)]
        direct = [path for path in inside if "." not in path[len(prefix) :]]
        return (direct or inside or paths)[0]

    def _call(self, part: int) -> Call:
        """What calling the part runs."""
        module: Any = self.modules[part]
        own = getattr(module, _CALL, None)
        call: Call = module._call_impl if own is None else own
        return call

    def switch(
        self, wrap: Callable[[int, Call], Call], chosen: Sequence[int] | None = None
    ) -> Callable[[bool], None]:
        """A switch: on, the calls of the chosen parts (all of them) are `wrap(part, call)`; off, what they were."""
        chosen = range(len(self.modules)) if chosen is None else chosen
        wrapped = [(vars(self.modules[part]), wrap(part, self._call(part))) for part in chosen]
        absent = object()
        before = [own.get(_CALL, absent) for own, _ in wrapped]

        def switch(on: bool) -> None:
            for (own, call), was in zip(wrapped, before, strict=True):
                if on:
                    own[_CALL] = call
                elif was is absent:
                    own.pop(_CALL, None)
                else:
                    own[_CALL] = was

        return switch

    @contextmanager
    def replaced(self, wrap: Callable[[int, Call], Call]) -> Iterator[None]:
        """All calls are `wrap(part, call)` inside, and what they were afterwards, also after an exception."""
        switch = self.switch(wrap)
        switch(True)
        try:
            yield
        finally:
            switch(False)


class Calls:
    """The calls of one pass in order.  `events` are parts as they begin (part) and end (-1 - part)."""

    def __init__(self, parts: Parts, events: Sequence[int]) -> None:
        self.parts = parts
        self.events = tuple(events)
        self.calls: list[PartCall] = []
        #: for each event the call that begins or ends, and the innermost one that runs after it (None: it is over)
        self._at: list[tuple[int, int | None]] = []
        times: Counter[str] = Counter()
        running: list[int] = []
        for event in events:
            if event >= 0:
                parent = running[-1] if running else None
                outer = None if parent is None else self.calls[parent]
                path = label = parts.path(event, "" if outer is None else outer.path)
                if outer is not None and outer.path and path.startswith(f"{outer.path}."):
                    label = outer.label + path[len(outer.path) :]
                times[label] += 1
                if times[label] > 1:
                    label = f"{label}#{times[label]}"
                running.append(len(self.calls))
                self.calls.append(PartCall(event, path, parent, label))
                self._at.append((running[-1], running[-1]))
            else:
                self._at.append((running.pop(), running[-1] if running else None))

    def rows(self, graph: Graph, depth: int | None) -> tuple[tuple[int, ...], tuple[Row, ...]]:
        """(events to mark, row of each interval between two of them), parts more than `depth` levels down left out.

        The row of a call in which others have rows is `path (own)`.  Each row has its layers where it comes first.
        """
        marked, home, names = self._folded(depth)
        layers: dict[int, list[str]] = {}
        for name, call in self.layers(graph).items():
            layers.setdefault(home[call], []).append(name)
        events: list[int] = []
        rows: list[Row] = []
        for event, (call, within) in zip(self.events, self._at, strict=True):
            if marked[call]:
                events.append(event)
                if within is not None:
                    mine = home[within]
                    rows.append(Row(names[mine], tuple(layers.pop(mine, ()))))
        return tuple(events), tuple(rows)

    def row_names(self, graph: Graph, depth: int | None) -> dict[str, str]:
        """What the row of each of the graph's layers is called."""
        _, home, names = self._folded(depth)
        return {name: names[home[call]] for name, call in self.layers(graph).items()}

    def _folded(self, depth: int | None) -> tuple[list[bool], list[int], dict[int, str]]:
        """(whether each call is marked, the call whose row has its time, the name of that row)."""
        parts = [depth is None or min(map(_levels, paths)) <= depth for paths in self.parts.paths]
        marked = [parts[call.part] for call in self.calls]
        home: list[int] = []
        for number, call in enumerate(self.calls):
            home.append(number if marked[number] or call.parent is None else home[call.parent])
        outer = {
            home[call.parent]
            for number, call in enumerate(self.calls)
            if call.parent is not None and marked[number]
        }
        names = {}
        for number in set(home):
            label = self.calls[number].label
            names[number] = f"{label} (own)".lstrip() if number in outer or not label else label
        return marked, home, names

    def layers(self, graph: Graph) -> dict[str, int]:
        """For each of the graph's layers the call that it is a part of: the longest of its scopes that is one."""
        calls = {call.label: number for number, call in enumerate(self.calls)}
        found = {}
        for node in graph.layers:
            if node.values:
                scope = node.name
                while scope not in calls:
                    scope = scope.rpartition(".")[0]
                found[node.name] = calls[scope]
        return found


class ModuleOrigins:
    """The layers that nodes of the compiler's graph came from, by the calls of modules that are noted there."""

    def __init__(self, calls: Calls, graph: Graph) -> None:
        self._calls = calls.calls
        self._own: dict[int, list[str]] = {}
        for name, call in calls.layers(graph).items():
            self._own.setdefault(call, []).append(name)
        by_path: dict[str, list[int]] = {}
        for number, made in enumerate(calls.calls):
            for path in calls.parts.paths[made.part]:
                by_path.setdefault(path, []).append(number)
        self._by_path = by_path

    def layers(self, nodes: Iterable[fx.Node]) -> frozenset[str]:
        """All layers of the innermost calls that the nodes are of.  Raises NotUnderstoodError."""
        return frozenset(name for node in nodes for name in self._layers(node))

    def _layers(self, node: fx.Node) -> Sequence[str]:
        call = self._call(node)
        while call is not None and call not in self._own:
            call = self._calls[call].parent  # a part whose results are constants: no layer of the graph
        if call is None:
            raise NotUnderstoodError(f"no layer is known for the step {node.name} ({node.target})")
        return self._own[call]

    def _call(self, node: fx.Node) -> int | None:
        """The innermost call of the stack that torch.compile notes: `{"id@1": ("L['module'].path", class)}`.

        What follows the `@` counts the calls of the same module from 0.
        """
        for key, (place, _) in reversed((node.meta.get("nn_module_stack") or {}).items()):
            found = _PLACE.fullmatch(_ITEM.sub(r".\1", place))
            calls = self._by_path.get(found[1] or "", ()) if found is not None else ()
            number = int(str(key).partition("@")[2] or 0)
            if number < len(calls):
                return calls[number]
        return None


def _levels(path: str) -> int:
    return path.count(".") + 1 if path else 0


def first_pass(module: nn.Module, forward: Forward) -> Calls:
    """Run a forward, and note the calls that it makes."""
    parts = Parts(module)
    events: list[int] = []

    def noting(part: int, call: Call) -> Call:
        def noted(*args: Any, **kwargs: Any) -> Any:
            events.append(part)
            try:
                return call(*args, **kwargs)
            finally:
                events.append(-1 - part)

        return noted

    with parts.replaced(noting):
        forward()
    return Calls(parts, events)


def watch(module: nn.Module, forward: Forward, look: Callable[[str, torch.Tensor], None]) -> None:
    """Run a forward that shows `look` each tensor that a part returns, with the part's path; passed on ones once."""
    parts = Parts(module)
    last: list[torch.Tensor] = []

    def looking(part: int, call: Call) -> Call:
        def looked_at(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            for value in tree_leaves(result):
                if isinstance(value, torch.Tensor) and not any(value is seen for seen in last):
                    look(parts.paths[part][0] or type(module).__name__, value)
            last[:] = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
            return result

        return looked_at

    with parts.replaced(looking):
        forward()


class PassLedger(Ledger):
    """The marks of one pass, in the order of its events."""

    def __init__(self, runtime: TorchRuntime, events: Sequence[int]) -> None:
        super().__init__(runtime, len(events) - 1)
        self._expected = list(events)
        self._seen: list[int] = []

    def begin(self) -> None:
        """A marked pass begins."""
        self._seen.clear()

    def note(self, event: int) -> None:
        at = len(self._seen)
        if at < len(self._marks):
            self._marks[at].record()
        self._seen.append(event)

    def timed(self, forward: Forward) -> list[float]:
        """Run a forward with marks (or its replay) and read them.  Raises ChangingCallsError."""
        seconds = super().timed(forward)
        if self._seen != self._expected:
            raise ChangingCallsError(
                "a pass does not call the same modules in the same order as the first one"
            )
        return seconds


def parts_marked(
    runtime: TorchRuntime, calls: Calls, forward: Forward, graph: Graph, depth: int | None
) -> Instrument:
    """Marks where the parts of a module begin and end."""
    events, rows = calls.rows(graph, depth)
    ledger = PassLedger(runtime, events)

    def marking(part: int, call: Call) -> Call:
        note = ledger.note

        def marked(*args: Any, **kwargs: Any) -> Any:
            note(part)
            try:
                return call(*args, **kwargs)
            finally:
                note(-1 - part)

        return marked

    def with_marks() -> object:
        ledger.begin()
        return forward()

    chosen = sorted({event for event in events if event >= 0})
    return Instrument(rows, ledger, forward, with_marks, calls.parts.switch(marking, chosen))
