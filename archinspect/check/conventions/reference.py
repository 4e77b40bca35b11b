"""docs/conventions.md: the rules of all tools side by side, as their files state them.

`python -m archinspect.check.conventions.reference > docs/conventions.md` rewrites the page.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from ...ops import REGISTRY
from . import CONVENTIONS
from .captured import fvcore, ptflops, thop
from .captured.account import CallRule, CallRules
from .rules import Convention

_HEAD = """\
# How other tools count

Five tools print five figures for one network. Each counts by rules of its own, and archinspect knows them: it
predicts every figure from the spec alone; `archinspect verify` runs the tools and holds them to the prediction, to
the last digit. `--convention NAME` prints any table by a tool's rules, `verify` says term by term why two tools differ.

This page is written by `python -m archinspect.check.conventions.reference`.

## The tools
"""
_RULES = """
## Rules, op by op

MACs are [ours](counting.md). "no rule": the tool has none and adds nothing; "ignored": its authors list the op as
free, or restrict the tool to other work; a part in brackets is counted beside the rest.
"""

_OWN = """
## On your own module

Of a module that is not ours a tool counts what it can see. Hooks (torchinfo, thop, ptflops) see calls of modules,
patches (ptflops) see functions by the names under which Python code calls them, a trace (fvcore) and FlopCounterMode
see PyTorch's operators. So `y += x`, `F.relu(x)` and `x @ y` change what a tool prints, and `archinspect verify
net.py:Net` predicts that from one abstract forward pass in which all three are watched. `--convention NAME` then has a
row for each call of a module.

`verify` also executes the captured graph, call by call along its edges, on random inputs with the module's weights
(small random ones where it has none): its outputs must be the module's own, bit for bit, in evaluation mode. Otherwise
the first call that differs is named, with the difference. Modules of more than 4 GiB are not run, and that is said.

Tools run on a copy of the module: torchinfo, thop and FlopCounterMode on the meta device, and on the CPU where that
fails; fvcore and ptflops on the CPU with gradients, as their documentation runs them, so that attention takes no fast
path. Each batch of `--batch` is captured anew. A tool that fails is left out with its reason.

torchinfo has one rule: parameters called `weight` and `bias` of modules without children, times the batch; where the
name of the class contains "Conv", times the output positions, too; other names that contain "weight" or "bias"
(recurrent layers), times the first two dimensions of the output. A module that is called again counts its work again;
a parameter that two modules share counts twice. thop and ptflops go by exact classes:
"""
_FUNCTIONS = """
ptflops also counts these functions, where they are called by these names:
"""
_OPERATORS = """
fvcore counts these operators, those of weights alone, too; FlopCounterMode counts the multiply-accumulates of all
operators but `mv`, `dot`, grouped products and deformable convolutions:
"""
_MEASURED = """
What `python -m tests.witnesses` measured, with torch 2.13 and the releases above, at batch 1: each cell says in how
many models the tool's total and parameters are those predicted, to the last digit. One model of transformers was not
executed: it makes a constant on the meta device, where it has no value.

| models | executed, bit for bit | torchinfo | fvcore | torch | ptflops | thop |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| torchvision, all 80 that classify images | 80 | 80 | 80 | 80 | 80 | 80 |
| timm, one of each of 44 families | 44 | 44 | 44 | 44 | 44 | 44 |
| transformers, 8 architectures of small configs | 7 | 8 | 8 | 8 | 8 | 8 |

Not predicted: fvcore's list of unsupported operators, since a trace also has the arithmetic of sizes; an `einsum` of
more than two operands, which fvcore counts along the path that NumPy finds; attention of a module that runs on real
tensors alone (`--real`), which FlopCounterMode counts as 0 on the CPU.
"""


def document() -> str:
    """The page as Markdown."""
    own = [_OWN, *_classes(), _FUNCTIONS, *_functions(), _OPERATORS, *_operators(), _MEASURED]
    return "\n".join([_HEAD, *_tools(), _RULES, *_table(), *_peculiarities(), *own]) + "\n"


def _tools() -> Iterator[str]:
    yield "| name | tool | its figure | unit | parameters it counts | read in |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for convention in CONVENTIONS.values():
        unit = (
            convention.unit if convention.per_mac == 1 else f"{convention.unit}, {convention.per_mac} a MAC"
        )
        cells = (
            f"`{convention.name}`",
            convention.tool,
            f"`{convention.figure}`",
            unit,
            convention.params_text or "none",
            convention.source,
        )
        yield f"| {' | '.join(cells)} |"


def _table() -> Iterator[str]:
    yield f"| op | {' | '.join(CONVENTIONS)} |"
    yield "| --- |" + " --- |" * len(CONVENTIONS)
    ruled = [name for name in sorted(REGISTRY) if REGISTRY[name].predicted]
    for name in ruled:
        yield f"| `{name}` | {' | '.join(_rule(convention, name) for convention in CONVENTIONS.values())} |"
    others = ", ".join(f"`{name}`" for name in sorted(REGISTRY) if name not in ruled)
    told = (
        "For the other ops no rule of ours says what the tools count; `verify` predicts it from what they see of the "
        f"module that is built (below): {others}."
    )
    yield "\n" + textwrap.fill(told, 118, break_on_hyphens=False)


def _rule(convention: Convention, op: str) -> str:
    return "; ".join(dict.fromkeys(piece.text for piece in convention.pieces(op))).replace("|", "or")


def _peculiarities() -> Iterator[str]:
    yield "\n## Peculiarities\n"
    for convention in CONVENTIONS.values():
        for note in convention.notes:
            yield f"- {convention.tool}: {note.text}"


def _classes() -> Iterator[str]:
    """Classes that thop and ptflops treat the same share a row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for kind in (*thop.RULES, *(kind for kind in ptflops.RULES if kind not in thop.RULES)):
        rules = _told(thop.RULES.get(kind)), _told(ptflops.RULES.get(kind))
        alike.setdefault(rules, []).append(kind.rpartition(".")[2])
    yield "| class | thop | ptflops |"
    yield "| --- | --- | --- |"
    for rules, names in alike.items():
        yield f"| {', '.join(f'`{name}`' for name in names)} | {' | '.join(rules)} |"


def _told(rules: tuple[CallRule, ...] | None) -> str:
    if rules is None:
        return "no rule"
    return "; ".join(rule.text for rule in rules) or "ignored"


def _functions() -> Iterator[str]:
    yield from _by_rule("functions", ptflops.FUNCTIONS)


def _operators() -> Iterator[str]:
    yield from _by_rule("operators", fvcore.RULES)


def _by_rule(heading: str, rules: CallRules) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for name, known in rules.items():
        alike.setdefault(_told(known), []).append(name)
    yield f"| {heading} | counted |"
    yield "| --- | --- |"
    for told, names in alike.items():
        yield f"| {', '.join(f'`{name}`' for name in names)} | {told} |"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(document())
