"""`latency`: time a network, or predict how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import EXIT_FAILED, fail
from ...spec import load_graph
from .. import completion
from ..options import Depth, Format, Input, Output, Set, arguments
from ..output import emit

if TYPE_CHECKING:
    from ...graph import Graph
    from ...latency.results import Measurement

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells say it


def latency(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Networks that ship, paths to specs, or one-line networks; several are timed against each other.",
            autocompletion=completion.models,
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; the GPU if there is one."),
    ] = None,
    batch: Annotated[str, typer.Option("--batch", metavar="N,...", help="Batch sizes.")] = "1",
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="NAME,...", help="fp32, tf32, strict-fp32, fp16, bf16.")
    ] = "fp32",
    strict_fp32: Annotated[
        bool, typer.Option("--strict-fp32", help="fp32 without TF32, in convolutions neither.")
    ] = False,
    mode: Annotated[
        str, typer.Option("--mode", metavar="NAME,...", help="latency, throughput, graph.")
    ] = "latency",
    memory_format: Annotated[
        str, typer.Option("--memory-format", metavar="NAME", help="contiguous or channels_last.")
    ] = "contiguous",
    compile: Annotated[bool, typer.Option("--compile", help="Time what torch.compile makes of it.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Flush the caches before each forward.")] = False,
    layers: Annotated[
        bool, typer.Option("--layers/--no-layers", help="Time each layer, too.", show_default=False)
    ] = True,
    depth: Depth = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", help="CPU threads; as many as torch takes.")
    ] = None,
    time: Annotated[
        float, typer.Option("--time", metavar="SECONDS", help="About the time of one configuration.")
    ] = 20.0,
    input: Input = None,
    set: Set = None,
    format: Format = None,
    output: Output = None,
) -> int:
    """Time forward passes, whole and per layer, and say how far they are from what the device could do.

    Weights and input are random and seeded.  Exits with 1 when the rows do not add up.
    """
    if not models:
        raise fail("A403", "name a network to time", help="archinspect latency alexnet")
    from ...latency.plan import Options, plan

    if memory_format not in ("contiguous", "channels_last"):
        raise fail("A403", f"there is no memory format '{memory_format}'", help="contiguous or channels_last")
    options = Options(memory_format == "channels_last", compile, cold, threads, depth)
    wanted: dict[str, Any] = {
        "batch": _numbers(batch),
        "dtype": _precisions(dtype, strict_fp32),
        "mode": _words(mode, "--mode"),
        "options": options,
        "time_s": time,
    }
    plan(**wanted)  # refuse what cannot be before torch is loaded
    graphs = [load_graph(model, arguments=arguments(set), input=input) for model in models]
    found = _measure(graphs[0], device, layers, wanted)
    from ...report.latency import measurement

    emit(measurement(found), format, output)
    if found.interrupted:
        return EXIT_INTERRUPTED
    return 0 if found.trustworthy else EXIT_FAILED


def _measure(graph: Graph, device: str | None, layers: bool, wanted: dict[str, Any]) -> Measurement:
    from ..progress import progress_bar

    with progress_bar() as progress:
        from ...latency.measure import measure

        return measure(graph, device=device, layers=layers, progress=progress, **wanted)


def _numbers(text: str) -> list[int]:
    words = _words(text, "--batch")
    for word in words:
        if not word.isascii() or not word.isdigit():
            raise fail("A403", f"'{word}' is no batch size", help="--batch 1,8,32")
    return [int(word) for word in words]


def _precisions(text: str, strict: bool) -> list[str]:
    words = _words(text, "--dtype")
    if strict and "fp32" not in words:
        raise fail("A403", "--strict-fp32 says how fp32 is computed", help="--dtype fp32 --strict-fp32")
    return ["strict-fp32" if strict and word == "fp32" else word for word in words]


def _words(text: str, option: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise fail("A403", f"{option} names nothing")
    return words
