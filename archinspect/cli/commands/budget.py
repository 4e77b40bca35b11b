"""`budget`: limits that a network must keep, and a lock of its figures and structure."""

from __future__ import annotations

from typing import Annotated

import typer

from ...budget import budget as hold
from ...errors import EXIT_FAILED, fail
from ...report.budget import budget as budget_report
from ..options import Format, Input, Model, Output, Partial, Real, Set, Width, load
from ..output import emit


def budget(
    model: Model,
    max_params: Annotated[
        str | None,
        typer.Option("--max-params", metavar="AMOUNT", help="Most learnable parameters, as in 25M."),
    ] = None,
    max_macs: Annotated[
        str | None,
        typer.Option("--max-macs", metavar="AMOUNT", help="Most multiply-accumulates, as in 4.2G."),
    ] = None,
    max_flops: Annotated[
        str | None, typer.Option("--max-flops", metavar="AMOUNT", help="Most FLOPs, as in 8.4G.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory",
            metavar="BYTES",
            help="Most memory of weights and peak activations in inference, as in 2GiB or 512MB.",
        ),
    ] = None,
    lock: Annotated[
        str | None,
        typer.Option(
            "--lock", metavar="FILE", help="A file that pins the figures, the layers and the limits."
        ),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the lock as the network is now.")] = False,
    input: Input = None,
    set: Set = None,
    real: Real = False,
    partial: Partial = False,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> int:
    """Hold a network against limits, or a lock of its figures.

    A limit that is exceeded names the layers that have most, or the edits since the lock that added most.  With --lock
    every layer that was added, removed, renamed or changed is listed; --update writes the file.  Exits with 1 when a
    limit is exceeded or something is not as locked.
    """
    given = {"params": max_params, "macs": max_macs, "flops": max_flops, "memory": max_memory}
    if update and lock is None:
        raise fail("A403", "--update writes the lock", help="--lock FILE --update")
    if lock is None and all(limit is None for limit in given.values()):
        raise fail("A403", "no limit and no lock", help="archinspect budget MODEL --max-params 25M")
    graph = load(model, input, set, real=real, partial=partial)
    found = hold(graph, given, lock, update=update, option="--max-{}")
    emit(budget_report(found), format, output, width=width)
    return 0 if found.ok else EXIT_FAILED
