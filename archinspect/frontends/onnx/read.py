"""Reading an ONNX file: parsed, checked, and with every path of external data inside the file's own folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ArchinspectError, fail
from ...files import open_file, read

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

#: protobuf reads no larger message
_LARGEST = 2**31 - 1
#: elements of a tensor; more than any network has, and few enough for exact arithmetic everywhere
_MOST_ELEMENTS = 2**53
#: no version of a set of operators is as high
_NEWEST = 2**20


def broken(name: str, *notes: str, help: str = "") -> ArchinspectError:
    """The error of a file that is not a sound ONNX model."""
    return fail("A605", f"'{name}' is not a sound ONNX model", notes=notes, help=help)


def need_onnx() -> None:
    """Raises ArchinspectError (A404) where the onnx package is not installed."""
    if find_spec("onnx") is None:
        raise fail("A404", "reading ONNX files needs onnx", help="pip install 'archinspect[onnx]'")


def read_model(source: str | os.PathLike[str] | ModelProto) -> tuple[ModelProto, str, Path | None]:
    """The model, what errors call it, and the folder of its external data (None for a model in memory).

    External data is not read, and may be absent.  Raises ArchinspectError: A404 without onnx, A101 or A102 for a file
    that cannot be opened, A605 for one that is not a sound model.
    """
    need_onnx()
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    if isinstance(source, ModelProto):
        model, name, folder = source, source.graph.name or "model", None
    else:
        path = Path(source)
        name, folder = path.stem, path.parent
        if not os.path.lexists(path):
            raise fail("A101", f"there is no file '{path}'")
        content = read(path, _LARGEST, kind="one file of ONNX", help="an ONNX model is a file")
        model = ModelProto()
        try:
            model.ParseFromString(content)
        except DecodeError:
            raise broken(str(path), "its bytes are no protobuf message of ONNX") from None
    _check(model, name, folder)
    return model, name, folder


def _check(model: ModelProto, name: str, folder: Path | None) -> None:
    if not model.ir_version or not model.HasField("graph"):
        raise broken(name, "it holds no graph")
    if not any(opset.domain in ("", "ai.onnx") for opset in model.opset_import):
        raise broken(name, "it does not say which version of the operators it uses (opset_import)")
    for imports in (model.opset_import, *[function.opset_import for function in model.functions]):
        for opset in imports:
            if not 0 < opset.version < _NEWEST:
                raise broken(
                    name, f"it asks for version {opset.version} of the operators of '{opset.domain}'"
                )
    if not all(isinstance(text, str) for text in _texts(model)):
        raise broken(name, "a name in it is no text in UTF-8")
    for tensor in _tensors(model.graph):
        check_tensor(tensor, name)
        _check_location(tensor, name, folder)


def _texts(model: ModelProto) -> Iterator[object]:
    """Every text of the model that is read; protobuf hands out bytes for what is no UTF-8."""
    yield from (model.producer_name, model.producer_version, *[opset.domain for opset in model.opset_import])
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
        yield from (opset.domain for opset in function.opset_import)
        yield from _texts_of(function.node)
    yield from _texts_of_graph(model.graph)


def _texts_of_graph(graph: GraphProto) -> Iterator[object]:
    yield graph.name
    for info in (*graph.input, *graph.output, *graph.value_info):
        yield from (info.name, *[dim.dim_param for dim in info.type.tensor_type.shape.dim])
    for tensor in graph.initializer:
        yield tensor.name
    yield from _texts_of(graph.node)


def _texts_of(nodes: Iterable[NodeProto]) -> Iterator[object]:
    for node in nodes:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for note in node.metadata_props:
            yield from (note.key, note.value)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
        for inner in graphs_of(node.attribute):
            yield from _texts_of_graph(inner)


def check_tensor(tensor: TensorProto, name: str) -> None:
    """Refuse impossible sizes and types."""
    count = 1
    for size in tensor.dims:
        count *= size
        if size < 0 or count > _MOST_ELEMENTS:
            raise broken(
                name, f"the stored tensor '{tensor.name}' has the impossible sizes {list(tensor.dims)}"
            )
    if tensor.data_type not in _types():
        raise broken(name, f"the stored tensor '{tensor.name}' has the unknown type {tensor.data_type}")


@cache
def _types() -> frozenset[int]:
    """The types that this version of onnx knows."""
    from onnx import TensorProto

    return frozenset(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All stored tensors, those of branches and loops among them."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in graphs_of((attribute,)):
                yield from _tensors(inner)


def graphs_of(attributes: Iterable[object]) -> Iterator[GraphProto]:
    """The graphs among a node's attributes: branches of If, bodies of Loop and Scan."""
    for attribute in attributes:
        if attribute.HasField("g"):  # type: ignore[attr-defined]
            yield attribute.g  # type: ignore[attr-defined]
        yield from attribute.graphs  # type: ignore[attr-defined]


def _check_location(tensor: TensorProto, name: str, folder: Path | None) -> None:
    if tensor.data_location != tensor.EXTERNAL:
        return
    location = external(tensor).get("location", "")
    parts = Path(location).parts
    if not location or os.path.isabs(location) or ".." in parts or "\\" in location or "\0" in location:
        raise broken(
            name, f"the data of '{tensor.name}' is said to be in {location!r}, outside the model's folder"
        )
    if folder is not None and not (folder / location).resolve().is_relative_to(folder.resolve()):
        raise broken(
            name, f"the data of '{tensor.name}' is in {location!r}, a link out of the model's folder"
        )


def external(tensor: TensorProto) -> dict[str, str]:
    """Where the data of a tensor lies that is not in the file: location, offset, length."""
    return {entry.key: entry.value for entry in tensor.external_data}


def data_of(tensor: TensorProto, folder: Path | None) -> TensorProto | None:
    """A small tensor with its data in it; None where the data is in a file that is absent or too short."""
    from onnx import TensorProto

    if tensor.data_location != TensorProto.EXTERNAL:
        return tensor
    if folder is None:
        return None
    where = external(tensor)
    most = 16 * prod(tensor.dims)  # bytes of the widest type
    try:
        offset, length = int(where.get("offset", 0)), int(where.get("length", most))
        if offset < 0 or not 0 <= length <= most:
            return None
        file, _ = open_file(folder / where["location"], pipes=False)
        with file:
            file.seek(offset)
            data = file.read(length)
    except (OSError, ValueError, ArchinspectError):
        return None
    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=data)
