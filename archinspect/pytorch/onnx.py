"""A network as an ONNX model."""

from __future__ import annotations

import copy
import inspect
import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_map

from ..errors import ArchinspectError, fail
from ..graph import Graph, refuse_parameters_only
from ..ops.base import Shape
from .checked import check_onnx
from .graph_module import build
from .weights import Weights

#: a protobuf file cannot be larger
_LARGEST = 2**31 - 1
_SHOWN = 3  # layers named in an error


def export_onnx(graph: Graph, *, weights: Weights | None = None) -> bytes:
    """The network in evaluation as the bytes of an ONNX file.

    A spec's has any batch size, the input "x", and outputs by layer; the weights are those of `build`.  A captured
    module is exported itself, for inputs of the sizes that it was captured with.

    Raises ArchinspectError: A404 without the onnx extra, A403 for a network that one ONNX file cannot hold or torch
    cannot translate, A501 to A503 for weights that do not fit.
    """
    refuse_parameters_only(graph, "an ONNX file")
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise fail("A404", f"exporting ONNX needs {package}", help="pip install 'archinspect[onnx]'")
    size = sum(parameter.bytes for parameter in graph.parameters)
    if size > _LARGEST:
        raise fail(
            "A403",
            f"'{graph.name}' is too large for one ONNX file",
            notes=[f"{size:,} bytes of weights > {_LARGEST:,}"],
            help="export PyTorch source: -o net.py",
        )
    if graph.source is not None:
        if weights is not None:
            raise fail("A403", "weights are read for networks of a spec only", help="leave out --weights")
        content = _quietly(graph, lambda: _export_module(graph))
        check_onnx(graph, content, None)
        return content
    module = build(graph, weights=weights).eval()
    # Two images: an exporter may take a batch of one for a constant.
    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    examples = [torch.zeros(2, *v.shape[1:], dtype=getattr(torch, v.dtype)) for v in values]
    given = ["x"] if graph.inputs == 1 else [node.name for node in graph.nodes[: graph.inputs]]
    said = list(graph.output_names) or [graph.nodes[index].name for index in graph.outputs]
    # An ONNX file has one value of a name: an image that comes out is not the image that goes in.
    names = [f"{name}_output" if name in given else name for name in said]
    content = _quietly(
        graph,
        lambda: _export(_with_fp32_factors(graph, module), dict(zip(given, examples, strict=True)), names),
    )
    check_onnx(graph, content, module)
    return content


def _quietly(graph: Graph, export: Callable[[], bytes]) -> bytes:
    """What `export` gives, without the exporter's warnings and log, its errors as ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own ways
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            return export()
        except torch.onnx.errors.OnnxExporterError as error:
            raise _untranslated(graph, error) from None
        finally:
            logging.disable(before)


def _export(module: fx.GraphModule, given: dict[str, torch.Tensor], names: list[str]) -> bytes:
    export: Any = torch.onnx.export  # its signature differs between releases
    if "dynamic_shapes" not in inspect.signature(export).parameters:  # torch 2.4
        file = io.BytesIO()
        axes = {name: {0: "batch"} for name in (*given, *names)}
        args = tuple(given.values())
        export(module, args, file, input_names=list(given), output_names=names, dynamic_axes=axes)
        return file.getvalue()
    batch = torch.export.Dim("batch")
    shapes = {name: {0: batch} for name in given}
    # Not optimised: that would fold batch normalisation and drop biases of zero, so that the file has other parameters.
    options = {"dynamo": True, "verbose": False, "optimize": False}
    args, inputs = tuple(given.values()), list(given)
    program = export(module, args, input_names=inputs, output_names=names, dynamic_shapes=shapes, **options)
    return _content(program, keep_all=False)


def without_weights(content: bytes) -> bytes:
    """The ONNX model with every weight as an input of its type and shape, and no values."""
    import onnx

    model = onnx.load_model_from_string(content)
    graph = model.graph
    kept = []
    for tensor in graph.initializer:
        if len(tensor.dims) and tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        else:
            kept.append(tensor)  # sizes and indices, which shapes depend on
    del graph.initializer[:]
    graph.initializer.extend(kept)
    written: bytes = model.SerializeToString()
    return written


def _with_fp32_factors(graph: Graph, module: fx.GraphModule) -> fx.GraphModule:
    """The module with factors of upsampling that lead to its sizes in fp32, too, which ONNX multiplies in.

    88 by 120/88 is 119 in PyTorch, which multiplies in fp64, and would be 120 in ONNX.
    """
    found = [
        node
        for node in graph.layers
        if node.op.type == "upsample" and not float(getattr(node.op, "scale_factor", None) or 1).is_integer()
    ]
    if not found:
        return module
    made = copy.copy(module)
    made._modules = dict(module._modules)
    for node in found:
        *scopes, last = node.name.split(".")
        at: Any = made
        for scope in scopes:
            part = copy.copy(at._modules[scope])
            part._modules = dict(part._modules)
            at._modules[scope] = part
            at = part
        own = at._modules[last]
        factor = _fp32_factor(own.scale_factor, node.input_shapes[0][2:], node.output_shape[2:])
        at._modules[last] = torch.nn.Upsample(
            scale_factor=factor, mode=own.mode, align_corners=own.align_corners
        )
    return made


def _fp32_factor(factor: float, sides: Shape, wanted: Shape) -> float:
    """The number of fp32 nearest to the factor that leads to the wanted sides."""
    nearest = torch.tensor(factor, dtype=torch.float32)
    tries = [nearest]
    for towards in (0.0, float("inf")):
        step = nearest
        for _ in range(4):
            step = torch.nextafter(step, torch.tensor(towards))
            tries.append(step)
    for candidate in sorted(tries, key=lambda one: abs(float(one) - factor)):
        leads_to = [
            {int(torch.floor(candidate * side)), math.floor(float(candidate) * side)} for side in sides
        ]
        if leads_to == [{side} for side in wanted]:
            return float(candidate)
    return factor


def _content(program: Any, *, keep_all: bool) -> bytes:
    model = program.model_proto
    _forget_the_exporter(model, keep_all)
    content: bytes = model.SerializeToString()
    return content


def _export_module(graph: Graph) -> bytes:
    """The module that a graph was captured from, which is left in the mode that it was in."""
    source: Any = graph.source
    if source.kind not in ("module", "exported"):
        raise fail("A403", f"'{graph.name}' is no module that could be exported: it came from a file")
    export: Any = torch.onnx.export
    if "dynamic_shapes" not in inspect.signature(export).parameters:
        raise fail("A403", "exporting a module to ONNX needs torch 2.5", help="pip install -U torch")
    module = source.with_weights()
    if any(tensor.is_meta for tensor in module.parameters()):
        raise fail("A403", f"'{graph.name}' has no weights that could be written")
    modes = [(part, part.training) for part in module.modules()]
    args, kwargs = tree_map(_real, (source.args, dict(source.kwargs)))
    try:
        module.eval()
        options = {"dynamo": True, "verbose": False, "optimize": False}
        return _content(export(module, args, kwargs=kwargs, **options), keep_all=True)
    finally:
        for part, mode in modes:
            part.training = mode


def _real(value: Any) -> Any:
    """An example with contents; the exporter looks at shapes and types only."""
    is_abstract = isinstance(value, torch.Tensor) and value.is_meta
    return torch.zeros_like(value, device="cpu") if is_abstract else value


_OPERATOR = re.compile(r"aten[.:]+(\w+)")


def _untranslated(graph: Graph, error: Exception) -> ArchinspectError:
    """The error of a network that torch's exporter cannot translate, with the layers where they are known."""
    found = _OPERATOR.search(str(error))
    operator = found[1] if found else ""
    layers = [f"{node.name}: {node.op}" for node in graph.layers if node.op.type == operator]
    return fail(
        "A403",
        f"torch's ONNX exporter cannot translate '{graph.name}'",
        notes=[*([f"it has no rule for {operator}"] if operator else []), *layers[:_SHOWN]],
        help="export PyTorch source: -o net.py",
    )


#: notes of the exporter that say which module a node is of
_KEPT_NOTES = ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy")


def _forget_the_exporter(message: Any, keep_all: bool) -> None:
    """Leave out the notes of the exporter, which name files of this machine, but those that say a node's module.

    Unless `keep_all`, notes that say no module below the whole one go, too.
    """
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            kept = [(note.key, note.value) for note in value if note.key in _KEPT_NOTES]
            if not keep_all and any(text.count(",") < 2 for _, text in kept):
                kept = []  # a sum or concat of the graph, which is in no module of its own
            message.ClearField("metadata_props")
            for key, text in kept:
                message.metadata_props.add(key=key, value=text)
        elif field.message_type is not None and field.name not in ("initializer", "raw_data"):
            for part in value if isinstance(value, Iterable) else (value,):
                _forget_the_exporter(part, keep_all)
