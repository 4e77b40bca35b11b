"""Results that are tables on a terminal, a picture in an .svg or .png, and both in an .html file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import fail
from ..report import Report
from .output import chosen_format, emit, emit_text

if TYPE_CHECKING:
    from ..plot import Chart

_PICTURES = (".svg", ".png")


def emit_with_charts(
    report: Report, charts: Callable[[], Sequence[Chart]], format: str | None, output: str | None
) -> None:
    """Write the charts to a file that ends like a picture, charts and tables to a page, and else the tables."""
    if output is not None and output.lower().endswith(_PICTURES):
        from ..report.charts import picture

        if format is not None:
            raise fail(
                "A403", f"--format {format} does not go with the picture '{output}'", help="leave one out"
            )
        drawn = charts()
        if not drawn:
            raise fail("A403", "there is nothing to draw")
        emit_text(picture(drawn, output, report.title), output)
    elif output not in (None, "-") and chosen_format(format, output) == "html":
        from ..report.charts import page

        emit_text(page(report, charts()), output)
    else:
        emit(report, format, output)
