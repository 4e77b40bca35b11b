"""Tables that the report tests share, built by hand."""

from __future__ import annotations

from archinspect.report import AtLeast, Column, Table

LAYERS = Table(
    columns=(
        Column("name", "Layer", "name"),
        Column("op", "Type"),
        Column("output_shape", "Output shape", "shape"),
        Column("params", "Params", "int"),
        Column("receptive_field", "Receptive field", "int", optional=1),
        Column("derivation", "Derivation", "formula"),
    ),
    rows=(
        ("conv1_1.conv", "conv2d", (1, 64, 224, 224), 1792, 3, "(3×3×3×64) + 64 = 1,792"),
        (
            "stage1.unit3.inception_3a.branch2.reduce.conv",
            "conv2d",
            (1, 128, 112, 112),
            138_357_544,
            (3, 5),
            "⌊(224 + 2×3 − 7)/2⌋ + 1 = 112",
        ),
        ("strange_x", "lstm", (1, 64), None, 3, ""),
    ),
    total=("Total", "", "", AtLeast(138_359_336), "", ""),
    title="VGG-16 & friends",
    subtitle="input 1×3×224×224",
    notes=("Cannot be counted: strange_x (lstm).",),
)
