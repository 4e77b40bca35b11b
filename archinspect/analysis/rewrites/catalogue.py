"""The named rewrites.  To add one, write its `find` and name it here."""

from __future__ import annotations

from ...errors import fail, suggestion
from .heads import find_heads
from .kernels import find_asymmetric, find_depthwise, find_grouped, stack_of_3x3
from .reductions import find_naive_modules, find_reductions
from .residual import find_equal_macs, find_full_width
from .site import Rewrite

_ALL = (
    Rewrite(
        "no-reductions",
        "Without 1×1 reductions, at the same widths",
        "Szegedy et al. 2014, arXiv:1409.4842, section 4",
        "Every 1×1 convolution that narrows the input of a larger one is taken out; all other widths stay.",
        find_reductions,
    ),
    Rewrite(
        "naive",
        "Naïve Inception modules",
        "Szegedy et al. 2014, arXiv:1409.4842, figure 2(a)",
        "Modules lose their reductions and the projection behind their pool, whose branch then passes on all channels"
        " that come in: widths grow from module to module.",
        find_naive_modules,
    ),
    Rewrite(
        "full-width",
        "Two k×k convolutions at full width in place of bottlenecks",
        "He et al. 2015, arXiv:1512.03385, figure 5",
        "Each 1×1, k×k, 1×1 bottleneck becomes two k×k convolutions as wide as the block's output.",
        find_full_width,
    ),
    Rewrite(
        "basic-blocks",
        "Basic blocks of the same multiply-accumulates in place of bottlenecks",
        "He et al. 2015, arXiv:1512.03385, figure 5",
        "Each stage of bottlenecks becomes a stage of two k×k convolutions a block, as wide as its MACs allow.",
        find_equal_macs,
    ),
    Rewrite(
        "two-3x3",
        "5×5 convolutions as two 3×3",
        "Szegedy et al. 2015, arXiv:1512.00567, section 3.1 (Inception-v2)",
        "Two 3×3 convolutions see as much as one 5×5; norm and activation come between them.",
        stack_of_3x3(5),
    ),
    Rewrite(
        "three-3x3",
        "7×7 convolutions as three 3×3",
        "Simonyan & Zisserman 2014, arXiv:1409.1556, section 2.3",
        "Three 3×3 convolutions see as much as one 7×7; norms and activations come between them.",
        stack_of_3x3(7),
    ),
    Rewrite(
        "asymmetric",
        "k×k convolutions as 1×k and k×1",
        "Szegedy et al. 2015, arXiv:1512.00567, section 3.2",
        "A row and a column see as much as the square; norm and activation come between them.",
        find_asymmetric,
    ),
    Rewrite(
        "depthwise",
        "Depthwise separable convolutions",
        "Howard et al. 2017, arXiv:1704.04861, section 3.1 (MobileNet)",
        "A k×k convolution of each channel alone, then a 1×1 convolution across them; the first layer stays.",
        find_depthwise,
    ),
    Rewrite(
        "grouped",
        "Grouped convolutions",
        "Krizhevsky et al. 2012, section 3.5; Xie et al. 2016, arXiv:1611.05431",
        "Channels are split into groups that do not see each other; the first layer stays.",
        find_grouped,
    ),
    Rewrite(
        "global-pool",
        "Global average pooling in place of a fully connected head",
        "Lin et al. 2013, arXiv:1312.4400, section 3.2",
        "Each channel becomes its mean, and only the last fully connected layer stays.",
        find_heads,
    ),
)
REWRITES: dict[str, Rewrite] = {rewrite.name: rewrite for rewrite in _ALL}


def rewrite_called(name: str) -> Rewrite:
    """The rewrite of a name.  Raises ArchinspectError (A403)."""
    if name not in REWRITES:
        listed = f"rewrites: {', '.join(REWRITES)}"
        raise fail(
            "A403", f"there is no rewrite '{name[:80]}'", help=suggestion(name, REWRITES, otherwise=listed)
        )
    return REWRITES[name]
