"""Headers of safetensors files: eight bytes of length, JSON, then the data without gaps.

https://huggingface.co/docs/safetensors describes the format; what that library refuses is refused here too.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

from .stored import (
    MAX_HEADER,
    MAX_SIZE,
    Contents,
    HeaderError,
    Stored,
    check_places,
    check_shape,
    clipped,
    element_bits,
)

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
    "F4": "float4_e2m1fn",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def read(file: BinaryIO, size: int) -> Contents:
    """The tensors that the header names.  Raises HeaderError."""
    start = file.read(8)
    if len(start) < 8:
        raise HeaderError(f"the file has {size:,} bytes, too few for the length of a header")
    length = int.from_bytes(start, "little")
    if length > min(MAX_HEADER, size - 8):
        notes = [
            f"{length:,} > {size - 8:,} bytes that follow"
            if length > size - 8
            else f"{length:,} > limit {MAX_HEADER:,}"
        ]
        raise HeaderError("the length of its header, its first eight bytes, is impossible", notes=notes)
    header = parse(file.read(length), "the header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise HeaderError("the header's '__metadata__' is no mapping of texts")
    data = size - 8 - length
    tensors, places = [], []
    for name, entry in header.items():
        tensor, begin = _tensor(name, entry, data)
        tensors.append(tensor)
        places.append((begin, begin + tensor.bytes, name))
    check_places(places, gaps=False)
    end = places[-1][1] if places else 0
    if end != data:
        raise HeaderError(f"{data - end:,} bytes at the end of the file belong to no tensor")
    found = Contents("safetensors", tensors, data, metadata)
    _name_ties(found)
    return found


def _tensor(name: str, entry: Any, data: int) -> tuple[Stored, int]:
    """A tensor and where its data begins; `data` is how many bytes of data there are."""
    if not isinstance(entry, dict):
        raise HeaderError(f"the header's entry '{name}' is no tensor: {clipped(entry)}")
    missing = {"dtype", "shape", "data_offsets"} - entry.keys()
    if missing:
        raise HeaderError(f"the header's entry '{name}' has no {' and no '.join(sorted(missing))}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list):
        raise HeaderError(f"tensor '{name}' has no type and shape: {clipped(dtype)}, {clipped(shape)}")
    shape = check_shape(name, shape)
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(o) is int for o in offsets):
        raise HeaderError(f"tensor '{name}' has no two offsets")
    begin, end = offsets
    if not 0 <= begin <= end <= MAX_SIZE:
        raise HeaderError(
            f"tensor '{name}' has impossible offsets", notes=[f"from {clipped(begin)} to {clipped(end)}"]
        )
    if end > data:
        note = f"tensor '{name}' ends at {end:,} of {data:,} bytes of data"
        raise HeaderError("the file ends before its data does", notes=[note])
    known = _DTYPES.get(dtype)
    if known is not None:
        bits = math.prod(shape) * (element_bits(known) or 0)
        if bits != 8 * (end - begin):
            size = "×".join(map(str, shape)) or "1"
            note = f"{size} of {dtype} take {bits / 8:,.10g} bytes, the offsets hold {end - begin:,}"
            raise HeaderError(f"the shape of tensor '{name}' does not fit its data", notes=[note])
    return Stored(name, shape, known or dtype.lower(), end - begin), begin


def _name_ties(found: Contents) -> None:
    """Add names of tied tensors: `safetensors.torch.save_model` saves one and names the others in the metadata."""
    by_name = {tensor.name: tensor for tensor in found.tensors}
    for name, kept in found.metadata.items():
        tensor = by_name.get(kept)
        if tensor is not None and name not in by_name:
            tensor.identity = kept
            found.tensors.append(Stored(name, tensor.shape, tensor.dtype, tensor.bytes, kept))


def parse(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object without doubled keys.  Raises HeaderError."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise HeaderError(f"{what} is not UTF-8 text", notes=[f"byte {error.start:,}"]) from None
    except json.JSONDecodeError as error:
        raise HeaderError(f"{what} is not JSON: {error.msg}", notes=[f"character {error.pos:,}"]) from None
    except RecursionError:
        raise HeaderError(f"{what} nests too deep") from None
    except ValueError:  # more digits than Python reads
        raise HeaderError(f"{what} has a number that is too long") from None
    if not isinstance(found, dict):
        raise HeaderError(f"{what} is no JSON object: {clipped(found)}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise HeaderError(f"the key {clipped(twice)} stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise HeaderError(f"{text} is no number in JSON")
