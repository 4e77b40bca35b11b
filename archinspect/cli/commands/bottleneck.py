"""`bottleneck`: what a 1×1 reduction saves, for one convolution or in a whole network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ...analysis.rewrites import REWRITES, Options, applicable, rewrite_called, substitute
from ...errors import fail
from ...frontends.spec import dump
from ...graph import Graph
from ...report import Report
from ...report.rewrites import network, substitution
from ..options import Format, Input, Output, Set, Width, load
from ..output import emit_text
from ..pictures import emit_with_charts
from ..sizes import pair, width_between, widths
from ..timing import refuse_what_cannot_be_timed, with_times

if TYPE_CHECKING:
    from ...analysis.rewrites import Substitution
    from ...plot import Chart

_SIZE = re.compile(r"\d+([x×]\d+){2,3}\Z")


def _rewrites(ctx: Any, args: list[str], incomplete: str) -> list[str]:
    return [name for name in REWRITES if name.startswith(incomplete)]


def bottleneck(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CxHxW|MODEL",
            help="The input of one convolution, such as 256x32x32; or a network.",
            show_default=False,
        ),
    ],
    out: Annotated[
        int | None, typer.Option("--out", metavar="N", min=1, help="Output channels of the convolution.")
    ] = None,
    kernel: Annotated[str | None, typer.Option("--kernel", metavar="K|KxK", help="Its kernel.")] = None,
    reduce: Annotated[
        str | None,
        typer.Option(
            "--reduce",
            metavar="N|A:B:STEP|N,...",
            help="Widths to reduce its input to; a range includes its end.",
        ),
    ] = None,
    mark: Annotated[
        int | None,
        typer.Option("--mark", metavar="N", min=1, help="Width to mark on the curve (-o curve.svg)."),
    ] = None,
    stride: Annotated[str, typer.Option("--stride", metavar="S|SxS", help="Its stride.")] = "1",
    padding: Annotated[
        str | None,
        typer.Option(
            "--padding",
            metavar="P|PxP|same|valid",
            help="Its padding; unless given, what keeps the size at stride 1.",
        ),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option("--groups", metavar="G", min=1, help="Its groups (1); those of --rewrite grouped (2)."),
    ] = None,
    bias: Annotated[bool, typer.Option("--bias", help="Count biases too.")] = False,
    input: Input = None,
    set: Set = None,
    rewrite: Annotated[
        str | None,
        typer.Option(
            "--rewrite",
            metavar="NAME",
            help=f"Price this rewrite of the network: {', '.join(REWRITES)}.",
            autocompletion=_rewrites,
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site", metavar="PATH", help="Only there; a path, a scope or a pattern; may be repeated."
        ),
    ] = None,
    mid: Annotated[
        str | None,
        typer.Option(
            "--mid", metavar="in|out|N", help="Width between the convolutions that replace one (out)."
        ),
    ] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="NEW.yaml", help="Write the rewritten network as a spec.")
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            "--measure", metavar="cpu|cuda", help="Time both sides, or all forms, on this device too."
        ),
    ] = None,
    time: Annotated[
        float, typer.Option("--time", metavar="SECONDS", help="About the time that --measure takes.")
    ] = 20.0,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> int:
    """Show what a 1×1 bottleneck saves.

    For one convolution: parameters, MACs and activations directly and behind a 1×1 convolution that narrows its
    input, with the derivations, and the widest reduction that still saves.  For a network: every reduction, what the
    network would be without it, and what other substitutions would save.
    """
    refuse_what_cannot_be_timed(measure, time)
    of_one = {
        "--out": out,
        "--kernel": kernel,
        "--reduce": reduce,
        "--padding": padding,
        "--mark": mark,
        "--bias": bias,
    }
    of_network = {
        "--rewrite": rewrite,
        "--site": site,
        "--mid": mid,
        "--save": save,
        "--input": input,
        "--set": set,
    }
    one = _SIZE.match(what) is not None
    for option in (name for name, value in (of_network if one else of_one).items() if value):
        says = (
            "a network, and this is the input of one convolution"
            if one
            else "one convolution, and this is a network"
        )
        raise fail("A403", f"{option} belongs to {says}", help="archinspect bottleneck --help")
    if one:
        answer = _convolution(what, out, kernel, reduce, stride, padding, groups or 1, bias, mark)
    else:
        graph = load(what, input, set)
        answer = _network(graph, rewrite, site or [], Options(groups or 2, width_between(mid)), save)
    report, status = answer.report, 0
    if measure is not None:
        report, status = with_times(report, answer.forms, measure, time)
    emit_with_charts(report, answer.charts, format, output, width=width)
    return status


class Answer(NamedTuple):
    """The tables, the charts for a file that takes some, and the networks to time, the first against the others."""

    report: Report
    charts: Callable[[], Sequence[Chart]]
    forms: Sequence[Graph]


def _convolution(
    size: str,
    out: int | None,
    kernel: str | None,
    reduce: str | None,
    stride: str,
    padding: str | None,
    groups: int,
    bias: bool,
    mark: int | None,
) -> Answer:
    from ...analysis.bottleneck import Convolution
    from ...report.bottleneck import curve, reduction

    if out is None or kernel is None or reduce is None:
        given = (("--out", out), ("--kernel", kernel), ("--reduce", reduce))
        missing = " and ".join(name for name, value in given if value is None)
        help = f"archinspect bottleneck {size} --out 128 --kernel 5 --reduce 64"
        raise fail("A403", f"one convolution needs {missing}", help=help)
    sides = padding if padding in (None, "same", "valid") else pair("--padding", padding)
    convolution = Convolution.of(
        size,
        out,
        pair("--kernel", kernel),
        stride=pair("--stride", stride),
        padding=sides,
        groups=groups,
        bias=bias,
    )
    found = [convolution.at(width) for width in widths("--reduce", reduce)]

    def charts() -> Sequence[Chart]:
        from ...report.bottleneck_charts import curves

        return curves(convolution, found, mark)

    report = reduction(found[0]) if len(found) == 1 else curve(convolution, found)
    return Answer(report, charts, [convolution.graph, *(convolution.reduced(one.width) for one in found)])


def _network(graph: Graph, name: str | None, sites: list[str], options: Options, save: str | None) -> Answer:
    if name is not None:
        made = substitute(graph, rewrite_called(name), sites=sites, options=options)
        if save is not None:
            emit_text(dump(made.rewritten), save)
        return Answer(substitution(made), lambda: _forms([made]), [graph, made.rewritten])
    for option in (option for option, value in (("--save", save), ("--site", sites)) if value):
        raise fail("A403", f"{option} needs --rewrite", help=f"--rewrite is one of {', '.join(REWRITES)}")
    found = applicable(graph, options)
    if not found:
        raise fail(
            "A403",
            f"no rewrite finds anything in {graph.name}",
            notes=[f"sought: {', '.join(REWRITES)}"],
            help="they replace reductions, convolutions larger than 1×1 and fully connected heads on maps",
        )
    forms = [one for one in found.detailed or found if one.failure is None]
    return Answer(
        network(found, found.detailed), lambda: _forms(forms), [graph, *(one.rewritten for one in forms)]
    )


def _forms(found: Sequence[Substitution]) -> Sequence[Chart]:
    from ...report.rewrites_charts import forms

    return forms(found) if found else []
