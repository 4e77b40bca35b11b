"""What MODEL names: a shipped network, a file, or a network on one line."""

from __future__ import annotations

import os
import re
from functools import cache

from ...errors import ArchinspectError, Diagnostic, Span, fail, nearest
from ...files import read_standard_input
from ...ops import REGISTRY
from .chains import read_chain
from .document import Body, Document, Statement
from .nodes import Scalar, Tree
from .problems import Problems
from .reader import read_tree
from .signatures import nearest_layer
from .source import MAX_BYTES, Source, read, source_of
from .statements import chain_statements

#: what errors call a network that was given on the command line
MODEL = "MODEL"


def read_document(model: str | os.PathLike[str]) -> Document:
    """The spec that `model` names, read and not yet expanded; what could not be read waits in `document.errors`."""
    if isinstance(model, str) and is_one_line(model):
        return _one_line(model)
    if model == "-":
        return _standard_input()
    return _read(read(*_find(model)))


def read_text(text: str, file: str) -> Document:
    """A spec from its text; `file` is the name that errors show."""
    return _read(source_of(text, file))


def _read(source: Source, borrowing: bool = True) -> Document:
    document = read_tree(Tree(source))
    if document.lender is not None and borrowing:
        from .borrow import borrow

        borrow(document, lambda path: _read(read(path), borrowing=False), specs_folder(), shipped())
    return document


@cache
def _standard_input() -> Document:
    """The spec, or the one-line network, on standard input; read once, however often a command asks for it."""
    text = read_standard_input(MAX_BYTES)
    line = text.strip()
    return _one_line(line) if "\n" not in line and is_one_line(line) else read_text(text, "standard input")


def shipped() -> list[str]:
    """The names of the networks that ship, in alphabetical order."""
    return sorted(name[:-5] for name in os.listdir(specs_folder()) if name.endswith(".yaml"))


@cache
def specs_folder() -> str:
    """Where the shipped specs lie: inside an installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    inside = os.path.join(package, "specs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "specs")


def is_one_line(model: str) -> bool:
    """Whether MODEL is written as layers rather than as a name or a path."""
    if "->" in model or "→" in model or model.strip() in REGISTRY:
        return True
    return "(" in model and not model.endswith((".yaml", ".yml"))


def _find(model: str | os.PathLike[str]) -> tuple[str, str]:
    """The file of a model, a shipped spec by its name or a path, and how errors name it."""
    name = os.fspath(model)
    if isinstance(model, str) and re.fullmatch(r"[\w.-]+", name):
        file = os.path.join(specs_folder(), f"{name}.yaml")
        if os.path.isfile(file):
            return file, f"specs/{name}.yaml"
        alike = [] if os.path.exists(name) else _spelt_alike(name)
        if len(alike) == 1:
            return os.path.join(specs_folder(), f"{alike[0]}.yaml"), f"specs/{alike[0]}.yaml"
    if os.path.exists(name) or name.endswith((".yaml", ".yml")) or os.sep in name:
        return name, name
    plain = re.sub(r"[-.]", "", name.lower())
    close = (nearest(name, shipped()) or nearest(plain, shipped())) if len(name) < 100 else None
    layer = nearest_layer(name) if len(name) < 100 else None
    more = "`archinspect list` shows the networks that ship; a path to a .yaml file or layers joined by -> work too"
    raise ArchinspectError(
        Diagnostic(
            "A101",
            f"no network is called '{name}'",
            Span(MODEL, 1, 1, max(1, len(name)), name),
            help=f"did you mean '{close}'? {more}"
            if close
            else f"did you mean the layer '{layer}'? {more}"
            if layer
            else more,
        )
    )


def _spelt_alike(name: str) -> list[str]:
    """Shipped networks with the same letters and digits: `vgg16` for `VGG16`, `resnet50` for `resnet-50`."""

    def letters(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    return [known for known in shipped() if letters(known) == letters(name)]


def _one_line(text: str) -> Document:
    if len(text) > MAX_BYTES:
        note = f"{len(text):,} characters > limit {MAX_BYTES:,}"
        raise fail("A103", "the one-line network is too long", notes=[note], help="write it into a file")
    source = source_of(text.replace("\n", " ").replace("\r", " "), MODEL)
    scalar = Scalar(source.text, 0, 0, len(source.text), True, True, source)
    chain, errors = read_chain(scalar.value)
    layers = chain_statements(chain, scalar)
    if errors:
        layers = (Statement(None, None, Body(chain=chain, text=scalar, unreadable=True)),)
    document = Document(source, name="network", layers=layers, errors=Problems())
    for error in errors:
        span = scalar.span_of(error.column, error.length)
        document.errors.add(error.code, error.message, span, help=error.help)
    return document
