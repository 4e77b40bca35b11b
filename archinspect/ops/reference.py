"""What documentation says about an op, read from the op itself, and the page docs/ops.md made of it.

python -m archinspect.ops.reference > docs/ops.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ..formula import equation
from ..units import shape_text
from . import REGISTRY
from .base import CATEGORIES, Op, Shapes, TorchCall, numel

_HEAD = """\
<!-- Written by `python -m archinspect.ops.reference > docs/ops.md` from the ops themselves; do not edit. -->

# The layer types

Names and defaults are PyTorch's, written small; the width of the input is inferred. `archinspect ops` prints this list
and `archinspect ops conv2d` one entry. [The spec language](spec-language.md) says how layers make a network, and
[the counting rules](counting.md) how the figures come about. PyTorch's `inplace` is no attribute of the language: it
changes no figure of a network.
"""


def signature(op: type[Op]) -> str:
    """The call as a spec writes it: `conv2d(out_channels, kernel_size, stride=1, ...)`."""
    parts = [a.name if a.required else f"{a.name}={a.show(a.default)}" for a in op.attributes]
    return f"{op.type}({', '.join(parts)})"


def paragraphs(op: type[Op]) -> list[str]:
    """The op's documentation, a line for each paragraph; the first says what it does."""
    return [" ".join(part.split()) for part in (op.__doc__ or "").strip().split("\n\n")]


def figures(op: type[Op], attributes: dict[str, Any], inputs: Shapes) -> Iterator[tuple[str, str]]:
    """The op's figures on a sample, derived: name and text."""
    made: Op = op.of(**attributes)
    output = made.shape(inputs)
    params = sum(map(numel, made.weights(inputs).values()))
    yield "output shape", equation(made.derive_shape(inputs, output), output)
    for name, shape in {**made.weights(inputs), **made.buffers(inputs)}.items():
        yield name, shape_text(shape) or "a single number"
    yield "params", equation(made.derive_params(inputs), params)
    cost = made.cost(inputs, output)
    if cost is not None:
        yield "MACs", equation(made.derive_macs(inputs, output), cost.macs)
        yield "FLOPs", equation(made.derive_flops(inputs, output), cost.flops)


def pytorch(call: TorchCall) -> str:
    """PyTorch's spelling: `nn.Conv2d(3, 96, 11, stride=4)`; a function's inputs are left out."""
    given = [*map(repr, call.args), *(f"{name}={value!r}" for name, value in call.kwargs.items())]
    if not call.is_module:
        given.insert(0, "[x, y]" if call.as_list else "x, y" if call.fold else "x")
    return f"{call.target}({', '.join(given)})"


def document() -> str:
    """The text of docs/ops.md."""
    parts = [_HEAD, *map(_contents, CATEGORIES)]
    for category in CATEGORIES:
        parts.append(f"\n## {category.capitalize()}\n")
        parts += [_entry(op) for op in _of(category)]
    return "\n".join(parts)


def _of(category: str) -> list[type[Op]]:
    return sorted((op for op in REGISTRY.values() if op.category == category), key=lambda op: op.type)


def _contents(category: str) -> str:
    return f"- {category}: " + ", ".join(f"[{op.type}](#{op.type})" for op in _of(category))


def _entry(op: type[Op]) -> str:
    lines = [f"### {op.type}\n", f"`{signature(op)}`\n", *(f"{text}\n" for text in paragraphs(op))]
    if op.arity is None:
        lines.append(f"Written as a key with named branches below it: `- {op.type}:`\n")
    if op.attributes:
        lines += ["| attribute | default | values | meaning |", "| --- | --- | --- | --- |"]
        for a in op.attributes:
            default = "required" if a.required else f"`{a.show(a.default)}`"
            lines.append(f"| `{a.name}` | {default} | {a.kind.schema.replace('|', 'or')} | {a.doc} |")
        lines.append("")
    attributes, inputs = op.samples[0]
    made = op.of(**attributes)
    lines.append(
        f"`{made}` on {' and '.join(map(shape_text, inputs))} is `{pytorch(made.torch_call(inputs))}`:\n"
    )
    lines += [f"- {name}: {text}" for name, text in figures(op, attributes, inputs)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(document())
