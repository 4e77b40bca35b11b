"""The formats a report can be written in.  An exporter is a module with `export(report, style) -> str`.

To add a format, write such a module and name it here; it is imported when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import PurePath
from typing import cast

from ... import neutral
from ...errors import fail, suggestion
from ..style import FILE, Style
from ..table import Report, Table

Exporter = Callable[[Report, Style], str]

#: name → (module, file endings)
FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "table": ("terminal", (".txt",)),
    "markdown": ("markdown", (".md",)),
    "latex": ("latex", (".tex",)),
    "html": ("html", (".html", ".htm")),
    "csv": ("csv", (".csv",)),
    "tsv": ("tsv", (".tsv",)),
    "json": ("json", (".json",)),
    "tree": ("tree", ()),
    # those of the tabulate package
    "rst": ("tabulated", (".rst",)),
    "org": ("tabulated", (".org",)),
    "asciidoc": ("tabulated", (".adoc",)),
    "mediawiki": ("tabulated", ()),
    "jira": ("tabulated", ()),
    "github": ("tabulated", ()),
    "pipe": ("tabulated", ()),
    "pretty": ("tabulated", ()),
    "presto": ("tabulated", ()),
    "psql": ("tabulated", ()),
    "orgtbl": ("tabulated", ()),
    "plain": ("tabulated", ()),
    "simple": ("tabulated", ()),
    "grid": ("tabulated", ()),
    "fancy_grid": ("tabulated", ()),
    "outline": ("tabulated", ()),
    "rounded_outline": ("tabulated", ()),
    "moinmoin": ("tabulated", ()),
    "youtrack": ("tabulated", ()),
    "textile": ("tabulated", ()),
}
#: formats that have every row
FOR_MACHINES = ("csv", "tsv", "json")
_BY_ENDING = {ending: name for name, (_, endings) in FORMATS.items() for ending in endings}


def exporter(name: str) -> Exporter:
    """The exporter of a format.  Raises ArchinspectError (A403) for an unknown one."""
    if name not in FORMATS:
        listed = f"formats: {', '.join(FORMATS)}"
        raise fail("A403", f"there is no format '{name}'", help=suggestion(name, FORMATS) or listed)
    module = import_module(f".{FORMATS[name][0]}", __name__)
    return cast(Exporter, module.exporter(name) if FORMATS[name][0] == "tabulated" else module.export)


def format_of(path: str | PurePath) -> str:
    """The format that a file's ending asks for.  Raises ArchinspectError (A403) for an unknown ending."""
    ending = PurePath(path).suffix.lower()
    if ending not in _BY_ENDING:
        what = f"the ending '{ending}'" if ending else "a name without an ending"
        raise fail(
            "A403",
            f"{what} does not say in which format to write '{path}'",
            help=f"end the name in one of {', '.join(_BY_ENDING)}, or give --format",
        )
    return _BY_ENDING[ending]


def render(report: Report | Table, format: str = "table", style: Style = FILE) -> str:
    """A report, or one table, as text that ends with a newline."""
    if isinstance(report, Table):
        report = Report((report,))
    if format not in FOR_MACHINES:
        report = report._replace(tables=tuple(table.for_people for table in report.tables))
    text = exporter(format)(report, style)
    if format not in (
        "table",
        "tree",
        "json",
    ):  # these neutralise each text: colours and escapes are their own
        text = neutral.text(text)
    return text if text.endswith("\n") else text + "\n"
