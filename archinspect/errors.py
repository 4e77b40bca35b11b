"""Errors as part of the product: code, place, reason, arithmetic, help.

Every error a user can cause is a `Diagnostic` with a code of `CODES`; a file's errors are collected and raised
together as one `ArchinspectError`.  Inner rooms (ops, geometry, formula) raise `OpError`, which says one thing and
knows no place; the spec reader adds file, line, column and the path inside the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EXIT_FAILED = 1  # a check, verification or budget failed
EXIT_USAGE = 2  # bad input or usage
EXIT_INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT, as shells say it

#: code -> (name, one line on what it means).  `docs/errors.md` shows each with an example that a test runs.
CODES: dict[str, tuple[str, str]] = {
    "A101": ("unknown-model", "no shipped network, file or one-line network has this name"),
    "A102": ("unreadable-file", "the file cannot be read as UTF-8 text"),
    "A103": ("too-large", "the file or the network passes a limit that keeps the tool responsive"),
    "A104": ("yaml-syntax", "the text is not valid YAML"),
    "A105": ("yaml-feature", "a YAML feature that specs do not use (anchors, tags, several documents)"),
    "A106": ("duplicate-key", "a mapping has the same key twice"),
    "A107": ("wrong-structure", "a value has another form than the language expects here"),
    "A108": ("unknown-key", "a key that the language does not know"),
    "A109": ("missing-key", "a key that every spec needs is absent"),
    "A201": ("call-syntax", "a layer is not written as a call of the language"),
    "A202": ("unknown-op", "no op or block has this name"),
    "A203": ("unknown-attribute", "the op or block has no attribute of this name"),
    "A204": ("missing-argument", "a required argument is absent"),
    "A205": ("surplus-argument", "more arguments than the op or block takes, or one given twice"),
    "A206": ("wrong-type", "an argument has the wrong type"),
    "A207": ("wrong-value", "an argument has the right type and an impossible value"),
    "A208": ("unknown-name", "an expression uses a name that is not defined"),
    "A209": ("bad-name", "a layer, scope, block or argument name that cannot be used"),
    "A210": ("duplicate-name", "two layers or scopes side by side have the same name"),
    "A211": ("recursive-block", "a block uses itself, directly or through others"),
    "A212": ("unused-argument", "a block or network argument that nothing uses"),
    "A213": ("bad-expression", "an expression cannot be evaluated, or is not allowed in a spec"),
    "A301": ("wrong-rank", "the input has another number of dimensions than the op needs"),
    "A302": ("window-too-large", "the window is larger than its padded input"),
    "A303": ("groups-do-not-divide", "channels are not divisible into the groups asked for"),
    "A304": ("branches-do-not-join", "branch outputs have shapes that cannot be joined"),
    "A305": ("shape-mismatch", "the input shape does not suit the op"),
    "A401": ("bad-set", "--set names no argument of the network, or gives a value of the wrong type"),
    "A402": ("bad-input", "--input is not CxHxW or NxCxHxW"),
    "A403": ("bad-usage", "a command-line option has an unusable value"),
    "A404": ("missing-package", "the command needs a Python package that is not installed"),
    "A405": ("cannot-write", "the output file cannot be written"),
    "A406": ("missing-device", "the device to measure on is not in this machine"),
    "A407": ("cannot-compile", "torch.compile cannot compile the network on this machine"),
    "A501": ("unreadable-weights", "a file of weights cannot be read as tensors by name"),
    "A502": ("other-weights", "the weights are not those of this network"),
    "A503": (
        "ambiguous-weights",
        "several layers have weights of the same shapes, and no rule says which is which",
    ),
    "A601": ("forward-failed", "forward of the module raised an exception"),
    "A602": ("needs-values", "forward of the module looks at values, which abstract tensors do not have"),
    "A603": (
        "cannot-build",
        "what the text names raised an exception while it was built, or makes no module",
    ),
    "A604": ("foreign-code", "the model needs code that comes with its files, which is not run"),
    "A605": ("damaged-model", "a file of a model (ONNX, an exported program) is damaged, or no such file"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text: 1-based line and column, the length to underline, and the line itself."""

    file: str
    line: int
    column: int
    length: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error: a code of `CODES`, what is wrong, where, the path inside the network, the arithmetic, a way out.

    `call_help` is the way out of one who called the library, where that is not the command line's.
    """

    code: str
    message: str
    span: Span | None = None
    path: str = ""
    notes: tuple[str, ...] = ()
    help: str = ""
    related: tuple[tuple[Span, str], ...] = ()
    call_help: str = ""

    def render(self, *, color: bool = False) -> str:
        """The diagnostic as it is printed on a terminal, without a final newline."""
        red, blue, bold, cyan, off = _ANSI if color else ("",) * 5
        lines = [f"{bold}{red}error[{self.code}]{off}{bold}: {_shown(self.message, lines=False)}{off}"]
        places = [] if self.span is None else [(self.span, "")]
        places += self.related
        gutter = max((len(str(span.line)) for span, _ in places), default=1)
        bar = f"{blue}{'':>{gutter}} |{off}"
        for span, label in places:
            first = span is self.span
            lines.append(f"{blue}{'':>{gutter}}{'-->' if first else ':::'}{off} {_shown(span.place)}")
            window, column = _window(span)
            carets = "^" * span.length if first else "-" * span.length
            carets = carets[: max(1, len(window) - column)]
            mark = f"{red if first else blue}{carets}{' ' if label else ''}{_shown(label)}{off}"
            lines += [bar, f"{blue}{span.line:>{gutter}} |{off} {window}", f"{bar} {'':>{column}}{mark}"]
        if self.path:
            lines.append(f"{blue}{'':>{gutter}} ={off} in: {_shown(self.path)}")
        lines += [f"{blue}{'':>{gutter}} ={off} {_shown(note)}" for note in self.notes]
        if self.help:
            lines.append(f"{blue}{'':>{gutter}} ={off} {cyan}help{off}: {_shown(self.help)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        span = self.span
        return {
            "code": self.code,
            "name": CODES[self.code][0],
            "message": self.message,
            "file": span.file if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "path": self.path or None,
            "notes": list(self.notes),
            "help": self.help or None,
        }


_ANSI = ("\x1b[31m", "\x1b[34m", "\x1b[1m", "\x1b[36m", "\x1b[0m")
_LONGEST = 600  # of a text that quotes what a user wrote
_WINDOW = 100  # a source line longer than this is shown around the carets only


def _shown(text: str, *, lines: bool = True) -> str:
    """A text as a terminal may see it: of bounded length, what does not print as its escape sequence.

    Line breaks stay, unless `lines` is False.
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 100]} … {text[-90:]}"
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode() for c in text
    )


def _window(span: Span) -> tuple[str, int]:
    """The part of the source line to show, and the 0-based column of the carets inside it."""
    # Control characters of a hostile file must not reach the terminal.
    text = "".join(c if c.isprintable() else " " for c in span.text)
    column = span.column - 1
    if len(text) <= _WINDOW:
        return text, column
    start = max(0, column - _WINDOW // 3)
    shown = text[start : start + _WINDOW]
    prefix = "…" if start else ""
    suffix = "…" if start + _WINDOW < len(text) else ""
    return prefix + shown + suffix, column - start + len(prefix)


class ArchinspectError(Exception):
    """Bad input, with all its diagnostics.  The command line prints them on stderr and exits with 2."""

    exit_code = EXIT_USAGE

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        super().__init__("\n".join(d.render() for d in self.diagnostics))

    def render(self, *, color: bool = False) -> str:
        blocks = [d.render(color=color) for d in self.diagnostics]
        if len(blocks) > 1:
            blocks.append(f"{len(blocks)} errors")
        return "\n\n".join(blocks)


class OpError(ValueError):
    """What is wrong with an op's attribute or input, without a place (the spec reader knows the place).

    `attribute` names the argument to underline; `notes` hold the arithmetic that failed.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        notes: Iterable[str] = (),
        help: str = "",
        attribute: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.notes = tuple(notes)
        self.help = help
        self.attribute = attribute

    def diagnostic(self, span: Span | None = None, path: str = "") -> Diagnostic:
        return Diagnostic(self.code, self.message, span, path, self.notes, self.help)


def fail(
    code: str, message: str, *, notes: Iterable[str] = (), help: str = "", call_help: str = ""
) -> ArchinspectError:
    """An error that has no place in a file (a command-line value, a missing package)."""
    return ArchinspectError(Diagnostic(code, message, notes=tuple(notes), help=help, call_help=call_help))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to a misspelt one, or None when nothing is close."""
    import difflib  # only a misspelling needs it

    candidates = list(known)
    folded = {c.lower().replace("_", ""): c for c in candidates}
    key = word.lower().replace("_", "").replace("-", "")
    if key in folded:
        return folded[key]
    close = difflib.get_close_matches(word, candidates, n=5, cutoff=0.6)
    swapped = [
        candidate for candidate in close if sorted(candidate) == sorted(word)
    ]  # vgg61 is vgg16, not vgg19
    return next(iter(swapped + close), None)


def suggestion(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """A help line for a misspelt word."""
    close = nearest(word, known)
    return f"did you mean '{close}'?" if close else otherwise
