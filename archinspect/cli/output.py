"""Where a command's result goes: standard output, or a file written whole."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from .. import neutral
from ..errors import fail
from ..report import Report, Table, format_of, render
from ..report.style import FILE, style_of

if TYPE_CHECKING:
    from .views import View


def emit(
    report: Report | Table,
    format: str | None = None,
    output: str | None = None,
    view: View | None = None,
    *,
    width: int | None = None,
) -> None:
    """Print a report as the view shows it, or write it to `output`.

    The format is the one asked for, or the file's, or a table; a table fits the terminal, or the `width`.
    """
    format = chosen_format(format, output)
    if view is not None:
        report, width = seen(report, view), view.width if width is None else width
    if output in (None, "-"):
        put(render(report, format, style_of(_stdout(), width)), machine=format not in ("table", "tree"))
        return
    assert output is not None
    _write(render(report, format, FILE._replace(width=width)), output)


def seen(report: Report | Table, view: View) -> Report:
    """The report as the view shows it."""
    if isinstance(report, Table):
        report = Report((report,))
    if view.is_plain:
        return report
    from ..report.views import viewed

    return viewed(report, view.rows)


def chosen_format(
    format: str | None, output: str | None, default: str = "table", of: Callable[[str], str] = format_of
) -> str:
    """The format asked for, or the one that the file's ending says; a stream has no ending and gets the default."""
    if format is not None:
        return format
    if output is None or output == "-":
        return default
    from ..files import is_stream

    return default if is_stream(output) else of(output)


def emit_text(text: str | bytes, output: str | None = None) -> None:
    """Print what is no table (source, a schema, a picture), or write it to `output`."""
    if output in (None, "-"):
        put(text, machine=True)
        return
    assert output is not None
    _write(text, output)


def put(text: str | bytes, *, machine: bool) -> None:
    """Write to standard output and see that it arrives.

    What machines read is UTF-8 whatever the terminal's encoding.  A reader that has seen enough (`| head`) is no
    failure; a full disk is.
    """
    stream = _stdout()
    try:
        if machine and hasattr(stream, "buffer"):
            stream.flush()
            stream.buffer.write(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
        else:
            assert isinstance(text, str)
            stream.write(
                text.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8")
            )
        stream.flush()
    except BrokenPipeError:
        discard_the_rest()
    except OSError as error:
        discard_the_rest()
        raise fail("A405", "cannot write to standard output", notes=[error.strerror or str(error)]) from None


def _write(text: str | bytes, path: str) -> None:
    from ..files import write

    write(text, path)
    say(f"wrote {neutral.line(path)}")


def say(text: str) -> None:
    """Print a diagnostic on standard error; nobody listening there changes no result and no exit code."""
    if sys.stderr is None:
        return
    try:
        # An error brings its colours, and has neutralised what it quotes.
        print(text, file=sys.stderr, flush=True)  # noqa: T201  a diagnostic, not the result
    except (OSError, ValueError):
        # What is left in its buffer would fail again when the interpreter ends, with an exit code of its own.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _stdout() -> TextIO:
    if sys.stdout is None:
        raise fail("A405", "standard output is closed", help="write to a file with -o FILE")
    return sys.stdout


def discard_the_rest() -> None:
    """Let the interpreter's last flush go nowhere instead of failing again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
