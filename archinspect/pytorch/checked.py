"""What is exported, held against the network before it is written: names and shapes of weights, outputs, values.

A difference is a fault of ours, and an error: a program that computes something else is worse than none.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import ArchinspectError, fail
from ..graph import Graph
from ..ops import Shape
from .source import export_source

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn

#: layers of a program that is run on abstract tensors; more take minutes
_MOST_LAYERS = 20_000
#: MACs and parameters of a network whose values are compared, so that it takes less than a second on a laptop
_MOST_MACS = 300_000_000
_MOST_PARAMETERS = 20_000_000
#: the same for the evaluator of the onnx package, which is written in Python
_MOST_MACS_OF_ONNX = 3_000_000
_TOLERANCE = 1e-4


def checked_source(graph: Graph, *, weights: str | None = None) -> tuple[str, str]:
    """The source of `export_source`, and why it was not checked (nothing where it was).

    The program is built on the meta device: the names and shapes of its state_dict, and the shapes of its outputs, are
    the network's; of a small network its outputs are those of `build` with the same weights.  Raises ArchinspectError
    (A405) where they are not.
    """
    text = export_source(graph, weights=weights)
    try:
        code = compile(text, f"{graph.name}.py", "exec")
    except (SyntaxError, ValueError) as error:
        raise _differs(graph, "the program", f"it does not compile: {error}") from None
    if find_spec("torch") is None:
        return text, "torch is not installed"
    if len(graph.nodes) > _MOST_LAYERS:
        return text, f"it has more than {_MOST_LAYERS:,} layers"
    _check_program(graph, code)
    return text, ""


def _check_program(graph: Graph, code: Any) -> None:
    import torch
    from torch import nn

    names: dict[str, Any] = {"__name__": "exported"}
    exec(code, names)  # noqa: S102  what was just written: layers of the language and names that were checked
    made = [value for value in names.values() if isinstance(value, type) and issubclass(value, nn.Module)]
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # of layers that are odd, and asked for
        try:
            with torch.device("meta"), torch.no_grad():
                module = made[-1]().eval()
                outputs = _listed(module(*_examples(graph)))
        except Exception as error:  # noqa: BLE001  whatever it is, the program does not run
            reason = str(error).strip().split("\n")[0][:200]
            raise _differs(graph, "the program", f"it raises {type(error).__name__}: {reason}") from None
        _compare_names(graph, module)
        ports = graph.output_ports or (0,) * len(graph.outputs)
        places = zip(graph.outputs, ports, strict=True)
        expected = [graph.nodes[index].values[port].shape for index, port in places]
        found = [tuple(output.shape) for output in outputs]
        if found != expected:
            raise _differs(graph, "the program", f"its outputs are {found}, not {expected}")
        if _is_small(graph, _MOST_MACS):
            _compare_values(graph, made[-1])


def _compare_names(graph: Graph, module: nn.Module) -> None:
    from .graph_module import build

    theirs = build(graph, device="meta").state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in theirs.items()}
    found = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    difference = _difference(expected, found)
    if difference:
        raise _differs(graph, "the program", difference)


def _difference(expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> str:
    """The first name that one has and the other has not, or has in another shape; nothing where they agree."""
    for name in dict.fromkeys((*expected, *found)):
        if name not in found:
            return f"it has no '{name}'"
        if name not in expected:
            return f"it has '{name}', and the network has not"
        if found[name] != expected[name]:
            return f"'{name}' is {found[name]}, not {expected[name]}"
    return ""


def _compare_values(graph: Graph, kind: type[nn.Module]) -> None:
    import torch

    from .graph_module import build

    torch.manual_seed(0)
    ours = build(graph).eval()
    theirs = kind().eval()
    theirs.load_state_dict(ours.state_dict())
    inputs = _examples(graph)
    with torch.no_grad():
        pairs = zip(_listed(ours(*inputs)), _listed(theirs(*inputs)), strict=True)
        for index, (a, b) in zip(graph.outputs, pairs, strict=True):
            if not torch.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
                raise _differs(
                    graph,
                    "the program",
                    f"with equal weights the values of '{graph.nodes[index].name}' differ",
                )


def _examples(graph: Graph) -> list[Tensor]:
    """Random numbers for each input, or zeros where it is of integers."""
    import torch

    values = [node.values[0] for node in graph.nodes[: graph.inputs]]
    return [
        torch.rand(v.shape) if v.dtype == "float32" else torch.zeros(v.shape, dtype=getattr(torch, v.dtype))
        for v in values
    ]


def _is_small(graph: Graph, most: int) -> bool:
    macs = sum(node.cost.macs if node.cost else most for node in graph.layers)
    return macs <= most and sum(parameter.numel for parameter in graph.parameters) <= _MOST_PARAMETERS


def check_onnx(graph: Graph, content: bytes, module: nn.Module | None) -> None:
    """Hold an ONNX file against the network: sizes of outputs, and of a spec's (`module`) weights and values.

    Raises ArchinspectError (A405) where they differ.
    """
    from onnx import load_model_from_string

    model = load_model_from_string(content)
    expected = [graph.nodes[index].output_shape for index in graph.outputs]
    if graph.output_ports:
        expected = [
            graph.nodes[index].values[port].shape
            for index, port in zip(graph.outputs, graph.output_ports, strict=True)
        ]
    found = [_shape(output) for output in model.graph.output]
    # A batch that is free, or a size that depends on values, has no number in the file.
    alike = len(found) == len(expected) and all(
        shape is None
        or (len(shape) == len(wanted) and all(a in (0, b) for a, b in zip(shape, wanted, strict=True)))
        for shape, wanted in zip(found, expected, strict=True)
    )
    if not alike:
        raise _differs(graph, "the ONNX model", f"its outputs are {found}, not {expected}")
    if module is None:
        return
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for name, parameter in module.named_parameters():
        if stored.get(name) != tuple(parameter.shape):
            what = f"'{name}' is {stored[name]}" if name in stored else f"it has no '{name}'"
            raise _differs(graph, "the ONNX model", what)
    if _is_small(graph, _MOST_MACS_OF_ONNX):
        _compare_onnx_values(graph, model, module)


def _compare_onnx_values(graph: Graph, model: ModelProto, module: nn.Module) -> None:
    import numpy
    import torch
    from onnx.reference import ReferenceEvaluator

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs = _examples(graph)
    with torch.no_grad():
        ours = [output.numpy() for output in _listed(module(*inputs))]
    try:
        given = {put.name: x.numpy() for put, x in zip(model.graph.input, inputs, strict=True)}
        theirs = ReferenceEvaluator(model).run(None, given)
    except Exception:  # noqa: BLE001  an operator that the evaluator lacks or has wrong says nothing about the file
        return
    for index, a, b in zip(graph.outputs, ours, theirs, strict=True):
        if not numpy.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True):
            name = graph.nodes[index].name
            raise _differs(graph, "the ONNX model", f"with equal weights the values of '{name}' differ")


def _shape(output: Any) -> tuple[int, ...] | None:
    kind = output.type.tensor_type
    return tuple(dim.dim_value for dim in kind.shape.dim) if kind.HasField("shape") else None


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def _differs(graph: Graph, what: str, note: str) -> ArchinspectError:
    return fail(
        "A405",
        f"{what} would not be '{graph.name}', and was not written",
        notes=[note],
        help="this is a fault of archinspect: please report it with the spec",
    )
