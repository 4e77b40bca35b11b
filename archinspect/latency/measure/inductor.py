"""torch.compile opened: its code, the kernels in it, and marks between them.  Only here torch's insides are known.

Tried on torch 2.13 and 2.14 on a CPU, and on the code that 2.14 writes for CUDA, which no GPU has run yet.  Inductor
writes one Python function for each graph that it compiles, which runs the kernels in sequence.  While it writes, it
announces each kernel and the operations in it to a function of its debugging module
(`set_kernel_post_grad_provenance_tracing`) and notes in the code what that function answers; ours keeps the operations
and answers a number.  The code is otherwise what torch.compile writes.  Where anything of this is not as expected,
NotUnderstoodError says what, and the compiled function runs all the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from types import FunctionType, MethodType
from typing import Any, cast

import torch
from torch import fx

from .marked_code import MarkedCode
from .provenance import NotUnderstoodError, Operation

_HOOK = "set_kernel_post_grad_provenance_tracing"
#: where inductor has that function, or a copy of its name
_HOOKED = ("debug", "codegen.cpp", "codegen.triton")
_NOTE = re.compile(r"# \[Provenance debug handles\] (?P<kernel>.+):(?P<number>\d+)\s*$")
#: calls in the code that run no kernel: they allocate, check, look at memory in another way, choose a device
_BOOKKEEPING = re.compile(
    r"args\.clear|assert_\w+|empty_strided_\w+|reinterpret_tensor|alloc_from_pool|copy_if_misaligned"
    r"|get_raw_stream|torch\.\w+\.set_device|torch\.\w+\._DeviceGuard|\w+\.zero_"
)
#: what another torch than the one known here may raise
_SURPRISES = (AttributeError, IndexError, KeyError, StopIteration, SyntaxError, TypeError, ValueError)
#: statements that may follow a kernel's call and belong to it
_FOLLOWING = (ast.Delete, ast.Assert)


@dataclass(frozen=True, slots=True)
class Kernel:
    """One call in the compiled code: its name there, and its operations."""

    name: str
    operations: tuple[Operation, ...]


class Wrapper(MarkedCode):
    """The compiled code of one graph.  `kernels` are in the order of their calls."""

    def __init__(
        self, function: FunctionType, text: str, announced: Mapping[int, tuple[Operation, ...]]
    ) -> None:
        """Raises NotUnderstoodError when a call in the code is no known kernel, or the code is not the function's."""
        super().__init__(function, text)
        notes = {
            number: match
            for number, line in enumerate(text.splitlines(), 1)
            if (match := _NOTE.search(line)) is not None
        }
        self.kernels: tuple[Kernel, ...] = tuple(_kernels(self.body(), notes, announced))

    def mark_kernels(self, marks: dict[int, int], note: Callable[[int], None]) -> Callable[[bool], None]:
        """A switch for marks: `note(0)` before everything, `note(marks[i])` after the i-th kernel."""
        return self.mark(lambda body: list(_calls(body)), marks, _FOLLOWING, note)

    @property
    def code(self) -> str:
        """The code as inductor wrote it, its notes left out."""
        return "\n".join(line for line in self.text.splitlines() if not _NOTE.search(line))


@dataclass
class Recording:
    """What was compiled while it was on.  `failure` says why it cannot be told."""

    wrappers: list[Wrapper] = field(default_factory=list)
    failure: str = ""
    _announced: dict[int, tuple[Operation, ...]] = field(default_factory=dict)

    def compile(self, graph: fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        """The backend `inductor`, looked at."""
        from torch._inductor.compile_fx import compile_fx, compile_fx_inner

        def looked_at(*args: Any, **kwargs: Any) -> Any:
            output = compile_fx_inner(*args, **kwargs)
            with self._soft():
                self.wrappers.append(_wrapper(output, self._announced))
            return output

        return cast("Callable[..., Any]", compile_fx(graph, inputs, inner_compile=looked_at))

    def announce(self, schedule: Any, _name: str, is_extern: bool = False) -> int | None:
        """In place of inductor's own function: keep the operations of a kernel, and answer a number for it."""
        number = len(self._announced)
        with self._soft():
            self._announced[number] = tuple(_operations([schedule] if is_extern else schedule))
        return number if number in self._announced else None

    @contextmanager
    def _soft(self) -> Iterator[None]:
        """What torch's private parts do not have is no reason to fail."""
        try:
            yield
        except NotUnderstoodError as error:
            self.failure = self.failure or str(error)
        except _SURPRISES as error:
            self.failure = self.failure or f"{type(error).__name__} at torch {torch.__version__}: {error}"


@contextmanager
def recording() -> Iterator[Recording]:
    """Look at what `Recording.compile` compiles inside.  Caches of whole graphs are not used."""
    found = Recording()
    with ExitStack() as stack:
        try:
            modules = [import_module(f"torch._inductor.{place}") for place in _HOOKED]
            for (
                module
            ) in modules:  # all are there before the first is changed: they copy the name when imported
                stack.callback(setattr, module, _HOOK, getattr(module, _HOOK))
                setattr(module, _HOOK, found.announce)
            stack.enter_context(import_module("torch._inductor.config").patch(fx_graph_cache=False))
            stack.enter_context(import_module("torch._functorch.config").patch(enable_autograd_cache=False))
        except (AttributeError, ImportError) as error:
            found.failure = (
                f"torch {torch.__version__} does not tell which layers a kernel computes ({error})"
            )
        yield found


def _wrapper(output: Any, announced: Mapping[int, tuple[Operation, ...]]) -> Wrapper:
    return Wrapper(_function(output), output.source_code, announced)


def _function(output: Any) -> FunctionType:
    """The Python function that a compiled graph runs."""
    if not hasattr(output, "current_callable"):
        raise NotUnderstoodError("nothing of the network is left to compile")
    runner = getattr(output, "compiled_fn_runner", None)
    if runner is not None and getattr(runner, "partitions", None):
        raise NotUnderstoodError("the compiled code is split into parts, each a CUDA graph of its own")
    call = output.current_callable if runner is None else runner.call
    function = call.__func__ if isinstance(call, MethodType) else call
    if not isinstance(function, FunctionType):
        raise NotUnderstoodError(f"the compiled code is a {type(function).__name__}, not a Python function")
    return function


def _operations(schedule: Sequence[Any]) -> Iterator[Operation]:
    """The operations of a kernel, from inductor's schedule of it: scheduler nodes, or one external call."""
    from torch._inductor.virtualized import V

    graph: Any = V.graph
    buffers, inputs = graph.name_to_buffer, graph.graph_inputs
    placeholders = {node.target: node for node in graph.module.graph.nodes if node.op == "placeholder"}
    for step in schedule:
        scheduled = hasattr(step, "read_writes")
        node = step.node if scheduled else step
        if isinstance(step, type) or node is None:  # markers of loops, and steps that run nothing
            continue
        reads = step.read_writes.reads if scheduled else node.get_read_writes().reads
        values: list[fx.Node] = []
        partial: list[fx.Node] = []
        for name in dict.fromkeys(read.name for read in reads if type(read).__name__ != "WeakDep"):
            if name in inputs:
                values.append(placeholders[name])
            elif name in buffers:
                owner, whole = _owner(buffers[name])
                (values if whole else partial).append(owner)
        owner, whole = _owner(node)
        # what an external call reads is ready: it computes its own node and nothing on the way
        among = frozenset(node.origins) if scheduled else frozenset([owner])
        yield Operation(owner, whole or not scheduled, among | {owner}, tuple(values), tuple(partial))


def _owner(buffer: Any) -> tuple[fx.Node, bool]:
    """(node of the graph that a buffer is for, whether it holds that node's value).

    `origin_node` is exact where inductor has it.  Where not, the buffer was made on the way to the first of `origins`.
    """
    exact = buffer.get_origin_node()
    if exact is not None:
        return exact, True
    several = type(buffer).__name__ == "MultiOutput"  # one of the values of a call
    return next(iter(buffer.origins)), several


def _kernels(
    body: list[ast.stmt], notes: Mapping[int, re.Match[str]], announced: Mapping[int, tuple[Operation, ...]]
) -> Iterator[Kernel]:
    """The kernels called in the code; each has its note somewhere between the call before and its own."""
    last = body[0].lineno
    for _, call in _calls(body):
        mine = [match for line, match in notes.items() if last <= line <= call.lineno]
        if len(mine) != 1:
            text = ast.unparse(call)
            text = text if len(text) < 80 else f"{text[:77]}..."
            raise NotUnderstoodError(f"the compiled code has {len(mine)} notes on the call '{text}'")
        yield Kernel(mine[0]["kernel"], announced[int(mine[0]["number"])])
        last = (call.end_lineno or call.lineno) + 1


def _calls(statements: list[ast.stmt]) -> Iterator[tuple[list[ast.stmt], ast.stmt]]:
    """(the list that it stands in, the statement) for each statement that runs a kernel, in order."""
    for statement in list(statements):
        if isinstance(statement, ast.With):
            yield from _calls(statement.body)
        elif isinstance(statement, (ast.Assign, ast.Expr)):
            calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
            if any(not _BOOKKEEPING.fullmatch(ast.unparse(call.func)) for call in calls):
                yield statements, statement
        elif not isinstance(statement, (*_FOLLOWING, ast.Return)):
            raise NotUnderstoodError(f"the compiled code has a statement '{ast.unparse(statement)[:80]}'")
