"""What torch.save and torch.jit.save wrote: zip files, and the older form of pickles one after another.

Nothing is unpickled: `pickles` reads the calls that would rebuild tensors, and their arguments are shape, type and
storage.  Tensors of one storage, place, shape and strides are one tensor under several names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import zips
from .pickles import Made, Name, Persistent, Unpickler
from .stored import (
    MAX_DEPTH,
    MAX_DIMENSIONS,
    MAX_HEADER,
    MAX_NAME,
    MAX_SIZE,
    Contents,
    HeaderError,
    Stored,
    check_shape,
    clipped,
    element_bits,
)

#: pickles beside the data are small; each byte of one is an operation of the reader
_MAX_PICKLE = 64 << 20
_MAX_TENSORS = 250_000  # names cost memory, and a pickle may list one tensor again and again
_MAX_NESTED = 4  # tensors of tensors of tensors
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001

# Types of storages by the name of their class (torch/storage.py).
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "uint8",
}
# Functions that a pickle calls to rebuild a tensor from (storage, offset, size, strides, requires_grad, ...).
_REBUILD = {
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
}
_REBUILD_PARAMETER = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}
_REBUILD_META = "torch._utils._rebuild_meta_tensor_no_storage"
_REBUILD_TYPED = {"torch._tensor._rebuild_from_type_v2", "torch._tensor._rebuild_from_type"}
_REBUILD_SUBCLASS = "torch._utils._rebuild_wrapper_subclass"
_ARRAYS = {
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.numeric._frombuffer",
    "numpy._core.numeric._frombuffer",
}


def read_zip(data: Any, size: int) -> Contents:
    """The tensors of a zip file, as torch.save and torch.jit.save write it since 2020.  Raises HeaderError."""
    entries = zips.directory(data, size)
    name = next((name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")), None)
    if name is None:
        raise HeaderError(*_other_zip(entries))
    prefix = name[: -len("data.pkl")]
    script = any(entry.startswith(f"{prefix}code/") for entry in entries)
    walk = _Walk()
    for part in ("data", "constants") if script else ("data",):
        pickle = entries.get(f"{prefix}{part}.pkl")
        if pickle is not None:
            content = zips.unpack(data, f"{part}.pkl", pickle, _MAX_PICKLE)
            walk.storages = {}
            reader = Unpickler(content, len(content))
            root = reader.load()
            walk.visit(root, () if part == "data" else (part,))
            walk.add_storages(reader.persistent)
            _check_records(walk.storages, entries, f"{prefix}{part}/")
    stored = sum(
        entry.size
        for name, entry in entries.items()
        if name.startswith((f"{prefix}data/", f"{prefix}constants/"))
    )
    return walk.contents("TorchScript" if script else "PyTorch zip", stored)


def _other_zip(entries: Mapping[str, Any]) -> tuple[str]:
    if any(name.endswith(("models/model.json", "serialized_exported_program.json")) for name in entries):
        return ("it is an exported program, not a checkpoint: its name must end in .pt2",)
    return ("it is a zip file without data.pkl, so not one of torch.save",)


def _check_records(storages: Mapping[str, _Storage], entries: Mapping[str, zips.Entry], folder: str) -> None:
    """Refuse storages that the archive does not have, or has in another size."""
    for key, storage in storages.items():
        if storage.location == "meta":
            continue
        entry = entries.get(folder + key)
        if entry is None:
            raise HeaderError(f"its storage '{clipped(key)[1:-1]}' is not in the archive")
        if entry.size != storage.bytes:
            note = f"{storage.numel:,} of {storage.dtype} are {storage.bytes:,} bytes, the archive has {entry.size:,}"
            raise HeaderError(f"its storage '{key}' has the wrong size", notes=[note])


def read_legacy(data: Any, size: int) -> Contents:
    """The tensors of a file in the form that torch.save wrote before 2020.  Raises HeaderError.

    A magic number, a version, facts about the machine, the object and the keys of its storages are pickles in a row;
    then come the storages, each with its number of elements before it.
    """
    reader = Unpickler(data, min(size, _MAX_PICKLE))
    if reader.load() != _LEGACY_MAGIC:
        raise HeaderError("it is a pickle that torch.save did not write")
    version = reader.load()
    if version != _LEGACY_VERSION:
        raise HeaderError(
            f"it has version {clipped(version)} of torch.save's older form",
            notes=[f"{_LEGACY_VERSION} is known"],
        )
    facts, root = reader.load(), reader.load()
    persistent, keys = reader.persistent, reader.load()
    order: Literal["big", "little"] = (
        "big" if isinstance(facts, dict) and facts.get("little_endian") is False else "little"
    )
    walk = _Walk()
    walk.visit(root, ())
    walk.add_storages(persistent)
    if not isinstance(keys, list):
        raise HeaderError("it has no list of its storages")
    position, stored = reader.position, 0
    for key in keys:
        storage = walk.storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise HeaderError(f"it lists a storage that nothing refers to: {clipped(key)}")
        where = f"storage '{clipped(key)[1:-1]}' at byte {position:,} of {size:,}"
        if position + 8 + storage.bytes > size:
            raise HeaderError(
                "the file ends before its data does", notes=[f"{where} takes {storage.bytes:,}"]
            )
        numel = int.from_bytes(data[position : position + 8], order, signed=True)
        if numel != storage.numel:
            note = f"{where} has {numel:,} elements, and {storage.numel:,} are expected"
            raise HeaderError("a storage has the wrong size", notes=[note])
        position += 8 + storage.bytes
        stored += storage.bytes
    return walk.contents("PyTorch, older form", stored)


@dataclass(slots=True)
class _Storage:
    """A stretch of numbers that tensors look at."""

    key: str
    dtype: str
    numel: int
    location: str

    @property
    def bytes(self) -> int:
        return self.numel * (element_bits(self.dtype) or 0) // 8


#: a key (none where the value has its container's name), a value, and whether it holds buffers, where that is known
_Item = tuple[str | None, Any, bool | None]


@dataclass(slots=True)
class _Found:
    """A tensor in the object that was pickled, with the keys that lead to it and the container that holds it."""

    keys: tuple[str, ...]
    tensor: Stored
    container: int
    optimiser: tuple[str, ...] | None


@dataclass
class _Walk:
    """A pass over what was pickled, in order, that lists the tensors.

    A container is looked into once, whatever leads to it: what refers to itself ends, and what is used again and again
    costs nothing.
    """

    storages: dict[str, _Storage] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)
    classes: dict[tuple[str, ...], str] = field(default_factory=dict)
    arrays: int = 0
    root: str = ""
    level: int = 0  # how many tensors of tensors this pass is inside
    _letters: int = 0  # of all names
    _seen: set[int] = field(default_factory=set)
    _tensors: dict[int, Stored | None] = field(default_factory=dict)
    _inner: dict[int, int] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # what an id stands for must live on

    def visit(self, root: Any, keys: tuple[str, ...]) -> None:
        """List the tensors in `root`, which `keys` lead to.  Raises HeaderError."""
        self.root = self.root or _kind(root)
        self._kept.append(root)
        top: Iterator[_Item] = iter([(None, root, None)])
        # Containers that are open, outermost first: their keys, what is left of them, their id, the keys of the
        # optimiser that they are part of, and whether they hold buffers.
        stack: list[tuple[tuple[str, ...], Iterator[_Item], int, tuple[str, ...] | None, bool | None]]
        stack = [(keys, top, 0, None, None)]
        while stack:
            above, items, container, optimiser, buffer = stack[-1]
            for key, value, known in items:
                if not isinstance(value, (dict, list, tuple, Made)):
                    continue
                keys = above if key is None else (*above, key)
                holds_buffers = buffer if known is None else known
                tensor = self._tensor(value) if isinstance(value, Made) else None
                if tensor is not None:
                    self._list(keys, tensor, container, optimiser, holds_buffers)
                elif id(value) not in self._seen:
                    self._seen.add(id(value))
                    if len(stack) > MAX_DEPTH:
                        raise HeaderError(f"its containers nest more than {MAX_DEPTH} deep")
                    if isinstance(value, dict) and value.keys() >= {"state", "param_groups"}:
                        optimiser = optimiser or keys or ("optimizer",)
                        stack.append((keys, self._inside(value, keys), id(value), optimiser, True))
                    else:
                        stack.append((keys, self._inside(value, keys), id(value), optimiser, holds_buffers))
                    break
            else:
                stack.pop()

    def _list(
        self,
        keys: tuple[str, ...],
        tensor: Stored,
        container: int,
        optimiser: tuple[str, ...] | None,
        buffer: bool | None,
    ) -> None:
        letters = sum(map(len, keys)) + len(keys)
        self._letters += letters
        if letters > MAX_NAME:
            raise HeaderError(
                f"a tensor has a name of {letters:,} characters", notes=[f"{letters:,} > limit {MAX_NAME:,}"]
            )
        if len(self.found) == _MAX_TENSORS or self._letters > MAX_HEADER:
            raise HeaderError(f"it lists more than {len(self.found):,} tensors, which is too many to show")
        own = Stored("", tensor.shape, tensor.dtype, tensor.bytes, tensor.identity, tensor.trainable, buffer)
        self.found.append(_Found(keys, own, container, optimiser))

    def add_storages(self, references: list[Persistent]) -> None:
        """Know the storages, too, that no listed tensor looks at.  Raises HeaderError."""
        for reference in references:
            if not _is_module(reference):
                self._storage(reference.key)

    def _inside(self, value: Any, keys: tuple[str, ...]) -> Iterator[_Item]:
        """What a container holds, one after another.

        What several objects may share is handed on as a container of its own, without a key, so that it is met once.
        """
        if isinstance(value, dict):
            for key, inner in value.items():
                yield _text(key), inner, None
        elif isinstance(value, (list, tuple)):
            for index, inner in enumerate(value):
                yield str(index), inner, None
        else:
            yield from self._inside_object(value, keys)

    def _inside_object(self, value: Made, keys: tuple[str, ...]) -> Iterator[_Item]:
        kind, state = _kind(value), value.state
        if kind in _ARRAYS:
            self.arrays += 1
            return
        if isinstance(state, dict) and "_modules" in state and "_parameters" in state:
            self.classes[keys] = kind.rpartition(".")[2]
            for part, buffers in (("_parameters", False), ("_buffers", True), ("_modules", None)):
                yield None, state.get(part), buffers
            return
        for key, inner in value.pairs.items():
            yield _text(key), inner, None
        for index, inner in enumerate(value.items):
            yield str(index), inner, None
        if kind in _MAPPINGS:
            yield from self._inside_pairs(value.args)
            return
        if kind.startswith("__torch__."):
            self.classes[keys] = kind.rpartition(".")[2]
        yield None, state, None
        yield None, value.args, None

    def _inside_pairs(self, args: Any) -> Iterator[_Item]:
        """A mapping that is made of a list of pairs, as Python 2 wrote it."""
        pairs = args[-1] if isinstance(args, tuple) and args else None
        if isinstance(pairs, list) and id(pairs) not in self._seen:
            self._seen.add(id(pairs))
            for pair in pairs:
                if isinstance(pair, (list, tuple)) and len(pair) == 2:
                    yield _text(pair[0]), pair[1], None

    def _tensor(self, value: Made) -> Stored | None:
        """The tensor that a call rebuilds; None for every other call."""
        if id(value) not in self._tensors:
            self._tensors[id(value)] = self._rebuilt(value)
        return self._tensors[id(value)]

    def _rebuilt(self, value: Made) -> Stored | None:
        trainable: bool | None = None
        for _ in range(4):  # a parameter of a tensor of a subclass
            what, args = _kind(value), value.args
            if not isinstance(args, tuple):
                return None
            if what in _REBUILD:
                found = self._plain(args)
            elif what == _REBUILD_META:
                found = self._meta(args)
            elif what in _REBUILD_PARAMETER and len(args) >= 2 and isinstance(args[0], Made):
                trainable = args[1] is True
                value = args[0]
                continue
            elif what in _REBUILD_TYPED and len(args) >= 3:
                if isinstance(args[0], Name) and args[0].path == _REBUILD_SUBCLASS:
                    found = self._subclass(args)
                else:
                    value = Made(args[0], args[2])
                    continue
            else:
                return None
            if trainable is not None:
                found.trainable = trainable
            return found
        return None

    def _plain(self, args: tuple[Any, ...]) -> Stored:
        """A tensor of a storage: (storage, offset, size, strides, requires_grad, hooks, type, ...)."""
        if len(args) < 4 or not isinstance(args[0], Persistent):
            raise HeaderError("a tensor has no storage")
        reference = args[0].key
        storage = self._storage(reference)
        offset, size, strides = args[1:4]
        size, strides = _sizes(size), _sizes(strides)
        what = f"of storage '{storage.key}'"
        shape = check_shape(what, size)
        dtype, numel = storage.dtype, storage.numel
        if len(args) >= 7 and isinstance(args[6], Name):  # types younger than typed storages
            dtype = args[6].path.removeprefix("torch.")
            bits = element_bits(dtype)
            if bits is None:
                raise HeaderError(f"a tensor has the type '{clipped(dtype)}', which is not known")
            numel = storage.bytes * 8 // bits
        if len(strides) != len(shape) or not all(type(s) is int and abs(s) <= MAX_SIZE for s in strides):
            raise HeaderError(f"a tensor {what} has impossible strides")
        if type(offset) is not int or not 0 <= offset <= MAX_SIZE or min(strides, default=0) < 0:
            raise HeaderError(f"a tensor {what} has an impossible place")
        count = math.prod(shape)
        reach = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True)) + 1
        if count and reach > numel:
            raise HeaderError(f"a tensor {what} reaches beyond it", notes=[f"{reach:,} > {numel:,} elements"])
        # A tensor that was expanded has more elements than its storage has numbers.
        stored = min(count * (element_bits(dtype) or 0) // 8, storage.bytes)
        grad = args[4] if len(args) >= 5 and isinstance(args[4], bool) else None
        # The older form knows views of storages, whose offsets count from their own beginning.
        view = (
            reference[5][0]
            if len(reference) > 5 and isinstance(reference[5], tuple) and reference[5]
            else None
        )
        identity = (
            storage.key,
            offset,
            shape,
            tuple(strides),
            dtype,
            view if isinstance(view, str) else None,
        )
        return Stored("", shape, dtype, stored, identity, grad or None)

    def _meta(self, args: tuple[Any, ...]) -> Stored:
        """A tensor without data: (type, size, strides, requires_grad)."""
        if len(args) < 2 or not isinstance(args[0], Name):
            raise HeaderError("a tensor without data has no type")
        return Stored(
            "", check_shape("without data", _sizes(args[1])), args[0].path.removeprefix("torch."), 0
        )

    def _subclass(self, args: tuple[Any, ...]) -> Stored:
        """A tensor of other tensors, such as a quantised one: (function, class, (class, type, size, ...), state)."""
        inner = args[2]
        if not isinstance(inner, tuple) or len(inner) < 3 or not isinstance(inner[1], Name):
            raise HeaderError("a tensor of other tensors has no type and size")
        shape = check_shape("of other tensors", _sizes(inner[2]))
        if self.level == _MAX_NESTED:
            raise HeaderError("tensors consist of tensors without end")
        # What the file takes for it is the sum of the tensors in its state.
        state = args[3] if len(args) > 3 else None
        stored = self._inner.get(id(state))
        if stored is None:
            below = _Walk(storages=self.storages, level=self.level + 1, _inner=self._inner)
            below.visit([state], ())
            stored = sum({found.tensor.identity: found.tensor.bytes for found in below.found}.values())
            self._inner[id(state)] = stored
        dtype = _kind(args[1]).rpartition(".")[2] if isinstance(args[1], Name) else inner[1].path
        return Stored("", shape, dtype, stored)

    def _storage(self, key: Any) -> _Storage:
        """A reference to a storage: ("storage", class, key, location, elements, view of another)."""
        if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage":
            raise HeaderError(f"its pickle refers to what is no storage: {clipped(key)}")
        _, kind, name, location, numel = key[:5]
        if isinstance(name, int) and abs(name) <= MAX_SIZE:
            name = str(name)
        if (
            not isinstance(name, str)
            or len(name) > 200
            or type(numel) is not int
            or not 0 <= numel <= MAX_SIZE
        ):
            raise HeaderError("its pickle refers to a storage without name or size")
        known = self.storages.get(name)
        if known is None:
            written = _kind(kind)
            dtype = _STORAGES.get(written.rpartition(".")[2])
            if dtype is None:
                raise HeaderError(
                    f"its storage '{name}' has the type '{clipped(written)}', which is not known"
                )
            known = self.storages[name] = _Storage(
                name, dtype, numel, location if isinstance(location, str) else ""
            )
        elif known.numel != numel:
            raise HeaderError(f"its storage '{name}' is said to have {known.numel:,} and {numel:,} elements")
        return known

    def contents(self, format: str, stored: int) -> Contents:
        """What was found, under its names.  Raises HeaderError where there is nothing."""
        if not self.found:
            arrays = f", and {self.arrays:,} numpy arrays" if self.arrays else ""
            raise HeaderError(
                f"it holds no tensor, but a {clipped(self.root)[1:-1]}{arrays}",
                help="save model.state_dict()",
            )
        # Where all but an optimiser's tensors lie in one mapping, as a training program saves it beside its progress,
        # that mapping's keys are the names.
        network = [found for found in self.found if found.optimiser is None]
        within: tuple[str, ...] = ()
        if network and not self.classes and len({found.container for found in network}) == 1:
            within = network[0].keys[:-1]
        for found in self.found:
            keys = found.keys
            if found.optimiser is not None:
                found.tensor.holder, found.tensor.buffer = ".".join(found.optimiser), True
            elif within:
                keys = keys[len(within) :]
            found.tensor.name = ".".join(keys)
        result = Contents(format, [found.tensor for found in self.found], stored, {}, {}, self.notes)
        result.classes = {".".join(keys): name for keys, name in self.classes.items() if keys}
        if self.classes.get(()):
            result.metadata["class"] = self.classes[()]
        if within:
            result.notes.append(f"The tensors lie under '{'.'.join(within)}' in the file.")
        states = [found for found in self.found if found.optimiser is not None]
        if states:
            result.notes.append(
                f"{sum(found.tensor.numel for found in states):,} numbers are an optimiser's, and no parameters."
            )
        if self.arrays:
            result.notes.append(f"{self.arrays:,} numpy arrays are no tensors, and are not listed.")
        return result


_MAPPINGS = {"collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict"}


def _kind(value: Any) -> str:
    """The name of the class or function that made a value."""
    for _ in range(8):
        if isinstance(value, Name):
            return value.path
        if isinstance(value, Persistent) and _is_module(value):
            value = value.key[1]
            continue
        if not isinstance(value, Made):
            break
        what, args = value.what, value.args
        # Protocols 0 and 1 make objects by copyreg._reconstructor(class, base, state).
        if (
            isinstance(what, Name)
            and what.path.startswith(("copyreg.", "copy_reg."))
            and isinstance(args, tuple)
            and args
        ):
            value = args[0]
        else:
            value = what
    return type(value).__name__


def _is_module(reference: Persistent) -> bool:
    """Whether it stands for a class, with its source beside it, as whole modules were once saved."""
    return isinstance(reference.key, tuple) and len(reference.key) > 1 and reference.key[0] == "module"


def _sizes(value: Any) -> list[Any]:
    """A shape or strides: a tuple of numbers, or the torch.Size of one."""
    if isinstance(value, Made) and isinstance(value.args, tuple) and len(value.args) == 1:
        value = value.args[0]
    if not isinstance(value, (tuple, list)):
        raise HeaderError(f"a tensor has no shape: {clipped(value)}")
    if len(value) > MAX_DIMENSIONS:
        raise HeaderError(
            f"a tensor has {len(value):,} dimensions", notes=[f"at most {MAX_DIMENSIONS} are possible"]
        )
    return list(value)


def _text(key: Any) -> str:
    """A key as a part of a name."""
    return key if isinstance(key, str) else clipped(key)
