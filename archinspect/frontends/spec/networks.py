"""Networks inside networks: `backbone: resnet18(num_classes=512)`, or `resnet18(until=conv5_x)` up to a layer.

A call may name a network that ships, or a file NAME.yaml beside the spec.  Its layers stand in a scope, as those of a
block do, with the arguments and blocks of its own file.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ArchinspectError
from .document import Document
from .signatures import Signature
from .validate import UNTIL


def network_named(document: Document, name: str) -> Document | None:
    """The network that a call of `document` names, read once; None where there is none.

    What is wrong with its file is recorded in the document's errors, and so is a network that uses itself.
    """
    if name in document.networks:
        return document.networks[name]
    file = _file_of(document, name)
    if file is None:
        return None
    from .models import read_document  # which reads what this document is made of

    path, model = file
    if path in document.within or path == _own(document):
        note = " → ".join([*(Path(one).stem for one in document.within), Path(_own(document)).stem, name])
        message = f"the network '{name}' uses itself"
        whole = document.source.span(0, 0, 1)
        document.errors.add(
            "A211", message, whole, notes=(note,), help="a network can use others, never itself"
        )
        document.networks[name] = Document(document.source, name=name)
        return document.networks[name]
    try:
        inner = read_document(model)
    except ArchinspectError as error:
        document.errors += error.diagnostics
        inner = Document(document.source, name=name)
    inner.within = (*document.within, _own(document))
    document.networks[name] = inner
    return inner


def network_signature(network: Document) -> Signature:
    """What a call of a network may give: its arguments by name, its inputs, and where it ends."""
    inputs = frozenset(one.name for one in network.inputs if one.name)
    return Signature("network", tuple(network.argument_keys), frozenset(), inputs | {UNTIL}, joins=True)


def _own(document: Document) -> str:
    """The file of a document: errors call one that ships `specs/NAME.yaml`, wherever it is installed."""
    return _shipped(Path(document.source.file).stem) or os.path.abspath(document.source.file)


def _shipped(name: str) -> str:
    from .models import specs_folder

    file = os.path.join(specs_folder(), f"{name}.yaml")
    return os.path.abspath(file) if os.path.isfile(file) else ""


def _file_of(document: Document, name: str) -> tuple[str, str | Path] | None:
    """The path of the file of a network, and the MODEL that names it; one beside the spec comes first."""
    if not name.isidentifier():
        return None
    beside = Path(document.source.file).parent / f"{name}.yaml"
    if document.source.file.endswith((".yaml", ".yml")) and beside.is_file():
        return os.path.abspath(beside), beside
    shipped = _shipped(name)
    return (shipped, name) if shipped else None
