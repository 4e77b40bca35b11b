"""Checkpoints as graphs that hold parameters alone: names, shapes, types and bytes, straight from headers.

`load_checkpoint` tells the format by the file's content: safetensors (one file, or many named by an index), GGUF, and
what torch.save and torch.jit.save write.  No tensor is read, no pickle is executed, and nothing beside the standard
library is imported.  A damaged or hostile header is an ArchinspectError; reading one takes time and memory by its size.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ...collector import uncollected
from ...errors import fail
from ...files import open_file
from ...graph import Graph, Parameter
from . import packed, safetensors
from .stored import (
    MAX_DEPTH,
    MAX_HEADER,
    MAX_NAME,
    Contents,
    HeaderError,
    Stored,
    clipped,
    inside,
    printable,
)

__all__ = ["CheckpointSource", "load_checkpoint"]

#: endings of names, which the content overrules where it is something else
_SUFFIXES = (".safetensors", ".gguf", ".pth", ".pt", ".bin", ".ckpt", ".index.json")
_INDEX = ".index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
_FORMATS = "safetensors, GGUF, and what torch.save writes"
_SHOWN_METADATA = 200  # characters of one text


@dataclass(frozen=True)
class CheckpointSource:
    """Where a graph of parameters came from.

    `format` is the files' ("safetensors", "GGUF 3", "PyTorch zip", "TorchScript"), `file_bytes` their sizes together,
    `data_bytes` the part of it that is tensors, `metadata` what the headers say beside, `notes` what a reader of the
    figures must know.
    """

    path: str
    format: str
    files: tuple[str, ...]
    file_bytes: int
    data_bytes: int
    metadata: Mapping[str, Any]
    notes: tuple[str, ...]
    kind: str = "checkpoint"

    def to_dict(self) -> dict[str, object]:
        return {
            "format": self.format,
            "files": list(self.files),
            "file_bytes": self.file_bytes,
            "data_bytes": self.data_bytes,
            "metadata": dict(self.metadata),
        }


@uncollected
def load_checkpoint(path: str | os.PathLike[str]) -> Graph:
    """The parameters of a checkpoint as a graph without inputs: a node for each module that has some.

    `path` is a file, an index of shards (`model.safetensors.index.json`), or any one shard of a split GGUF.

    Raises ArchinspectError: A102 for what is no readable file, A501 for a header that is damaged or of another kind.
    """
    path = os.fspath(path)
    if path.lower().endswith(_INDEX):
        files = _Files()
        contents = _indexed(path, files)
    else:
        files = _Files()
        contents = files.read(path)
        contents = _with_other_shards(path, contents, files)
    packed.unpack(contents)
    return _graph(path, contents, files)


# Files --------------------------------------------------------------------------------------------------------------


@dataclass
class _Files:
    """The files that were read, with their sizes."""

    sizes: dict[str, int] = field(default_factory=dict)

    def read(self, path: str) -> Contents:
        """What one file holds, by its content.  Raises ArchinspectError."""
        file, size = _opened(path)
        with file:
            try:
                contents = _read(path, file, size)
            except HeaderError as error:
                raise error.in_file(path) from None
            except OSError as error:
                raise fail("A102", f"cannot read '{path}': {error.strerror}", help="check the disk") from None
        self.sizes[path] = size
        return contents


def _opened(path: str) -> tuple[BinaryIO, int]:
    help = "a checkpoint is a file: its header says where in it each tensor lies"
    if os.path.isdir(path):
        raise fail("A102", f"'{path}' is a directory", help=inside(path))
    return open_file(path, help=help, pipes=False)


def _read(path: str, file: Any, size: int) -> Contents:
    start = file.read(64)
    file.seek(0)
    if not size:
        raise HeaderError("it is empty")
    if path.lower().endswith(".safetensors"):
        _refuse_pointer(start)
        return safetensors.read(file, size)
    read = _reader(start)
    if read is not None:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read(data, size)
    if start[8:9] == b"{":
        return safetensors.read(file, size)
    _refuse_pointer(start)
    shown = start[:24].decode("ascii", "backslashreplace")
    raise HeaderError(f"it begins with {shown!r}, as no checkpoint does", help=f"readable are {_FORMATS}")


def _reader(start: bytes) -> Callable[[Any, int], Contents] | None:
    """What reads a file that begins so, imported when it is needed; None for others, safetensors among them."""
    if start.startswith(b"GGUF"):
        from .gguf import read

        return read
    if start[8:9] == b"{":  # after eight bytes of length, which may begin like anything
        return None
    # A pickle begins with its protocol; that of protocol 1 with the magic number of torch.save.
    if start.startswith((b"PK\x03\x04", b"\x80", b"L1195470371")):
        from .torch_files import read_legacy, read_zip

        return read_zip if start.startswith(b"PK") else read_legacy
    return None


def _refuse_pointer(start: bytes) -> None:
    if start.startswith(b"version https://git-lfs"):
        raise HeaderError(
            "it is a pointer of Git LFS: the weights themselves were not fetched",
            help="git lfs pull fetches them",
        )


def _indexed(path: str, files: _Files) -> Contents:
    """All shards that an index names, as one.  Raises ArchinspectError, also for shards that are missing."""
    file, size = _opened(path)
    with file:
        try:
            if size > MAX_HEADER:
                raise HeaderError("the index is too large", notes=[f"{size:,} bytes > limit {MAX_HEADER:,}"])
            index = safetensors.parse(file.read(), "the index")
            shards = _shards(index)
        except HeaderError as error:
            raise error.in_file(path) from None
    folder = os.path.dirname(path)
    _refuse_missing(path, [os.path.join(folder, name) for name in shards])
    found: list[tuple[str, Contents]] = []
    for name, listed in shards.items():
        contents = files.read(os.path.join(folder, name))
        absent = listed - {tensor.name for tensor in contents.tensors}
        if absent:
            reason = f"the shard '{name}' has no tensor '{min(absent)}', which the index says it has"
            raise HeaderError(reason, notes=[f"{len(absent):,} of {len(listed):,} are absent"]).in_file(path)
        found.append((name, contents))
    metadata = index.get("metadata")
    return _joined(path, found, metadata if isinstance(metadata, dict) else {})


def _shards(index: Mapping[str, Any]) -> dict[str, set[str]]:
    """The shards of an index in order, with the names of their tensors.  Raises HeaderError."""
    listed = index.get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise HeaderError("the index has no 'weight_map' of tensors and files")
    shards: dict[str, set[str]] = {}
    for tensor, name in listed.items():
        # A name with a folder in it could lead anywhere; libraries write plain ones.
        if not isinstance(name, str) or not name or re.search(r"[/\\:\0]", name) or name in (".", ".."):
            raise HeaderError(f"the index names a shard that is no file beside it: {clipped(name)}")
        if name.lower().endswith(_INDEX):
            raise HeaderError(f"the index names an index as a shard: {clipped(name)}")
        shards.setdefault(name, set()).add(tensor)
    return dict(sorted(shards.items()))


def _with_other_shards(path: str, contents: Contents, files: _Files) -> Contents:
    """A split GGUF as a whole; of another file that is called a shard, a note that there is more."""
    named = _SHARD.fullmatch(os.path.basename(path))
    count = contents.metadata.get("split.count")
    if type(count) is int and count > 1:
        if named is None or count != int(named["count"]):
            reason = f"it is one of {count:,} parts, and its name does not say which"
            raise HeaderError(reason, help="parts are called NAME-00001-of-00003.gguf").in_file(path)
        names = [
            f"{named['stem']}-{part:05}-of-{named['count']}{named['suffix']}" for part in range(1, count + 1)
        ]
        paths = [os.path.join(os.path.dirname(path), name) for name in names]
        _refuse_missing(path, paths)
        parts = [contents if other == path else files.read(other) for other in paths]
        return _joined(path, list(zip(names, parts, strict=True)), {})
    if named is not None and int(named["count"]) > 1:
        contents.notes.append(f"One of {int(named['count']):,} shards; their index ({_INDEX}) names all.")
    return contents


def _refuse_missing(path: str, shards: list[str]) -> None:
    missing = [os.path.basename(shard) for shard in shards if not os.path.exists(shard)]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        reason = f"{len(missing):,} of {len(shards):,} shards are missing: {', '.join(missing[:3])}{more}"
        raise HeaderError(reason, help="they must lie beside it").in_file(path)


def _joined(path: str, parts: list[tuple[str, Contents]], metadata: Mapping[str, Any]) -> Contents:
    """Several files as one.  Raises ArchinspectError where two have a tensor of the same name."""
    homes: dict[str, str] = {}
    joined = Contents(parts[0][1].format, [], 0)
    for name, part in parts:
        for tensor in part.tensors:
            if tensor.name in homes:
                reason = f"the tensor '{tensor.name}' is in '{homes[tensor.name]}' and in '{name}'"
                raise HeaderError(reason).in_file(path)
            homes[tensor.name] = name
            if tensor.identity is not None:
                tensor.identity = (name, tensor.identity)  # storages are numbered in each file anew
            joined.tensors.append(tensor)
        joined.data_bytes += part.data_bytes
        joined.metadata = part.metadata | joined.metadata
        joined.notes += [note for note in part.notes if note not in joined.notes]
    joined.metadata.update(metadata)
    return joined


# The graph ----------------------------------------------------------------------------------------------------------


def _graph(path: str, contents: Contents, files: _Files) -> Graph:
    """The tensors as parameters of the modules that their names tell."""
    try:
        names = _printable_names(contents.tensors)
    except HeaderError as error:
        raise error.in_file(path) from None
    source = CheckpointSource(
        path,
        contents.format,
        tuple(os.path.basename(file) for file in files.sizes),
        sum(files.sizes.values()),
        contents.data_bytes,
        {printable(str(key), _SHOWN_METADATA): _shown(value) for key, value in contents.metadata.items()},
        tuple(printable(note) for note in contents.notes),
    )
    return Graph.of_parameters(
        _name(path, contents),
        _parameters(contents.tensors, names),
        source=source,
        holders={
            name: printable(tensor.holder)
            for name, tensor in zip(names, contents.tensors, strict=True)
            if tensor.holder is not None
        },
        classes={printable(scope): name for scope, name in contents.classes.items()},
    )


def _printable_names(tensors: list[Stored]) -> list[str]:
    """The names as terminals may see them, each once.  Raises HeaderError for those of absurd length."""
    names: dict[str, None] = {}
    for tensor in tensors:
        name = printable(tensor.name, 2 * MAX_NAME)
        if len(name) > MAX_NAME or name.count(".") > MAX_DEPTH:
            raise HeaderError(
                f"a tensor's name is too long: '{name[:60]}…'", notes=[f"{len(name):,} characters"]
            )
        unique, count = name, 1
        while unique in names:  # keys of a pickle may differ in their types alone, such as 1 and "1"
            count += 1
            unique = f"{name}#{count}"
        names[unique] = None
    return list(names)


def _parameters(tensors: list[Stored], names: list[str]) -> list[Parameter]:
    """One parameter for all tensors of one identity, under their names."""
    groups: dict[Any, list[int]] = {}
    for number, tensor in enumerate(tensors):
        key = ("alone", number) if tensor.identity is None else tensor.identity
        groups.setdefault(key, []).append(number)
    parameters = []
    for numbers in groups.values():
        first = tensors[numbers[0]]
        buffer = all(tensors[number].buffer is True for number in numbers)
        parameters.append(
            Parameter(
                tuple(names[number] for number in numbers),
                first.shape,
                first.dtype,
                trainable=not buffer and first.trainable is not False,
                buffer=buffer,
                stored=first.bytes,
            )
        )
    return parameters


def _name(path: str, contents: Contents) -> str:
    """The network's name: what the file says of itself, or else how the file is called."""
    base = os.path.basename(path)
    for suffix in (_INDEX, *_SUFFIXES):
        if base.lower().endswith(suffix):
            base = base[: -len(suffix)]
    for suffix in _SUFFIXES:  # model.safetensors.index.json
        base = base.removesuffix(suffix)
    named = contents.metadata.get("general.name")
    text = named if isinstance(named, str) and named.strip() else base
    return printable(text, 100) or "checkpoint"


def _shown(value: Any) -> Any:
    """A value of metadata that JSON and terminals can take."""
    if isinstance(value, str):
        return printable(value, _SHOWN_METADATA)
    if isinstance(value, float):
        return value if abs(value) < 1e308 else str(value)
    if isinstance(value, (bool, int)) or value is None:
        return value if not isinstance(value, int) or value.bit_length() <= 64 else clipped(value)
    if isinstance(value, list) and len(value) <= 64:
        return [_shown(inner) for inner in value]
    return clipped(value)
