"""`signal`: standard deviations layer by layer beside theory, the verdicts, and the curves over depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import units
from ..plot import Axis, Band, Chart, Line, Point, Series
from ..shown import counted
from .table import Cell, Cells, Column, Report, Table, Toned

if TYPE_CHECKING:
    from ..signal.results import ModeRow, Modes, Row, Signal, Spread, Variant, Verdict


def signal_report(found: Signal) -> Report:
    """The verdicts, and a row for each layer; of several variants the standard deviations side by side."""
    table = _one(found) if len(found.variants) == 1 else _beside(found)
    return Report((table, _verdicts(found)), found.document)


def _title(found: Signal) -> str:
    return f"Signal of {found.model}"


def _subtitle(found: Signal) -> str:
    mode = "training" if found.mode == "train" else "evaluation"
    loss = found.variants[0].loss
    return f"{counted(found.seeds, 'seed')}, batch {found.batch}, {mode} mode; loss: {loss}"


def _share(value: float | None) -> Cell:
    return "" if value is None else 100 * value


def _one(found: Signal) -> Table:
    columns = [
        Column("name", "Layer", "name"),
        Column("op", "Type", optional=-1),
        Column("forward_std", "Output σ", "scientific"),
        Column("expected_std", "Theory σ", "scientific", 2),
        Column("ratio", "Ratio", "ratio", 3),
        Column("gradient_std", "Gradient σ", "scientific"),
        Column("expected_gradient_std", "Theory gradient", "scientific", 5),
        Column("weight_gradient_std", "Weight gradient", "scientific", 1),
        Column("dead", "Dead", "percent", 4),
        Column("saturated", "Saturated", "percent", 4),
    ]
    if found.explain:
        columns.append(Column("formula", "How theory comes to it", "formula"))
    variant = found.variants[0]
    rows = tuple(_cells(row, columns) for row in variant.rows)
    return Table(
        tuple(columns),
        rows,
        None,
        _title(found),
        _subtitle(found),
        variant.notes + _legend(found),
        listed="rows",
    )


def _cells(row: Row, columns: Sequence[Column]) -> Cells:
    made: list[Cell] = []
    for column in columns:
        value = getattr(row, column.key)
        if column.key in ("dead", "saturated"):
            made.append(_share(value))
        else:
            made.append("" if value is None else value)
    return tuple(made)


def _legend(found: Signal) -> tuple[str, ...]:
    return (
        "σ: standard deviation over all elements, the geometric mean over the seeds. Dead: ReLU units that are 0 for "
        "every input of the batch. Saturated: outputs where the slope is below 5 % of its largest.",
    )


def _beside(found: Signal) -> Table:
    """Layers down, variants across: output and gradient of each."""
    columns = [Column("name", "Layer", "name"), Column("op", "Type", optional=-1)]
    for number, variant in enumerate(found.variants, 1):
        columns.append(Column(f"forward_std_{number}", f"Output σ: {variant.label}", "scientific"))
        columns.append(Column(f"gradient_std_{number}", f"Gradient σ: {variant.label}", "scientific"))
    names = _names(found)
    rows = []
    for name, op in names.items():
        cells: list[Cell] = [name, op]
        for variant in found.variants:
            row = next((row for row in variant.rows if row.name == name), None)
            cells += ["", ""] if row is None else [_or_empty(row.forward_std), _or_empty(row.gradient_std)]
        rows.append(tuple(cells))
    notes = tuple(dict.fromkeys(note for variant in found.variants for note in variant.notes))
    return Table(
        tuple(columns),
        tuple(rows),
        None,
        _title(found),
        _subtitle(found),
        notes + _legend(found),
        listed="rows",
    )


def _or_empty(value: float | None) -> Cell:
    return "" if value is None else value


def _names(found: Signal) -> dict[str, str]:
    """Every row's name with its type, in the order of the largest variant."""
    largest = max(found.variants, key=lambda variant: len(variant.rows))
    names = {row.name: row.op for row in largest.rows}
    for variant in found.variants:
        for row in variant.rows:
            if names.setdefault(row.name, row.op) != row.op:
                names[row.name] = (
                    "activation" if {names[row.name], row.op} <= _ACTIVATIONS else names[row.name]
                )
    return names


_ACTIVATIONS = {"relu", "sigmoid", "tanh", "activation", "gelu", "silu", "relu6", "leaky_relu"}

_TONES = {"healthy": "good", "symmetric": "bad", "dead": "bad", "vanishes": "bad", "explodes": "bad"}
_MOST_OF_A_KIND = 6


def _verdicts(found: Signal) -> Table:
    several = len(found.variants) > 1
    columns = [
        Column("code", "Verdict"),
        Column("layer", "Layer", "name"),
        Column("message", "Why", "detail"),
    ]
    if several:
        columns.insert(0, Column("variant", "Variant"))
    rows: list[Cells] = []
    for variant in found.variants:
        for verdict, more in _few(variant.verdicts):
            words = f"{verdict.message} (and {more} more)" if more else verdict.message
            cells: Cells = (Toned(verdict.code, _TONES[verdict.code]), verdict.name, words)  # type: ignore[arg-type]
            rows.append((variant.label, *cells) if several else cells)
    return Table(tuple(columns), tuple(rows), None, "Verdicts")


def _few(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, int]]:
    """The verdicts, of one code no more than fit on a screen; the last one with how many are left out."""
    made: list[tuple[Verdict, int]] = []
    for code in dict.fromkeys(verdict.code for verdict in verdicts):
        same = [verdict for verdict in verdicts if verdict.code == code]
        shown = same[:_MOST_OF_A_KIND]
        more = len(same) - len(shown)
        made += [(verdict, more if verdict is shown[-1] else 0) for verdict in shown]
    return made


# The picture.

_THEORY = 7  # the palette's grey


def signal_charts(found: Signal) -> list[Chart]:
    """The output's standard deviation, and the gradient's, over depth: a line and a band of its seeds a variant."""
    charts = []
    for what, title, towards in (
        ("forward", "Output", "standard deviation of the output"),
        ("gradient", "Gradient", "standard deviation of the gradient"),
    ):
        series: list[Series] = []
        for number, variant in enumerate(found.variants):
            series += _curves(variant, what, number, len(found.variants) == 1)
        if series:
            charts.append(
                Chart(
                    f"{title} of {found.model}, layer by layer",
                    Axis("layers with weights, in the order in which they run"),
                    Axis(towards, log=True, show=_tick),
                    tuple(series),
                    subtitle=_subtitle(found),
                    notes=(
                        "Points: geometric mean over the seeds; band: smallest to largest; dashed: theory.",
                    ),
                    height=420.0,
                )
            )
    return charts


def _curves(variant: Variant, what: str, number: int, alone: bool) -> list[Series]:
    rows = [row for row in variant.rows if row.dense]
    known: list[tuple[int, Row, Spread]] = [
        (place, row, spread)
        for place, row in enumerate(rows, 1)
        if (spread := getattr(row, what)) is not None and spread.low > 0 and math.isfinite(spread.mean)
    ]
    if not known:
        return []
    low, high = (tuple(Point(at, getattr(spread, end)) for at, _, spread in known) for end in ("low", "high"))
    points = tuple(
        Point(place, spread.mean, title=f"{row.name}: {units.scientific(spread.mean)}", size=3.0)
        for place, row, spread in known
    )
    key = "expected_std" if what == "forward" else "expected_gradient_std"
    theory = tuple(
        Point(place, value)
        for place, row, _ in known
        if (value := getattr(row, key)) is not None and value > 0 and math.isfinite(value)
    )
    made: list[Series] = [Band("", low, number, high), Line(variant.label or "measured", points, number)]
    if theory:
        colour = _THEORY if alone else number
        made.append(Line("theory" if alone else "", theory, colour, dashed=True, markers=False))
    return made


def _tick(value: float) -> str:
    """0.05 as it is, 10 to the power of −8 as 1e−8: the pictures' typeface has no small digits."""
    exponent = round(math.log10(value))
    if abs(exponent) > 3 and math.isclose(value, 10.0**exponent, rel_tol=1e-6):
        return f"1e{exponent}".replace("-", "−")
    text = units.scientific(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


# Training and evaluation.


def modes_report(found: Modes) -> Report:
    """Batch normalisation and dropout in both modes, and the network's output."""
    columns = (
        Column("name", "Layer", "name"),
        Column("op", "Type", optional=-1),
        Column("train_std", "Training σ", "scientific"),
        Column("eval_std", "Evaluation σ", "scientific"),
        Column("train_zero", "Zeros, training", "percent", 3),
        Column("eval_zero", "Zeros, evaluation", "percent", 3),
        Column("batch_var", "Last batch's variance", "scientific"),
        Column("running_var", "Running variance", "scientific"),
        Column("train_flops", "FLOPs, training", "int", 2),
        Column("eval_flops", "FLOPs, evaluation", "int", 2),
    )
    rows = tuple(_mode_cells(row, columns) for row in found.rows)
    total = _mode_cells(found.output, columns)
    notes = (
        "Both modes on the same weights and the same batch. Dropout zeroes with probability p and multiplies the rest "
        "by 1/(1 − p) in training; in evaluation it passes its input on.",
        "Evaluation uses running statistics: (1 − momentum)·old + momentum·new after each batch in training, from 0 "
        "and 1 at the start. They are a running average over batches, not the last batch's.",
    )
    subtitle = f"Batch {found.batch}, after {found.batches} batches in training mode"
    return Report(
        (
            Table(
                columns,
                rows,
                total,
                f"Training and evaluation of {found.model}",
                subtitle,
                tuple(notes),
                listed="rows",
            ),
        ),
        found.document,
    )


def _mode_cells(row: ModeRow, columns: Sequence[Column]) -> Cells:
    made: list[Cell] = []
    for column in columns:
        value = getattr(row, column.key)
        if column.key.endswith("_zero"):
            value = 100 * value
        made.append("" if value is None else value)
    return tuple(made)
