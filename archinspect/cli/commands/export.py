"""`export`: the network as a program, an ONNX model, a spec, or a file of weights under the spec's names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import fail
from ...graph import Graph
from ...pytorch.checked import checked_source
from ...units import decimal_bytes
from ..options import Input, Model, Partial, Real, Set, load
from ..output import emit_text, say

Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Take these weights, a .pth or .safetensors of ours or of torchvision's.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to a file: .py source, .onnx, .yaml a spec, or .pth the weights by our names.",
        show_default=False,
    ),
]


NoWeights = Annotated[
    bool,
    typer.Option("--no-weights", help="Write ONNX without weights: they become inputs of the graph."),
]
#: bytes of weights from which on it is said before they are written
_LARGE = 10 << 20


def export(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    weights: Weights = None,
    no_weights: NoWeights = False,
    output: Output = None,
) -> None:
    """Write the network as PyTorch source, ONNX or a spec.

    The source needs torch and nothing of archinspect; its modules have the names of the spec.  With --weights a file
    of weights is written beside it, which the program reads.  What is written is held against the network first (source
    where torch is installed).  A spec says a captured network in layers of the language,
    repeated modules as blocks; it is read again and held against the network before it is written.
    """
    graph = load(model, input, set, real=real, partial=partial)
    ending = Path(output).suffix.lower() if output else ""
    if no_weights and (ending != ".onnx" or weights is not None):
        help = (
            "leave --weights out"
            if weights is not None
            else "-o net.onnx --no-weights; source has no weights"
        )
        raise fail("A403", "--no-weights is for ONNX, and leaves the weights out", help=help)
    if ending == ".onnx":
        from ...pytorch.onnx import export_onnx

        size = sum([parameter.bytes for parameter in graph.parameters])
        if size >= _LARGE and not no_weights:
            say(f"{output} will hold {decimal_bytes(size)} of weights (--no-weights leaves them out)")
        content = export_onnx(graph, weights=weights)
        if no_weights:
            from ...pytorch.onnx import without_weights

            content = without_weights(content)
        emit_text(content, output)
    elif ending in (".pth", ".pt"):
        _weights(graph, weights, output)
    elif ending in (".yaml", ".yml"):
        from ...frontends.spec import dump

        if weights is not None:
            raise fail("A403", "a spec holds no weights", help="leave --weights out, or -o net.py")
        emit_text(dump(graph), output)
    elif ending not in ("", ".py"):
        help = "-o net.py, -o net.onnx, -o net.yaml or -o net.pth"
        raise fail("A403", f"cannot tell what to write from the ending '{ending}'", help=help)
    elif weights is None:
        emit_text(_source(graph), output)
    elif output is None or output == "-":
        raise fail(
            "A403",
            "--weights needs a file to write beside",
            help="-o net.py writes net.py and net_weights.pth",
        )
    else:
        beside = Path(output).with_name(f"{Path(output).stem}_weights.pth")
        text = _source(graph, beside.name)
        _weights(graph, weights, str(beside))
        emit_text(text, output)


def _source(graph: Graph, weights: str | None = None) -> str:
    text, unchecked = checked_source(graph, weights=weights)
    if unchecked:
        say(f"not checked against the network: {unchecked}")
    return text


def _weights(graph: Graph, weights: str | None, output: str | None) -> None:
    from ...pytorch.weights import converted

    if weights is None:
        raise fail("A403", "a file of weights needs weights", help="--weights resnet50.pth, or -o net.py")
    emit_text(converted(graph, weights), output)
