"""`bottleneck`: what a 1×1 reduction saves, for one convolution or in a whole network."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ...errors import fail
from ..options import Format, Output
from ..output import emit

_SIZE = re.compile(r"\d+([x×]\d+){2,3}\Z")


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
    stride: Annotated[str, typer.Option("--stride", metavar="S|SxS", help="Its stride.")] = "1",
    padding: Annotated[
        str | None,
        typer.Option(
            "--padding",
            metavar="P|PxP|same|valid",
            help="Its padding; unless given, what keeps the size at stride 1.",
        ),
    ] = None,
    groups: Annotated[int, typer.Option("--groups", metavar="G", min=1, help="Its groups.")] = 1,
    bias: Annotated[bool, typer.Option("--bias", help="Count biases too.")] = False,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show what a 1×1 bottleneck saves.

    For one convolution: parameters, MACs and activations directly and behind a 1×1 convolution that narrows its
    input, with the derivations, and the widest reduction that still saves.
    """
    if _SIZE.match(what):
        _convolution(what, out, kernel, reduce, stride, padding, groups, bias, format, output)


def _convolution(
    size: str,
    out: int | None,
    kernel: str | None,
    reduce: str | None,
    stride: str,
    padding: str | None,
    groups: int,
    bias: bool,
    format: str | None,
    output: str | None,
) -> None:
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
    emit(reduction(found[0]) if len(found) == 1 else curve(convolution, found), format, output)


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
