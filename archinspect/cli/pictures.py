"""Results that are tables on a terminal, a picture in an .svg or .png, and both in an .html file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import ArchinspectError, fail
from ..report import Report
from .output import chosen_format, emit, emit_text, seen

if TYPE_CHECKING:
    from ..plot import Chart
    from .views import View

_PICTURES = (".svg", ".png")
_DRAWN = "drawn are layers under the roof, and figures against several batches"


def refuse_early(format: str | None, output: str | None, *, drawable: bool) -> None:
    """Raises ArchinspectError (A403, A405) for what `emit_with_charts` could not write, before anything takes time."""
    if output in (None, "-") or output is None:
        return
    from ..files import refuse_unwritable

    refuse_unwritable(output)
    if not output.lower().endswith(_PICTURES):
        chosen_format(format, output)
    elif format is not None:
        raise _no_picture(format, output)
    elif not drawable:
        raise fail("A403", "there is nothing to draw", help=_DRAWN)


def _no_picture(format: str, output: str) -> ArchinspectError:
    return fail("A403", f"--format {format} does not go with the picture '{output}'", help="leave one out")


def emit_with_charts(
    report: Report,
    charts: Callable[[], Sequence[Chart]],
    format: str | None,
    output: str | None,
    view: View | None = None,
    *,
    width: int | None = None,
) -> None:
    """Write the charts to a file that ends like a picture, charts and tables to a page, and else the tables."""
    if output is not None and output.lower().endswith(_PICTURES):
        from ..report.charts import picture

        if format is not None:
            raise _no_picture(format, output)
        drawn = charts()
        if not drawn:
            raise fail("A403", "there is nothing to draw", help=_DRAWN)
        emit_text(picture(drawn, output, report.title), output)
    elif output not in (None, "-") and chosen_format(format, output) == "html":
        from ..report.charts import page

        emit_text(page(report if view is None else seen(report, view), charts()), output)
    else:
        emit(report, format, output, view, width=width)
