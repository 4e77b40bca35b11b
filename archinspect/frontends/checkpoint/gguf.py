"""Headers of GGUF files, versions 2 and 3: counts, key-value pairs, tensors, then aligned data.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md describes the format.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .stored import MAX_SIZE, Contents, HeaderError, Stored, check_places, check_shape

_VERSIONS = (2, 3)
_MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
_MAX_NESTING = 8  # of arrays; files have arrays of texts and numbers only
_ALIGNMENT = 32

# Codes of struct by the number of a value's type: the numbers, and true or false.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
#: an array's values are kept up to this many: vocabularies are counted, not kept
_KEPT = 16

# Types of tensors by their number (ggml.h, enum ggml_type): name, elements and bytes of a block (ggml-common.h).
_TYPES = {
    0: ("float32", 1, 4),
    1: ("float16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("int8", 1, 1),
    25: ("int16", 1, 2),
    26: ("int32", 1, 4),
    27: ("int64", 1, 8),
    28: ("float64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("bfloat16", 1, 2),
    31: ("Q4_0_4_4", 32, 18),  # Q4_0 in another order; newer files have it no more
    32: ("Q4_0_4_8", 32, 18),
    33: ("Q4_0_8_8", 32, 18),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}

# What a file is mostly made of, by `general.file_type` (llama.h, enum llama_ftype).
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4",
    40: "Q1_0",
}  # fmt: skip


def read(data: Any, size: int) -> Contents:
    """The tensors that the header in `data` (bytes or a memory map of the file) names.  Raises HeaderError."""
    header = _Header(data, size)
    header.position = 4
    version = header.number("I")
    if version not in _VERSIONS and int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
        header.order, version = ">", int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in _VERSIONS:
        raise HeaderError(
            f"it is GGUF of version {version:,}", help="versions 2 and 3 can be read; convert it anew"
        )
    tensor_count, pair_count = header.number("Q"), header.number("Q")
    metadata: dict[str, Any] = {}
    for _ in range(header.believable(pair_count, 13, "key-value pairs")):
        key = header.text()
        if key in metadata:
            raise HeaderError(f"the key '{key}' stands twice", notes=[header.place])
        metadata[key] = header.value(header.number("I"))
    entries = [header.tensor() for _ in range(header.believable(tensor_count, 24, "tensors"))]
    start = _data_start(header, metadata)
    tensors, places = [], []
    for tensor, offset in entries:
        if start + offset + tensor.bytes > size:
            note = f"tensor '{tensor.name}' ends at byte {start + offset + tensor.bytes:,} of {size:,}"
            raise HeaderError("the file ends before its data does", notes=[note])
        tensors.append(tensor)
        places.append((offset, offset + tensor.bytes, tensor.name))
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise HeaderError("two tensors have the same name")
    check_places(places, gaps=True)
    file_type = metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type in _FILE_TYPES:
        metadata["general.file_type"] = _FILE_TYPES[file_type]
    stored = sum(tensor.bytes for tensor in tensors)
    return Contents(f"GGUF {version}", tensors, stored, metadata)


def _data_start(header: _Header, metadata: dict[str, Any]) -> int:
    """Where the data begins: after the header, at a multiple of the alignment."""
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        raise HeaderError(f"the alignment is no power of two: {alignment!r}"[:200])
    return -(-header.position // alignment) * alignment


@dataclass
class _Header:
    """The bytes of a header, and how far they have been read."""

    data: Any
    size: int
    position: int = 0
    order: str = "<"

    @property
    def place(self) -> str:
        return f"byte {self.position:,} of {self.size:,}"

    def take(self, count: int, what: str) -> int:
        """Pass over so many bytes; where they begin.  Raises HeaderError where the file has fewer."""
        begin = self.position
        if count > self.size - begin:
            note = f"{count:,} bytes of {what} at byte {begin:,} of {self.size:,}"
            raise HeaderError("the file ends inside its header", notes=[note])
        self.position = begin + count
        return begin

    def number(self, code: str) -> Any:
        found = struct.Struct(self.order + code)
        return found.unpack_from(self.data, self.take(found.size, "a number"))[0]

    def text(self) -> str:
        length = self.number("Q")
        begin = self.take(length, "a text")
        try:
            return bytes(self.data[begin : begin + length]).decode()
        except UnicodeDecodeError:
            raise HeaderError("a text is not UTF-8", notes=[f"byte {begin:,}"]) from None

    def believable(self, count: int, least: int, what: str) -> int:
        """The count, when the rest of the file could hold so many of at least `least` bytes each."""
        if count > (self.size - self.position) // least:
            note = f"{count:,} {what} need {count * least:,} bytes, {self.size - self.position:,} follow"
            raise HeaderError(f"it cannot hold so many {what}", notes=[note])
        return count

    def value(self, kind: int, nesting: int = 0) -> Any:
        """A value of metadata.  Of long arrays only how many there are."""
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise HeaderError(f"a value has the type {kind:,}, which GGUF does not have", notes=[self.place])
        if nesting == _MAX_NESTING:
            raise HeaderError(f"arrays lie more than {_MAX_NESTING} deep in one another", notes=[self.place])
        inner, count = self.number("I"), self.number("Q")
        if count <= _KEPT:
            return [self.value(inner, nesting + 1) for _ in range(count)]
        if inner in _NUMBERS:
            self.take(count * struct.calcsize(self.order + _NUMBERS[inner]), "an array")
        elif inner == _TEXT:
            self._skip_texts(self.believable(count, 8, "texts"))
        else:
            for _ in range(self.believable(count, 12, "arrays")):
                self.value(inner, nesting + 1)
        return f"{count:,} values"

    def _skip_texts(self, count: int) -> None:
        """Pass over texts, such as a vocabulary of 100,000: the hot loop of this reader."""
        length_at: Callable[..., tuple[int]] = struct.Struct(self.order + "Q").unpack_from
        data, position = self.data, self.position
        try:
            for _ in range(count):
                position += 8 + length_at(data, position)[0]
        except (struct.error, OverflowError):  # beyond the end
            position = self.size + 1
        if position > self.size:
            raise HeaderError("the file ends inside its header", notes=[f"texts at {self.place}"])
        self.position = position

    def tensor(self) -> tuple[Stored, int]:
        """One tensor's entry, and where its data begins inside the data."""
        name, rank = self.text(), self.number("I")
        if rank > _MAX_DIMENSIONS:
            raise HeaderError(
                f"tensor '{name}' has {rank:,} dimensions", notes=[f"GGUF has {_MAX_DIMENSIONS} at most"]
            )
        # GGUF lists dimensions from the fastest to the slowest, everybody else the other way round.
        shape = check_shape(name, [self.number("Q") for _ in range(rank)][::-1])
        kind, offset = self.number("I"), self.number("Q")
        if kind not in _TYPES:
            raise HeaderError(
                f"tensor '{name}' has the type {kind:,}, which is not known",
                notes=["how many bytes it takes cannot be said"],
                help="is the file newer than this program?",
            )
        dtype, block, block_bytes = _TYPES[kind]
        elements = 1
        for length in shape:
            elements *= length
        row = shape[-1] if shape else 1
        if row % block:
            raise HeaderError(
                f"tensor '{name}' does not consist of whole blocks",
                notes=[f"rows of {row:,} in blocks of {block} ({dtype})"],
            )
        if offset > MAX_SIZE:
            raise HeaderError(f"tensor '{name}' has an impossible offset", notes=[f"{offset:,}"])
        return Stored(name, shape, dtype, elements // block * block_bytes), offset
