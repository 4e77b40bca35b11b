"""`verify`: our figures against the real module and other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from ...check.verify import verify as hold_against
from ...errors import EXIT_FAILED, fail
from ...report.verify import verification
from ..options import Format, Input, Model, Output, Partial, Real, Set, Width, load
from ..output import emit


def verify(
    model: Model,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    batch: Annotated[
        str, typer.Option("--batch", metavar="N,...", help="Batch sizes to run everything with.")
    ] = "1,4",
    tools: Annotated[
        str | None,
        typer.Option(
            "--tools",
            metavar="NAME,...",
            help="Only these of torchinfo, fvcore, torch, ptflops, thop.",
            show_default=False,
        ),
    ] = None,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> int:
    """Hold our figures against the real module and other tools.

    Builds the network in PyTorch and compares shapes, weights and MACs of every layer; runs torchinfo, fvcore,
    torch's FlopCounterMode, ptflops and thop on it and compares their totals with what we predict; and says term by
    term why they disagree.  Of your own module the captured graph is executed, too, and must give the module's outputs
    bit for bit.  Exits with 1 when a figure differs.
    """
    graph = load(model, input, set, real=real, partial=partial)
    found = hold_against(graph, _batches(batch), witnesses=None if tools is None else _tools(tools))
    emit(verification(found), format, output, width=width)
    return 0 if found.ok else EXIT_FAILED


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _tools(text: str) -> list[str]:
    words = _words(text)
    if not words:
        raise fail("A403", "--tools names no tool", help="--tools torchinfo,fvcore")
    return words


def _batches(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isascii() and word.isdigit() for word in words):
        raise fail("A403", f"--batch needs integers such as 1,4, and got '{text}'", help="--batch 1,4")
    return [int(word) for word in words]
