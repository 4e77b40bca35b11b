"""Three tables as teachers paste them, true, and with ten errors planted in each: found, and rightly explained?

`python -m tests.check.teachers` prints the rates that docs/claims-proof.md shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archinspect.check.align import ledger_of
from archinspect.check.judge import judge
from archinspect.check.reading import read_text
from archinspect.check.verdicts import Judgement


@dataclass(frozen=True)
class Plant:
    """An error: a line of the table and the cell that is changed in it, and what a right cause says."""

    line: str
    old: str
    new: str
    layer: str
    cause: str


@dataclass(frozen=True)
class Pasted:
    """A table as it is pasted, which is right, and the errors that are planted."""

    name: str
    form: str
    model: str
    text: str
    plants: tuple[Plant, ...]

    def with_errors(self) -> str:
        lines = self.text.split("\n")
        for plant in self.plants:
            (at,) = [i for i, line in enumerate(lines) if re.search(rf"(?<!\w){plant.line}(?!\w)", line)]
            assert lines[at].count(plant.old) == 1, plant
            lines[at] = lines[at].replace(plant.old, plant.new)
        return "\n".join(lines)


ALEXNET = Pasted(
    "AlexNet",
    "Markdown, from a slide",
    "alexnet",
    """**AlexNet, layer by layer**

| Layer | Kernel | Stride | Output | # Params | MACs | Receptive field |
|:------|:------:|:------:|:-------|---------:|-----:|----:|
| Conv1 | 11×11 | 4 | 55×55×96 | 34,944 | 105,415,200 | 11 |
| Pool1 | 3×3 | 2 | 27×27×96 | 0 | - | 19 |
| Conv2 | 5×5 | 1 | 27×27×256 | 614,656 | 447,897,600 | 51 |
| Pool2 | 3×3 | 2 | 13×13×256 | 0 | - | 67 |
| Conv3 | 3×3 | 1 | 13×13×384 | 885,120 | 149,520,384 | 99 |
| Conv4 | 3×3 | 1 | 13×13×384 | 1,327,488 | 224,280,576 | 131 |
| Conv5 | 3×3 | 1 | 13×13×256 | 884,992 | 149,520,384 | 163 |
| Pool5 | 3×3 | 2 | 6×6×256 | 0 | - | 195 |
| FC6 | - | - | 4096 | 37,752,832 | 37,748,736 | - |
| FC7 | - | - | 4096 | 16,781,312 | 16,777,216 | - |
| FC8 | - | - | 1000 | 4,097,000 | 4,096,000 | - |
""",
    (
        Plant("Conv1", "34,944", "34,848", "conv1", "leaving out the 96 biases"),
        Plant("Conv2", "614,656", "307,456", "conv2", "2 groups|grouped"),
        Plant("Conv2", "447,897,600", "1,858,560,000", "conv2", "55×55"),
        Plant("Pool2", "67", "76", "pool2", "swapped"),
        Plant("Conv3", "| 1 |", "| 2 |", "conv3", "the row's own map"),
        Plant("Conv4", "13×13×384", "13×13×256", "conv4", "256"),
        Plant("Conv4", "224,280,576", "448,561,152", "conv4", "twice"),
        Plant("Conv5", "884,992", "884,929", "conv5", "swapped"),
        Plant("FC6", "37,752,832", "177,213,440", "fc6", "before the pooling"),
        Plant("FC7", "16,781,312", "16,777,217", "fc7", "one bias"),
    ),
)

VGG16 = Pasted(
    "VGG-16",
    "Keras' summary",
    "vgg16",
    """Model: "vgg16"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
┃ Layer (type)                ┃ Output Shape            ┃      Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
│ input_layer (InputLayer)    │ (None, 224, 224, 3)     │            0 │
├─────────────────────────────┼─────────────────────────┼──────────────┤
│ block1_conv1 (Conv2D)       │ (None, 224, 224, 64)    │        1,792 │
│ block1_conv2 (Conv2D)       │ (None, 224, 224, 64)    │       36,928 │
│ block1_pool (MaxPooling2D)  │ (None, 112, 112, 64)    │            0 │
│ block2_conv1 (Conv2D)       │ (None, 112, 112, 128)   │       73,856 │
│ block2_conv2 (Conv2D)       │ (None, 112, 112, 128)   │      147,584 │
│ block2_pool (MaxPooling2D)  │ (None, 56, 56, 128)     │            0 │
│ block3_conv1 (Conv2D)       │ (None, 56, 56, 256)     │      295,168 │
│ block3_conv2 (Conv2D)       │ (None, 56, 56, 256)     │      590,080 │
│ block3_conv3 (Conv2D)       │ (None, 56, 56, 256)     │      590,080 │
│ block3_pool (MaxPooling2D)  │ (None, 28, 28, 256)     │            0 │
│ block4_conv1 (Conv2D)       │ (None, 28, 28, 512)     │    1,180,160 │
│ block4_conv2 (Conv2D)       │ (None, 28, 28, 512)     │    2,359,808 │
│ block4_conv3 (Conv2D)       │ (None, 28, 28, 512)     │    2,359,808 │
│ block4_pool (MaxPooling2D)  │ (None, 14, 14, 512)     │            0 │
│ block5_conv1 (Conv2D)       │ (None, 14, 14, 512)     │    2,359,808 │
│ block5_conv2 (Conv2D)       │ (None, 14, 14, 512)     │    2,359,808 │
│ block5_conv3 (Conv2D)       │ (None, 14, 14, 512)     │    2,359,808 │
│ block5_pool (MaxPooling2D)  │ (None, 7, 7, 512)       │            0 │
│ flatten (Flatten)           │ (None, 25088)           │            0 │
│ fc1 (Dense)                 │ (None, 4096)            │  102,764,544 │
│ fc2 (Dense)                 │ (None, 4096)            │   16,781,312 │
│ predictions (Dense)         │ (None, 1000)            │    4,097,000 │
└─────────────────────────────┴─────────────────────────┴──────────────┘
 Total params: 138,357,544 (527.79 MB)
 Trainable params: 138,357,544 (527.79 MB)
 Non-trainable params: 0 (0.00 B)
""",
    (
        Plant("block1_conv1", "1,792", "1,728", "conv1_1", "leaving out the 64 biases"),
        Plant("block2_conv2", "147,584", "147,548", "conv2_2", "swapped"),
        Plant("block3_conv1", "295,168", "590,080", "conv3_1", "row|input width 256"),
        Plant("block3_conv2", "590,080", "65,792", "conv3_2", "kernel"),
        Plant("block4_conv1", "1,180,160", "118,016", "conv4_1", "a digit"),
        Plant("block4_conv3", "(None, 28, 28, 512)", "(None, 14, 14, 512)", "conv4_3", "row"),
        Plant("block5_conv2", "2,359,808", "4,719,616", "conv5_2", "twice"),
        Plant("fc1", "102,764,544", "411,045,888", "fc6", "before the pooling"),
        Plant("fc2", "16,781,312", "16,777,216", "fc7", "leaving out the 4,096 biases"),
        Plant("Total params", "138,357,544", "138,344,128", "", "biases are left out|13,416"),
    ),
)

MOBILENET = Pasted(
    "MobileNet",
    "text copied from a PDF",
    "mobilenet_v1",
    """MobileNet v1, width multiplier 1
Layer Output size Params MACs
conv1 112×112×32 864 10.84M
dw1 112×112×32 288 3.61M
pw1 112×112×64 2,048 25.69M
dw2 56×56×64 576 1.81M
pw2 56×56×128 8,192 25.69M
dw3 56×56×128 1,152 3.61M
pw3 56×56×128 16,384 51.38M
dw4 28×28×128 1,152 0.90M
pw4 28×28×256 32,768 25.69M
dw5 28×28×256 2,304 1.81M
pw5 28×28×256 65,536 51.38M
dw6 14×14×256 2,304 0.45M
pw6 14×14×512 131,072 25.69M
fc 1000 1,025,000 1.02M
Total - 4,231,976 568.74M
""",
    (
        Plant("conv1", "864", "288", "conv1.conv", "input channels"),
        Plant("pw1", "25.69M", "51.38M", "separable1.pw.conv", "FLOPs|twice"),
        Plant("dw2", "576", "36,864", "separable2.dw.conv", "full convolution"),
        Plant("pw2", "8,192", "8,320", "separable2.pw.conv", "adding 128 biases"),
        Plant("dw3", "3.61M", "462.42M", "separable3.dw.conv", "groups ignored"),
        Plant("pw3", "16,384", "16,348", "separable3.pw.conv", "swapped"),
        Plant("dw4", "0.90M", "3.61M", "separable4.dw.conv", "stride 1"),
        Plant("pw4", "28×28×256", "28×28×128", "separable4.pw.conv", "128"),
        Plant("fc", "1,025,000", "50,177,000", "fc", "before the pooling"),
        Plant("Total", "4,231,976", "3,206,976", "", "head|linear"),
    ),
)

TABLES = (ALEXNET, VGG16, MOBILENET)


def judged(text: str) -> list[Judgement]:
    return list(judge(read_text(ledger_of(text).text)))


def wrong(text: str) -> list[Judgement]:
    return [judgement for judgement in judged(text) if judgement.wrong]


@dataclass(frozen=True)
class Outcome:
    """What became of the planted errors of one table."""

    table: Pasted
    claims: int
    found: int
    alarms: tuple[Judgement, ...]
    explained: int
    unlike: tuple[tuple[str, str], ...]  # planted, the cause that was stated


def outcomes() -> Iterator[Outcome]:
    for table in TABLES:
        every = judged(table.with_errors())
        flagged = [j for j in every if j.wrong]
        mine: dict[Plant, Judgement] = {}
        for plant in table.plants:
            for judgement in flagged:
                here = judgement.claim.layers in ((plant.layer,), ()) and bool(plant.layer) == bool(
                    judgement.claim.layers
                )
                printed = judgement.claim.stated.text.strip().startswith(plant.new.strip(" |"))
                if here and printed:
                    mine[plant] = judgement
        alarms = tuple(j for j in flagged if j not in mine.values())
        unlike = tuple((p.new, j.cause) for p, j in mine.items() if not re.search(p.cause, j.cause))
        yield Outcome(table, len(every), len(mine), alarms, len(mine) - len(unlike), unlike)


def rates(found: Iterable[Outcome]) -> str:
    """The outcomes as Markdown."""
    lines = [
        "| pasted table | form | claims | planted | found | false alarms | rightly explained |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for made in found:
        table = made.table
        figures = (made.claims, len(table.plants), made.found, len(made.alarms), made.explained)
        lines.append(f"| {table.name} | {table.form} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(rates(outcomes()))
