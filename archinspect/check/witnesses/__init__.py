"""The witnesses: other tools, and the real module itself.  The only room of `check` that imports torch.

`replicas` copies the module, `tools` runs the tools on copies, `module` watches the module's own layers,
`watch` records what tools can see of a module that is not ours, and `testimony` holds what all of them said.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

import torch
from torch import nn

from ...ops import Shape
from .module import MISFITS, examples, observe, state
from .testimony import Observation, State, Step, Testimony
from .tools import TOOLS, Subject, ToolError

__all__ = [
    "MISFITS",
    "TOOLS",
    "TORCH_VERSION",
    "Observation",
    "State",
    "Step",
    "Subject",
    "Testimony",
    "examples",
    "hear",
    "hear_about",
    "observe",
    "state",
]

TORCH_VERSION = str(torch.__version__)

# What foreign code raises when it meets a network, or a library, that it does not expect.
_FAILURES = (
    ToolError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def hear(tool: str, module: nn.Module, shape: Shape) -> Testimony:
    """Run one tool on a copy of the module, in evaluation, with an input of that shape (batch first)."""
    return hear_about(tool, Subject(module, (torch.empty(shape, device="meta"),)))


def hear_about(tool: str, subject: Subject) -> Testimony:
    """Run one tool on a copy of the subject's module, in evaluation.

    A tool that is not installed or fails says so in its testimony.  What it prints, logs and warns is not shown.
    """
    distribution, run = TOOLS[tool]
    if find_spec(distribution) is None:
        return Testimony(tool, "", "not installed", message=f"pip install {distribution}")
    version = metadata.version(distribution)
    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            return Testimony(tool, version, **run(subject))
    except _FAILURES as error:
        reason = error.__cause__ or error  # torchinfo wraps what went wrong
        text = " ".join(str(reason).split()) or type(reason).__name__
        return Testimony(tool, version, "failed", message=text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep others' chatter off our streams."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(before)
