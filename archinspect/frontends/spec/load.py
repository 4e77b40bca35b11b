"""MODEL to `Graph`: the document that it names, with arguments and an input size, checked and laid out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...collector import uncollected
from ...errors import ArchinspectError, Span
from ...graph import Graph, Value
from ...input_size import INPUT_HELP, InputText, parse_input_text
from .document import Document
from .expand import Expander
from .models import MODEL, is_one_line, read_document, read_text, shipped, specs_folder
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
    input: InputSize | Sequence[InputText] | None = None,
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
    document = read_document(name)
    graph = lay_out(document, settings, input)
    return graph if input is None or not document.inputs else _of_other_weights(graph, document, settings)


def _of_other_weights(graph: Graph, document: Document, settings: Mapping[str, Any]) -> Graph:
    """The network with a remark if this input gives it other weights than its own, as of a layer after `flatten`."""
    try:
        own = lay_out(document, settings)
    except ArchinspectError:  # the spec's own size does not suit these arguments
        return graph
    before = {node.name: node.weights for node in own.layers}
    changed = [node for node in graph.layers if before.get(node.name, node.weights) != node.weights]
    if not changed:
        return graph
    node = changed[0]
    name = next(name for name, shape in node.weights.items() if before[node.name].get(name) != shape)
    shapes = ["×".join(map(str, weights[name])) for weights in (node.weights, before[node.name])]
    remark = (
        f"Other weights than at the network's own input {'×'.join(map(str, own.input_shape))}: {node.name}.{name} "
        f"is {shapes[0]}, not {shapes[1]}; trained weights do not fit.  A pool to a fixed size before it, as "
        "torchvision's VGG has, would keep them."
    )
    remarks = (*graph.metadata.get("remarks", ()), remark)
    return replace(graph, metadata={**graph.metadata, "remarks": remarks})


@uncollected
def lay_out(
    document: Document,
    arguments: Mapping[str, Any] | None = None,
    input: InputSize | Sequence[InputText] | None = None,
) -> Graph:
    """Validate a document and expand it.  Raises ArchinspectError with all errors of the document."""
    return Prepared(document).expand(arguments, input)


class Prepared:
    """A validated document, to be expanded as often as one likes.

    `expander` is the class that lays it out.
    """

    def __init__(self, document: Document, expander: type[Expander] = Expander) -> None:
        # What is found here and while it is expanded stays out of the document that was given.
        self.document = replace(document, errors=document.errors.copy(), remarks=[*document.remarks])
        self._expander = expander
        validator = Validator(self.document)
        validator.validate()
        self._broken = validator.broken

    def expand(
        self, arguments: Mapping[str, Any] | None = None, input: InputSize | Sequence[InputText] | None = None
    ) -> Graph:
        """The network with these arguments and this input size.  Raises ArchinspectError with all errors."""
        document = replace(self.document, errors=self.document.errors.copy())
        values = override(document, arguments or {})
        given = document.inputs if input is None else _given_inputs(document, input)
        if not given and not document.errors:
            line = document.source.file == MODEL
            message = (
                f"the network '{document.name}' needs an input size" if line else "the spec has no 'input'"
            )
            span = document.source.span(0, 0, len(document.source.lines[0]))
            document.errors.add(
                "A402" if line else "A109",
                message,
                span,
                help="give --input 3x224x224" if line else "add: input: 3x224x224, or give --input 3x224x224",
                call_help="give input=(1, 3, 224, 224)",
            )
        if not document.layers:
            found = with_paths(document.errors, document)
            raise ArchinspectError(in_reading_order(found, document.source.file))
        space = document.space if given else 2
        inputs = [(one.name or "input", Value(one.shape_in(space), one.dtype or "float32")) for one in given]
        for one in given:
            _refuse_channels_last(document, one, space, "--input" if input is not None else "")
        return self._expander(document, self._broken, values).expand(inputs)


def _given_inputs(document: Document, input: InputSize | Sequence[InputText]) -> tuple[InputText, ...]:
    """The inputs of the document in other sizes: one for its first input, or some by their names."""
    if isinstance(input, (tuple, list)) and input and all(isinstance(one, InputText) for one in input):
        given = [one for one in input if isinstance(one, InputText)]
    else:
        text = "x".join(map(str, input)) if isinstance(input, (tuple, list)) else str(input)
        try:
            given = [parse_input_text(text)]
        except ValueError as error:
            help = "give a shape, such as input=(1, 3, 224, 224)"
            document.errors.add("A402", str(error), _span_of(text), help=INPUT_HELP, call_help=help)
            return ()
    own = list(document.inputs) or [InputText(())] * len(given)
    names = [one.name for one in own]
    for number, one in enumerate(given):
        at = names.index(one.name) if one.name is not None and one.name in names else number
        if (one.name is not None and names[0] is not None and one.name not in names) or at >= len(own):
            known = ", ".join(filter(None, names)) or "one, without a name"
            message = f"'{document.name}' has no input '{one.name}'" if one.name else "too many inputs"
            alone = "" if any(names) else "give one shape"
            document.errors.add("A402", message, None, help=f"its inputs are {known}", call_help=alone)
            return ()
        own[at] = replace(
            one, name=own[at].name or (one.name if len(given) > 1 else None), dtype=one.dtype or own[at].dtype
        )
    return tuple(own)


def _refuse_channels_last(document: Document, one: InputText, space: int, where: str) -> None:
    """Say of a signal, image or volume whose last size is a number of channels that these come first."""
    sizes = one.sizes[-(space + 1) :]
    if one.without_batch or len(one.sizes) not in (space + 1, space + 2) or len(sizes) <= space:
        return
    if one.dtype not in (None, "uint8") or (space == 1 and len(one.sizes) != 2):
        return
    last, sides = sizes[-1], sizes[:-1]
    colours = (1, 2) if space == 1 else (1, 3, 4)
    if last not in colours or min(sides) < (4 if space == 3 else 16) or max(sides) < 16:
        return
    if space == 2 and last == 1 and sides[0] != sides[1]:
        return
    text = "x".join(map(str, one.sizes))
    right = "x".join(map(str, (*one.sizes[: -space - 1], last, *sides)))
    document.errors.add(
        "A402",
        f"'{text}' has its channels last",
        _span_of(text) if where else None,
        help=f"PyTorch has them first: write {right} (Nx{text} if it is meant as it stands)",
    )


def _span_of(text: str) -> Span:
    return Span("--input", 1, 1, max(1, len(text)), text)
