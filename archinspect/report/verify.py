"""`verify`: both engines layer by layer, the tools' figures and our predictions, and why the tools disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import units
from .table import Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..check.verification import LayerCheck, ToolCheck, Verification
    from ..ops import Shape

_LAYERS = (
    Column("name", "Layer", "name"),
    Column("op", "Type", optional=1),
    Column("output_shape", "Output shape", "shape"),
    Column("params", "Params", "int"),
    Column("macs", "MACs", "int"),
    Column("module", "Real module"),
)
_TOOLS = (
    Column("tool", "Tool"),
    Column("figure", "Figure"),
    Column("batch", "Batch", "int"),
    Column("predicted", "Predicted", "int"),
    Column("found", "Found", "int"),
    Column("verdict", "Verdict"),
)
_WHY = (
    Column("tools", "Tools"),
    Column("difference", "MACs apart", "int"),
    Column("because", "Because", "detail"),
)
_TONES: Mapping[str, str] = {
    "agrees": "good",
    "differs": "bad",
    "not installed": "fair",
    "failed": "fair",
    "not run": "fair",
}


def verification(found: Verification) -> Report:
    """The layers, what differs if anything does, the tools, and why any two of them disagree."""
    tables = [_layers(found)]
    if found.tools or not found.executions:
        tables += [_tools(found), _why(found)]
    if found.mismatches:
        tables.append(_mismatches(found))
    return Report(tuple(tables), found.to_dict)


def _layers(found: Verification) -> Table:
    total = (
        "Total",
        "",
        "",
        sum(_elements(check.expected.params) for check in found.layers),
        sum(check.expected.macs or 0 for check in found.layers),
        "",
    )
    differing = sum(not check.ok for check in found.layers)
    title = f"{found.model}: closed form and real module"
    if found.executions:
        notes = tuple(_execution_notes(found))
        rows = tuple(map(_call, found.layers))
        return Table(_CALLS, rows, total, title, _subtitle(found), notes)
    notes = (
        "Figures are our closed form's.  The real module was built and run; compared are output shape, each weight "
        "and buffer by name, and MACs as torch's FlopCounterMode sees them.",
        f"{differing} of {len(found.layers)} layers differ."
        if differing
        else f"{_all(len(found.layers))}, for {_batches(found.batches)}.",
    )
    rows = tuple(map(_layer, found.layers))
    return Table(_LAYERS, rows, total, title, _subtitle(found), notes)


_CALLS = (*_LAYERS[:-1], Column("module", "Executed"))


def _call(check: LayerCheck) -> Cells:
    name, op, shape, params, macs, verdict = _layer(check)
    return name, op, shape, params, macs, Toned("not run", "fair") if check.found is None else verdict


def _execution_notes(found: Verification) -> Iterator[str]:
    """What executing a captured graph gave, for each batch."""
    yield (
        "Figures are our closed form's.  The captured graph was executed call by call, on random inputs with the "
        "module's weights, and its outputs held against the module's own."
    )
    for batch, execution in found.executions.items():
        if execution.status == "equal":
            outputs = "The output is" if execution.outputs == 1 else f"All {execution.outputs} outputs are"
            yield f"Batch {batch}: {outputs} equal bit for bit, after {execution.calls:,} operations."
        elif execution.status == "differs":
            yield f"Batch {batch}: the first call that differs is {execution.where}: {execution.message}."
        else:
            yield f"Batch {batch}: not executed: {execution.message}."
    yield from found.notes


def _subtitle(found: Verification) -> str:
    return f"Input {units.shape_text(found.input_shape)}; torch {found.torch_version}"


def _layer(check: LayerCheck) -> Cells:
    verdict = Toned("agrees", "good")
    if not check.ok:
        verdict = Toned(f"differs: {', '.join(check.differing).replace('_', ' ')}", "bad")
    expected = check.expected
    return (
        check.name,
        check.op,
        expected.output_shape,
        _elements(expected.params),
        expected.macs,
        verdict,
    )


def _elements(weights: Mapping[str, Shape]) -> int:
    from ..ops import numel

    return sum(map(numel, weights.values()))


def _tools(found: Verification) -> Table:
    rows: list[Cells] = []
    for check in found.tools:
        verdict = _verdict(check)
        rows.append(
            (
                check.tool,
                check.predicted.unit,
                check.batch,
                check.predicted.total,
                check.total if check.total is not None else "",
                verdict,
            )
        )
        if check.predicted.params is not None and check.batch == found.batches[0]:
            counted = "" if check.params is None else check.params
            rows.append((check.tool, "params", check.batch, check.predicted.params, counted, verdict))
    versions = ", ".join(
        dict.fromkeys(f"{check.tool} {check.version}" for check in found.tools if check.version)
    )
    return Table(
        _TOOLS,
        tuple(rows),
        title=f"{found.model}: other tools, predicted from the graph and run",
        subtitle=versions,
        notes=tuple(_tool_notes(found)),
    )


def _verdict(check: ToolCheck) -> Toned:
    tone = _TONES[check.verdict]
    return Toned(check.verdict, tone)  # type: ignore[arg-type]


def _tool_notes(found: Verification) -> list[str]:
    notes = []
    for check in found.tools:
        if check.batch != found.batches[0]:
            continue
        if check.message:
            notes.append(f"{check.tool} {check.verdict}: {check.message}.")
        if check.predicted.unknown:
            notes.append(f"{check.tool} has no rule for {_named(check.predicted.unknown)}.")
    return notes


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({n}×)" if n > 1 else name for name, n in counts.items())


def _why(found: Verification) -> Table:
    """Tools that count the same, term by term, stand together under the first one's name."""
    alike: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for counts in (*found.counts[1:], found.ours):
        alike.setdefault(tuple(sorted(counts.terms.items())), []).append(counts.convention.name)
    speakers = {names[0] for names in alike.values()}
    rows = tuple(
        (f"{pair.minuend} − {pair.subtrahend}", pair.total, pair.explanation)
        for pair in found.differences
        if {pair.minuend, pair.subtrahend} <= speakers
    )
    notes = [f"{_joined(names)} count the same here." for names in alike.values() if len(names) > 1]
    notes.append(
        "Counted in multiply-accumulates, or what each tool takes for one; torch's FLOPs are halved."
    )
    notes += dict.fromkeys(
        f"{check.predicted.convention.tool}: {note}"
        for check in found.tools
        for note in check.predicted.notes
    )
    return Table(_WHY, rows, title=f"{found.model}: why two tools disagree", notes=tuple(notes))


def _mismatches(found: Verification) -> Table:
    columns = (Column("mismatch", "What differs", "detail"),)
    rows = tuple((str(mismatch),) for mismatch in found.mismatches)
    return Table(
        columns, rows, title=f"{found.model} is NOT verified", notes=(f"{len(rows)} figures differ.",)
    )


def _all(layers: int) -> str:
    return "The layer agrees" if layers == 1 else f"All {layers} layers agree"


def _batches(sizes: Sequence[int]) -> str:
    return f"a batch of {sizes[0]}" if len(sizes) == 1 else f"batches of {_joined(sizes)}"


def _joined(words: Sequence[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last
