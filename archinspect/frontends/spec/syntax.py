"""Python's own parser on the texts of a spec, and places in them."""

from __future__ import annotations

import ast
import re
import warnings

from ...errors import Diagnostic, Span

MAX_TEXT = 4000
#: what Python's tokenizer warns of: odd escapes, numbers that run into words; catching warnings costs more than parsing
_DOUBTFUL = re.compile(r"\\|[0-9][^\W0-9]")


class ExpressionError(Exception):
    """What is wrong with an expression and where in its text (0-based column, length)."""

    def __init__(self, code: str, message: str, column: int, length: int, help: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column
        self.length = length
        self.help = help

    def diagnostic(self, span: Span) -> Diagnostic:
        return Diagnostic(self.code, self.message, span, help=self.help)


def parse_python(text: str) -> ast.expr:
    """Parse a text that must be one expression.  Raises ExpressionError."""
    body = text.lstrip()  # leading space would be an indentation error
    indent = len(text) - len(body)
    if len(body) > MAX_TEXT:
        help = "blocks, repeats and arguments keep a text short"
        raise ExpressionError("A103", f"a text of {len(body):,} characters is too long", indent, 1, help)
    if not body:
        help = "write a layer as name(arguments), for example conv2d(64, 3, padding=1)"
        raise ExpressionError("A201", "expected a layer, found nothing", 0, 1, help)
    try:
        if not _DOUBTFUL.search(body):
            return ast.parse(body, mode="eval").body
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # ours is the error that follows
            return ast.parse(body, mode="eval").body
    except SyntaxError as error:
        message, _, hint = (error.msg or "invalid syntax").partition(". Perhaps ")
        column = min(max(0, (error.offset or 1) - 1) + indent, len(text) - 1)
        if message.startswith("too many"):  # Python's own limit on brackets
            raise _too_deep(indent, body) from None
        help = "is a comma missing?" if "comma" in hint else _help(message)
        raise ExpressionError("A201", f"cannot read this: {message}", column, 1, help) from None
    except (RecursionError, MemoryError, ValueError):
        raise _too_deep(indent, body) from None


def _too_deep(indent: int, body: str) -> ExpressionError:
    return ExpressionError(
        "A103", "the expression is nested too deep", indent, len(body.rstrip()), "compute it by hand"
    )


def _help(message: str) -> str:
    if "was never closed" in message:
        return "add the closing bracket"
    if message.startswith("unmatched"):
        return "remove it, or add the opening bracket"
    if "follows keyword" in message:
        return "first the arguments without a name, then those with one"
    if "unterminated string" in message:
        return "add the closing quote"
    return "write a layer as name(arguments), for example conv2d(64, 3, padding=1)"


def place(node: ast.AST, text: str) -> tuple[int, int]:
    """Column and length of a parsed node in characters (ast counts UTF-8 bytes)."""
    if isinstance(node, ast.expr) and node.end_lineno == 1 and text.isascii() and not text[:1].isspace():
        start = node.col_offset  # as nearly all are
        return start, max(1, (node.end_col_offset or 0) - start)
    indent = 0 if text[:1].strip() else len(text) - len(text.lstrip())
    if getattr(node, "lineno", 1) != 1 or getattr(node, "end_lineno", 1) != 1:
        return indent, max(1, len(text[indent:].partition("\n")[0]))
    start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0) or 0
    if text.isascii():
        return start + indent, max(1, end - start)
    data = text[indent:].encode()
    left = len(data[:start].decode(errors="replace"))
    return left + indent, max(1, len(data[start:end].decode(errors="replace")))
