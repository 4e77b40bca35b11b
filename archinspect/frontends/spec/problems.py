"""The errors of one document, as they are met while it is read, checked and laid out."""

from __future__ import annotations

from ...errors import ArchinspectError, Diagnostic, Span

#: a file with more errors than this is no spec; explaining all of them would take long and help nobody
MAX_ERRORS = 100
Related = tuple[tuple[Span, str], ...]


class Problems(list[Diagnostic]):
    """A list of errors that ends reading when it grows past MAX_ERRORS.

    `anchors` names, for the errors that were met before the network was laid out, the text (by its identity) that each
    is about, from which `paths` later finds the path in the network.
    """

    def __init__(self) -> None:
        super().__init__()
        self.anchors: dict[int, int] = {}

    def copy(self) -> Problems:
        made = Problems()
        made.extend(self)
        made.anchors = dict(self.anchors)
        return made

    def append(self, diagnostic: Diagnostic, /) -> None:
        super().append(diagnostic)
        if len(self) > MAX_ERRORS:
            self[-1] = Diagnostic("A103", f"more than {MAX_ERRORS} errors", help="is this a spec?")
            raise ArchinspectError(self)

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        anchor: object = None,
        path: str = "",
        notes: tuple[str, ...] = (),
        help: str = "",
        related: Related = (),
        call_help: str = "",
    ) -> None:
        """Record an error; `anchor` is the scalar that it is about where its path is not known yet."""
        if anchor is not None:
            self.anchors[len(self)] = id(anchor)
        self.append(Diagnostic(code, message, span, path, notes, help, related, call_help))


def in_reading_order(diagnostics: list[Diagnostic], file: str) -> list[Diagnostic]:
    """By place: what stands in no file (a setting, the input size), what is in `file`, what is in a lender's."""

    def place(diagnostic: Diagnostic) -> tuple[int, str, int, int]:
        span = diagnostic.span
        if span is None or span.file.startswith("--"):
            return 0, "", 0, 0
        return (
            (1, "", span.line, span.column) if span.file == file else (2, span.file, span.line, span.column)
        )

    return sorted(diagnostics, key=place)
