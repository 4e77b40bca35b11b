"""Counting a record by the rules of one tool: what each convention must say, and how rows come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..counts import Counts, RowCount, add_up
from ..rules import AGAIN, BIAS, Convention, Count, Note, term
from .record import ModuleCall, Record

__all__ = ["AGAIN", "BIAS", "CallRule", "CallRules", "Finding", "account", "class_term", "operator_term"]


@dataclass(frozen=True, slots=True)
class CallRule:
    """What a tool counts at a call: the rule in words, as arithmetic, and the part of the work that it is."""

    words: str
    count: Callable[[Any], Count]
    part: str = ""

    @property
    def text(self) -> str:
        return f"{self.words} ({self.part.strip()})" if self.part else self.words


#: by class or function; () for what the tool lists as free
CallRules = Mapping[str, tuple[CallRule, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool makes of one call: a count under a term, or a name of what it leaves out.

    `within` is the index of the call of a module in whose row it stands.
    """

    within: int
    term: str = ""
    count: Count = 0
    rule: str = ""
    ignored: str = ""
    unknown: str = ""


@dataclass
class _Row:
    terms: dict[str, Count] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    rules: dict[str, None] = field(default_factory=dict)
    params: int = 0


def account(
    record: Record,
    convention: Convention,
    findings: Iterable[Finding],
    *,
    params: Mapping[int, int] | None,
    total_params: int | None,
    notes: Iterable[Note] = (),
) -> Counts:
    """Rows by calls of modules, and their sums.  `params` are the tool's by index of the call."""
    rows: dict[int, _Row] = {}
    for finding in findings:
        row = rows.setdefault(finding.within, _Row())
        if finding.count:
            row.terms[finding.term] = row.terms.get(finding.term, 0) + finding.count
            row.rules[finding.rule] = None
        if finding.ignored:
            row.ignored[finding.ignored] += 1
        if finding.unknown:
            row.unknown[finding.unknown] += 1
    for index, size in (params or {}).items():
        rows.setdefault(index, _Row()).params = size
    for index, call in enumerate(record.calls):
        if not call.module.children:
            rows.setdefault(index, _Row())
    counted = tuple(
        RowCount(
            record.calls[index].name or record.module.class_name,
            record.calls[index].module.class_name,
            row.terms,
            dict(row.ignored),
            dict(row.unknown),
            None if params is None else row.params,
            record.calls[index].output,
            "; ".join(row.rules),
        )
        for index, row in sorted(rows.items())
    )
    return add_up(counted, convention, total_params, tuple(note.text for note in notes))


#: The term of a class's work, where several tools count it, in the words that `rules.TERMS` has for ops.
_CLASS_TERMS = {
    **{f"Conv{n}d": "conv2d" for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": "conv_transpose2d" for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": "batch_norm2d" for n in (1, 2, 3)},
    "SyncBatchNorm": "batch_norm2d",
    **{f"InstanceNorm{n}d": "instance_norm2d" for n in (1, 2, 3)},
    "LayerNorm": "layer_norm",
    "GroupNorm": "group_norm",
    **{f"MaxPool{n}d": "max_pool2d" for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": "max_pool2d" for n in (1, 2, 3)},
    **{f"AvgPool{n}d": "avg_pool2d" for n in (1, 2, 3)},
    **{f"AdaptiveAvgPool{n}d": "avg_pool2d" for n in (1, 2, 3)},
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Softmax": "softmax",
    "Linear": "linear",
    "NonDynamicallyQuantizableLinear": "linear",
    "Upsample": "upsample",
    "UpsamplingBilinear2d": "upsample",
    "UpsamplingNearest2d": "upsample",
    "MultiheadAttention": "multihead_attention",
}


def class_term(class_name: str, part: str = "") -> str:
    """`class_term("Conv1d", BIAS)` is "convolution bias"; a class that has no term of its own is one."""
    known = _CLASS_TERMS.get(class_name)
    if known is None:
        return f"{'convolution' if 'Conv' in class_name else class_name}{part}"
    return term(known, part)


#: The same for operators and patched functions, without their namespaces.
_OPERATOR_TERMS = {
    "_convolution": "conv2d",
    "batch_norm": "batch_norm2d",
    "instance_norm": "instance_norm2d",
    "addmm": "matmul",
    "baddbmm": "matmul",
    "bmm": "matmul",
    "mm": "matmul",
    "mul": "multiply",
    "interpolate": "upsample",
    "upsample_nearest2d": "upsample",
    "upsample_bilinear2d": "upsample",
    "grid_sampler": "grid_sample",
    **{f"{kind}_pool{n}d": f"{kind}_pool2d" for kind in ("max", "avg") for n in (1, 3)},
    **{f"adaptive_{kind}_pool{n}d": f"{kind}_pool2d" for kind in ("max", "avg") for n in (1, 2, 3)},
}


def operator_term(name: str, part: str = "") -> str:
    """`operator_term("aten::linear")` is "linear"."""
    bare = name.rpartition("::")[2].rpartition(".")[2]
    return term(_OPERATOR_TERMS.get(bare, bare), part)


def by_class(
    record: Record, rules: CallRules, times: Callable[[ModuleCall], Count] = lambda call: 1
) -> Iterator[Finding]:
    """What a tool with a table of classes makes of the calls of modules that compute by themselves."""
    for index, call in enumerate(record.calls):
        found = rules.get(call.module.kind)
        if found is None:
            if not call.module.children:
                yield Finding(index, unknown=call.module.class_name)
            continue
        factor = times(call)
        for rule in found:
            count = factor * rule.count(call)
            yield Finding(index, class_term(call.module.class_name, rule.part), count, rule.text)
        if not found and not call.module.children:
            yield Finding(index, ignored=call.module.class_name)
