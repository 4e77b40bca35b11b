"""`memory`: whether it fits, and what training costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from ...analysis.plan import PRECISIONS, Plan, fitted
from ...analysis.plan import memory as hold
from ...analysis.step import OPTIMIZERS
from ...analysis.variants import with_head
from ...report.memory import memory_charts, memory_report
from ..options import Depth, Format, Freeze, Input, Model, Output, Partial, Real, Set, choice, load
from ..pictures import emit_with_charts, refuse_early
from ..views import View, with_view


@with_view
def memory(
    model: Model,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", metavar="N", help="Images or sequences at once; that of the input unless given."
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", **choice("--dtype", PRECISIONS), help="Precision of weights and activations."
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option("--train", **choice("--train", OPTIMIZERS), help="Train with this optimiser."),
    ] = None,
    freeze: Freeze = None,
    head: Annotated[
        int | None, typer.Option("--head", metavar="N", help="Make the last layer anew, for N classes.")
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            "--lora", metavar="R", help="Train adapters of rank R beside linear layers, and nothing else."
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="PATTERN",
            help="Compute these scopes again in the backward pass; auto: blocks.",
        ),
    ] = None,
    attention: Annotated[
        str | None,
        typer.Option(
            "--attention",
            **choice("--attention", ("math", "fused")),
            help="Write the scores of attention to memory, or not; as the network has it unless given.",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option("--context", metavar="N", help="Tokens in the KV cache of a language model."),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit", metavar="BYTES", help="Find what fits: a size as 24GiB, or a device of the table."
        ),
    ] = None,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    depth: Depth = None,
    *,
    view: View,
    format: Format = None,
    output: Output = None,
) -> None:
    """Show what a pass or a training step takes, and what fits.

    Weights, gradients, optimiser state, what autograd saves layer by layer, temporaries, the peak and where it is.
    --fit finds the largest batch; with --batch it says what to change.  A .svg or .png shows memory over the step.
    """
    refuse_early(format, output, drawable=True)
    graph = load(model, input, set, real=real, partial=partial)
    if head is not None:
        graph = with_head(graph, head)
    plan = Plan(
        batch=batch,
        dtype=dtype,
        train=train,
        freeze=tuple(freeze or ()),
        lora=lora,
        checkpoint=tuple(checkpoint or ()),
        attention=attention or "",
        context=context,
    )
    found = hold(graph, plan) if fit is None else fitted(graph, plan, _limit(fit))
    found = replace(found, depth=depth)
    emit_with_charts(memory_report(found), lambda: memory_charts(found), format, output, view)


def _limit(fit: str) -> int:
    """Bytes of a size, or of a device of the table."""
    if fit[:1].isdigit() or fit[:1] == ".":
        from ...budget import amount

        return amount("memory", fit, "--fit")
    from ...errors import fail
    from ...latency.devices import device

    known = device(fit)
    if known.memory is None:
        raise fail(
            "A403", f"the table does not say how much memory {known.title} has", help="e.g. --fit 24GiB"
        )
    return round(known.memory * 10**9)
