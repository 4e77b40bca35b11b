"""`bottleneck`: what a 1×1 reduction saves, for one convolution or in a whole network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...analysis.rewrites import REWRITES, Options, applicable, rewrite_called, substitute
from ...errors import fail
from ...graph import Graph
from ...report import Report
from ...report.rewrites import network, substitution
from ...spec import dump, load_graph
from ..options import Format, Input, Output, Set, arguments
from ..output import emit_text
from ..pictures import emit_with_charts

if TYPE_CHECKING:
    from ...analysis.rewrites import Substitution
    from ...plot import Chart

#: the tables, and the charts for a file that takes some
Result = tuple[Report, "Callable[[], Sequence[Chart]]"]
_SIZE = re.compile(r"\d+([x×]\d+){2,3}\Z")
#: counterfactuals whose sites are shown without being asked for
_DETAILED = ("no-reductions", "naive", "full-width", "basic-blocks")


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
    format: Format = None,
    output: Output = None,
) -> None:
    """Show what a 1×1 bottleneck saves.

    For one convolution: parameters, MACs and activations directly and behind a 1×1 convolution that narrows its
    input, with the derivations, and the widest reduction that still saves.  For a network: every reduction, what the
    network would be without it, and what other substitutions would save.
    """
    if _SIZE.match(what):
        result = _convolution(what, out, kernel, reduce, stride, padding, groups or 1, bias, mark)
    else:
        graph = load_graph(what, arguments=arguments(set), input=input)
        result = _network(graph, rewrite, site or [], Options(groups or 2, _mid(mid)), save)
    emit_with_charts(*result, format, output)


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
) -> Result:
    from ...analysis.bottleneck import Convolution
    from ...report.bottleneck import curve, reduction

    if out is None or kernel is None or reduce is None:
        missing = [
            name
            for name, value in (("--out", out), ("--kernel", kernel), ("--reduce", reduce))
            if value is None
        ]
        raise fail(
            "A403",
            f"one convolution needs {' and '.join(missing)}",
            help=f"archinspect bottleneck {size} --out 128 --kernel 5 --reduce 64",
        )
    convolution = Convolution.of(
        size,
        out,
        _pair("--kernel", kernel),
        stride=_pair("--stride", stride),
        padding=None
        if padding is None
        else padding
        if padding in ("same", "valid")
        else _pair("--padding", padding),
        groups=groups,
        bias=bias,
    )
    found = [convolution.at(width) for width in _widths(reduce)]

    def charts() -> Sequence[Chart]:
        from ...report.bottleneck_charts import curves

        return curves(convolution, found, mark)

    return reduction(found[0]) if len(found) == 1 else curve(convolution, found), charts


def _network(graph: Graph, name: str | None, sites: list[str], options: Options, save: str | None) -> Result:
    if name is None:
        given = {"--save": save, "--site": sites}
        for option in (option for option, value in given.items() if value):
            raise fail("A403", f"{option} needs --rewrite", help=f"--rewrite is one of {', '.join(REWRITES)}")
        found = applicable(graph, options)
        if not found:
            raise fail(
                "A403", f"no rewrite finds anything in {graph.name}", help="archinspect bottleneck --help"
            )
        detailed = [one for one in found if one.rewrite.name in _DETAILED]
        return network(found, detailed), lambda: _forms(detailed or found)
    made = substitute(graph, rewrite_called(name), sites=sites, options=options)
    if save is not None:
        emit_text(dump(made.rewritten), save)
    return substitution(made), lambda: _forms([made])


def _forms(found: Sequence[Substitution]) -> Sequence[Chart]:
    from ...report.rewrites_charts import forms

    return forms(found)


def _mid(text: str | None) -> str | int:
    if text is None or text in ("in", "out"):
        return text or "out"
    if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        return int(text)
    raise fail("A403", f"--mid is 'in', 'out' or a number of channels, and not '{text}'", help="--mid 64")


def _pair(option: str, text: str) -> tuple[int, int]:
    """`5` or `1x7`."""
    match = re.fullmatch(r"(\d{1,6})(?:[x×,](\d{1,6}))?", text.strip(), re.ASCII)
    if match is None:
        raise fail(
            "A403", f"{option} needs one size or two, and got '{text}'", help=f"{option} 5, or {option} 1x7"
        )
    return int(match[1]), int(match[2] or match[1])


_MOST_WIDTHS = 10_000


def _widths(text: str) -> list[int]:
    """`64`, `16,32,64` or `8:256:8` (the end included), ascending."""
    widths: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,7})(?::(\d{1,7})(?::(\d{1,7}))?)?\s*", part, re.ASCII)
        first, last, step = (int(g) if g else None for g in match.groups()) if match else (None, None, None)
        if first is None or first < 1 or step == 0 or (last is not None and last < first):
            raise fail(
                "A403",
                f"--reduce needs widths of at least 1, and got '{part.strip()}'",
                help="--reduce 64, or --reduce 16,32,64, or --reduce 8:256:8 from 8 to 256 in steps of 8",
            )
        widths.update(range(first, (last or first) + 1, step or 1))
        if len(widths) > _MOST_WIDTHS:
            raise fail(
                "A403", f"--reduce asks for more than {_MOST_WIDTHS:,} widths", help="take larger steps"
            )
    return sorted(widths)
