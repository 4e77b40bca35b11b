"""Records every operation of one forward pass, mostly without computing it.

`Recorder` is a TorchDispatchMode that works below autograd, where composite operations (`conv2d`, `linear`,
`layer_norm`, `scaled_dot_product_attention`, `lstm`, `einsum`) arrive whole.  Three kinds of tensors meet in one pass:

- abstract ones, on the device `meta`: float inputs, weights, and all that is computed from them;
- real small ones: token ids, masks, positions, constants.  They are computed as written, so that `if mask.all()` works;
- the module's own parameters and buffers, on whatever device.  They are never read nor written: where an operation
  meets one, a twin on `meta` takes its place.

What an operation makes follows from what it gets, so it is remembered: a repeated layer costs a dictionary look-up in
the place of a meta kernel.  With `real=True` everything is computed, on small tensors, for a forward that looks at
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef

META = torch.device("meta")
CPU = torch.device("cpu")
#: elements: up to here constants, masks, positions and token ids keep their values
SMALL = 1 << 21
#: elements: larger tensors are not kept alive by the recording
LIGHT = 1 << 12
#: entries of a memo of shapes; a process that captures thousands of models must not grow without end
MEMO_LIMIT = 1 << 17

#: what a value depends on, as bits; 0 is a constant
INPUT, WEIGHT = 1, 2


#: in training they write to their statistics, and their schemas do not say so
_WRITES_STATISTICS = frozenset(["batch_norm", "instance_norm"])


def below_versions() -> Any:
    """While it is open, an operation in place does not raise the version of the tensor that it writes to."""
    return torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.ADInplaceOrView))


class NeedsValuesError(RuntimeError):
    """Forward asked for a number that only real tensors give."""

    def __init__(self, function: str, reason: str) -> None:
        super().__init__(f"{function}: {reason}")
        self.function = function


class Spec:
    """Shape, strides, type and layout of a tensor.  Equal ones are one object (`spec_of`)."""

    __slots__ = ("dtype", "layout", "numel", "shape", "stride")

    def __init__(
        self,
        shape: tuple[int, ...],
        stride: tuple[int, ...] | None,
        dtype: torch.dtype,
        layout: torch.layout = torch.strided,
    ) -> None:
        self.shape, self.stride, self.dtype, self.layout = shape, stride, dtype, layout
        self.numel = 1
        for size in shape:
            self.numel *= size

    def __repr__(self) -> str:
        return f"{str(self.dtype)[6:]}{list(self.shape)}"


_SPECS: dict[tuple[Any, ...], Spec] = {}


def spec_of(tensor: Tensor) -> Spec:
    strided = tensor.layout is torch.strided
    return _spec(tuple(tensor.shape), tensor.stride() if strided else None, tensor.dtype, tensor.layout)


def _spec(
    shape: tuple[int, ...],
    stride: tuple[int, ...] | None,
    dtype: torch.dtype,
    layout: torch.layout = torch.strided,
) -> Spec:
    key = shape, stride, dtype, layout
    spec = _SPECS.get(key)
    if spec is None:
        spec = _SPECS[key] = Spec(shape, stride, dtype, layout)
    return spec


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


class TensorValue:
    """The contents of a tensor at one time: one for each tensor that is made, one more for each write to its memory.

    `root` is the value whose memory it lies in, itself where the memory is its own.  `live` says what it depends on.
    """

    __slots__ = (
        "abstract",
        "latest",
        "live",
        "offset",
        "operation",
        "port",
        "released",
        "root",
        "seen",
        "spec",
        "tainted",
        "writes",
    )
    #: "input", "parameter", "buffer" or "constant" for what no operation made
    kind = ""

    def __init__(
        self,
        spec: Spec,
        abstract: bool,
        operation: Operation | None,
        port: int,
        root: TensorValue | None,
        live: int,
    ) -> None:
        self.spec, self.abstract, self.operation, self.port, self.live = spec, abstract, operation, port, live
        self.root: TensorValue = self if root is None else root.root
        self.offset = 0
        #: of a root: the values that were written to its memory, in order
        self.writes: list[TensorValue] | None = None
        #: of a root: something abstract was written to real memory
        self.tainted = False
        #: of a root: how many operations there were when its memory was let go of; None where it never was
        self.released: int | None = None
        #: how many writes to the root's memory `latest` knows of
        self.seen = 0
        self.latest: TensorValue | None = None

    def __repr__(self) -> str:
        return f"%{self.operation.index}.{self.port}" if self.operation else f"<{self.kind}>"


class ExternalValue(TensorValue):
    """A tensor that no operation made: an input, a parameter, a buffer, a constant."""

    __slots__ = ("kind", "name", "tensor")

    def __init__(self, kind: str, name: str, tensor: Tensor, spec: Spec, abstract: bool, live: int) -> None:
        super().__init__(spec, abstract, None, 0, None, live)
        self.kind, self.name, self.tensor = kind, name, tensor


class ModuleCall:
    """One call of a module: its path, its class, the call that it was made in (-1: none)."""

    __slots__ = ("children", "kind", "module", "parent", "path")

    def __init__(self, path: str, kind: str, parent: int, module: torch.nn.Module) -> None:
        self.path, self.kind, self.parent, self.module = path, kind, parent, module
        self.children = 0


class Operation:
    """One operation as it ran.

    `args` and `kwargs` are its arguments with values in the place of tensors, `reads` what these held at that time, in
    the same order.  An operation without `function` is none of torch: it merges what was written to parts of a tensor.
    """

    __slots__ = (
        "args",
        "call",
        "facts",
        "function",
        "index",
        "kwargs",
        "live",
        "outputs",
        "reads",
        "written",
    )

    def __init__(
        self,
        index: int,
        function: Any,
        facts: Facts,
        call: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reads: tuple[TensorValue, ...],
        live: int,
    ) -> None:
        self.index, self.function, self.facts, self.call = index, function, facts, call
        self.args, self.kwargs, self.reads, self.live = args, kwargs, reads, live
        self.outputs: tuple[TensorValue | None, ...] = ()
        #: values of memory that it wrote to and did not return
        self.written: tuple[TensorValue, ...] = ()

    def argument(self, name: str, default: Any = None) -> Any:
        """An argument by its name in the schema, with the schema's default."""
        if name in self.kwargs:
            return self.kwargs[name]
        at = self.facts.position.get(name)
        if at is not None and at < len(self.args):
            return self.args[at]
        return self.facts.defaults.get(name, default)


def tensor_values(args: Any) -> Iterator[TensorValue]:
    """The values among arguments, in order."""
    for argument in args:
        if isinstance(argument, TensorValue):
            yield argument
        elif type(argument) is tuple:
            yield from tensor_values(argument)


class Facts:
    """What the schema says of an operation."""

    def __init__(self, function: Any) -> None:
        schema = function._schema
        namespace, _, self.name = schema.name.partition("::")
        self.overload = schema.overload_name
        arguments = schema.arguments
        self.names = tuple(a.name for a in arguments)
        self.position = {a.name: i for i, a in enumerate(arguments) if not a.kwarg_only}
        self.defaults = {a.name: a.default_value for a in arguments if a.has_default_value()}
        self.mutates = tuple(i for i, a in enumerate(arguments) if a.alias_info and a.alias_info.is_write)
        self.view = any(r.alias_info and not r.alias_info.is_write for r in schema.returns)
        takes_tensors = any("Tensor" in str(a.type) for a in arguments)
        self.factory = "device" in self.names and not takes_tensors
        self.device_at = self.position.get("device", -1) if "device" in self.names else -1
        self.takes_device = "device" in self.names
        tags = function.tags
        self.asks_values = torch.Tag.data_dependent_output in tags or torch.Tag.dynamic_output_shape in tags
        self.bookkeeping = namespace in ("profiler", "prim")
        #: the function's name in PyTorch, whether it works in place or not
        self.type = self.name[:-1] if self.mutates and self.name.endswith("_") else self.name
        own = namespace == "aten"
        self.closed_form = _CLOSED_FORMS.get(self.name) if own and not self.overload else None
        self.sized_by_values = _SIZED_BY_VALUES.get(f"{self.name}.{self.overload}") if own else None


class _Merge(Facts):
    def __init__(self) -> None:
        self.name = self.type = "merge_writes"
        self.overload = ""
        self.names, self.position, self.defaults = ("self", "writes"), {"self": 0, "writes": 1}, {}
        self.mutates, self.view = (), True


_FACTS: dict[Any, Facts] = {}
#: by default dtype: (operation and arguments) -> specs of what it makes, and whether that is its first argument
_MEMOS: dict[torch.dtype, dict[Any, tuple[Any, str]]] = {}


class Recorder(TorchDispatchMode):
    """The operations, module calls and values of one forward pass."""

    supports_higher_order_operators = True

    def __init__(self, owned: dict[int, tuple[str, str, Tensor]], *, real: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        #: id of a parameter or buffer -> its kind, path and tensor
        self.owned = owned
        self.real = real
        self.operations: list[Operation] = []
        self.calls: list[ModuleCall] = []
        self.stack = [-1]
        self.externals: list[ExternalValue] = []
        #: the operation that raised, if one did: its name and the specs that met
        self.failed: tuple[str, tuple[Spec, ...]] | None = None
        self.failed_call = -1
        self._merge = _Merge()
        self._values: dict[int, TensorValue] = {}
        self._weak: dict[int, TensorWeakRef] = {}
        self._alive: list[tuple[StorageWeakRef, TensorValue]] = []
        self._kept: list[Tensor] = []  # so that an id stays that of one tensor
        self._twins: dict[int, Tensor] = {}
        self._backups: dict[int, tuple[Tensor, Tensor]] = {}
        self._memo = _MEMOS.setdefault(torch.get_default_dtype(), {})
        if len(self._memo) > MEMO_LIMIT:
            self._memo.clear()

    # Values.

    def _bind(self, tensor: Tensor, value: TensorValue) -> None:
        at = id(tensor)
        self._values[at] = value
        if value.operation is not None and value.spec.numel > LIGHT:
            # Not kept, so that its memory is seen to be let go of when the module lets go of it.
            self._weak[at] = TensorWeakRef(tensor)
            if value.root is value and tensor.layout is torch.strided:
                self._alive.append((StorageWeakRef(tensor.untyped_storage()), value))
        else:
            self._weak.pop(at, None)
            self._kept.append(tensor)

    def value(self, tensor: Tensor) -> TensorValue:
        """What the recording knows a tensor as; one that it has not met is the module's own, or a constant."""
        at = id(tensor)
        value = self._values.get(at)
        if value is not None and (at not in self._weak or self._weak[at]() is tensor):
            return value
        kind, name, _ = self.owned.get(at, ("constant", "", tensor))
        floats = tensor.is_floating_point() or tensor.is_complex()
        live = WEIGHT if kind == "parameter" or (kind == "buffer" and floats) else 0
        spec = spec_of(tensor)
        abstract = tensor.device == META or spec.numel > SMALL or (kind != "constant" and floats)
        return self._external(kind, name, tensor, spec, abstract, live)

    def declare(self, tensor: Tensor, name: str) -> ExternalValue:
        """Make a tensor an input of the recording."""
        return self._external("input", name, tensor, spec_of(tensor), tensor.device == META, INPUT)

    def _external(
        self, kind: str, name: str, tensor: Tensor, spec: Spec, abstract: bool, live: int
    ) -> ExternalValue:
        value = ExternalValue(kind, name, tensor, spec, abstract, live)
        self.externals.append(value)
        self._bind(tensor, value)
        return value

    def note_releases(self) -> None:
        """Note for memory that is gone that it went before the next operation."""
        alive = []
        for entry in self._alive:
            if entry[0].expired():
                entry[1].released = len(self.operations)
            else:
                alive.append(entry)
        self._alive = alive

    def current(self, value: TensorValue) -> TensorValue:
        """What the memory of a value holds now: itself, what was written over it, or a merge of both."""
        writes = value.root.writes
        latest = value.latest or value
        if writes is None or value.seen == len(writes):
            return latest
        over = [write for write in writes[value.seen :] if _overlap(write, value)]
        value.seen = len(writes)
        if not over:
            return latest
        last = over[-1]
        if last.spec is value.spec and last.offset == value.offset:
            value.latest = last
            return last
        live = latest.live
        for write in over:
            live |= write.live
        operation = self._operation(None, self._merge, (latest, tuple(over)), {}, (latest, *over), live)
        merged = TensorValue(value.spec, True, operation, 0, value.root, live)
        merged.offset, merged.seen = value.offset, len(writes)
        operation.outputs = (merged,)
        self.operations.append(operation)
        value.latest = merged
        return merged

    # One operation.

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        facts = _FACTS.get(func)
        if facts is None:
            if not hasattr(func, "_schema"):
                return self._higher_order(func, args, kwargs)
            facts = _FACTS[func] = Facts(func)
        if facts.bookkeeping:
            return func(*args, **kwargs)

        self.note_releases()
        met: list[tuple[Tensor, TensorValue]] = []
        reads: list[TensorValue] = []
        key: list[Any] = [func]
        template = tuple([self._enter(a, met, reads, key) for a in args])
        named = {}
        for name, a in kwargs.items():
            key.append(name)
            named[name] = self._enter(a, met, reads, key)
        live, abstract, mixed = 0, False, False
        for tensor, value in met:
            abstract = abstract or value.abstract or value.root.tainted
            mixed = mixed or tensor.device != META
        for value in reads:
            live |= value.live
        operation = self._operation(func, facts, template, named, tuple(reads), live)
        if self.real:
            return self._run_real(operation, met, args, kwargs)
        if not abstract:
            return self._run_small(operation, met, args, kwargs)
        return self._run_abstract(operation, met, args, kwargs, key, mixed)

    def _operation(
        self,
        function: Any,
        facts: Facts,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reads: tuple[TensorValue, ...],
        live: int,
    ) -> Operation:
        return Operation(len(self.operations), function, facts, self.stack[-1], args, kwargs, reads, live)

    def _enter(
        self, argument: Any, met: list[tuple[Tensor, TensorValue]], reads: list[TensorValue], key: list[Any]
    ) -> Any:
        """The argument for the record; a tensor becomes its value.  `key` grows by what tells shapes apart."""
        if isinstance(argument, Tensor):
            value = self.value(argument)
            met.append((argument, value))
            reads.append(value if value.root.writes is None else self.current(value))
            key.append(value.spec)
            return value
        kind = type(argument)
        if kind is list or kind is tuple:
            if any(isinstance(a, Tensor) for a in argument):
                inner: list[Any] = []
                entered = tuple([self._enter(a, met, reads, inner) for a in argument])
                key.append(tuple(inner))
                return entered
            argument = tuple(argument)
            key.append((argument, tuple(map(type, argument))))
            return argument
        key.append((kind, argument))  # 1, 1.0 and True are equal, and not the same argument
        return argument

    def _run_abstract(
        self,
        operation: Operation,
        met: list[tuple[Tensor, TensorValue]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: list[Any],
        mixed: bool,
    ) -> Any:
        facts, function = operation.facts, operation.function
        if mixed and facts.sized_by_values is not None:
            made = facts.sized_by_values(function, args, kwargs, self._to_meta)
            if made is not NotImplemented:
                return self._record(operation, met, made, True)
        entry = None
        memo_key: Any = None
        if not facts.view:
            memo_key = tuple(key)
            try:
                entry = self._memo.get(memo_key)
            except TypeError:  # an argument that cannot be a key
                memo_key = None
            if entry is None and memo_key is not None and facts.closed_form is not None:
                spec = facts.closed_form(operation.args)
                if spec is not None:
                    entry = self._memo[memo_key] = spec, "new"
        if entry is not None and entry[1] != "first":
            return self._record_new(operation, entry[0])
        if mixed or facts.takes_device:
            args = tuple([self._to_meta(a) for a in args])
            kwargs = {name: self._to_meta(a) for name, a in kwargs.items()}
        if entry is not None:
            return self._record(operation, met, args[0], True)
        own = bool(args and met) and args[0] is met[0][0]
        if facts.mutates and own and met[0][1].root.kind in ("parameter", "buffer", "constant"):
            args = (
                self._to_meta(args[0], fresh=True),
                *args[1:],
            )  # on meta, too: the user's is not written to
        try:
            made = function(*args, **kwargs)
        except BaseException as error:
            self.failed = self.failed or (facts.type, tuple(value.spec for _, value in met))
            # An operation without a kernel for abstract tensors says so by NotImplementedError.
            without_kernel = isinstance(error, NotImplementedError) or "meta tensor" in str(error).lower()
            if facts.asks_values or without_kernel:
                raise NeedsValuesError(facts.type, str(error).partition("\n")[0]) from error
            raise
        if memo_key is not None:
            self._remember(memo_key, made, args, facts)
        return self._record(operation, met, made, True)

    def _remember(self, key: Any, made: Any, args: tuple[Any, ...], facts: Facts) -> None:
        if isinstance(made, Tensor):
            if not _plain(made):
                return
            if args and made is args[0] and facts.mutates in ((), (0,)):
                self._memo[key] = spec_of(made), "first"
            elif not facts.mutates and not _shares_memory(made, args):
                self._memo[key] = spec_of(made), "new"
        elif isinstance(made, tuple) and not facts.mutates:
            own = all(m is None or (_plain(m) and not _shares_memory(m, args)) for m in made)
            if own:
                self._memo[key] = tuple(None if m is None else spec_of(m) for m in made), "new"

    def _record_new(self, operation: Operation, specs: Any) -> Any:
        """Make and record tensors of known specs, in memory of their own."""
        self.operations.append(operation)
        many = isinstance(specs, tuple)
        made: list[Tensor | None] = []
        outputs: list[TensorValue | None] = []
        for port, spec in enumerate(specs if many else (specs,)):
            if spec is None:
                made.append(None)
                outputs.append(None)
                continue
            tensor = torch.empty_strided(spec.shape, spec.stride, dtype=spec.dtype, device=META)
            value = TensorValue(spec, True, operation, port, None, operation.live)
            self._bind(tensor, value)
            made.append(tensor)
            outputs.append(value)
        operation.outputs = tuple(outputs)
        return tuple(made) if many else made[0]

    def _run_small(
        self,
        operation: Operation,
        met: list[tuple[Tensor, TensorValue]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Compute constants, token ids and masks as they are, while they are small."""
        facts, function = operation.facts, operation.function
        if facts.factory:
            count = factory_numel(facts.name, args)
            abstract = count > SMALL or (count > 1024 and facts.name.startswith(("empty", "rand")))
            kwargs = {**kwargs, "device": META if abstract else CPU}
            if kwargs.get("pin_memory"):
                kwargs["pin_memory"] = False
            return self._record(operation, met, function(*args, **kwargs), abstract)
        if facts.takes_device:
            args = tuple([CPU if type(a) is torch.device else a for a in args])
            if kwargs.get("device") is not None:
                kwargs = {**kwargs, "device": CPU}
        if facts.mutates:
            self._back_up(operation)
        elif not facts.view and met and _largest_result(facts.name, met, args) > SMALL:
            args = tuple([self._to_meta(a) for a in args])
            kwargs = {name: self._to_meta(a) for name, a in kwargs.items()}
            return self._record(operation, met, function(*args, **kwargs), True)
        try:
            made = function(*args, **kwargs)
        except BaseException:
            self.failed = self.failed or (facts.type, tuple(value.spec for _, value in met))
            raise
        return self._record(operation, met, made, False)

    def _run_real(
        self,
        operation: Operation,
        met: list[tuple[Tensor, TensorValue]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        facts, function = operation.facts, operation.function
        if facts.mutates or facts.name in _WRITES_STATISTICS:
            self._back_up(operation)
        args = tuple([self._to_real(a) for a in args])
        kwargs = {name: self._to_real(a) for name, a in kwargs.items()}
        try:
            made = function(*args, **kwargs)
        except BaseException:
            self.failed = self.failed or (facts.type, tuple(value.spec for _, value in met))
            raise
        return self._record(operation, met, made, True)

    def _record(
        self, operation: Operation, met: list[tuple[Tensor, TensorValue]], made: Any, abstract: bool
    ) -> Any:
        self.operations.append(operation)
        if isinstance(made, Tensor):
            operation.outputs = (self._made(made, 0, operation, met),)
        elif isinstance(made, (tuple, list)):
            operation.outputs = tuple(
                self._made(m, port, operation, met) if isinstance(m, Tensor) else None
                for port, m in enumerate(made)
            )
        for at in operation.facts.mutates:
            name = operation.facts.names[at]
            written = operation.args[at] if at < len(operation.args) else operation.kwargs.get(name)
            for value in written if type(written) is tuple else (written,):
                if isinstance(value, TensorValue):
                    self._wrote(value, operation, abstract)
        return made

    def _made(
        self, tensor: Tensor, port: int, operation: Operation, met: list[tuple[Tensor, TensorValue]]
    ) -> TensorValue:
        root = None
        offset = 0
        for given, value in met:
            if given is tensor or self._twins.get(id(given)) is tensor:
                root, offset = value, value.offset
                break
        else:
            if operation.facts.view and met and tensor.layout is torch.strided:
                given, value = met[0]
                given = self._twins.get(id(given), given) if given.device != tensor.device else given
                if _same_memory(given, tensor):
                    root = value
                    # A twin's own memory begins at 0, wherever its original's lies.
                    offset = int(tensor.storage_offset()) - int(given.storage_offset()) + value.offset
        made = TensorValue(spec_of(tensor), tensor.device == META, operation, port, root, operation.live)
        made.offset = offset
        if made.root.writes is not None:
            made.seen = len(made.root.writes)
        self._bind(tensor, made)
        return made

    def _wrote(self, value: TensorValue, operation: Operation, abstract: bool) -> None:
        root = value.root
        new = next((o for o in operation.outputs if o is not None and o.root is root), None)
        if new is None:
            new = TensorValue(value.spec, abstract or value.abstract, operation, -1, value, operation.live)
            new.offset = value.offset
            operation.written = (*operation.written, new)
        if root.writes is None:
            root.writes = []
        root.writes.append(new)
        new.seen = len(root.writes)
        if new.abstract and not root.abstract:
            root.tainted = True

    # Tensors in other forms.

    def _to_meta(self, argument: Any, fresh: bool = False) -> Any:
        """The argument with tensors and devices on meta."""
        if isinstance(argument, Tensor):
            if argument.device == META and not fresh:
                return argument
            twin = self._twins.get(id(argument))
            if twin is None:
                value = self.value(argument)
                if argument.layout is torch.strided:
                    # Outside inference mode, or else a view of the twin of a normal tensor is refused.
                    with torch.inference_mode(False):
                        twin = torch.empty_strided(
                            argument.shape, argument.stride(), dtype=argument.dtype, device=META
                        )
                else:
                    twin = argument.to(META)
                self._twins[id(argument)] = twin
                self._kept.append(argument)
                self._bind(twin, value)
            return twin
        kind = type(argument)
        if kind is list or kind is tuple:
            return kind([self._to_meta(a) for a in argument])
        return META if kind is torch.device else argument

    def _to_real(self, argument: Any) -> Any:
        """The argument with tensors and devices that hold values; weights without values get small random ones."""
        if isinstance(argument, Tensor):
            if argument.device != META:
                return argument
            twin = self._twins.get(id(argument))
            if twin is None:
                value = self.value(argument)
                twin = random_like(argument, getattr(value, "name", ""))
                self._twins[id(argument)] = twin
                self._kept.append(argument)
                self._bind(twin, value)
            return twin
        kind = type(argument)
        if kind is list or kind is tuple:
            return kind([self._to_real(a) for a in argument])
        return CPU if kind is torch.device and argument == META else argument

    def _back_up(self, operation: Operation) -> None:
        """Keep the contents of the user's own tensors that the operation is about to write to."""
        facts = operation.facts
        names = [facts.names[at] for at in facts.mutates]
        if facts.name in _WRITES_STATISTICS:
            names += ["running_mean", "running_var"]
        for name in names:
            written = operation.argument(name)
            for value in written if type(written) is tuple else (written,):
                root = value.root if isinstance(value, TensorValue) else None
                if isinstance(root, ExternalValue) and id(root) not in self._backups:
                    tensor = root.tensor
                    if tensor.device != META:
                        self._backups[id(root)] = tensor, tensor.detach().clone()

    def restore(self) -> None:
        """Write back the contents of the user's own tensors that were written to."""
        with torch.no_grad(), below_versions():
            for tensor, contents in self._backups.values():
                tensor.detach().copy_(contents)
        self._backups.clear()

    def release(self) -> None:
        """Let go of the tensors of the pass; what is recorded stays."""
        for held in (self._values, self._weak, self._twins):
            held.clear()
        self._kept.clear()
        self._alive.clear()

    def _higher_order(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Functions that take functions: `flex_attention` is recorded whole, others by what they call."""
        if str(function) != "flex_attention" or self.real:
            return function(*args, **kwargs)
        facts = _FACTS.get(function)
        if facts is None:
            facts = _FACTS[function] = _FlexAttention()
        values = tuple(self.value(t) for t in args[:3])
        reads = tuple(map(self.current, values))
        live = reads[0].live | reads[1].live | reads[2].live
        operation = self._operation(function, facts, values, {}, reads, live)
        query, _, value = args[:3]
        sums = _spec(tuple(query.shape[:-1]), contiguous_strides(query.shape[:-1]), torch.float32)
        shape = (*query.shape[:-1], value.shape[-1])
        return self._record_new(operation, (_spec(shape, contiguous_strides(shape), query.dtype), sums, sums))


class _FlexAttention(Facts):
    def __init__(self) -> None:
        self.name = self.type = "flex_attention"
        self.overload = ""
        self.names = ("query", "key", "value")
        self.position, self.defaults = {name: at for at, name in enumerate(self.names)}, {}
        self.mutates, self.view, self.bookkeeping = (), False, False


def _overlap(a: TensorValue, b: TensorValue) -> bool:
    """Whether two values of one memory may share elements, by the ranges that they span."""
    return a.offset <= b.offset + _extent(b.spec) and b.offset <= a.offset + _extent(a.spec)


def _extent(spec: Spec) -> int:
    if spec.stride is None:
        return 1 << 62
    return sum([(size - 1) * stride for size, stride in zip(spec.shape, spec.stride, strict=True)])


def _plain(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.device == META and tensor.layout is torch.strided


def _same_memory(a: Tensor, b: Tensor) -> bool:
    if a.layout is not torch.strided or a.device != b.device:
        return False
    return bool(a.untyped_storage()._cdata == b.untyped_storage()._cdata)


def _shares_memory(tensor: Tensor, args: Any) -> bool:
    memory = tensor.untyped_storage()._cdata
    for a in args:
        if isinstance(a, Tensor):
            if a is tensor or (_plain(a) and a.untyped_storage()._cdata == memory):
                return True
        elif isinstance(a, (list, tuple)) and a and isinstance(a[0], Tensor) and _shares_memory(tensor, a):
            return True
    return False


def factory_numel(name: str, args: Sequence[Any]) -> int:
    """How many elements a factory makes, at most."""
    first = args[0] if args else None
    if isinstance(first, (list, tuple)):
        count = 1
        for size in first:
            count *= size
        return count
    if name in ("arange", "linspace", "logspace", "range"):
        return int(max([abs(a) for a in args if isinstance(a, (int, float))], default=1))
    if isinstance(first, int):
        return first * (args[1] if len(args) > 1 and isinstance(args[1], int) else 1)
    return 1


def _largest_result(name: str, met: list[tuple[Tensor, TensorValue]], args: tuple[Any, ...]) -> int:
    """How many elements an operation on real tensors may make, by the shapes broadcast and the sizes given."""
    shapes = [value.spec.shape for _, value in met]
    count = 1
    for d in range(1, max(map(len, shapes)) + 1):
        count *= max([shape[-d] for shape in shapes if len(shape) >= d])
    for a in args:
        if isinstance(a, (list, tuple)) and a and isinstance(a[0], int):
            asked = 1
            for size in a:
                asked *= abs(size)
            count = max(count, asked, asked * count if name in ("repeat", "tile") else 0)
    return count


def random_like(tensor: Tensor, name: str = "") -> Tensor:
    """Small random values of a tensor's shape and type, always the same for one name.

    Variances are positive, whole numbers zero.  No generator of the user is drawn from.
    """
    dtype = tensor.dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.zeros(tensor.shape, dtype=dtype)
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    last = name.rpartition(".")[2]
    if last == "running_var":
        return torch.rand(tensor.shape, generator=generator).add_(0.5).to(dtype)
    values = torch.randn(tensor.shape, generator=generator)
    if tensor.dim() < 2:
        center = 1.0 if last == "weight" else 0.0  # the scale of a normalisation
        return values.mul_(0.1).add_(center).to(dtype)
    fan_in = max(1, tensor.numel() // max(1, tensor.shape[0]))
    return values.mul_(min(0.5, fan_in**-0.5)).to(dtype)


# Closed forms of what meta kernels written in Python find slowly.  None: ask the kernel, which also refuses.


def _convolution(axes: int) -> Callable[[tuple[Any, ...]], Spec | None]:
    def closed_form(args: tuple[Any, ...]) -> Spec | None:
        x, weight = args[0].spec, args[1].spec
        if (
            len(x.shape) != axes + 2
            or len(weight.shape) != axes + 2
            or 0 in x.shape
            or x.dtype != weight.dtype
        ):
            return None
        if x.stride != contiguous_strides(x.shape) or weight.stride != contiguous_strides(weight.shape):
            return None
        groups = args[6] if len(args) > 6 else 1
        if groups < 1 or x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
            return None
        stride, padding, dilation = (
            _per_axis(args[at] if len(args) > at else (default,), axes)
            for at, default in ((3, 1), (4, 0), (5, 1))
        )
        if stride is None or padding is None or dilation is None or min(stride) < 1 or min(dilation) < 1:
            return None
        sizes = tuple(
            (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i] + 1
            for i in range(axes)
        )
        if (
            min(sizes) < 1
            or min(padding) < 0
            or not _suits(args[2] if len(args) > 2 else None, weight.shape[0], x)
        ):
            return None
        shape = (x.shape[0], weight.shape[0], *sizes)
        return _spec(shape, contiguous_strides(shape), x.dtype)

    return closed_form


def _per_axis(value: Any, axes: int) -> tuple[int, ...] | None:
    if isinstance(value, str):
        return None
    if len(value) == 1:
        return tuple(value) * axes
    return tuple(value) if len(value) == axes else None


def _suits(bias: Any, size: int, x: Spec) -> bool:
    return bias is None or (bias.spec.shape == (size,) and bias.spec.dtype == x.dtype)


def _batch_norm(args: tuple[Any, ...]) -> Spec | None:
    x: Spec = args[0].spec
    if len(x.shape) < 2 or x.stride != contiguous_strides(x.shape) or len(args) < 6 or args[5]:
        return None
    given = [a for a in args[1:5] if a is not None]
    return x if all(a.spec.shape == (x.shape[1],) and a.spec.dtype == x.dtype for a in given) else None


def _layer_norm(args: tuple[Any, ...]) -> Spec | None:
    x: Spec = args[0].spec
    sizes = tuple(args[1])
    if not sizes or x.shape[-len(sizes) :] != sizes or x.stride != contiguous_strides(x.shape):
        return None
    given = [a for a in args[2:4] if a is not None]
    return x if all(a.spec.shape == sizes and a.spec.dtype == x.dtype for a in given) else None


def _linear(args: tuple[Any, ...]) -> Spec | None:
    x, weight = args[0].spec, args[1].spec
    if len(weight.shape) != 2 or not x.shape or x.shape[-1] != weight.shape[1] or x.dtype != weight.dtype:
        return None
    if not _suits(args[2] if len(args) > 2 else None, weight.shape[0], x):
        return None
    shape = (*x.shape[:-1], weight.shape[0])
    return _spec(shape, contiguous_strides(shape), x.dtype)


def _grouped_mm(args: tuple[Any, ...]) -> Spec | None:
    """Rows in groups, each times its group's matrix.  The meta kernel takes bfloat16 alone, the real one does not."""
    a, b = args[0].spec, args[1].spec
    if len(a.shape) != 2 or len(b.shape) != 3 or a.shape[1] != b.shape[1] or a.dtype != b.dtype:
        return None
    shape = (a.shape[0], b.shape[2])
    return _spec(shape, contiguous_strides(shape), a.dtype)


_CLOSED_FORMS: dict[str, Callable[[tuple[Any, ...]], Spec | None]] = {
    "conv1d": _convolution(1),
    "conv2d": _convolution(2),
    "conv3d": _convolution(3),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "_grouped_mm": _grouped_mm,
}


# Operations whose result has a size that small real tensors say.  NotImplemented: they do not.


def _has_values(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.device != META


def _empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(tuple(shape), dtype=dtype, device=META)


def _index(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    indices: list[Any] = []
    for index in args[1]:
        if index is not None and index.dtype in (torch.bool, torch.uint8) and _has_values(index):
            indices += list(index.nonzero(as_tuple=True))
        else:
            indices.append(index)
    return function(*to_meta((args[0], indices, *args[2:])), **kwargs)


def _masked_select(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    x, mask = args
    if not _has_values(mask):
        return NotImplemented
    chosen = torch.broadcast_to(mask, torch.broadcast_shapes(x.shape, mask.shape)).sum()
    return _empty((int(chosen),), x.dtype)


def _repeat_interleave(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    x, repeats = args[:2]
    if not _has_values(repeats):
        return NotImplemented
    dim = args[2] if len(args) > 2 else kwargs.get("dim")
    length = x.numel() if dim is None else x.shape[dim]
    count = int(repeats) * length if repeats.numel() == 1 else int(repeats.sum())
    if dim is None:
        return _empty((count,), x.dtype)
    shape = list(x.shape)
    shape[dim] = count
    return _empty(shape, x.dtype)


def _pack_padded_sequence(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    x, lengths, _ = args
    if not _has_values(lengths):
        return NotImplemented
    each = lengths.tolist()
    batch_sizes = torch.tensor([sum(length > step for length in each) for step in range(max(each))])
    return _empty((sum(each), *x.shape[2:]), x.dtype), batch_sizes


def _pad_packed_sequence(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    data, batch_sizes, batch_first, _, total_length = args
    if not _has_values(batch_sizes):
        return NotImplemented
    steps, batch = max(len(batch_sizes), total_length), int(batch_sizes[0])
    lengths = torch.tensor([int((batch_sizes > i).sum()) for i in range(batch)])
    sizes = (batch, steps) if batch_first else (steps, batch)
    return _empty((*sizes, *data.shape[1:]), data.dtype), lengths


def _packed_recurrence(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], to_meta: Callable[[Any], Any]
) -> Any:
    data, _, states = args[:3]
    bidirectional = args[8]
    states = states if isinstance(states, (list, tuple)) else [states]
    width = states[0].shape[-1] * (2 if bidirectional else 1)
    return _empty((data.shape[0], width), data.dtype), *[_empty(s.shape, data.dtype) for s in states]


_SIZED_BY_VALUES: dict[str, Callable[..., Any]] = {
    "index.Tensor": _index,
    "masked_select.": _masked_select,
    "repeat_interleave.self_Tensor": _repeat_interleave,
    "_pack_padded_sequence.": _pack_padded_sequence,
    "_pad_packed_sequence.": _pad_packed_sequence,
    "lstm.data": _packed_recurrence,
    "gru.data": _packed_recurrence,
    "rnn_tanh.data": _packed_recurrence,
    "rnn_relu.data": _packed_recurrence,
}
