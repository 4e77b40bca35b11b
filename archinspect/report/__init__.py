"""Results as typed tables, and tables in every format.

A builder (`report.params`, `report.summary`, ...) turns a result into a `Table`; `render` turns tables into text.
Builders hold no layout and exporters hold no numbers.
"""

from __future__ import annotations

from .formats import FORMATS, format_of, render
from .style import Style
from .table import AtLeast, Column, Report, Table

__all__ = ["FORMATS", "AtLeast", "Column", "Report", "Style", "Table", "format_of", "render"]
