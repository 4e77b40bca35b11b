"""`latency`: time networks, or predict how long they take."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import fail
from .. import completion
from .. import latency_words as read
from ..options import Depth, Format, Input, Output, Real, Set
from ..views import View, with_view


@with_view
def latency(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Networks that ship, paths to specs, or one-line networks; several are timed against each other.",
            autocompletion=completion.models,
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; the GPU if there is one."),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="N,...", help="Batch sizes; 1, or the example inputs'."),
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="NAME,...", help="fp32, tf32, strict-fp32, fp16, bf16.")
    ] = "fp32",
    strict_fp32: Annotated[
        bool, typer.Option("--strict-fp32", help="Compute fp32 without TF32, in convolutions neither.")
    ] = False,
    mode: Annotated[
        str,
        typer.Option(
            "--mode", metavar="NAME,...", help="latency (synchronised), throughput (pipelined), graph (CUDA)."
        ),
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
    predict: Annotated[
        str | None,
        typer.Option(
            "--predict",
            metavar="DEVICE,...",
            help="Predict it for these devices, without running anything; with --device, beside what is measured"
            " ('here': by the roofs measured there).",
        ),
    ] = None,
    devices: Annotated[
        str | None, typer.Option("--devices", metavar="FILE", help="A TOML file of devices of your own.")
    ] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="FILE", help="Save the run, to be compared with later.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="FILE", help="Say what changed since a saved run; repeats it."),
    ] = None,
    max_regression: Annotated[
        str | None,
        typer.Option(
            "--max-regression", metavar="SHARE", help="Exit with 1 when it is slower by more, as in 5%."
        ),
    ] = None,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> int:
    """Time forward passes, whole and per layer, or predict them.

    Weights and input are random and seeded.  -o writes a picture (.svg, .png), a page with tables and pictures
    (.html), or tables.  Exits with 1 when the rows do not add up, or with --max-regression when it got slower.
    """
    from ...latency.saved import Request

    limit = None if max_regression is None else read.fraction(max_regression)
    if limit is not None and against is None:
        raise fail("A403", "--max-regression needs a run to compare with", help="--against FILE")
    request = Request(
        models=tuple(models or ()),
        input=tuple(input) if input else None,
        set=tuple(set or ()),
        real=real,
        device=device,
        batch=() if batch is None else read.batches(batch),
        dtype=read.precisions(dtype, strict_fp32),
        mode=read.words(mode, "--mode"),
        channels_last=read.channels_last(memory_format),
        compile=compile,
        cold=cold,
        threads=threads,
        depth=depth,
        layers=layers,
        time_s=time,
    )
    targets = () if predict is None else read.words(predict, "--predict")
    from .. import timed  # nothing of it is needed to explain the options

    if against is not None:
        if targets:
            raise fail("A403", "--predict does not go with --against", help="leave one out")
        return timed.compare_with(against, timed.read_together(request), limit, save, format, output, view)
    if not request.models:
        raise fail("A403", "no network to time", help="archinspect latency alexnet")
    if targets and device is None and "here" not in targets:
        if save is not None:
            raise fail("A403", "a prediction is no run to save", help="--device NAME measures one")
        return timed.predict_only(request, targets, devices, format, output, view)
    return timed.measure_it(timed.read_together(request), targets, devices, save, format, output, view)
