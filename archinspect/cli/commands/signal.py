"""`signal`: how a network starts, and what becomes of signal and gradient on their way through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import fail
from ...signal import ACTIVATIONS, INITS, MODES, PARTS, Plan
from ...signal import modes as compare_modes
from ...signal import signal as follow
from ..options import Batch, Explain, Format, Input, Model, Output, Real, Set, choice, load
from ..pictures import emit_with_charts, refuse_early
from ..progress import progress_bar
from ..views import View, with_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...graph import Graph
    from ...signal import Tell


@with_view
def signal(
    model: Model,
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="SCHEME,...",
            help=f"How weights start: {', '.join(INITS)}; several are shown side by side.",
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation",
            metavar="NAME,...",
            help=f"Put this in the place of every activation: {', '.join(ACTIVATIONS)}; several side by side.",
        ),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(
            "--without",
            metavar="PART,...",
            help=f"Show beside it the network without a part: {', '.join(PARTS)}, or batch_norm+skips for both.",
        ),
    ] = None,
    depth_argument: Annotated[
        str | None,
        typer.Option(
            "--depth-argument",
            metavar="[NAME=]A:B",
            help="Vary one number of the spec: doubled from A to B, or values A,B,..., or A:B:STEP.",
        ),
    ] = None,
    modes: Annotated[
        bool,
        typer.Option(
            "--modes", help="Show what batch normalisation and dropout do in training and in evaluation."
        ),
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Random starts and inputs.")] = 3,
    batch: Batch = None,
    mode: Annotated[
        str, typer.Option("--mode", **choice("--mode", MODES), help="Run it as in training or in evaluation.")
    ] = "train",
    input_image: Annotated[
        list[str] | None,
        typer.Option(
            "--input-image", metavar="FILE", help="Random crops of this image as inputs; may be repeated."
        ),
    ] = None,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    explain: Explain = False,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Follow signal and gradient through the layers.

    Standard deviations of outputs and gradients over several seeds beside what theory expects, dead and saturated
    units, and what that means in words.  Variants stand side by side; a .svg or .png shows the curves over depth.
    """
    refuse_early(format, output, drawable=not modes)
    plan = Plan(
        seeds, batch, mode, _listed(init), _listed(activation), _listed(without), tuple(input_image or ())
    )
    graphs = _graphs(model, depth_argument, input, set, real)
    first = next(iter(graphs.values()))
    if modes:
        if depth_argument or (init is not None and len(plan.init) > 1) or activation or without:
            raise fail("A403", "--modes shows one network as it is", help="leave the variants out")
        from ...report.signal import modes_report

        with _telling() as tell:
            both = compare_modes(first, plan, tell=tell)
        emit_with_charts(modes_report(both), list, format, output, view)
        return
    from dataclasses import replace

    from ...report.signal import signal_charts, signal_report

    with _telling() as tell:
        found = replace(follow(graphs, plan, tell=tell), explain=explain)
    emit_with_charts(signal_report(found), lambda: signal_charts(found), format, output, view)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


@contextmanager
def _telling() -> Iterator[Tell | None]:
    with progress_bar() as bar:
        if bar is None:
            yield None
            return
        yield lambda what, seeds, share: bar(what, "forward and back", seeds, None, share)


def _graphs(
    model: str, varied: str | None, input: list[str] | None, settings: list[str] | None, real: bool
) -> Mapping[str, Graph]:
    """The network, or one for each value of the argument that is varied, under what was set."""
    if varied is None:
        return {"": load(model, input, settings, real=real)}
    name, values = depths(varied, lambda: load(model, input, settings, real=real))
    made = {}
    for value in values:
        made[f"{name}={value}"] = load(model, input, [*(settings or []), f"{name}={value}"], real=real)
    return made


def depths(text: str, network: Callable[[], Graph]) -> tuple[str, list[Any]]:
    """`blocks=4:64` as the argument and its values, doubled from the first to the last.

    Without a name the spec must have one whole number beside `num_classes`.  Raises ArchinspectError (A401, A403).
    """
    name, equals, values = text.partition("=")
    if not equals:
        name, values = "", text
        arguments = network().arguments
        numbers = [key for key, value in arguments.items() if type(value) is int and key != "num_classes"]
        if len(numbers) != 1:
            raise fail(
                "A401",
                f"--depth-argument {text[:40]} does not say which argument is varied",
                notes=[f"whole numbers among the arguments: {', '.join(numbers) or 'none'}"],
                help=f"--depth-argument NAME={text[:40]}",
            )
        name = numbers[0]
    first, colon, last = values.strip().partition(":")
    if colon and first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and int(first) > 0:
        wanted = [int(first)]
        while wanted[-1] * 2 <= int(last):
            wanted.append(wanted[-1] * 2)
        return name.strip(), wanted
    from ...sweep import grid

    (axis,) = grid([f"{name}={values}"]).axes
    return axis[0], list(axis[1])
