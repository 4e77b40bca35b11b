"""What all readers of checkpoints share: a stored tensor, a file's contents, types and their bits, and refusals."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import ArchinspectError, fail
from ...graph import ELEMENT_BYTES

#: a header may be this long; the safetensors library has the same limit
MAX_HEADER = 100_000_000
MAX_DIMENSIONS = 64  # as many as PyTorch's tensors have at most
MAX_SIZE = 2**63 - 1  # sizes and offsets are signed 64-bit numbers in every library
MAX_DEPTH = 200  # of containers inside containers, and of parts in a name
MAX_NAME = 4_000

#: bits of one element where they are no whole bytes, or where `ELEMENT_BYTES` does not know the type
_BITS = {
    "float4_e2m1fn": 4,
    "float4_e2m1fn_x2": 8,  # PyTorch's own: one element is a pair
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
    "complex32": 32,
    "qint8": 8,
    "quint8": 8,
    "qint32": 32,
    "quint4x2": 8,
    "quint2x4": 8,
    "bits8": 8,
    "bits16": 16,
    "bits1x8": 8,
    "bits2x4": 8,
    "bits4x2": 8,
}


def element_bits(dtype: str) -> int | None:
    """Bits of one element of a type by PyTorch's name; None for a type that nobody here knows."""
    size = ELEMENT_BYTES.get(dtype)
    return 8 * size if size is not None else _BITS.get(dtype)


@dataclass(slots=True)
class Stored:
    """One named tensor of a file, as its header describes it.

    Tensors of one `identity` are one tensor under several names.  `trainable` and `buffer` are None where the file does
    not say; `holder` is the scope that shows the tensor, where that is not its name without the last part.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    identity: Hashable = None
    trainable: bool | None = None
    buffer: bool | None = None
    holder: str | None = None

    @property
    def scope(self) -> str:
        return self.name.rpartition(".")[0] if self.holder is None else self.holder

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(slots=True)
class Contents:
    """What one file holds: its tensors in its own order, and what else its header says.

    `data_bytes` is what the file takes for the data of all tensors together, `classes` the classes of modules by path
    where modules were pickled, `notes` what a reader of the figures must know.
    """

    format: str
    tensors: list[Stored]
    data_bytes: int
    metadata: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class HeaderError(Exception):
    """What is wrong with a file's header, without the file's name (`load_checkpoint` adds it).

    `notes` say where and how much; `help` names a way out.
    """

    def __init__(self, reason: str, *, notes: Iterable[str] = (), help: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.notes = tuple(notes)
        self.help = help

    def in_file(self, path: str) -> ArchinspectError:
        return fail(
            "A501",
            f"cannot read the checkpoint '{path}'",
            notes=[self.reason, *self.notes],
            help=self.help or "is it whole? An interrupted download ends early",
        )


def inside(folder: str) -> str:
    """What to name instead of a folder: an index before single files."""
    endings = (".index.json", ".safetensors", ".gguf", ".pth", ".pt", ".bin")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for ending in endings:
        for name in names:
            if name.endswith(ending):
                return f"name a file inside it: {os.path.join(folder, name)}"
    return "name a file inside it"


def check_shape(name: str, shape: Sequence[Any]) -> tuple[int, ...]:
    """The shape, when it is one: a few whole numbers, none negative.  Raises HeaderError."""
    if len(shape) > MAX_DIMENSIONS:
        raise HeaderError(
            f"tensor '{name}' has {len(shape):,} dimensions", notes=[f"at most {MAX_DIMENSIONS} are possible"]
        )
    for size in shape:
        if type(size) is not int or not 0 <= size <= MAX_SIZE:
            raise HeaderError(f"tensor '{name}' has a dimension that is no size: {clipped(size)}")
    if math.prod(shape) > MAX_SIZE:
        raise HeaderError(
            f"tensor '{name}' has more elements than can be addressed", notes=[f"shape {list(shape)}"]
        )
    return tuple(shape)


def check_places(places: list[tuple[int, int, str]], *, gaps: bool) -> None:
    """Refuse tensors that lie over one another, given as (begin, end, name); `gaps` allows room between them."""
    places.sort()
    reached, before = 0, ""
    for begin, end, name in places:
        if begin < reached:
            raise HeaderError(
                f"the tensors '{before}' and '{name}' overlap",
                notes=[f"one ends at {reached:,}, the next begins at {begin:,}"],
            )
        if begin > reached and not gaps:
            raise HeaderError(
                f"{begin - reached:,} bytes before tensor '{name}' belong to no tensor",
                notes=[f"data from {reached:,} to {begin:,}"],
            )
        reached, before = end, name


def clipped(value: Any) -> str:
    """A value of a header in a few words, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length():,} bits"
    if isinstance(value, (str, int, float, bool)) or value is None:
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:50]}…"
    return _KINDS.get(type(value).__name__, f"a {type(value).__name__}")


#: what `pickles` makes of things that are no plain data
_KINDS = {"Made": "an object", "Name": "a class", "Persistent": "a storage"}


def printable(text: str, limit: int = MAX_NAME) -> str:
    """A text of a file as a terminal may see it: what does not print as its escape sequence, of bounded length."""
    if len(text) > limit:
        text = f"{text[:limit]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
