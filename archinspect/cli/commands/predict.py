"""`calibrate` and `predict`: measure a device once, and predict any network there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ArchinspectError, fail
from .. import completion
from .. import latency_words as read
from ..options import Depth, Format, Input, Output, Real, Set, Width, choice
from ..output import emit, say

if TYPE_CHECKING:
    from ...graph import Graph
    from ...latency.prediction_error import PredictionError
    from ...latency.profile import Profile


def calibrate(
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PROFILE.json",
            help="The file to write the profile to.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; the GPU if there is one."),
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", metavar="N", help="About how long to measure.")
    ] = 5.0,
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            **choice("--dtype", ("fp32", "tf32", "strict-fp32", "fp16", "bf16")),
            help="Precision of weights and activations.",
        ),
    ] = "fp32",
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="CPU threads; as many as torch takes.")
    ] = None,
    width: Width = None,
    format: Format = None,
) -> None:
    """Measure how fast this device runs each kind of kernel.

    Synthetic convolutions, matrix products, poolings, norms and passes over elements of many sizes are timed, no
    network.  archinspect predict --profile reads the profile, here or anywhere else.
    """
    from ...files import refuse_unwritable

    if output is None:
        raise fail("A403", "no file to write the profile to", help="archinspect calibrate -o PROFILE.json")
    if not 0 < minutes < 1000:
        raise fail("A403", f"--minutes {minutes:g} is no time to measure", help="--minutes 5")
    refuse_unwritable(output)
    from ...latency.ceilings import precision
    from ...latency.measure.calibrate import calibrate as measure
    from ...report.latency_profile import calibrated

    with _progress("kernels") as tell:
        profile = measure(device, minutes=minutes, dtype=precision(dtype), thread_count=threads, tell=tell)
    profile.save(output)
    emit(calibrated(profile), format, None, width=width)


def predict(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Networks that ship, paths to specs, modules (net.py:Net), or a library's models (timm:resnet50).",
            autocompletion=completion.models,
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="PROFILE.json",
            help="What calibrate measured on the device.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="N,...", help="Batch sizes; 1, or the example inputs'."),
    ] = None,
    error: Annotated[
        bool,
        typer.Option(
            "--error",
            help="Measure the networks, too, and show how far the predictions are off; without MODEL a list of "
            "networks that ship and of torchvision and timm, at batch 1 and 8.",
        ),
    ] = False,
    time: Annotated[
        float, typer.Option("--time", metavar="SECONDS", help="About how long to measure a network.")
    ] = 1.0,
    depth: Depth = None,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Predict how long networks take on a device that was calibrated.

    Each layer and the sum, with a 90 % interval.  A layer larger or smaller than what was measured is marked; one that
    no measured kernel runs is an error.  Nothing is run, but with --error.
    """
    from ...latency.profile import read as read_profile

    if profile is None:
        raise fail(
            "A403",
            "no profile of a device",
            notes=["archinspect calibrate -o PROFILE.json measures one"],
            help="--profile PROFILE.json; for a device that is not at hand: archinspect latency MODEL --predict h100",
        )
    known = read_profile(profile)
    batches = None if batch is None else read.batches(batch)
    from ...report.latency_profile import errors, profile_predictions

    if error:
        if not 0 < time < 1000:
            raise fail("A403", f"--time {time:g} is no time to measure", help="--time 1")
        named = [(model, list(input or ())) for model in models or ()]
        loaded = _loaded(named, list(set or ()), real=real) if named else _standard(known)
        emit(errors(_measured(loaded, known, batches or (1, 8), time)), format, output, width=width)
        return
    if not models:
        raise fail("A403", "no network to predict", help=f"archinspect predict resnet50 --profile {profile}")
    from ...latency.utilisation import predict_by_profile

    found = [
        predict_by_profile(graph, known, size)
        for _, graph in _loaded([(model, list(input or ())) for model in models], list(set or ()), real=real)
        for size in batches or (None,)
    ]
    found = found if depth is None else [each.fold(depth) for each in found]
    emit(profile_predictions(found), format, output, width=width)


def _loaded(
    models: Sequence[tuple[str, list[str]]], settings: list[str], *, real: bool = False
) -> Iterator[tuple[str, Graph]]:
    from ..options import load

    for model, input in models:
        yield model, load(model, input, settings, real=real)


def _standard(profile: Profile) -> Iterator[tuple[str, Graph]]:
    """The networks of the published error; those of libraries that are not installed are left out, and named."""
    from ...latency.prediction_error import NETWORKS
    from ...latency.utilisation import predict_by_profile
    from ..options import load

    for model, input in NETWORKS:
        try:
            graph = load(model, [input] if input else [], [])
            predict_by_profile(graph, profile, 1)
        except ArchinspectError as error:
            say(f"left out: {model}: {error.diagnostics[0].message}")
            continue
        yield f"{model}, {input}" if input else model, graph


def _measured(
    networks: Iterator[tuple[str, Graph]], profile: Profile, batches: Sequence[int], time_s: float
) -> PredictionError:
    from ...latency.measure.prediction_error import prediction_error
    from ...network import timed_graph

    with _progress("measurements") as tell:
        count = 0

        def said(_model: str, _batch: int) -> None:
            nonlocal count
            count += 1
            if tell is not None:
                tell(count, 0)

        timed = ((name, timed_graph(graph)) for name, graph in networks)
        return prediction_error(timed, profile, batches, time_s=time_s, tell=said)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """What to tell (done, of how many; 0 where nobody knows); a bar on standard error where that is a terminal."""
    from ..progress import progress_bar

    with progress_bar() as bar:
        if bar is None:
            yield None
            return
        yield lambda done, total: bar(what, f"{done}", 0, None, done / total if total else 0.0)
