"""`ops`: the layer types of the spec language."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import fail, suggestion
from ...ops import REGISTRY
from ...report.ops import catalogue, page
from .. import completion
from ..options import Format, Output, Width
from ..output import emit


def ops(
    op: Annotated[
        str | None,
        typer.Argument(
            metavar="[OP]",
            help="A layer type, such as conv2d; all of them unless given.",
            autocompletion=completion.ops,
            show_default=False,
        ),
    ] = None,
    width: Width = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """List the layer types, or document one of them.

    A layer type's page has its attributes with defaults and constraints, and its figures derived on a sample.
    """
    if op is None:
        emit(catalogue(), format, output, width=width)
        return
    if op not in REGISTRY:
        help = suggestion(op, REGISTRY) or "archinspect ops lists the layer types"
        raise fail("A202", f"no op is called '{op[:80]}'", help=help)
    emit(page(REGISTRY[op]), format, output, width=width)
