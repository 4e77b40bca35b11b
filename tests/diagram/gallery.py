"""docs/gallery.md and its pictures, made by the commands that the page shows.

`python -m tests.diagram.gallery` writes them all; with names of files only those.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass

from tests.support import DOCS, ROOT, clean_environment

IMAGES = DOCS / "images"
PAGE = DOCS / "gallery.md"


@dataclass(frozen=True)
class Shown:
    """A picture of the page: the file's name, the command's arguments, and a sentence."""

    file: str
    arguments: str
    words: str

    @property
    def command(self) -> str:
        return f"archinspect diagram {self.arguments} -o {self.file}"


SECTIONS: dict[str, tuple[Shown, ...]] = {
    "Blocks": (
        Shown("resnet50.svg", "resnet50", "Stages in columns, blocks in frames, equal blocks once with ×N."),
        Shown("googlenet.svg", "googlenet", "Branches side by side, joined again in their module."),
        Shown("vgg16.svg", "vgg16", "Convolution, normalisation and activation share a card."),
        Shown("alexnet.svg", "alexnet_grouped", "The paper's two towers are groups of its convolutions."),
        Shown(
            "densenet121.svg",
            "densenet121",
            "Blocks that grow cannot fold: the first is drawn, those like it are one card. `--no-fold` draws all.",
        ),
        Shown("inception_v4.svg", "inception_v4", "Modules within modules."),
        Shown(
            "mobilenet_v2.svg",
            "mobilenet_v2",
            "Depthwise convolutions are named; linear bottlenecks end plainly.",
        ),
        Shown("senet154.svg", "senet154", "A gate multiplies what it was computed from."),
        Shown("vit_b_16.svg", "vit_b_16", "Attention and its two skips, twelve times."),
    ),
    "Blocks on their own, as lectures show them": (
        Shown(
            "inception.svg",
            "lecture_inception:naive=true --beside lecture_inception",
            "The Inception module: (a) the naïve version, (b) with dimension reductions.",
        ),
        Shown(
            "residual.svg",
            "resnet50 --only conv3_x.block1 --only conv3_x.block2",
            "Residual blocks, with a projection and with an identity as their skip.",
        ),
        Shown(
            "lecture_1_2.svg",
            "lecture_1_2 --style strip",
            "The lecture's first chain, CONV(ReLU) → POOL → FC.",
        ),
        Shown("lecture_1_3.svg", "lecture_1_3 --style strip", "Its second chain."),
    ),
    "Overviews": (
        Shown(
            "resnet50-overview.svg", "resnet50 --overview", "One row of stages, and each kind of block once."
        ),
        Shown("googlenet-overview.svg", "googlenet --overview", "Nine Inception modules are one drawing."),
        Shown(
            "googlenet-depth.svg",
            "googlenet --depth 1 --expand inception_3a",
            "One module open, the others closed.",
        ),
    ),
    "Volumes": (
        Shown(
            "alexnet-volumes.svg",
            "alexnet --style volume",
            "Height and width of the maps, thickness for channels.",
        ),
        Shown("vgg16-volumes.svg", "vgg16 --style volume", "The picture that papers draw of VGG."),
        Shown("googlenet-volumes.svg", "googlenet --style volume", "One module of each stage is opened."),
        Shown("resnet50-volumes.svg", "resnet50 --style volume", "Residual stages and their skips."),
        Shown("densenet121-volumes.svg", "densenet121 --style volume", "Dense blocks thicken."),
        Shown("inception_v4-volumes.svg", "inception_v4 --style volume", "Deep modules."),
        Shown("mobilenet_v2-volumes.svg", "mobilenet_v2 --style volume", "Inverted residuals."),
        Shown("senet154-volumes.svg", "senet154 --style volume", "Squeeze and excitation."),
    ),
    "Colours": (
        Shown("resnet50-macs.svg", "resnet50 --color macs", "Where the multiply-accumulates are."),
        Shown(
            "vgg16-params.svg", "vgg16 --color params --theme print", "Where the parameters are, for paper."
        ),
        Shown(
            "resnet50-memory.svg",
            "resnet50 --color memory --theme dark",
            "What the activations take, in the dark.",
        ),
    ),
    "Comparisons": (
        Shown(
            "resnet50-against.svg",
            "resnet50 --against resnet50:stride_in_1x1=true",
            "Where the common ResNet-50 (v1.5) differs from the paper's.",
        ),
    ),
}

HEAD = """\
<!-- Written by `python -m tests.diagram.gallery` from the commands shown; do not edit. -->

# Gallery

Each picture is one command away, from pip alone. `-o FILE.svg`, `.png` and `.pdf` draw it, `.dot` is for Graphviz, and
`.html` is one page to explore the network in, offline. The same in Python:

```python
import archinspect

archinspect.load("vgg16").draw(style="volume").save("vgg16.pdf")
```

In a notebook the picture shows itself.

ResNet-50 beside what torchview draws of it, each as it fits a page:

![Contact sheet: torchview's thread and our pictures of ResNet-50](images/contact-sheet.png)
"""


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for title, pictures in SECTIONS.items():
        parts.append(f"## {title}\n")
        for shown in pictures:
            image = f"![{shown.words}](images/{shown.file})"
            parts.append(f"{shown.words}\n\n```sh\n{shown.command}\n```\n\n{image}\n")
    return "\n".join(parts)


def main(names: list[str]) -> None:
    """Write pictures and page."""
    IMAGES.mkdir(exist_ok=True)
    for shown in (picture for pictures in SECTIONS.values() for picture in pictures):
        if not names or shown.file in names:
            command = [sys.executable, "-m", *shlex.split(shown.command)]
            subprocess.run(command, check=True, cwd=IMAGES, env=clean_environment())
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
