"""One convolution as several cheaper ones: stacks of 3×3, 1×k and k×1, depthwise and pointwise, grouped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...graph import Graph, Node
from ...ops.convolution import Conv2d
from .assemble import Part
from .reductions import changed
from .site import Options, Site, convolutions, kernel, place, reads_input, trail


def stack_of_3x3(size: int) -> Callable[[Graph, Options], list[Site]]:
    """Find size×size convolutions that a stack of 3×3 convolutions can replace: two for 5×5, three for 7×7."""

    def find(graph: Graph, options: Options) -> list[Site]:
        def suits(node: Node, op: Conv2d) -> bool:
            return op.kernel_size == (size, size) and op.dilation == (1, 1)

        return _replace(graph, options, suits, _stack)

    return find


def find_asymmetric(graph: Graph, options: Options) -> list[Site]:
    """Square convolutions of odd size as 1×k and k×1."""
    return _replace(
        graph, options, lambda node, op: _is_square(op) and op.kernel_size[0] % 2 == 1, _rows_columns
    )


def find_depthwise(graph: Graph, options: Options) -> list[Site]:
    """Convolutions larger than 1×1 as a depthwise and a pointwise one; the first layer stays, as in MobileNet."""
    return _replace(
        graph, options, lambda node, op: op.kernel_size != (1, 1) and not reads_input(node), _separable
    )


def find_grouped(graph: Graph, options: Options) -> list[Site]:
    """Convolutions larger than 1×1 whose channels the groups divide; the first layer stays, as in AlexNet."""

    def suits(node: Node, op: Conv2d) -> bool:
        widths = node.input_shapes[0][1], op.out_channels
        divided = all(width % options.groups == 0 for width in widths)
        return op.kernel_size != (1, 1) and not reads_input(node) and divided

    return _replace(graph, options, suits, lambda node, op, options: [changed(op, groups=options.groups)])


def _is_square(op: Conv2d) -> bool:
    return op.kernel_size[0] == op.kernel_size[1] > 1


def _replace(
    graph: Graph,
    options: Options,
    suits: Callable[[Node, Conv2d], bool],
    replacement: Callable[[Node, Conv2d, Options], Sequence[Conv2d]],
) -> list[Site]:
    """A site for each ungrouped convolution that suits; its norm and activation come between the new ones too."""
    sites = []
    for index, node, op in convolutions(graph):
        if op.groups != 1 or not suits(node, op):
            continue
        made = replacement(node, op, options)
        parts = _with_trails(graph, index, made)
        sites.append(
            Site(
                path=node.name,
                before=f"{kernel(op)}, {place(node)}",
                after=", ".join(map(_words, made)),
                end_before=node.name,
                end_after=f"{node.name}.{parts[-1].name}" if len(parts) > 1 else node.name,
                changes={index: parts},
            )
        )
    return sites


def _words(op: Conv2d) -> str:
    groups = f" in {op.groups} groups" if op.groups > 1 else ""
    return f"{kernel(op)} → {op.out_channels}{groups}"


def _with_trails(graph: Graph, index: int, made: Sequence[Conv2d]) -> tuple[Part, ...]:
    """The convolutions in turn; after each but the last what follows the original: its norm and its activation."""
    between = [graph.nodes[i].op for i in trail(graph, index)]
    parts: list[Part] = []
    for number, op in enumerate(made, 1):
        parts.append(Part(f"conv{number}", op))
        if number < len(made):
            names = {"normalisation": "norm", "activation": "act"}
            parts += [Part(f"{names[op.category]}{number}", op) for op in between]
    return tuple(parts)


def _stack(node: Node, op: Conv2d, options: Options) -> list[Conv2d]:
    """3×3 convolutions that see as much; the padding is shared out and the last one strides, so that sizes stay."""
    count = (op.kernel_size[0] - 1) // 2
    middle = options.width_between(node, op)
    made = []
    for number in range(count):
        last = number == count - 1
        made.append(
            changed(
                op,
                out_channels=op.out_channels if last else middle,
                kernel_size=(3, 3),
                stride=op.stride if last else (1, 1),
                padding=_share(op.padding, count, number),
            )
        )
    return made


def _share(padding: tuple[int, ...] | str, count: int, number: int) -> tuple[int, ...] | str:
    if isinstance(padding, str):
        return padding
    return tuple(side // count + (number < side % count) for side in padding)


def _rows_columns(node: Node, op: Conv2d, options: Options) -> list[Conv2d]:
    """1×k, then k×1: Szegedy et al. 2015, arXiv:1512.00567, section 3.2."""
    size = op.kernel_size[0]
    padding = op.padding
    across, down = (padding, padding) if isinstance(padding, str) else ((0, padding[1]), (padding[0], 0))
    middle = options.width_between(node, op)
    return [
        changed(op, out_channels=middle, kernel_size=(1, size), stride=(1, op.stride[1]), padding=across),
        changed(op, kernel_size=(size, 1), stride=(op.stride[0], 1), padding=down),
    ]


def _separable(node: Node, op: Conv2d, options: Options) -> list[Conv2d]:
    """A depthwise convolution and a pointwise one: Howard et al. 2017, arXiv:1704.04861, section 3.1."""
    channels = node.input_shapes[0][1]
    pointwise = {"kernel_size": (1, 1), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    return [changed(op, out_channels=channels, groups=channels), changed(op, **pointwise)]
