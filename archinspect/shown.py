"""`Shown`: a result prints as the table of its command, and a notebook shows it as HTML.

Results come from rooms below `report`, so they cannot import it.  They name the one module that knows how each of them
looks, and it is imported when something is shown for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import Report

_RENDERER = "archinspect.report.shown"


class Shown:
    """Base of results: `str` and `print` give the command's table, a notebook shows the same as HTML.

    A result's own `__repr__` is one short line.
    """

    __slots__ = ()

    def __str__(self) -> str:
        renderer: Any = import_module(_RENDERER)
        text: str = renderer.text(self)
        return text

    def to_dict(self) -> Mapping[str, Any]:
        """What the command prints with `--format json`."""
        renderer: Any = import_module(_RENDERER)
        document: Mapping[str, Any] = renderer.document(self)
        return document

    def view(
        self,
        *,
        sort: str = "",
        top: int | None = None,
        only: str | Sequence[str] = (),
        columns: str | Sequence[str] = (),
        units: str = "",
        share: bool = False,
    ) -> Report:
        """The command's table with the command's options of these names: `view(sort="params", top=3)`.

        Raises ArchinspectError (A403) for a column, pattern or order that it has not.
        """
        renderer: Any = import_module(_RENDERER)
        report: Report = renderer.view(self, sort, top, only, columns, units, share)
        return report

    def _repr_html_(self) -> str:
        renderer: Any = import_module(_RENDERER)
        html: str = renderer.html(self)
        return html


def counted(number: int, noun: str) -> str:
    """`1 layer`, `21 layers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
