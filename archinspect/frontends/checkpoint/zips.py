"""The directory of a zip file, and its small entries: what `.pth` files are since PyTorch 1.6.

Python's `zipfile` does it too, and importing it takes longer than reading a checkpoint of a thousand tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .stored import MAX_HEADER, HeaderError

MAGIC = b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")  # end of central directory
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_STORED, _DEFLATED = 0, 8


@dataclass(slots=True)
class Entry:
    """A file in the archive: how it is packed, its sizes packed and unpacked, and where its local header begins."""

    method: int
    packed: int
    size: int
    offset: int


def directory(data: Any, size: int) -> Mapping[str, Entry]:
    """The entries by name.  `data` are the file's bytes, or a memory map of them.  Raises HeaderError."""
    end = data.rfind(b"PK\x05\x06", max(0, size - _END.size - 65_535))
    if end < 0 or end + _END.size > size:
        raise HeaderError("it is a zip file without its directory, which stands at the end")
    *_, count, length, begin, _ = _END.unpack_from(data, end)
    if count == 0xFFFF or 0xFFFFFFFF in (length, begin):
        count, length, begin = _end_64(data, end)
    if begin + length > end or length > MAX_HEADER:
        raise HeaderError(
            "the place of its directory is impossible",
            notes=[f"{length:,} bytes at {begin:,}, in a file of {size:,}"],
        )
    found: dict[str, Entry] = {}
    position = begin
    while position < begin + length:
        if position + _ENTRY.size > begin + length:
            raise HeaderError("its directory ends inside an entry", notes=[f"byte {position:,}"])
        (
            magic,
            _,
            _,
            _,
            _,
            flags,
            method,
            _,
            _,
            _,
            packed,
            unpacked,
            name_length,
            extra_length,
            comment_length,
            _,
            _,
            _,
            offset,
        ) = _ENTRY.unpack_from(data, position)
        if magic != b"PK\x01\x02":
            raise HeaderError("its directory is damaged", notes=[f"byte {position:,}"])
        position += _ENTRY.size
        name = bytes(data[position : position + name_length]).decode(
            "utf-8" if flags & 0x800 else "cp437", "replace"
        )
        extra = bytes(data[position + name_length : position + name_length + extra_length])
        packed, unpacked, offset = _large(extra, unpacked, packed, offset)
        if offset + packed > begin or flags & 1:
            why = "is encrypted" if flags & 1 else f"lies outside the file: {packed:,} bytes at {offset:,}"
            raise HeaderError(f"its entry '{name}' {why}")
        if name in found:
            raise HeaderError(f"its directory has the entry '{name}' twice")
        found[name] = Entry(method, packed, unpacked, offset)
        position += name_length + extra_length + comment_length
    if len(found) != count:
        raise HeaderError(f"its directory has {len(found):,} entries, and says {count:,}")
    return found


def _end_64(data: Any, end: int) -> tuple[int, int, int]:
    """Count, length and place of the directory of a file of more than 4 GiB or 65,535 entries."""
    at = end - _LOCATOR_64.size
    magic, _, place, _ = _LOCATOR_64.unpack_from(data, at) if at >= 0 else (b"", 0, 0, 0)
    if magic != b"PK\x06\x07" or place + _END_64.size > at:
        raise HeaderError("it is a large zip file whose directory cannot be found")
    fields = _END_64.unpack_from(data, place)
    if fields[0] != b"PK\x06\x06":
        raise HeaderError("it is a large zip file whose directory cannot be found")
    count, length, begin = fields[-3:]
    return count, length, begin


def _large(extra: bytes, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Packed size, size and place, from the extra field where they have no room in the entry."""
    sizes = [unpacked, packed, offset]
    position = 0
    while 0xFFFFFFFF in sizes and position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            values = iter(
                struct.unpack_from(f"<{min(length, len(extra) - position - 4) // 8}Q", extra, position + 4)
            )
            sizes = [next(values, size) if size == 0xFFFFFFFF else size for size in sizes]
            break
        position += 4 + length
    return sizes[1], sizes[0], sizes[2]


def unpack(data: Any, name: str, entry: Entry, limit: int) -> bytes:
    """The content of an entry of at most `limit` bytes.  Raises HeaderError, also for one that unpacks to more."""
    if entry.size > limit:
        raise HeaderError(
            f"its entry '{name}' is too large", notes=[f"{entry.size:,} bytes > limit {limit:,}"]
        )
    if entry.offset + _LOCAL.size > len(data):
        raise HeaderError(f"its entry '{name}' is damaged")
    fields = _LOCAL.unpack_from(data, entry.offset)
    begin = entry.offset + _LOCAL.size + fields[-2] + fields[-1]
    packed = bytes(data[begin : begin + entry.packed])
    if fields[0] != MAGIC or len(packed) < entry.packed:
        raise HeaderError(f"its entry '{name}' is damaged", notes=[f"byte {entry.offset:,}"])
    if entry.method == _STORED:
        content = packed
    elif entry.method == _DEFLATED:
        content = _inflate(packed, name, entry.size)
    else:
        raise HeaderError(
            f"its entry '{name}' is packed in a way that PyTorch does not use",
            notes=[f"method {entry.method}"],
        )
    if len(content) != entry.size:
        raise HeaderError(
            f"its entry '{name}' is damaged", notes=[f"{len(content):,} bytes, and {entry.size:,} expected"]
        )
    return content


def _inflate(packed: bytes, name: str, size: int) -> bytes:
    import zlib  # PyTorch packs nothing: only an archive that was packed anew needs it

    try:
        # One byte more than there should be tells a file that unpacks to more than it says.
        return zlib.decompressobj(-15).decompress(packed, size + 1)
    except zlib.error as error:
        raise HeaderError(f"its entry '{name}' is damaged", notes=[str(error)]) from None
