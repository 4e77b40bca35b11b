"""MODEL to `Graph`: the document that it names, with arguments and an input size, checked and laid out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...collector import uncollected
from ...errors import ArchinspectError, Span
from ...graph import Graph
from ...input_size import INPUT_HELP, parse_sizes, with_batch
from .document import Document
from .expand import Expander
from .models import is_one_line, read_document, read_text, shipped, specs_folder
from .paths import with_paths
from .problems import in_reading_order
from .settings import override, parse_settings, split_settings
from .validate import Validator

__all__ = [
    "InputSize",
    "is_one_line",
    "lay_out",
    "load_graph",
    "parse_settings",
    "read_document",
    "read_text",
    "shipped",
    "specs_folder",
]

#: An input size as text ("3x224x224"), as a shape, batch first, or as a number of features.
InputSize = str | tuple[int, ...] | int


@uncollected
def load_graph(
    model: str | os.PathLike[str],
    *,
    arguments: Mapping[str, Any] | None = None,
    input: InputSize | None = None,
) -> Graph:
    """The network that `model` names, with every shape known.

    `model` is a shipped name (`vgg16`), a path to a spec, or a one-line network (`"conv2d(8, 3) -> relu"`, which
    needs `input`); `name:argument=value,...` sets arguments in the same breath.  `arguments` overrides the spec's
    arguments, `input` its input size, `CxHxW` or `NxCxHxW`.

    Raises ArchinspectError with every error that was found.
    """
    name, settings = split_settings(model)
    settings.update(arguments or {})
    if input is None and "input" in settings:
        input = settings.pop("input")
    return lay_out(read_document(name), settings, input)


@uncollected
def lay_out(
    document: Document, arguments: Mapping[str, Any] | None = None, input: InputSize | None = None
) -> Graph:
    """Validate a document and expand it.  Raises ArchinspectError with all errors of the document."""
    return Prepared(document).expand(arguments, input)


class Prepared:
    """A validated document, to be expanded as often as one likes.

    `expander` is the class that lays it out.
    """

    def __init__(self, document: Document, expander: type[Expander] = Expander) -> None:
        # What is found here and while it is expanded stays out of the document that was given.
        self.document = replace(document, errors=document.errors.copy())
        self._expander = expander
        validator = Validator(self.document)
        validator.validate()
        self._broken = validator.broken

    def expand(self, arguments: Mapping[str, Any] | None = None, input: InputSize | None = None) -> Graph:
        """The network with these arguments and this input size.  Raises ArchinspectError with all errors."""
        document = replace(self.document, errors=self.document.errors.copy())
        values = override(document, arguments or {})
        sizes = document.input if input is None else _input_sizes(document, input)
        if sizes is None and not document.errors:
            message = f"the network '{document.name}' needs an input size"
            span = document.source.span(0, 0, len(document.source.lines[0]))
            document.errors.add(
                "A402", message, span, help="give --input 3x224x224", call_help="give input=(1, 3, 224, 224)"
            )
        if not document.layers:
            found = with_paths(document.errors, document)
            raise ArchinspectError(in_reading_order(found, document.source.file))
        shape = None if sizes is None else with_batch(sizes, document.space)
        return self._expander(document, self._broken, values).expand(shape)


def _input_sizes(document: Document, input: InputSize) -> tuple[int, ...] | None:
    text = "x".join(map(str, input)) if isinstance(input, (tuple, list)) else str(input)
    try:
        return parse_sizes(text)
    except ValueError as error:
        span = Span("--input", 1, 1, max(1, len(text)), text)
        help = "give a shape, such as input=(1, 3, 224, 224)"
        document.errors.add("A402", str(error), span, help=INPUT_HELP, call_help=help)
        return None
